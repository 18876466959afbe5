"""The blueprint as typed, immutable values, each with the place it was written at.

Attribute names follow the keys of `ringwall.yaml`; docs/reference/blueprint.md says what they mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from ringwall.blueprint.shape import At
from ringwall.blueprint.upstream_model import Upstream
from ringwall.blueprint.values import Endpoint, Rate
from ringwall.model.errors import Span

Names = tuple[At[str], ...]
ClaimValue = At[str | int | bool | tuple[str, ...]]
Key = tuple[tuple[At[str], ClaimValue], ...]
"""A JWK, member by member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The public listener."""

    span: Span
    listen: At[Endpoint] | None = None
    redirect: At[Endpoint] | None = None
    domains: Names = ()
    certificate: At[str] | None = None
    key: At[str] | None = None
    http3: At[bool] | None = None
    limit: At[Rate] | None = None
    principal_limit: At[Rate] | None = None
    trusted_hops: At[int] | None = None
    client_certificates: Names = ()
    dpop_nonces: At[bool] | None = None


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
class Client:
    """A client of the built-in issuer."""

    name: At[str]
    span: Span
    roles: Names = ()
    scopes: Names = ()
    claims: tuple[tuple[At[str], ClaimValue], ...] = ()
    kind: At[str] | None = None
    redirect_uris: Names = ()
    post_logout_redirect_uris: Names = ()
    id_token_signed_response_alg: At[str] | None = None
    id_token_encrypted_response_alg: At[str] | None = None
    id_token_encrypted_response_enc: At[str] | None = None
    userinfo_encrypted_response_alg: At[str] | None = None
    userinfo_encrypted_response_enc: At[str] | None = None
    backchannel_logout_uri: At[str] | None = None
    jwks: tuple[Key, ...] = ()
    third_party: At[bool] | None = None
    title: At[str] | None = None
    pushed_requests: At[bool] | None = None
    device_flow: At[bool] | None = None
    certificates: Names = ()
    bound_tokens: At[bool] | None = None
    profile: At[str] | None = None
    given: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A service of others, for whom services of this system may get tokens."""

    name: At[str]
    span: Span
    url: At[str]
    jwks: tuple[Key, ...] = ()
    enc: At[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A short form: who may use which operations. Every key that is given must hold."""

    span: Span
    operations: Names = ()
    roles: Names = ()
    scopes: Names = ()
    users: Names | At[str] = ()
    callers: Names = ()
    public: At[bool] | None = None
    given: frozenset[str] = frozenset()

    @property
    def any_user(self) -> bool:
        """Whether every signed-in user is meant."""
        return isinstance(self.users, At)

    @property
    def named_users(self) -> Names:
        """The users named one by one."""
        return () if isinstance(self.users, At) else self.users


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation as declared, by a contract or by the service itself.

    Attributes:
        id: without the service's name.
        data: data classes where the contract gives them, else None.
    """

    id: str
    method: str
    template: str
    span: Span
    data: Names | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which web pages of other origins may call a service."""

    span: Span
    origins: Names = ()
    headers: Names = ()
    credentials: At[bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUp:
    """What operations ask of the sign-in behind a token."""

    span: Span
    operations: Names = ()
    acr: At[str] | None = None
    max_age: At[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of the system."""

    name: At[str]
    span: Span
    run: At[tuple[str, ...]] | None = None
    cwd: At[str] | None = None
    env: tuple[tuple[At[str], At[str]], ...] = ()
    ready: At[str] | None = None
    protocol: At[str] | None = None
    listen: At[Endpoint] | None = None
    zone: At[str] | None = None
    holds: Names = ()
    expose: At[str] | None = None
    cors: Cors | None = None
    login: At[bool] | None = None
    calls: Names = ()
    audiences: Names = ()
    contract: At[str] | None = None
    declared: tuple[Operation, ...] | None = None
    websockets: Names = ()
    step_up: tuple[StepUp, ...] = ()
    allow: tuple[Allow, ...] = ()
    limit: At[Rate] | None = None
    mode: At[str] | None = None
    timeout: At[int] | None = None
    max_body: At[int] | None = None
    given: frozenset[str] = frozenset()
    operations: tuple[Operation, ...] | None = None

    @property
    def known_operations(self) -> tuple[Operation, ...]:
        """The operations that the contract and `operations:` declare; none where the contract could not be read."""
        return self.operations or ()

    def with_operations(self, operations: tuple[Operation, ...] | None) -> Self:
        """Return a copy with the operations that the contract and `operations:` declare; None: it cannot be read."""
        return replace(self, operations=operations)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The text of one Cedar file."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """Everything that the user wrote.

    Attributes:
        policies: patterns of Cedar files.
        policy_files: the files that they matched.
        shadow: ids, files or patterns of policies that only report.
        texts: the text of every file read, for excerpts in later messages.
    """

    span: Span
    ringwall: At[int]
    system: At[str]
    timezone: At[str] | None = None
    trust_domain: At[str] | None = None
    development: At[bool] | None = None
    mode: At[str] | None = None
    edge: Edge | None = None
    issuers: tuple[Issuer, ...] | None = None
    claims: tuple[Claim, ...] = ()
    roles: tuple[Role, ...] = ()
    people: tuple[Person, ...] = ()
    clients: tuple[Client, ...] = ()
    audiences: tuple[Audience, ...] = ()
    data: Names = ()
    policies: Names | None = None
    shadow: Names = ()
    services: tuple[Service, ...] = ()
    policy_files: tuple[PolicyFile, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_development(self) -> bool:
        """Whether this is development mode, which is the default."""
        return self.development is None or self.development.value

    @property
    def file(self) -> str:
        """Name of the blueprint's own file."""
        return self.span.file
