"""The blueprint as typed, immutable values, each with the place it was written at.

Attribute names follow the keys of `ringwall.yaml`; docs/reference/blueprint.md says what they mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringwall.blueprint.client_model import Client
from ringwall.blueprint.issuer_model import Audience, Claim, Issuer, Person, Role
from ringwall.blueprint.service_model import Service
from ringwall.blueprint.shape import At, Names
from ringwall.blueprint.values import Endpoint, Rate
from ringwall.model.errors import Span


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
    client_authorities: At[str] | None = None
    client_authorities_read: tuple[str, ...] = ()
    dpop_nonces: At[bool] | None = None


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
    def accounts(self) -> tuple[Person | Client, ...]:
        """Whoever has tokens of the built-in issuer by being declared."""
        return (*self.people, *self.clients)

    @property
    def is_development(self) -> bool:
        """Whether this is development mode, which is the default."""
        return self.development is None or self.development.value

    @property
    def file(self) -> str:
        """Name of the blueprint's own file."""
        return self.span.file
