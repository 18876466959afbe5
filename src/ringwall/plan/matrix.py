"""The access matrix that a person reads a plan by: who x operation.

Plain data, derived from the plan alone. A cell says what holds before a request is known: allowed, denied, or that it
depends on conditions, and then on which policies.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ringwall.model.administration import IDS
from ringwall.plan.cedar import USER, CedarPolicy, nodes
from ringwall.plan.model import EDGE, Plan, Service
from ringwall.plan.operation import Operation
from ringwall.plan.partial import Entity, Facts, guest, user, workload
from ringwall.plan.policy import Mode, Policy
from ringwall.plan.rule import DecisionPointRule
from ringwall.plan.verdicts import Decision, Verdict, Verdicts


class WhoKind(StrEnum):
    """What a column of the matrix is about."""

    GUEST = "guest"
    """Somebody without a token, through the edge."""
    SIGNED_IN = "signed-in"
    """A user with no role."""
    ROLE = "role"
    """A user with exactly this role, and those that it includes."""
    USER = "user"
    """A user whom some policy names."""
    WORKLOAD = "workload"
    """A service that calls without a user's token; the cell's callers say which ones."""


@dataclass(frozen=True, slots=True)
class Who:
    """One column."""

    kind: WhoKind
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind.value


@dataclass(frozen=True, slots=True)
class Cell:
    """What one kind of principal may do with one operation.

    Attributes:
        verdict: over all callers through which it can ask; conditional where callers differ.
        callers: workloads through which it is not denied.
        policies: ids of the policies that allow, or that it depends on.
    """

    verdict: Verdict
    callers: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One operation.

    Attributes:
        route: method and path template as the service sees it.
        edge_route: the same as clients of the edge see it; empty where it is not exposed.
        authentication: `required` where a request without a token is refused with 401.
        callers: workloads that may call at all.
        enforced_by: `envoy`, `decision-point`, or `shadow` where policies only report.
        reasons: why the decision point is needed.
        cells: one for each column.
    """

    operation: str
    service: str
    route: str
    edge_route: str
    holds: tuple[str, ...]
    authentication: str
    callers: tuple[str, ...]
    enforced_by: str
    reasons: tuple[str, ...]
    policies: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Columns, and rows with a cell for each."""

    columns: tuple[Who, ...]
    rows: tuple[Row, ...]
    more_users: int = 0
    """How many users whom policies name have no column of their own, because there are too many."""


MAX_USER_COLUMNS: Final = 20

_DENIED: Final = Cell(Verdict.DENY)
NOTHING_PARSED: Final[Mapping[str, CedarPolicy]] = MappingProxyType({})
"""For whoever has no policies parsed already."""


def access_matrix(
    plan: Plan, services: Sequence[str] = (), parsed: Mapping[str, CedarPolicy] = NOTHING_PARSED
) -> Matrix:
    """Return who may do what. Of the built-in issuer there is the administration, as far as some permit is about it.

    Args:
        plan: what is asked about.
        services: selects some services, by name.
        parsed: policies of the plan that are parsed already, by id.
    """
    policies = {policy.id: _parsed(policy, parsed) for policy in plan.policies}
    roles = {role.name: frozenset({role.name, *role.includes}) for role in plan.roles}
    users = _named_users(list(policies.values()))
    columns = (
        Who(WhoKind.GUEST),
        Who(WhoKind.SIGNED_IN),
        *(Who(WhoKind.ROLE, role.name) for role in plan.roles),
        *(Who(WhoKind.USER, name) for name in users[:MAX_USER_COLUMNS]),
        Who(WhoKind.WORKLOAD),
    )
    view = _View(
        plan=plan,
        verdicts=Verdicts(policies),
        enforced=frozenset(policy.id for policy in plan.policies if policy.mode is Mode.ENFORCE),
        columns=tuple((who, _principal(plan, roles, who)) for who in columns),
    )
    rows = [
        _row(view, service, operation)
        for service in plan.services
        if not services or service.name in services
        for operation in service.operations
        if not service.builtin or (operation.id in IDS and operation.edge is not None)
    ]
    return Matrix(columns, tuple(rows), max(0, len(users) - MAX_USER_COLUMNS))


def _parsed(policy: Policy, known: Mapping[str, CedarPolicy]) -> CedarPolicy:
    found = known.get(policy.id)
    return found if found is not None and found.policy == policy else CedarPolicy.parse(policy)


def _named_users(policies: Sequence[CedarPolicy]) -> list[str]:
    named: set[str] = set()
    for parsed in policies:
        scope = parsed.body["principal"]
        if scope["op"] == "==" and scope["entity"]["type"] == USER:
            named.add(scope["entity"]["id"])
        for condition in parsed.body["conditions"]:
            for operator, operands in nodes(condition["body"]):
                if operator == "Value" and isinstance(operands, dict):
                    entity = operands.get("__entity", {})
                    if entity.get("type") == USER:
                        named.add(entity["id"])
    return sorted(named)


@dataclass(frozen=True, slots=True)
class _View:
    """A plan, what its policies say, and the columns with what each assumes of the principal (None: the caller is)."""

    plan: Plan
    verdicts: Verdicts
    enforced: frozenset[str]
    columns: tuple[tuple[Who, tuple[Entity, frozenset[str] | None] | None], ...]


def _row(view: _View, service: Service, operation: Operation) -> Row:
    rules = [hop.rule for hop in (operation.inbound, operation.edge) if hop is not None]
    asked = [rule for rule in rules if isinstance(rule, DecisionPointRule)]
    shadow = view.plan.mode_of(service) is Mode.SHADOW
    enforced = "shadow" if shadow else "decision-point" if asked else "envoy"
    exposed = operation.edge is not None and service.prefix is not None
    cells = _shadow_cells(view, operation) if shadow else _cells(view, service, operation)
    also = " (WebSocket)" if operation.websocket else ""
    return Row(
        operation=operation.id,
        service=service.name,
        route=f"{operation.method} {operation.template}{also}",
        edge_route=f"{operation.method} {service.prefix}{operation.template}{also}" if exposed else "",
        holds=operation.holds,
        authentication=operation.inbound.authentication,
        callers=operation.inbound.callers,
        enforced_by=enforced,
        reasons=tuple(dict.fromkeys(reason for rule in asked for reason in rule.reasons)),
        policies=operation.policies,
        cells=tuple(cells),
    )


def _shadow_cells(view: _View, operation: Operation) -> Iterator[Cell]:
    """Yield the cells of an operation whose rules only report."""
    open_to_guests = operation.inbound.authentication == "optional"
    for who, _ in view.columns:
        callers = _ways(who, operation)
        tokenless = who.kind in {WhoKind.GUEST, WhoKind.WORKLOAD}
        yield Cell(Verdict.ALLOW, callers) if callers and (open_to_guests or not tokenless) else _DENIED


def _cells(view: _View, service: Service, operation: Operation) -> Iterator[Cell]:
    names = tuple(name for name in operation.policies if name in view.enforced)
    attributes = {"zone": service.zone, "holds": list(operation.holds)}
    for who, principal in view.columns:
        found = []
        for caller in _ways(who, operation):
            assumed, roles = principal if principal is not None else (workload(caller), frozenset())
            decision = view.verdicts.decide(names, Facts(assumed, roles, caller, service.name, attributes))
            if decision.verdict is not Verdict.DENY:
                found.append((caller, decision))
        yield _cell(names, found, len(_ways(who, operation)))


def _cell(names: Sequence[str], found: Sequence[tuple[str, Decision]], ways: int) -> Cell:
    """Return the cell for the callers that are not denied, out of so many."""
    if not found:
        return _DENIED
    verdicts = {decision.verdict for _, decision in found}
    alike = len(found) == ways and len(verdicts) == 1
    policies = {names[number] for _, decision in found for number in decision.policies}
    callers = tuple(caller for caller, _ in found)
    return Cell(verdicts.pop() if alike else Verdict.CONDITIONAL, callers, tuple(sorted(policies)))


def _ways(who: Who, operation: Operation) -> tuple[str, ...]:
    """Return the callers through which somebody can ask at all."""
    callers = operation.inbound.callers
    if who.kind is WhoKind.GUEST:
        return tuple(caller for caller in callers if caller == EDGE)
    if who.kind is WhoKind.WORKLOAD:
        return tuple(caller for caller in callers if caller != EDGE)
    return callers


def _principal(
    plan: Plan, roles: Mapping[str, frozenset[str]], who: Who
) -> tuple[Entity, frozenset[str] | None] | None:
    """Return the principal of a column and its roles; None where the calling workload is the principal."""
    match who.kind:
        case WhoKind.GUEST:
            return guest(), frozenset()
        case WhoKind.SIGNED_IN:
            return user(), frozenset()
        case WhoKind.ROLE:
            return user(), roles[who.name]
        case WhoKind.USER:
            person = next((person for person in plan.people if person.name == who.name), None)
            held = None if person is None else frozenset().union(*(roles[role] for role in person.roles))
            return user(who.name), held
        case WhoKind.WORKLOAD:
            return None
