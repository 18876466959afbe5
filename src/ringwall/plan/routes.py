"""Which operation of a plan a request is, in the order of precedence of `ringwall.model.route`."""

from collections.abc import Iterable

from ringwall.model.administration import ISSUER_SERVICE
from ringwall.model.route import (
    AUTHORIZATION_SERVER_METADATA,
    edge_template,
    matches,
    precedence,
    takes,
    template_regex,
)
from ringwall.plan.model import Plan, Service
from ringwall.plan.operation import Operation

__all__ = [
    "edge_order",
    "edge_template",
    "match_edge",
    "match_operation",
    "metadata_path",
    "ordered",
    "parameters",
    "precedence",
    "template_regex",
]


def ordered(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return a service's operations in order of precedence."""
    return tuple(sorted(operations, key=lambda o: precedence(o.method, o.template)))


def edge_order(plan: Plan) -> tuple[tuple[Service, Operation], ...]:
    """Return every exposed operation of every service in order of precedence at the edge."""
    routes = [(s, o) for s in plan.services if s.prefix is not None for o in s.operations if o.edge is not None]
    return tuple(sorted(routes, key=lambda r: precedence(r[1].method, edge_template(r[0].prefix or "", r[1].template))))


def match_operation(service: Service, method: str, path: str) -> Operation | None:
    """Return the operation of a service that a request is, by the path as the service sees it; None for no route."""
    matching = [o for o in service.operations if takes(o.method, method) and matches(o.template, path)]
    return min(matching, key=lambda o: precedence(o.method, o.template), default=None)


def metadata_path(service: Service, operation: Operation) -> str | None:
    """Return where else at the edge an operation is: the issuer's metadata (RFC 8414, section 3.1); None for others."""
    if not service.builtin or operation.id != f"{ISSUER_SERVICE}/metadata":
        return None
    return f"{AUTHORIZATION_SERVER_METADATA}{service.prefix}"


def match_edge(plan: Plan, method: str, path: str) -> tuple[Service, Operation, str] | None:
    """Return service, operation and the path that the service will see for a request at the edge; None for no route."""
    for service, operation in edge_order(plan):
        if path == metadata_path(service, operation) and takes(operation.method, method):
            return service, operation, AUTHORIZATION_SERVER_METADATA
    for service, operation in edge_order(plan):
        prefix = service.prefix or ""
        inner = path.removeprefix(prefix) if path == prefix or path.startswith(f"{prefix}/") else None
        if inner is None or not takes(operation.method, method):
            continue
        if matches(operation.template, inner or "/"):
            return service, operation, inner or "/"
    return None


def parameters(operation: Operation, path: str) -> dict[str, str]:
    """Return the values of an operation's readable path parameters, as they stand in the path."""
    parts = path.removeprefix("/").split("/")
    return {param.name: parts[param.segment] for param in operation.params if param.segment < len(parts)}
