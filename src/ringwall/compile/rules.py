"""The operations of one service with what each hop enforces, remembered by everything that they depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import TypeAdapter

from ringwall.compile.cedar.compiler import CompileCache, HopContext, PolicyCompiler
from ringwall.model.cache import PlanCache, key_of
from ringwall.model.spiffe import SpiffeId
from ringwall.plan.base import canonical, digest_of
from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.identity import Claim, Issuer, Role
from ringwall.plan.model import EDGE
from ringwall.plan.operation import HopRule, Operation, Param, StepUp
from ringwall.plan.policy import Mode, Source
from ringwall.plan.rule import DENY, Always, AnyOf, CallerIs, Case, CompiledRule, Predicate

_OPERATIONS: TypeAdapter[tuple[Operation, ...]] = TypeAdapter(tuple[Operation, ...])
_RULE_ID_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One operation before it has rules; `id` begins with the service's name."""

    id: str
    method: str
    template: str
    params: tuple[Param, ...]
    holds: tuple[str, ...]
    source: Source
    websocket: bool = False
    step_up: StepUp | None = None
    own_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceScope:
    """What the rules of one service depend on, besides its policies.

    Attributes:
        prefix: exposure prefix, None where it is not exposed.
        callers: names of the services that declare the call, sorted.
        mode: shadow where the service, or the whole system, only reports.
    """

    name: str
    zone: str
    prefix: str | None
    callers: tuple[str, ...]
    mode: Mode
    operations: tuple[Declared, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """The operations of one service, ordered by id, and the canonical JSON of them all, which takes long to make."""

    operations: tuple[Operation, ...]
    canonical: bytes


class RuleMaker:
    """Makes operations of one system."""

    def __init__(
        self,
        *,
        trust_domain: str,
        issuers: Sequence[Issuer],
        roles: Sequence[Role],
        claims: Sequence[Claim],
        timezone: str,
        cache: PlanCache,
    ) -> None:
        self._trust_domain = trust_domain
        self._issuers = issuers
        self._roles = roles
        self._claims = claims
        self._timezone = timezone
        self._cache = cache
        parts = [[part.model_dump(mode="json") for part in group] for group in (issuers, roles, claims)]
        self._system = canonical([trust_domain, parts, timezone]).decode()

    def operations(self, scope: ServiceScope, policies: Sequence[CedarPolicy]) -> Made:
        """Return the operations of a service; `policies` are those that can apply to some of them."""
        key = self._key(scope, policies)
        known = self._cache.get_object(key)
        if isinstance(known, Made):
            return known
        text = self._cache.get(key)
        if text is not None:
            made = Made(_OPERATIONS.validate_json(text), text)
        else:
            operations = self._make(scope, policies)
            made = Made(operations, canonical(orjson.loads(_OPERATIONS.dump_json(operations))))
            self._cache.put(key, made.canonical)
        self._cache.put_object(key, made)
        return made

    def _key(self, scope: ServiceScope, policies: Sequence[CedarPolicy]) -> str:
        about = [
            *(scope.name, scope.zone, scope.prefix, scope.callers, scope.mode),
            [
                [
                    o.id,
                    o.method,
                    o.template,
                    [[p.name, p.segment] for p in o.params],
                    o.holds,
                    str(o.source),
                    o.source.column,
                    o.websocket,
                    o.step_up and [o.step_up.acr, o.step_up.max_age],
                    o.own_tokens,
                ]
                for o in scope.operations
            ],
            [[p.policy.id, p.policy.cedar, p.policy.mode, str(p.policy.source)] for p in policies],
        ]
        return key_of("rules", self._system, canonical(about).decode())

    def _make(self, scope: ServiceScope, policies: Sequence[CedarPolicy]) -> tuple[Operation, ...]:
        cache = _compile_cache(self._cache)
        for parsed in policies:
            cache.parsed.setdefault(parsed.policy.cedar, parsed)
        compiler = PolicyCompiler(
            trust_domain=self._trust_domain,
            issuers=self._issuers,
            roles=self._roles,
            claims=self._claims,
            timezone=self._timezone,
            policies=tuple(parsed.policy for parsed in policies),
            cache=cache,
        )
        made = (self._operation(scope, declared, compiler) for declared in scope.operations)
        return tuple(sorted(made, key=lambda operation: operation.id))

    def _operation(self, scope: ServiceScope, declared: Declared, compiler: PolicyCompiler) -> Operation:
        exposed = scope.prefix is not None
        callers = (*((EDGE,) if exposed else ()), *scope.callers)
        inbound = self._hop("inbound", scope, declared, callers, compiler)
        edge = self._hop("edge", scope, declared, (EDGE,), compiler) if exposed else None
        rules = [hop.model_dump(mode="json") if hop is not None else None for hop in (inbound, edge)]
        return Operation(
            id=declared.id,
            method=declared.method,
            template=declared.template,
            websocket=declared.websocket,
            step_up=declared.step_up,
            own_tokens=declared.own_tokens,
            params=declared.params,
            inbound=inbound,
            edge=edge,
            rule_id=digest_of([declared.id, *rules, *_demand(declared)])[:_RULE_ID_DIGITS],
            policies=compiler.applicable(declared.id, scope.name),
            holds=declared.holds,
            source=declared.source,
        )

    def _hop(
        self, hop: str, scope: ServiceScope, declared: Declared, callers: tuple[str, ...], compiler: PolicyCompiler
    ) -> HopRule:
        if not callers:
            return HopRule(rule=DENY, callers=())
        compiled = compiler.compile_hop(
            HopContext(
                hop="edge" if hop == EDGE else "inbound",
                action=declared.id,
                service=scope.name,
                zone=scope.zone,
                holds=declared.holds,
                params=declared.params,
                prefix_segments=(scope.prefix or "").count("/") if hop == EDGE else 0,
                callers=callers,
            )
        )
        if scope.mode is Mode.ENFORCE:
            return compiled
        allowed: Predicate = Always()
        if hop != EDGE:
            allowed = AnyOf(parts=tuple(CallerIs(spiffe_id=self._spiffe_id(caller)) for caller in callers))
        return compiled.model_copy(
            update={"rule": CompiledRule(cases=(Case(when=allowed),)), "shadow": compiled.shadow or compiled.rule}
        )

    def _spiffe_id(self, caller: str) -> str:
        return str(SpiffeId(self._trust_domain, "/edge" if caller == EDGE else f"/service/{caller}"))


def _demand(declared: Declared) -> list[object]:
    return [] if declared.step_up is None else [declared.step_up.model_dump(mode="json")]


def merged(parts: Sequence[Made]) -> Made:
    """Return the operations of several scopes of one service as those of one."""
    operations = sorted((o for made in parts for o in made.operations), key=lambda operation: operation.id)
    texts = sorted((o for made in parts for o in orjson.loads(made.canonical)), key=lambda operation: operation["id"])
    return Made(tuple(operations), canonical(texts))


def _compile_cache(cache: PlanCache) -> CompileCache:
    """Return what the policy compiler keeps between runs of one process."""
    found = cache.get_object("policy compiler")
    if not isinstance(found, CompileCache):
        found = CompileCache()
        cache.put_object("policy compiler", found)
    return found


class PolicyIndex:
    """Finds the policies that can apply to a service without looking at all of them."""

    def __init__(self, policies: Sequence[CedarPolicy]) -> None:
        self._everywhere: list[CedarPolicy] = []
        self._by_service: dict[str, list[CedarPolicy]] = {}
        for parsed in policies:
            scope = parsed.body["action"]
            if scope["op"] == "All":
                self._everywhere.append(parsed)
                continue
            named = scope["entities"] if "entities" in scope else [scope["entity"]]
            for service in {entity["id"].partition("/")[0] for entity in named}:
                self._by_service.setdefault(service, []).append(parsed)

    def of(self, service: str) -> list[CedarPolicy]:
        """Return the policies that can apply to some operation of a service, ordered by id."""
        return sorted((*self._everywhere, *self._by_service.get(service, ())), key=lambda parsed: parsed.policy.id)


def covered(operations: Sequence[Operation], policies: Mapping[str, CedarPolicy]) -> dict[str, bool]:
    """Return for each operation whether some permit can apply to it."""
    return {o.id: any(policies[name].permits for name in o.policies) for o in operations}
