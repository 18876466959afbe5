"""self_signed_tls_client_auth (RFC 8705, section 2.2): clients hold the keys of certificates that the plan names."""

import hmac
import logging
from typing import Final

from starlette.requests import Request

from ringwall.identity.issuer.clients.model import AuthenticatedClient, unauthenticated
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.request import Parameters
from ringwall.model.headers import CLIENT_CERTIFICATE

METHOD: Final = "self_signed_tls_client_auth"
CONFIRMATION: Final = "x5t#S256"
"""Member of `cnf` (RFC 8705, section 3.1)."""
_OTHERS: Final = ("client_secret", "client_assertion", "client_assertion_type")

_log = logging.getLogger(__name__)


def shown_certificate(request: Request) -> str:
    """Return the SHA-256, as base64url, of the certificate on the client's connection to the edge; empty for none.

    The edge says it, which is the only one that the issuer's own listener lets in, and no client can.
    """
    shown = request.headers.getlist(CLIENT_CERTIFICATE)
    return shown[0] if len(shown) == 1 else ""


class MutualTlsMethod:
    """A certificate, self-signed or not, of which the plan knows the SHA-256."""

    names: tuple[str, ...] = (METHOD,)

    def __init__(self, directory: LiveDirectory) -> None:
        self._directory = directory

    def presented(self, request: Request, form: Parameters) -> bool:
        """Return whether a client with certificates names itself (section 2), and shows nothing else."""
        if "authorization" in request.headers or any(name in form for name in _OTHERS):
            return False
        client = self._directory.current().clients.get(form.get("client_id", ""))
        return client is not None and bool(client.certificates)

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:
        """Return the client whose certificate is on the connection; its tokens are bound to that (section 3)."""
        client = self._directory.current().clients.get(form.get("client_id", ""))
        shown = shown_certificate(request)
        if client is None or client.public or not shown:
            raise unauthenticated()
        matches = [hmac.compare_digest(shown.encode("utf-8"), known.encode("ascii")) for known in client.certificates]
        if not any(matches):
            _log.warning("client %r failed to authenticate: the plan names another certificate", client.name)
            raise unauthenticated()
        return AuthenticatedClient(client=client, method=METHOD, confirmation={CONFIRMATION: shown})
