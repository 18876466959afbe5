"""What client authentication gives, and what a method of it must offer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from ringwall.identity.issuer.request import Parameters, RequestRefusedError
from ringwall.plan.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedClient:
    """A client that has proven who it is, or a public one that cannot, which has only named itself.

    Attributes:
        client: what the plan says about it.
        method: how it did so, by the names of RFC 7591, section 2; `none` for a public client.
        confirmation: members of `cnf` that bind its tokens to what it proved to hold, such as `x5t#S256`
            (RFC 8705, section 3.1); empty for none.
        service: name of the service of the plan that it is; empty for clients outside the system.
    """

    client: Client
    method: str
    confirmation: Mapping[str, str]
    service: str = ""

    @property
    def public(self) -> bool:
        """Whether it could not prove anything."""
        return self.method == "none"


class ClientMethod(Protocol):
    """One way for clients to authenticate.

    Attributes:
        names: what the metadata document calls it (`token_endpoint_auth_methods_supported`).
    """

    names: tuple[str, ...]

    async def presented(self, request: Request, form: Parameters) -> bool:
        """Return whether the request shows credentials of this kind, right or wrong."""
        ...

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:
        """Return the client, or raise RequestRefusedError; `unauthenticated()` tells nothing to who guesses."""
        ...


def unauthenticated() -> RequestRefusedError:
    """Return the one refusal for a client that is unknown, shows a wrong secret, or shows none."""
    return RequestRefusedError(401, "invalid_client", "the client could not be authenticated")
