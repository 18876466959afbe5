"""The access matrix and the other tables that a person reads a plan by: who x operation, identities, exposures, limits.

Plain data, derived from the plan alone. A cell says what holds before a request is known: allowed, denied, or that it
depends on conditions, and then on which policies.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ringwall.plan.cedar import USER, CedarPolicy, nodes
from ringwall.plan.model import EDGE, Limit, Mode, Operation, Plan, Policy, Protocol, Service
from ringwall.plan.partial import Entity, Facts, guest, user, workload
from ringwall.plan.rule import DecisionPointRule
from ringwall.plan.verdicts import Decision, Verdict, Verdicts

__all__ = [
    "Cell",
    "Exposure",
    "Identity",
    "LimitRow",
    "Matrix",
    "Row",
    "Verdict",
    "Who",
    "WhoKind",
    "access_matrix",
    "exposures",
    "identities",
    "limit_text",
    "limits",
]


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


@dataclass(frozen=True, slots=True)
class Identity:
    """A workload: its SPIFFE ID, whom it may call, and who may call it."""

    name: str
    spiffe_id: str
    protocol: str
    zone: str
    calls: tuple[str, ...]
    called_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What of a service the edge offers."""

    service: str
    prefix: str
    operations: int
    public: tuple[str, ...]
    """Operations that somebody without a token may reach."""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A rate limit: what is counted, where."""

    where: str
    counts: str
    limit: str


MAX_USER_COLUMNS: Final = 20

_DENIED: Final = Cell(Verdict.DENY)
_NOTHING_PARSED: Final[Mapping[str, CedarPolicy]] = MappingProxyType({})


def access_matrix(
    plan: Plan, services: Sequence[str] = (), parsed: Mapping[str, CedarPolicy] = _NOTHING_PARSED
) -> Matrix:
    """Return who may do what. Built-in services are left out.

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
        if not service.builtin and (not services or service.name in services)
        for operation in service.operations
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
    return Row(
        operation=operation.id,
        service=service.name,
        route=f"{operation.method} {operation.template}",
        edge_route=f"{operation.method} {service.prefix}{operation.template}" if exposed else "",
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


def identities(plan: Plan) -> tuple[Identity, ...]:
    """Return every workload of a plan, the edge first."""
    called_by: dict[str, list[str]] = {service.name: [] for service in plan.services}
    for service in plan.services:
        for callee in service.calls:
            called_by[callee].append(service.name)
    exposed = tuple(service.name for service in plan.services if service.prefix is not None)
    found = [Identity(EDGE, plan.edge.spiffe_id, "https", "edge", exposed, ())] if plan.edge is not None else []
    for service in plan.services:
        callers = ([EDGE] if service.prefix is not None else []) + called_by[service.name]
        found.append(
            Identity(
                service.name, service.spiffe_id, service.protocol.value, service.zone, service.calls, tuple(callers)
            )
        )
    return tuple(found)


def exposures(plan: Plan, parsed: Mapping[str, CedarPolicy] = _NOTHING_PARSED) -> tuple[Exposure, ...]:
    """Return what the edge offers, built-in services included, ordered by prefix; `parsed` as for the matrix."""
    matrix = {row.operation: row for row in access_matrix(plan, (), parsed).rows}
    found = []
    for service in plan.services:
        if service.prefix is None or service.protocol is Protocol.TCP:
            continue
        open_to_guests = [
            operation.id
            for operation in service.operations
            if operation.id not in matrix or matrix[operation.id].cells[0].verdict is not Verdict.DENY
        ]
        found.append(Exposure(service.name, service.prefix or "/", len(service.operations), tuple(open_to_guests)))
    return tuple(sorted(found, key=lambda exposure: (exposure.prefix, exposure.service)))


def limits(plan: Plan) -> tuple[LimitRow, ...]:
    """Return the rate limits of a plan."""
    found = []
    if plan.edge is not None:
        found.append(LimitRow(EDGE, "client address", limit_text(plan.edge.per_ip)))
        if plan.edge.per_principal is not None:
            found.append(LimitRow(EDGE, "principal", limit_text(plan.edge.per_principal)))
    found.extend(
        LimitRow(service.name, "principal", limit_text(service.per_principal))
        for service in plan.services
        if service.per_principal is not None
    )
    return tuple(found)


def limit_text(limit: Limit) -> str:
    """Return a limit as the blueprint writes it."""
    unit = {1: "s", 60: "m", 3600: "h"}.get(limit.seconds, f"{limit.seconds}s")
    return f"{limit.requests}/{unit} burst {limit.burst}"
