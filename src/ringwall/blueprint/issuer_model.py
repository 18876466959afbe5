"""What the user wrote about issuers and people, as typed values."""

from dataclasses import dataclass

from ringwall.blueprint.service_model import Allow
from ringwall.blueprint.shape import At, ClaimValue, Key, Names
from ringwall.blueprint.upstream_model import Upstream
from ringwall.model.errors import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerRoles:
    """How an issuer's tokens name roles."""

    span: Span
    claim: At[tuple[str, ...]] | None = None
    map: tuple[tuple[At[str], At[str]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Who may register clients with the built-in issuer, and what such clients may be."""

    span: Span
    open: At[bool] | None = None
    kinds: Names = ()
    scopes: Names = ()
    hosts: Names = ()
    device_flow: At[bool] | None = None
    document_hosts: Names = ()
    private_documents: At[bool] | None = None
    lifetime: At[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """How the built-in issuer's pages look; `image` is what the file `logo` holds."""

    span: Span
    title: At[str] | None = None
    colour: At[str] | None = None
    logo: At[str] | None = None
    image: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Somebody whose tokens are believed; without `issuer` it is Ringwall's own."""

    name: At[str]
    span: Span
    issuer: At[str] | None = None
    discovery: At[str] | None = None
    audience: Names = ()
    algorithms: Names = ()
    roles: IssuerRoles | None = None
    administration: tuple["Allow", ...] = ()
    registration: Registration | None = None
    profile: At[str] | None = None
    pages: Appearance | None = None
    processes: At[int] | None = None
    upstreams: tuple[Upstream, ...] = ()
    given: frozenset[str] = frozenset()

    @property
    def builtin(self) -> bool:
        """Whether this is Ringwall's own issuer."""
        return not self.given & {"issuer", "discovery"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim that policies may read."""

    name: At[str]
    span: Span
    type: At[str]
    source: At[tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role and those that whoever holds it also holds."""

    name: At[str]
    span: Span
    includes: Names = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A development user of the built-in issuer."""

    name: At[str]
    span: Span
    roles: Names = ()
    claims: tuple[tuple[At[str], ClaimValue], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A service of others, for whom services of this system may get tokens."""

    name: At[str]
    span: Span
    url: At[str]
    jwks: tuple[Key, ...] = ()
    enc: At[str] | None = None
