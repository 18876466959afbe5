"""Whether every request can be only one operation: routes of one service, and of all services at the edge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Operation, Service
from ringwall.model.route import (
    AUTHORIZATION_SERVER_METADATA,
    Segment,
    edge_template,
    overlap,
    precedence,
    segments,
    shape,
    takes,
)

ISSUER_PREFIX = "/auth"
"""Path prefix of the built-in issuer at the edge."""


def check_routes(blueprint: Blueprint, report: Report) -> None:
    """Report routes that are there twice, and warn of paths that could be two operations."""
    for service in blueprint.services:
        _check_own_routes(service, report)
    _check_edge_routes(blueprint, report)


def _check_own_routes(service: Service, report: Report) -> None:
    seen: dict[tuple[str, ...], list[Operation]] = {}
    for operation in service.known_operations:
        for other in seen.setdefault(shape(operation.template), []):
            if operation.method == other.method:
                message = f"{operation.id!r} and {other.id!r} of {service.name.value!r} are one route"
                report.error("duplicate-route", message, operation.span, hint=f"the other one is at {other.span}")
        seen[shape(operation.template)].append(operation)
    _warn_ambiguous(service.known_operations, report)


@dataclass(slots=True)
class _Node:
    """Templates by their segments, so that those which overlap with one are found without looking at all."""

    here: list[Operation] = field(default_factory=list)
    children: dict[str, tuple[Segment, "_Node"]] = field(default_factory=dict)

    def add(self, operation: Operation) -> None:
        node = self
        for segment in segments(operation.template):
            node = node.children.setdefault(segment.text, (segment, _Node()))[1]
        node.here.append(operation)

    def overlapping(self, path: Sequence[Segment]) -> Iterator[Operation]:
        """Yield every operation below whose template shares some path with these segments."""
        if not path:
            yield from self.here
            return
        first, rest = path[0], path[1:]
        if first.kind == "literal" and first.text in self.children:
            yield from self.children[first.text][1].overlapping(rest)
        for segment, node in self.children.values():
            if segment.kind == "literal" and first.kind == "literal":
                continue
            if "rest" in {first.kind, segment.kind}:
                yield from node.all_below()
            else:
                yield from node.overlapping(rest)

    def all_below(self) -> Iterator[Operation]:
        yield from self.here
        for _, node in self.children.values():
            yield from node.all_below()


def _warn_ambiguous(operations: Sequence[Operation], report: Report) -> None:
    """Warn of routes of which neither is more special: the service might choose otherwise than Ringwall does."""
    tree = _Node()
    for one in operations:
        if "{" not in one.template:
            continue
        for other in tree.overlapping(segments(one.template)):
            if _same_method(one, other) and _crosses(one.template, other.template):
                first = min((one, other), key=lambda o: precedence(o.method, o.template))
                report.warning(
                    "ambiguous-route",
                    f"a path can be both {one.template!r} and {other.template!r}; it is taken for {first.id!r}",
                    one.span,
                    hint="make sure that the service sees it in the same way",
                )
                break
        tree.add(one)


def _same_method(one: Operation, other: Operation) -> bool:
    return takes(one.method, other.method) or takes(other.method, one.method)


def _crosses(one: str, other: str) -> bool:
    """Return whether the templates overlap and neither covers the other."""
    if shape(one) == shape(other) or not overlap(one, other):
        return False
    kinds = [precedence("", template)[0] for template in (one, other)]
    more = any(a[0] < b[0] for a, b in zip(*kinds, strict=False))
    less = any(a[0] > b[0] for a, b in zip(*kinds, strict=False))
    return more and less


def _check_edge_routes(blueprint: Blueprint, report: Report) -> None:
    seen: dict[tuple[str, ...], list[tuple[Service, Operation]]] = {}
    builtin = blueprint.issuers is None or any(issuer.builtin for issuer in blueprint.issuers)
    for service in blueprint.services:
        if service.expose is None:
            continue
        prefix = service.expose.value
        if builtin and (prefix == ISSUER_PREFIX or prefix.startswith(f"{ISSUER_PREFIX}/")):
            report.error("reserved-prefix", f"the built-in issuer answers below {ISSUER_PREFIX!r}", service.expose.span)
            continue
        for operation in service.known_operations:
            template = edge_template(prefix, operation.template)
            if builtin and (template == ISSUER_PREFIX or template.startswith(f"{ISSUER_PREFIX}/")):
                message = f"{operation.id!r} lies below {ISSUER_PREFIX!r}, where the built-in issuer answers"
                report.error("reserved-prefix", message, operation.span)
            if builtin and template == f"{AUTHORIZATION_SERVER_METADATA}{ISSUER_PREFIX}":
                report.error("reserved-prefix", f"{operation.id!r} is where the issuer's metadata are", operation.span)
            bare = {shape(prefix)} if prefix and operation.template == "/" else set()  # `/api` means `/api/` as well
            for form in sorted({shape(template), *bare}):
                for other, taken in seen.setdefault(form, []):
                    if other is not service and _same_method(operation, taken):
                        report.error(
                            "duplicate-route",
                            f"{operation.method} /{'/'.join(form)} at the edge is both "
                            f"{service.name.value}/{operation.id} and {other.name.value}/{taken.id}",
                            service.expose.span,
                            hint="expose them below different prefixes",
                        )
                seen[form].append((service, operation))
