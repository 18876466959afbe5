"""What the user wrote about services, as typed values."""

from dataclasses import dataclass, replace
from typing import Self

from ringwall.blueprint.shape import At, Names
from ringwall.blueprint.values import Endpoint, Rate
from ringwall.model.errors import Span


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
