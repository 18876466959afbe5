"""Clients that show a certificate (RFC 8705, section 2): one that the plan names, or one that an authority vouches for.

What the edge says of the certificate is believed: the issuer's own listener lets nobody else in, and no client can
say it.
"""

import hmac
import logging
from typing import Final

from starlette.requests import Request

from ringwall.identity.issuer.clients.model import AuthenticatedClient, unauthenticated
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.request import Parameters
from ringwall.model.headers import CLIENT_CERTIFICATE, CLIENT_CERTIFICATE_CHAIN
from ringwall.plan.certificate import VOUCHED
from ringwall.plan.client import Client

SELF_SIGNED: Final = "self_signed_tls_client_auth"
CONFIRMATION: Final = "x5t#S256"
"""Member of `cnf` (RFC 8705, section 3.1)."""
_OTHERS: Final = ("client_secret", "client_assertion", "client_assertion_type")

_log = logging.getLogger(__name__)


def shown_certificate(request: Request) -> str:
    """Return the SHA-256, as base64url, of the certificate on the client's connection to the edge; empty for none."""
    return _only(request, CLIENT_CERTIFICATE)


def offered(directory: Directory) -> tuple[str, ...]:
    """Return which methods of this module some client could use."""
    if not directory.certificate_url:
        return ()
    vouched = any(client.certificate_subject is not None for client in directory.clients.values())
    vouched = vouched or (directory.registration is not None and bool(directory.client_authorities))
    return (SELF_SIGNED, VOUCHED) if vouched else (SELF_SIGNED,)


def certificate_binding(request: Request, client: Client) -> dict[str, str]:
    """Return the members of `cnf` that bind a token to the connection's certificate (RFC 8705, section 3).

    For a client that must have bound tokens, however it authenticates. Where the plan names its certificates, no other
    counts: the edge would take no token that is bound to it.
    """
    shown = shown_certificate(request)
    if not shown or not client.bound_tokens or (client.certificates and not is_named(shown, client)):
        return {}
    return {CONFIRMATION: shown}


def is_named(thumbprint: str, client: Client) -> bool:
    """Return whether a certificate is one of those that the plan names for a client."""
    shown = thumbprint.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(shown, known.encode("ascii")) for known in client.certificates]
    return any(matches)


class MutualTlsMethod:
    """A certificate: with a SHA-256 that the plan knows, or with a name in it and an authority that vouches for it."""

    names: tuple[str, ...] = (SELF_SIGNED, VOUCHED)

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def presented(self, request: Request, form: Parameters) -> bool:
        """Return whether a client with certificates names itself (RFC 8705, section 2), and shows nothing else."""
        if "authorization" in request.headers or any(name in form for name in _OTHERS):
            return False
        client = await self._context.client(form.get("client_id", ""))
        return client is not None and bool(client.certificates or client.certificate_subject)

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:
        """Return the client whose certificate is on the connection; its tokens are bound to that (section 3).

        1. The client is one that can keep a key, and there is a certificate. 2. It is one that the plan names (section
        2.2), or 3. an authority of the plan vouches for it, and it says what the plan says of this client (section
        2.1).
        """
        directory = self._context.directory.current()
        client = await self._context.client(form.get("client_id", ""))
        shown = shown_certificate(request)
        if client is None or client.public or not shown:  # 1
            raise unauthenticated()
        if client.certificates:  # 2
            if not is_named(shown, client):
                _log.warning("client %r failed to authenticate: the plan names another certificate", client.name)
                raise unauthenticated()
            return AuthenticatedClient(client=client, method=SELF_SIGNED, confirmation={CONFIRMATION: shown})
        self._check_vouched(request, client, shown, directory)  # 3
        return AuthenticatedClient(client=client, method=VOUCHED, confirmation={CONFIRMATION: shown})

    def _check_vouched(self, request: Request, client: Client, shown: str, directory: Directory) -> None:
        # Only systems with such a client load what reads certificates.
        from ringwall.identity.certificates.chain import (  # noqa: PLC0415  # as said
            CertificateRefusedError,
            read_chain,
            verify_chain,
        )
        from ringwall.identity.certificates.subject import names  # noqa: PLC0415  # as said

        if client.certificate_subject is None:
            raise unauthenticated()
        authorities = client.authorities or directory.client_authorities
        try:
            chain = read_chain(_only(request, CLIENT_CERTIFICATE_CHAIN), thumbprint=shown)
            certificate = verify_chain(chain, authorities=authorities, clock=self._context.clock)
        except CertificateRefusedError as error:
            _log.warning("client %r failed to authenticate by its certificate: %s", client.name, error.message)
            raise unauthenticated() from None
        if not names(certificate, client.certificate_subject):
            _log.warning("client %r failed to authenticate: its certificate is somebody else's", client.name)
            raise unauthenticated()


def _only(request: Request, header: str) -> str:
    """Return a header that is there once; empty otherwise."""
    found = request.headers.getlist(header)
    return found[0] if len(found) == 1 else ""
