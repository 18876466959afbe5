"""What a request costs in a system of 10,000 policies, against one of 10.

The operation that is asked has the same five policies in both; the others belong to other operations.
"""

from bed import Bed, planned
from envoys import cpu_seconds
from figures import Figure, median
from ringwall.blueprint.files import MemoryFiles

SMALL, LARGE = 10, 10_000
OWN = 5
OPERATIONS_PER_SERVICE = 10
POLICIES_PER_OPERATION = 2
ROUNDS = 15
REQUESTS = 4_800
CONNECTIONS = 32


def system(policies: int) -> MemoryFiles:
    """Return a system with so many policies."""
    others = range((policies - OWN) // POLICIES_PER_OPERATION)
    services: dict[int, list[int]] = {}
    for operation in others:
        services.setdefault(operation // OPERATIONS_PER_SERVICE, []).append(operation)
    lines = [
        "ringwall: 1",
        "system: scale",
        "edge: {limit: 10000000/s burst 10000000}",
        "claims: {department: string}",
        "roles: {reader: , writer: , admin: }",
        "people: {alice: {roles: [reader], claims: {department: er}}}",
        "services:",
        "  measured: {run: x, expose: /measured, operations: [asked: 'GET /things/{id}']}",
    ]
    policies_text = ""
    for number in range(OWN):
        role = ("admin", "writer", "reader")[number % 3]
        policies_text += _permit(role, "measured/asked", f'principal.department == "{("er", "icu")[number % 2]}"')
    for service, operations in services.items():
        named = ", ".join(f"op{operation}: 'GET /things{operation}/{{id}}'" for operation in operations)
        lines.append(f"  service-{service}: {{run: x, expose: /service-{service}, operations: [{named}]}}")
        for operation in operations:
            for role in ("reader", "writer")[:POLICIES_PER_OPERATION]:
                policies_text += _permit(role, f"service-{service}/op{operation}", 'principal.department == "er"')
    return MemoryFiles({"ringwall.yaml": "\n".join(lines) + "\n", "policies/all.cedar": policies_text})


def _permit(role: str, action: str, condition: str) -> str:
    return (
        f'permit (principal in Role::"{role}", action == Action::"{action}", resource)\n'
        f"when {{ principal has department && {condition} }};\n"
    )


def measure() -> list[Figure]:
    """Alternate between the two; the median of the rounds' ratios counts."""
    small, large = planned(system(SMALL)), planned(system(LARGE))
    with Bed(large) as bed, bed.edge(small) as one, bed.edge(large) as other:
        token = bed.token("alice")
        loads = {edge: edge.load("/measured/things/7", token, CONNECTIONS) for edge in (one, other)}
        micros: dict[int, list[float]] = {one.pid: [], other.pid: []}
        for number in range(ROUNDS + 1):
            for edge, load in loads.items():
                before = cpu_seconds(edge.pid)
                outcome = load.run(REQUESTS)
                if number:
                    micros[edge.pid].append(1e6 * (cpu_seconds(edge.pid) - before) / outcome.requests)
    ratios = [b / a for a, b in zip(micros[one.pid], micros[other.pid], strict=True)]
    return [
        Figure("cost-with-10000-policies-over-10", median(ratios), "ratio", at_most=1.10),
        Figure("cost-with-10-policies", median(micros[one.pid]), "us"),
        Figure("cost-with-10000-policies", median(micros[other.pid]), "us"),
    ]
