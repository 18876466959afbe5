"""Who administers: somebody with an access token, or whoever runs the system, over the administration socket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.requests import Request

from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.dpop.proofs import ProofTaker
from ringwall.identity.issuer.oauth.bearer import DPOP, BearerRefusedError, believe
from ringwall.identity.issuer.request import sent_path
from ringwall.identity.people.journal import OPERATOR as BY_OPERATOR
from ringwall.model.headers import FORWARDED_FOR
from ringwall.model.presented import ALGORITHMS

_LONGEST_ADDRESS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks.

    Attributes:
        name: what events call them: the id of an account, the name of a development user or of a client, `operator`.
        roles: names of the roles that they hold now.
        claims: what policies may read; None for the operator, who has no token.
        source: the client's address as the edge saw it; empty where it is not known.
    """

    name: str
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Any] | None = None
    source: str = ""

    @property
    def is_operator(self) -> bool:
        """Whether this is whoever runs the system."""
        return self.claims is None


class Actors(Protocol):
    """Tells who asks."""

    async def of(self, request: Request) -> Actor:
        """Return who asks, or raise ProblemError."""
        ...


class Operators:
    """On the administration socket, whose file only that user can open, everybody is the operator."""

    async def of(self, _: Request) -> Actor:
        """Return the operator."""
        return Actor(name=BY_OPERATOR)


class TokenHolders:
    """Behind the edge, whoever shows an access token. Cookies are never looked at."""

    def __init__(self, context: IssuerContext, *, proofs: ProofTaker) -> None:
        self._context = context
        self._proofs = proofs

    async def of(self, request: Request) -> Actor:
        """Return who shows an access token, as they are now.

        1. The token is ours, for this system, good now, and shown as it is bound (RFC 9068, section 4; RFC 6750;
        RFC 9449, section 7). 2. Nobody acts with it for its subject (RFC 8693, section 4.1). 3. Its subject still is
        somebody: a client, or a person who may sign in. 4. Of the roles in it those count that its subject still has.
        """
        try:
            bearer = await believe(request, None, self._context, proofs=self._proofs, path=sent_path(request))  # 1
        except BearerRefusedError as error:
            raise _refused(error) from None
        claims = bearer.claims.claims
        if "act" in claims:  # 2
            raise _refused(BearerRefusedError(401, "invalid_token", "a token that was exchanged does not administer"))
        directory = self._context.directory.current()
        held = await self._roles_now(bearer.claims.subject, claims, directory)
        if held is None:  # 3
            raise _refused(BearerRefusedError(401, "invalid_token", "the token's subject is not known any more"))
        given = _at(claims, directory.role_claim)
        roles = tuple(role for role in held if isinstance(given, list) and role in given)  # 4
        return Actor(
            name=bearer.claims.subject,
            roles=roles,
            claims=_with(claims, directory.role_claim, list(roles)),
            source=request.headers.get(FORWARDED_FOR, "")[-_LONGEST_ADDRESS:],
        )

    async def _roles_now(self, subject: str, claims: Mapping[str, Any], directory: Directory) -> tuple[str, ...] | None:
        if subject in directory.ambiguous:
            return None
        client = directory.clients.get(subject)
        if client is not None:
            return client.roles if claims.get("client_id") == subject else None
        person = await self._context.people.find(subject)
        return None if person is None else person.roles


def _at(claims: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = claims
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _with(claims: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return claims with another value at a path."""
    first, *rest = path
    inner = claims.get(first)
    inside = inner if isinstance(inner, Mapping) else {}
    return {**claims, first: _with(inside, tuple(rest), value) if rest else value}


def _refused(error: BearerRefusedError) -> ProblemError:
    """Return the refusal with its challenge (RFC 6750, section 3; RFC 9449, section 7.1)."""
    told = f'error="{error.oauth}", error_description="{error.message}"' if error.oauth else 'realm="ringwall"'
    if error.scheme == DPOP:
        told += f', algs="{" ".join(ALGORITHMS)}"'
    headers = {"www-authenticate": f"{error.scheme} {told}", **error.headers}
    return ProblemError(error.status, "unauthenticated", error.message, headers=headers)
