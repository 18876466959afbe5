"""Public clients (RFC 6749, section 2.1): browser and native applications, which cannot keep a secret."""

from starlette.requests import Request

from ringwall.identity.issuer.clients.model import AuthenticatedClient, unauthenticated
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import Parameters


class PublicMethod:
    """A client that only names itself (RFC 6749, section 3.2.1). What it gets is bound by PKCE and rotation instead."""

    names: tuple[str, ...] = ("none",)

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:  # noqa: ARG002  # as all do
        """Return the client of that name; one that could keep a secret is refused."""
        client = await self._context.client(form.get("client_id", ""))
        if client is None or not client.public:
            raise unauthenticated()
        return AuthenticatedClient(client=client, method="none", confirmation={})
