"""What the user wrote about providers at which people sign in, each value with the place it was written at."""

from dataclasses import dataclass

from ringwall.blueprint.shape import At
from ringwall.model.errors import Span

Path = At[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSecret:
    """Where a secret lies."""

    span: Span
    file: At[str] | None = None
    env: At[str] | None = None
    given: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRoles:
    """Roles by one claim."""

    span: Span
    claim: Path | None = None
    map: tuple[tuple[At[str], At[str]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A provider at which people sign in."""

    name: At[str]
    span: Span
    title: At[str] | None = None
    preset: At[str] | None = None
    issuer: At[str] | None = None
    discovery: At[str] | None = None
    tenant: At[str] | None = None
    tenants: tuple[At[str], ...] = ()
    client_id: At[str] | None = None
    secret: UpstreamSecret | None = None
    authentication: At[str] | None = None
    scopes: tuple[At[str], ...] = ()
    algorithms: tuple[At[str], ...] = ()
    userinfo: At[bool] | None = None
    logout: At[bool] | None = None
    accounts: At[str] | None = None
    create_for: tuple[At[str], ...] = ()
    authoritative_for: tuple[At[str], ...] = ()
    user_name: Path | None = None
    roles: tuple[UpstreamRoles, ...] = ()
    default_roles: tuple[At[str], ...] = ()
    attributes: tuple[tuple[At[str], Path], ...] = ()
    acr: tuple[tuple[At[str], At[str]], ...] = ()
    amr: tuple[tuple[At[str], At[str]], ...] = ()
    given: frozenset[str] = frozenset()
