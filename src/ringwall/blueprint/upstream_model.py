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
class SamlMetadata:
    """What a SAML provider says of itself.

    Attributes:
        entity_id: who it is.
        location: where it takes requests by redirect; empty where it takes none.
        certificates: base64 DER of those for signatures.
        wants_signed: whether it wants requests to sign in to be signed.
        logout_location: where it takes logout requests by redirect; empty where it takes none.
        logout_response_location: where it takes answers to its own; empty where that is the same.
    """

    entity_id: str
    location: str
    certificates: tuple[str, ...]
    wants_signed: bool = False
    logout_location: str = ""
    logout_response_location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSaml:
    """How a SAML provider is spoken to; `provider` is what its metadata says, once that has been read."""

    span: Span
    metadata: At[str] | None = None
    subject: At[str] | None = None
    email: At[str] | None = None
    display_name: At[str] | None = None
    sign_requests: At[bool] | None = None
    encrypted: At[bool] | None = None
    provider: SamlMetadata | None = None
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
    saml: UpstreamSaml | None = None
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
    session: At[int] | None = None
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
