"""Blueprint → Plan: reads, checks and lowers in one run, and says everything that is wrong at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from ringwall.blueprint.files import Files
from ringwall.blueprint.load import BLUEPRINT_NAME, read_blueprint
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.compile.builtin_issuer import BuiltinIssuer, issuer_actions, lower_issuer
from ringwall.compile.cedar.schema import ServiceFacts, cedar_schema
from ringwall.compile.edge import lower_edge
from ringwall.compile.issuers import (
    has_builtin_issuer,
    lower_audiences,
    lower_claims,
    lower_clients,
    lower_issuers,
    lower_people,
    lower_roles,
)
from ringwall.compile.policies.check import check_policies
from ringwall.compile.rules import Made, PolicyIndex, RuleMaker, covered
from ringwall.compile.services import action_shapes, callers_of, lower_service, scope_of, tcp_services
from ringwall.compile.upstreams import lower_upstreams
from ringwall.model.administration import ISSUER_SERVICE
from ringwall.model.cache import PlanCache
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, Span
from ringwall.model.garbage import collection_paused
from ringwall.plan.base import canonical
from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.model import Plan, Service
from ringwall.plan.operation import Operation
from ringwall.plan.policy import Mode


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan, the warnings that came with it, and its policies as they were parsed, by id."""

    plan: Plan
    diagnostics: tuple[Diagnostic, ...]
    policies: Mapping[str, CedarPolicy]


def plan_files(
    files: Files, name: str = BLUEPRINT_NAME, *, listen: str | None = None, cache: PlanCache | None = None
) -> PlanResult:
    """Read a blueprint and everything it names, and make the plan.

    Args:
        files: the blueprint's folder.
        name: the blueprint's file in it.
        listen: replaces `edge.listen`, in the same form.
        cache: what an earlier run kept; it is changed.

    Raises:
        InvalidBlueprintError: with every diagnostic, of blueprint, contracts and policies.
    """
    report = Report()
    cache = cache if cache is not None else PlanCache()
    with collection_paused():
        blueprint = read_blueprint(files, name, report, listen=listen, cache=cache)
        if blueprint is None:
            raise InvalidBlueprintError(report.diagnostics)
        return _plan(blueprint, report, cache)


def make_plan(blueprint: Blueprint, *, cache: PlanCache | None = None) -> PlanResult:
    """Make the plan of a blueprint that `load_blueprint` returned.

    Raises:
        InvalidBlueprintError: with every diagnostic about its policies.
    """
    report = Report()
    for file, text in blueprint.texts.items():
        report.add_source(file, text)
    with collection_paused():
        return _plan(blueprint, report, cache if cache is not None else PlanCache())


def _plan(blueprint: Blueprint, report: Report, cache: PlanCache) -> PlanResult:
    claims, roles = lower_claims(blueprint), lower_roles(blueprint)
    callers = callers_of(blueprint)
    scopes = [
        scope_of(service, blueprint, callers.get(service.name.value, ()))
        for service in sorted(blueprint.services, key=lambda s: s.name.value)
    ]
    actions = action_shapes(scopes)
    if has_builtin_issuer(blueprint):
        actions += issuer_actions(blueprint.file)
    policies = check_policies(blueprint, claims=claims, roles=roles, actions=actions, cache=cache, report=report)
    if report.failed:
        raise InvalidBlueprintError(report.diagnostics)

    trust_domain = blueprint.trust_domain.value if blueprint.trust_domain else blueprint.system.value
    timezone = blueprint.timezone.value if blueprint.timezone else "UTC"
    edge = lower_edge(blueprint, trust_domain)
    issuers = lower_issuers(blueprint, edge)
    maker = RuleMaker(
        trust_domain=trust_domain,
        issuers=issuers,
        roles=roles,
        claims=claims,
        timezone=timezone,
        cache=cache,
    )
    index = PolicyIndex(policies)
    issuer = BuiltinIssuer(blueprint.file, index.of(ISSUER_SERVICE)) if has_builtin_issuer(blueprint) else None
    by_id = {parsed.policy.id: parsed for parsed in (*policies, *(issuer.policies if issuer is not None else ()))}
    declared = {service.name.value: service for service in blueprint.services}
    tcp = tcp_services(blueprint)
    services = []
    for scope in scopes:
        user_service = declared[scope.name]
        made = maker.operations(scope, index.of(scope.name))
        service = lower_service(scope, user_service, made.operations, trust_domain=trust_domain, tcp=tcp)
        services.append(_kept(service, made, cache))
        permitted = covered(made.operations, by_id)
        _check_coverage(services[-1], made.operations, permitted, user_service.name.span, report)
    if issuer is not None:
        made = issuer.operations(maker)
        services.append(
            _kept(lower_issuer(made.operations, trust_domain=trust_domain, file=blueprint.file), made, cache)
        )
    read = {claim for parsed in by_id.values() for claim in parsed.reads.claims}
    plan = Plan(
        system=blueprint.system.value,
        trust_domain=trust_domain,
        timezone=timezone,
        development=blueprint.is_development,
        mode=Mode(blueprint.mode.value) if blueprint.mode else Mode.ENFORCE,
        audience=blueprint.system.value,
        issuers=issuers,
        roles=roles,
        claims=tuple(claim for claim in claims if claim.name in read),
        people=lower_people(blueprint),
        clients=lower_clients(blueprint, issuers),
        upstreams=lower_upstreams(blueprint),
        audiences=lower_audiences(blueprint),
        edge=edge,
        services=tuple(sorted(services, key=lambda service: service.name)),
        policies=tuple(by_id[name].policy for name in sorted(by_id)),
        cedar_schema=cedar_schema(
            claims=claims,
            roles=roles,
            services=[ServiceFacts(name=s.name, zone=s.zone, holds=s.holds) for s in services],
            actions=actions,
        ),
    )
    plan.digest  # noqa: B018  # computed and kept while the collector is paused
    cache.sweep()
    return PlanResult(plan, report.diagnostics, by_id)


def _kept(service: Service, made: Made, cache: PlanCache) -> Service:
    """Return the service, or the equal one of the last run; its canonical bytes, which take long to make, are known."""
    key = f"service {service.name}"
    known = cache.get_object(key)
    if isinstance(known, Service) and known == service:
        return known
    fields = service.model_dump(mode="json", exclude={"operations"})
    fields["operations"] = orjson.Fragment(made.canonical)
    vars(service)["canonical_bytes"] = canonical(fields)
    cache.put_object(key, service)
    return service


def _check_coverage(
    service: Service, operations: Sequence[Operation], permitted: dict[str, bool], span: Span, report: Report
) -> None:
    open_to_nobody = [operation for operation in operations if not permitted[operation.id]]
    hint = "permit it with `allow:` or a Cedar file, or remove the operation"
    if operations and len(open_to_nobody) == len(operations):
        message = f"no policy permits any operation of {service.name!r}, so every request is denied"
        report.warning("uncovered-operation", message, span, hint=hint)
        return
    for operation in open_to_nobody:
        place = Span(operation.source.file, operation.source.line, operation.source.column)
        message = f"no policy permits {operation.id!r}, so every request for it is denied"
        report.warning("uncovered-operation", message, place, hint=hint)
