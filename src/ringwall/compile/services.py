"""Services of the plan, the built-in issuer included."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import lru_cache

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.service_model import Operation as BlueprintOperation
from ringwall.blueprint.service_model import Service as BlueprintService
from ringwall.compile.cedar.schema import ActionShape
from ringwall.compile.edge import lower_limit
from ringwall.compile.rules import Declared, ServiceScope
from ringwall.model.assurance import at_least
from ringwall.model.errors import Span
from ringwall.model.route import segments
from ringwall.model.spiffe import SpiffeId
from ringwall.plan.model import Cors, Listen, Protocol, Run, Service
from ringwall.plan.operation import Operation, Param, StepUp
from ringwall.plan.policy import Mode, Source


def callers_of(blueprint: Blueprint) -> dict[str, list[str]]:
    """Return for each service that is called the names of those that declare it."""
    found: dict[str, list[str]] = {}
    for service in blueprint.services:
        for callee in service.calls:
            found.setdefault(callee.value, []).append(service.name.value)
    return found


def scope_of(service: BlueprintService, blueprint: Blueprint, callers: Sequence[str]) -> ServiceScope:
    """Return what the rules of a service depend on; `callers` are the services that declare the call."""
    name = service.name.value
    modes = {mode.value for mode in (service.mode, blueprint.mode) if mode is not None}
    holds = tuple(sorted(data.value for data in service.holds))
    websockets = {operation.value for operation in service.websockets}
    demands = _demands(service)
    return ServiceScope(
        name=name,
        zone=service.zone.value if service.zone is not None else "app",
        prefix=service.expose.value if service.expose is not None else None,
        callers=tuple(sorted(callers)),
        mode=Mode.SHADOW if Mode.SHADOW.value in modes else Mode.ENFORCE,
        operations=tuple(
            replace(
                _declared(name, operation, holds, websocket=operation.id in websockets),
                step_up=demands.get(operation.id),
            )
            for operation in service.known_operations
        ),
    )


def _demands(service: BlueprintService) -> dict[str, StepUp]:
    """Return what operations ask of the sign-in behind a token."""
    return {
        name: StepUp(
            acr=at_least(form.acr.value) if form.acr is not None else (),
            max_age=form.max_age.value if form.max_age is not None else None,
        )
        for form in service.step_up
        for name in [named.value for named in form.operations] or [o.id for o in service.known_operations]
    }


def _declared(service: str, operation: BlueprintOperation, holds: tuple[str, ...], *, websocket: bool) -> Declared:
    return Declared(
        id=f"{service}/{operation.id}",
        method=operation.method,
        template=operation.template,
        params=readable_params(operation.template),
        holds=holds if operation.data is None else tuple(sorted({data.value for data in operation.data})),
        source=source_of(operation.span),
        websocket=websocket,
    )


@lru_cache(maxsize=4096)
def readable_params(template: str) -> tuple[Param, ...]:
    """Return the parameters that fill a whole segment: those a policy may read."""
    return tuple(
        Param(name=segment.names[0], segment=index)
        for index, segment in enumerate(segments(template))
        if segment.kind == "param"
    )


def action_shapes(scopes: Sequence[ServiceScope]) -> list[ActionShape]:
    """Return the operations of services as policies see them."""
    return [
        ActionShape(id=operation.id, service=scope.name, params=tuple(param.name for param in operation.params))
        for scope in scopes
        for operation in scope.operations
    ]


def source_of(span: Span) -> Source:
    """Return a span as the plan carries it."""
    return Source(file=span.file, line=span.line, column=span.column)


def tcp_services(blueprint: Blueprint) -> frozenset[str]:
    """Return the names of the services that speak plain TCP."""
    found = [s for s in blueprint.services if s.protocol is not None and s.protocol.value == Protocol.TCP]
    return frozenset(service.name.value for service in found)


def lower_service(
    scope: ServiceScope,
    service: BlueprintService,
    operations: tuple[Operation, ...],
    *,
    trust_domain: str,
    tcp: AbstractSet[str],
) -> Service:
    """Return a service of the plan; `tcp` names services that speak TCP."""
    protocol = Protocol(service.protocol.value) if service.protocol is not None else Protocol.HTTP1
    listen = service.listen.value if service.listen is not None else None
    calls = tuple(sorted(callee.value for callee in service.calls))
    settings: dict[str, int] = {}
    if service.timeout is not None:
        settings["timeout_seconds"] = service.timeout.value
    if service.max_body is not None:
        settings["max_body_bytes"] = service.max_body.value
    return Service(
        name=scope.name,
        spiffe_id=str(SpiffeId(trust_domain, f"/service/{scope.name}")),
        protocol=protocol,
        zone=scope.zone,
        holds=tuple(sorted(data.value for data in service.holds)),
        listen=Listen(host=listen.host, port=listen.port, socket=listen.socket) if listen is not None else Listen(),
        run=_run(service),
        calls=calls,
        audiences=tuple(sorted(audience.value for audience in service.audiences)),
        prefix=scope.prefix,
        cors=_cors(service),
        login=service.login is not None and service.login.value,
        forward_token=any(callee not in tcp for callee in calls),
        mode=scope.mode,
        operations=operations,
        per_principal=lower_limit(service.limit),
        tcp_callers=scope.callers if protocol is Protocol.TCP else (),
        source=source_of(service.name.span),
        **settings,
    )


_CORS_HEADERS = ("authorization", "content-type", "dpop")


def _cors(service: BlueprintService) -> Cors | None:
    if service.cors is None:
        return None
    return Cors(
        origins=tuple(sorted({origin.value for origin in service.cors.origins})),
        headers=tuple(sorted({*_CORS_HEADERS, *(header.value for header in service.cors.headers)})),
        credentials=service.cors.credentials is not None and service.cors.credentials.value,
    )


def _run(service: BlueprintService) -> Run | None:
    if service.run is None:
        return None
    return Run(
        argv=service.run.value,
        cwd=service.cwd.value if service.cwd is not None else ".",
        env=tuple(sorted((name.value, value.value) for name, value in service.env)),
        ready=service.ready.value if service.ready is not None else None,
    )
