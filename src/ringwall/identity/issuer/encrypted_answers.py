"""Tokens for one reader, encrypted where it wants that (OpenID Connect Core 1.0, sections 10.2 and 5.3.2; RFC 9068)."""

import logging
from collections.abc import Mapping

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError
from ringwall.identity.tokens.encryption import encrypt, find_key
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.plan.audience import Audience
from ringwall.plan.client import Client

_log = logging.getLogger(__name__)


def id_token_for(client: Client, token: str) -> str:
    """Return a signed ID token, in an encrypted one where the client wants that."""
    return _for_client(client, token, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc)


def userinfo_for(client: Client, token: str) -> str:
    """Return what a client is told about somebody, signed, in an encrypted token; for a client that wants that."""
    return _for_client(client, token, client.userinfo_encrypted_response_alg, client.userinfo_encrypted_response_enc)


def logout_token_for(client: Client, token: str, *, issuer: str) -> str:
    """Return a signed logout token, encrypted as the client's ID tokens are (Back-Channel Logout 1.0, section 2.4).

    The issuer stands in its header too, so that a client of several knows which key to take, as that section says.
    """
    algorithm, content = client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc
    return _for_client(client, token, algorithm, content, header={"iss": issuer})


def introspection_for(client: Client, token: str) -> str:
    """Return what a client is told about a token, signed, encrypted where it wants that (RFC 9701, section 5)."""
    algorithm, content = client.introspection_encrypted_response_alg, client.introspection_encrypted_response_enc
    return _for_client(client, token, algorithm, content)


def access_token_for(audience: Audience, token: str) -> str:
    """Return a signed access token, in an encrypted one where the audience has a key (RFC 9068, section 4)."""
    if not (audience.jwks or audience.alg or audience.enc):
        return token
    try:
        return encrypt(token, find_key(audience.jwks, audience.alg), content=audience.enc)
    except KeyRefusedError as error:
        _log.error("the audience %r has no good key to encrypt for: %s", audience.name, error.message)
        raise TokenNotIssuedError(
            "invalid_target",  # RFC 8693, section 2.2.2: none can be issued for it
            "the audience has no good key to encrypt for",
            hint=f"give {audience.name!r} a key in `jwks` with `use: enc`: {error.message}",
        ) from None


def _for_client(
    client: Client, token: str, algorithm: str, content: str, *, header: Mapping[str, str] | None = None
) -> str:
    """Encrypt, or refuse: what should be secret is never told in the clear because a key is not good."""
    if not algorithm:
        return token
    try:
        return encrypt(token, find_key(client.jwks, algorithm), content=content, header=header)
    except KeyRefusedError as error:
        _log.error("client %r has no good key to encrypt for: %s", client.name, error.message)
        raise TokenNotIssuedError(
            "invalid_request",
            "the client has no good key to encrypt for",
            hint=f"give {client.name!r} a key in `jwks` with `use: enc` for {algorithm}: {error.message}",
        ) from None
