"""Public clients (RFC 6749, section 2.1): browser and native applications, which cannot keep a secret."""

from starlette.requests import Request

from ringwall.identity.issuer.clients.model import AuthenticatedClient, unauthenticated
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.request import Parameters

_CREDENTIALS = ("client_secret", "client_assertion", "client_assertion_type")


class PublicMethod:
    """A client that only names itself (RFC 6749, section 3.2.1). What it gets is bound by PKCE and rotation instead."""

    names: tuple[str, ...] = ("none",)

    def __init__(self, directory: LiveDirectory) -> None:
        self._directory = directory

    def presented(self, request: Request, form: Parameters) -> bool:
        """Return whether there is a name of a public client and nothing that could be a credential.

        A client that has credentials may name itself as well, for instance where a certificate is its credential
        (RFC 8705, section 2), so a name alone says nothing about it.
        """
        if "authorization" in request.headers or any(name in form for name in _CREDENTIALS):
            return False
        client = self._directory.current().clients.get(form.get("client_id", ""))
        return client is not None and client.public

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:  # noqa: ARG002  # the protocol's
        """Return the client of that name; one that could keep a secret is refused."""
        client = self._directory.current().clients.get(form.get("client_id", ""))
        if client is None or not client.public:
            raise unauthenticated()
        return AuthenticatedClient(client=client, method="none", confirmation={})
