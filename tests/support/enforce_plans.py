"""Plans made by hand, for tests of enforcement that should not depend on the compiler."""

from pathlib import Path
from typing import Any

from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.identity import Issuer
from ringwall.plan.model import Edge, Plan, Service
from ringwall.plan.operation import HopRule, Limit, Operation
from ringwall.plan.policy import Source
from ringwall.plan.rule import ALLOW, Rule

TRUST_DOMAIN = "test"
SOURCE = Source(file="ringwall.yaml", line=1)
GENEROUS = Limit(requests=10_000, seconds=1, burst=10_000)


def spiffe(name: str) -> str:
    return f"spiffe://{TRUST_DOMAIN}/{'edge' if name == 'edge' else f'service/{name}'}"


def hop(rule: Rule = ALLOW, *, callers: tuple[str, ...] = ("edge",), token: bool = True, **more: Any) -> HopRule:
    return HopRule(rule=rule, callers=callers, authentication="required" if token else "optional", **more)


def operation(
    service: str,
    name: str,
    method: str,
    template: str,
    *,
    rule: Rule = ALLOW,
    edge: Rule | None = ALLOW,
    token: bool = True,
    callers: tuple[str, ...] = ("edge",),
    rule_id: str = "",
) -> Operation:
    return Operation(
        id=f"{service}/{name}",
        method=method,
        template=template,
        inbound=hop(rule, callers=callers, token=token),
        edge=None if edge is None else hop(edge, token=token),
        rule_id=rule_id or f"{abs(hash((service, name))) % 16**12:012x}",
        source=SOURCE,
    )


def service(name: str, *operations: Operation, **more: Any) -> Service:
    return Service(name=name, spiffe_id=spiffe(name), operations=operations, source=SOURCE, **more)


def plan(*services: Service, **more: Any) -> Plan:
    edge = Edge(
        spiffe_id=spiffe("edge"), host="127.0.0.1", port=0, domains=("localhost",), per_ip=GENEROUS, redirect_port=0
    )
    issuer = Issuer(
        name="local",
        url="https://localhost/auth",
        builtin=True,
        audiences=("clinic",),
        algorithms=("ES256",),
    )
    fields: dict[str, Any] = {
        "system": "test",
        "trust_domain": TRUST_DOMAIN,
        "audience": "clinic",
        "issuers": (issuer,),
        "edge": edge,
        "services": tuple(sorted(services, key=lambda s: s.name)),
        "cedar_schema": "{}",
    }
    return Plan(**(fields | more))


def bindings(made: Plan, state: Path, port: Any) -> Bindings:
    """Return addresses for every part of a plan; `port()` gives a free port."""

    def local() -> Address:
        return Address(port=port())

    def app(s: Service) -> Address:
        if s.builtin:
            return Address(socket=str(Bindings(state=state).issuer()))
        return Address(socket=s.listen.socket) if s.listen.socket else local()

    return Bindings(
        state=state,
        edge=local(),
        redirect=local(),
        inbound={s.name: local() for s in made.services},
        outbound={f"{s.name}>{callee}": local() for s in made.services for callee in s.calls},
        app={s.name: app(s) for s in made.services},
    )
