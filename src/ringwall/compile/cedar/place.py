"""What is known when one hop of one operation is compiled for one kind of principal."""

from dataclasses import dataclass, field
from typing import Literal

from ringwall.compile.cedar.terms import Caller, Entity, Term, User
from ringwall.plan.cedar import GUEST, WORKLOAD
from ringwall.plan.identity import Claim, Issuer, Role
from ringwall.plan.model import EDGE
from ringwall.plan.subject import role_values

Kind = Literal["user", "guest", "workload"]


@dataclass(frozen=True)
class System:
    """What is the same for every hop of a system.

    Attributes:
        holders: for each role, the roles whose holders also hold it, itself included.
        granting: for each issuer, the pairs (value in the token, role).
    """

    trust_domain: str
    issuers: tuple[Issuer, ...]
    claims: dict[str, Claim]
    timezone: str
    holders: dict[str, frozenset[str]] = field(default_factory=dict)
    granting: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        trust_domain: str,
        issuers: tuple[Issuer, ...],
        roles: tuple[Role, ...],
        claims: tuple[Claim, ...],
        timezone: str,
    ) -> "System":
        """Build it from the parts of a plan; `Role.includes` is transitively closed already."""
        holders = {
            role.name: frozenset({role.name} | {other.name for other in roles if role.name in other.includes})
            for role in roles
        }
        granting = {issuer.name: role_values(issuer, roles) for issuer in issuers}
        return cls(trust_domain, issuers, {claim.name: claim for claim in claims}, timezone, holders, granting)


@dataclass(frozen=True)
class Place:
    """One hop of one operation, seen by one kind of principal; users of each issuer are a kind of their own.

    Attributes:
        kind: which kind of principal.
        issuer: who issued the token, where there is one.
        workload: name of the principal, where it is a workload.
        callers: who may call here; a single one is a constant.
        segments: path parameters by name, as segments of the path that this hop sees.
    """

    system: System
    kind: Kind
    action: str
    service: str
    zone: str
    holds: tuple[str, ...]
    callers: tuple[str, ...]
    segments: dict[str, int]
    issuer: Issuer | None = None
    workload: str = ""

    @property
    def principal(self) -> Term:
        """The principal as a term."""
        if self.kind == "user":
            return User()
        return Entity(GUEST, "guest") if self.kind == "guest" else Entity(WORKLOAD, self.workload)

    @property
    def caller(self) -> Term:
        """`context.caller`: known where there is no choice."""
        if self.kind == "guest":
            return Entity(WORKLOAD, EDGE)
        if self.kind == "workload":
            return Entity(WORKLOAD, self.workload)
        return Entity(WORKLOAD, self.callers[0]) if len(self.callers) == 1 else Caller()
