"""The tables beside the access matrix that a person reads a plan by: identities, exposures, limits.

Plain data, derived from the plan alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.matrix import NOTHING_PARSED, Row, access_matrix
from ringwall.plan.model import EDGE, Plan, Protocol
from ringwall.plan.operation import Limit, Operation
from ringwall.plan.verdicts import Verdict


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


def exposures(plan: Plan, parsed: Mapping[str, CedarPolicy] = NOTHING_PARSED) -> tuple[Exposure, ...]:
    """Return what the edge offers, built-in services included, ordered by prefix; `parsed` as for the matrix."""
    matrix = {row.operation: row for row in access_matrix(plan, (), parsed).rows}
    found = []
    for service in plan.services:
        if service.prefix is None or service.protocol is Protocol.TCP:
            continue
        exposed = [operation for operation in service.operations if operation.edge is not None]
        open_to_guests = [operation.id for operation in exposed if _open_to_guests(operation, matrix)]
        found.append(Exposure(service.name, service.prefix or "/", len(exposed), tuple(open_to_guests)))
    return tuple(sorted(found, key=lambda exposure: (exposure.prefix, exposure.service)))


def _open_to_guests(operation: Operation, matrix: Mapping[str, Row]) -> bool:
    row = matrix.get(operation.id)
    if row is None:  # of the built-in issuer, whose own policies have no conditions
        return operation.edge is not None and operation.edge.authentication == "optional"
    return row.cells[0].verdict is not Verdict.DENY


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
