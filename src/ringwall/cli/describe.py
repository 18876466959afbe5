"""Words for a running system: what listens where, and what came of a change."""

from typing import TYPE_CHECKING

from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Edge, Plan, Protocol, Service

if TYPE_CHECKING:  # what runs a system takes a while to load, and most commands run none
    from ringwall.bootstrap.change import Change

_SHORT = 12

Row = tuple[str, str, str]


def short(digest: str) -> str:
    """Return the first digits of a plan's digest, which is how people name it."""
    return digest[:_SHORT]


def listeners_of(plan: Plan, bindings: Bindings) -> list[Row]:
    """Return what listens where: name, address, what it is for."""
    rows: list[Row] = []
    if plan.edge is not None and bindings.edge is not None:
        names = ", ".join(plan.edge.domains)
        versions = f"HTTP/1.1, HTTP/2 over TLS{', HTTP/3 over QUIC' if plan.edge.http3 else ''}"
        rows.append(("edge", edge_url(plan.edge, bindings.edge), f"public: {versions} for {names}"))
    if bindings.redirect is not None:
        rows.append(("redirect", f"http://{bindings.redirect}", "sends plain HTTP to the edge"))
    for service in plan.services:
        inbound = bindings.inbound.get(service.name)
        if inbound is not None:
            rows.append((service.name, str(inbound), f"{_meaning(service)}; {_own(bindings, service)}"))
    for pair, address in sorted(bindings.outbound.items()):
        caller, _, callee = pair.partition(">")
        rows.append((f"{caller} → {callee}", str(address), f"where {caller} reaches {callee}"))
    return rows


def edge_url(edge: Edge, address: Address) -> str:
    """Return the URL that a person types to reach the edge."""
    host = edge.domains[0] if edge.domains else address.host
    return f"https://{host}:{address.port}"


def describe_change(change: "Change") -> str:
    """Return one sentence on what was put in force."""
    if not change.changed:
        return f"nothing to change: plan {short(change.digest)} is in force"
    parts = [
        f"{verb} {', '.join(names)}"
        for verb, names in (
            ("started", change.started),
            ("replaced", change.replaced),
            ("stopping", change.stopped),
        )
        if names
    ]
    services = f" ({'; '.join(parts)})" if parts else ""
    return f"in force: plan {short(change.digest)} after {change.seconds * 1000:.0f} ms{services}"


def _meaning(service: Service) -> str:
    kind = "mTLS, TCP" if service.protocol is Protocol.TCP else "mTLS"
    if service.prefix is None:
        return f"{kind}, {service.zone} zone, not exposed"
    return f"{kind}, exposed at {service.prefix or '/'}"


def _own(bindings: Bindings, service: Service) -> str:
    if service.builtin and len(bindings.issuers) > 1:
        return f"processes at {', '.join(f'unix:{bindings.issuer(number)}' for number in bindings.issuers)}"
    return f"process at {bindings.app.get(service.name, '?')}"
