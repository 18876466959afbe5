"""JWT access tokens (RFC 9068): what goes in, and how large they may be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ringwall.identity.issuer.directory import Directory
from ringwall.identity.store.handles import new_id
from ringwall.identity.tokens.claims import ACCESS_TOKEN
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError
from ringwall.plan.client import Client

MAX_BYTES: Final = 4096
"""Envoy keeps no larger token in its cache, so each request with one would cost a verification."""
DEVELOPMENT_CLIENT: Final = "ringwall-cli"
"""`client_id` of tokens for development users (RFC 9068, section 2.2, asks for one)."""
DEVELOPMENT_SECONDS: Final = 3600
MAX_DEVELOPMENT_SECONDS: Final = 86_400
MAX_SCOPES: Final = 64

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}", re.ASCII)
_RESERVED: Final = frozenset(
    "iss sub aud exp nbf iat jti client_id scope cnf act auth_time acr amr sid grant_id".split()  # noqa: SIM905  # short
)
_UNBOUND: Final[Mapping[str, str]] = {}
_NOTHING: Final[Mapping[str, Any]] = {}


class Signer(Protocol):
    """What signs claims and returns the token."""

    def __call__(self, claims: Mapping[str, Any], *, typ: str, algorithm: str = ...) -> str:
        """Return the claims as a compact JWS with this media type; without `algorithm` as access tokens are."""
        ...


class Holder(Protocol):
    """Whom a token is about: a client or a person of the plan, or somebody with an account.

    Attributes:
        name: `sub`.
        roles: names of roles.
        claims: pairs of a claim's name in the plan and its value.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  # above
    @property
    def roles(self) -> tuple[str, ...]: ...  # noqa: D102  # above
    @property
    def claims(self) -> tuple[tuple[str, str | int | bool | tuple[str, ...]], ...]: ...  # noqa: D102  # above


class TokenNotIssuedError(RingwallError):
    """No token is given, for a reason that the one who asked may know.

    Attributes:
        oauth: the error code of RFC 6749, section 5.2.
    """

    code = "token-not-issued"

    def __init__(self, oauth: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.oauth = oauth


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token, its lifetime in seconds, and the scopes it carries."""

    text: str
    seconds: int
    scopes: tuple[str, ...]


def new_jti() -> str:
    """Return a name for one token, which occurs once (RFC 7519, section 4.1.7)."""
    return new_id()


def parse_scopes(text: str) -> tuple[str, ...]:
    """Return the scope tokens of a `scope` value, each once, in order (RFC 6749, section 3.3)."""
    scopes = tuple(dict.fromkeys(text.split(" ")))
    if len(scopes) > MAX_SCOPES or not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise TokenNotIssuedError("invalid_scope", "the scope is malformed")
    return scopes


def for_client(
    client: Client,
    wanted: Sequence[str],
    *,
    directory: Directory,
    clock: Clock,
    seconds: int,
    sign: Signer,
    confirmation: Mapping[str, str] = _UNBOUND,
) -> IssuedToken:
    """Issue a token to a client in its own name (RFC 6749, section 4.4), bound to `confirmation` (RFC 7800).

    Without `wanted` it gets every scope that the plan grants it; it never gets another (RFC 6749, section 3.3).
    """
    if not set(wanted) <= set(client.scopes):
        raise TokenNotIssuedError("invalid_scope", "the client may not have every scope it asks for")
    return _issue(
        client,
        client.name,
        tuple(wanted) or client.scopes,
        directory=directory,
        clock=clock,
        seconds=seconds,
        sign=sign,
        confirmation=confirmation,
    )


def for_person(
    name: str, scopes: Sequence[str], *, directory: Directory, clock: Clock, seconds: int, sign: Signer
) -> IssuedToken:
    """Issue a token for a development user, who proves nothing; refused outside development mode."""
    if not directory.development:
        raise TokenNotIssuedError("access_denied", "tokens for people without a login exist only in development mode")
    person = directory.people.get(name)
    if person is None:
        known = ", ".join(sorted(directory.people)[:20]) or "none"
        raise TokenNotIssuedError(
            "access_denied", f"there is no development user {name[:80]!r}", hint=f"`people` of the blueprint: {known}"
        )
    if not 0 < seconds <= MAX_DEVELOPMENT_SECONDS:
        raise TokenNotIssuedError("invalid_request", f"a lifetime is between 1 and {MAX_DEVELOPMENT_SECONDS} seconds")
    return _issue(
        person, DEVELOPMENT_CLIENT, tuple(scopes), directory=directory, clock=clock, seconds=seconds, sign=sign
    )


def for_login(
    holder: Holder,
    client: Client,
    scopes: Sequence[str],
    *,
    login: Mapping[str, Any],
    directory: Directory,
    clock: Clock,
    seconds: int,
    sign: Signer,
    confirmation: Mapping[str, str] = _UNBOUND,
) -> IssuedToken:
    """Issue a token that lets a client act for a person who signed in.

    Args:
        holder: the person, with the roles and claims that it has now.
        client: who gets the token.
        scopes: what was granted.
        login: how the person signed in: `auth_time`, `acr`, `amr` (RFC 9068, section 2.2.1), `sid`, and `grant_id`,
            which names everything that came from one authorization, so that it can be revoked together.
        directory: what the plan says.
        clock: where time comes from.
        seconds: lifetime.
        sign: signs.
        confirmation: members of `cnf` (RFC 7800, section 3.1).
    """
    return _issue(
        holder,
        client.name,
        tuple(scopes),
        directory=directory,
        clock=clock,
        seconds=seconds,
        sign=sign,
        confirmation=confirmation,
        login=login,
    )


def _issue(
    who: Holder,
    client_id: str,
    scopes: tuple[str, ...],
    *,
    directory: Directory,
    clock: Clock,
    seconds: int,
    sign: Signer,
    confirmation: Mapping[str, str] = _UNBOUND,
    login: Mapping[str, Any] = _NOTHING,
) -> IssuedToken:
    if who.name in directory.ambiguous:
        raise TokenNotIssuedError(
            "access_denied", f"{who.name!r} names both a person and a client", hint="rename one of them"
        )
    now = int(clock.now())
    # RFC 9068 section 2.2: the required claims, then scope (2.2.3), then roles and what the plan adds (2.2.2, 2.2.3.1).
    claims: dict[str, Any] = {
        "iss": directory.issuer,
        "sub": who.name,
        "aud": directory.audience,
        "exp": now + seconds,
        "iat": now,
        "jti": new_jti(),
        "client_id": client_id,
        **login,
    }
    if scopes:
        claims["scope"] = " ".join(scopes)
    if confirmation:
        claims["cnf"] = dict(confirmation)
    for name, value in who.claims:
        _put(claims, directory.claim_paths.get(name, (name,)), list(value) if isinstance(value, tuple) else value)
    _put(claims, directory.role_claim, list(who.roles))
    text = sign(claims, typ=ACCESS_TOKEN)
    if len(text) > MAX_BYTES:
        raise TokenNotIssuedError(
            "invalid_request",
            f"the token for {who.name!r} would be {len(text)} bytes long; {MAX_BYTES} are the most that proxies cache",
            hint="give it fewer or shorter claims and scopes, and look large lists up in the service instead",
        )
    return IssuedToken(text=text, seconds=seconds, scopes=scopes)


def _put(claims: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a claim at its path; a standard claim, or one set before, is never overwritten."""
    if path[0] in _RESERVED:
        raise _clash(path)
    place = claims
    for step in path[:-1]:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            raise _clash(path)
        place = inner
    if path[-1] in place:
        raise _clash(path)
    place[path[-1]] = value


def _clash(path: tuple[str, ...]) -> TokenNotIssuedError:
    return TokenNotIssuedError(
        "invalid_request", f"the claim {'.'.join(path)!r} stands in the way of another", hint="rename it in `claims`"
    )
