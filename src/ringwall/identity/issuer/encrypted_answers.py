"""What a client is told, encrypted where it wants that (OpenID Connect Core 1.0, sections 10.2 and 5.3.2)."""

import logging

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError
from ringwall.identity.tokens.encryption import encrypt, find_key
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.plan.model import Client

_log = logging.getLogger(__name__)


def id_token_for(client: Client, token: str) -> str:
    """Return a signed ID token, in an encrypted one where the client wants that."""
    return _encrypted(client, token, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc)


def userinfo_for(client: Client, token: str) -> str:
    """Return what a client is told about somebody, signed, in an encrypted token; for a client that wants that."""
    return _encrypted(client, token, client.userinfo_encrypted_response_alg, client.userinfo_encrypted_response_enc)


def _encrypted(client: Client, token: str, algorithm: str, content: str) -> str:
    """Encrypt, or refuse: what should be secret is never told in the clear because a key is not good."""
    if not algorithm:
        return token
    try:
        return encrypt(token, find_key(client.jwks, algorithm), content=content)
    except KeyRefusedError as error:
        _log.error("client %r has no good key to encrypt for: %s", client.name, error.message)
        raise TokenNotIssuedError(
            "invalid_request",
            "the client has no good key to encrypt for",
            hint=f"give {client.name!r} a key in `jwks` with `use: enc` for {algorithm}: {error.message}",
        ) from None
