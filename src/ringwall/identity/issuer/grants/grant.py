"""What a grant is given, what it answers, and what it must offer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ringwall.identity.issuer.access_tokens import IssuedToken
from ringwall.identity.issuer.clients.model import AuthenticatedClient
from ringwall.identity.issuer.request import Parameters, RequestRefusedError
from ringwall.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A request to the token endpoint whose client has been authenticated.

    Attributes:
        client: who asks.
        form: what it sent.
        confirmation: members of `cnf` that bind the tokens to a key of the client (RFC 7800, section 3.1).
    """

    client: AuthenticatedClient
    form: Parameters
    confirmation: Mapping[str, str]

    def required(self, name: str) -> str:
        """Return a parameter that must be there (RFC 6749, section 5.2)."""
        if name not in self.form:
            raise RequestRefusedError(400, "invalid_request", f"`{name}` is missing")
        return self.form[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """What the token endpoint answers (RFC 6749, section 5.1).

    Attributes:
        access: the access token.
        refresh: the refresh token, where there is one.
        id_token: the ID token (OpenID Connect Core 1.0, section 3.1.3.3), where there is one.
        more: further members, such as `issued_token_type` (RFC 8693, section 2.2.1).
    """

    access: IssuedToken
    refresh: Secret | None = None
    id_token: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class Grant(Protocol):
    """One grant type.

    Attributes:
        name: value of `grant_type`.
    """

    name: str

    async def issue(self, asked: TokenRequest) -> TokenAnswer:
        """Check what is presented and return tokens for it, or raise what `answers` turns into an error."""
        ...
