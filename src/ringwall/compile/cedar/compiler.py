"""Compiles the policies of one operation into what one hop enforces.

    guard && !forbids && permits        once for each kind of principal

with the action, the service and whatever else is known put in. A hop whose policies use something that has
no sound form in Envoy goes to the decision point as a whole, with the reasons.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ringwall.compile.cedar import membership
from ringwall.compile.cedar.cases import cases_of
from ringwall.compile.cedar.formula import FALSE, TRUE, Formula, Lit, all_of, any_of, negation
from ringwall.compile.cedar.guard import TokenPresent, TypeGuard, readable_params, token_is_believed, type_guards
from ringwall.compile.cedar.place import Kind, Place, System
from ringwall.compile.cedar.satisfied import Memory, satisfied
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.plan.cedar import CedarPolicy, Reads
from ringwall.plan.identity import Claim, Issuer, Role
from ringwall.plan.model import EDGE
from ringwall.plan.operation import HopRule, Param
from ringwall.plan.policy import Mode, Policy
from ringwall.plan.rule import DENY, Case, CompiledRule, DecisionPointRule, Rule

MOST_CASES: Final = 64
"""Envoy tries the cases of a rule one after the other."""

MOST_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HopContext:
    """Everything about one hop of one operation that is known when the plan is made.

    Attributes:
        hop: `edge` or `inbound`.
        action: operation id.
        service: its service, with its `zone` and what it `holds`.
        params: path parameters, with segments counted in the service's own path.
        prefix_segments: how many segments the exposure prefix puts in front; used at the edge only.
        callers: names of the workloads that may call this hop; at the edge hop `("edge",)`.
    """

    hop: Literal["edge", "inbound"]
    action: str
    service: str
    zone: str
    holds: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    prefix_segments: int = 0
    callers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A compiled hop without names: `problems` are pairs (number of the policy, construct), -1 for all policies."""

    rule: CompiledRule
    problems: tuple[tuple[int, str], ...]
    cacheable: bool
    tokenless: bool


@dataclass
class CompileCache:
    """Remembers parsed policies and compiled hops between compiles; keep one and hand it to each `PolicyCompiler`.

    What is remembered does not hold policy ids or lines, so moving a policy within its file costs nothing.
    """

    parsed: dict[str, CedarPolicy] = field(default_factory=dict)
    formulas: Memory = field(default_factory=dict)
    cases: dict[object, tuple[Case, ...]] = field(default_factory=dict)
    hops: dict[object, _Draft] = field(default_factory=dict)
    systems: dict[object, int] = field(default_factory=dict)

    def trim(self) -> None:
        """Forget everything when it has grown far beyond what one system needs, as after very many edits."""
        if max(len(self.parsed), len(self.formulas), len(self.cases), len(self.hops)) > MOST_REMEMBERED:
            for memory in (self.parsed, self.formulas, self.cases, self.hops):
                memory.clear()


class PolicyCompiler:
    """Compiles hops against one set of policies."""

    def __init__(
        self,
        *,
        trust_domain: str,
        issuers: Sequence[Issuer],
        roles: Sequence[Role],
        claims: Sequence[Claim],
        timezone: str,
        policies: tuple[Policy, ...],
        cache: CompileCache | None = None,
    ) -> None:
        self._cache = cache if cache is not None else CompileCache()
        self._cache.trim()
        identity = (trust_domain, tuple(issuers), tuple(roles), tuple(claims), timezone)
        self._system_number = self._cache.systems.setdefault(identity, len(self._cache.systems))
        self._system = System.of(
            trust_domain=trust_domain,
            issuers=tuple(issuers),
            roles=tuple(roles),
            claims=tuple(claims),
            timezone=timezone,
        )
        self._index = _Index([self._parse(policy) for policy in policies])

    def applicable(self, action: str, service: str) -> tuple[str, ...]:
        """Return the ids of the policies whose scope can match this operation, in the order they were given."""
        return tuple(parsed.policy.id for parsed in self._index.of(action, service))

    def compile_hop(self, context: HopContext) -> HopRule:
        """Return what this hop enforces."""
        applicable = self._index.of(context.action, context.service)
        policies = tuple(parsed for parsed in applicable if parsed.concerns(context.zone, context.holds))
        enforced = tuple(parsed for parsed in policies if parsed.policy.mode is Mode.ENFORCE)
        draft = self._draft(context, enforced)
        shadow = None
        if len(enforced) != len(policies):
            shadow = _rule(self._draft(context, policies), policies)
        return HopRule(
            rule=_rule(draft, enforced),
            shadow=shadow,
            authentication="optional" if draft.tokenless else "required",
            callers=context.callers,
        )

    def _parse(self, policy: Policy) -> CedarPolicy:
        known = self._cache.parsed.get(policy.cedar)
        if known is None:
            known = self._cache.parsed[policy.cedar] = CedarPolicy.parse(policy)
        return known.named(policy)

    def _draft(self, context: HopContext, policies: tuple[CedarPolicy, ...]) -> _Draft:
        key = (self._system_number, context, tuple(parsed.policy.cedar for parsed in policies))
        draft = self._cache.hops.get(key)
        if draft is None:
            draft = self._cache.hops[key] = _Hop(
                self._system, self._system_number, context, policies, self._cache
            ).draft()
        return draft


def _rule(draft: _Draft, policies: Sequence[CedarPolicy]) -> Rule:
    if not draft.problems:
        return draft.rule
    reasons = tuple(dict.fromkeys(_reason(number, construct, policies) for number, construct in draft.problems))
    return DecisionPointRule(reasons=reasons, cacheable=draft.cacheable)


def _reason(number: int, construct: str, policies: Sequence[CedarPolicy]) -> str:
    if number < 0:
        return f"the policies together: {construct}"
    policy = policies[number].policy
    return f"policy {policy.id!r} ({policy.source}): {construct}"


class _Hop:
    """One compilation."""

    def __init__(
        self,
        system: System,
        number: int,
        context: HopContext,
        policies: tuple[CedarPolicy, ...],
        cache: "CompileCache",
    ) -> None:
        self._system = system
        self._number = number
        self._cache = cache
        self._context = context
        self._policies = policies
        self._problems: list[tuple[int, str]] = []
        reads = Reads()
        for parsed in policies:
            reads |= parsed.reads
        self._reads = reads
        offset = context.prefix_segments if context.hop == EDGE else 0
        self._segments = {param.name: param.segment + offset for param in context.params}

    def draft(self) -> _Draft:
        """Compile for users of each issuer, for a guest, and for each workload that may call."""
        tokenless = self._tokenless()
        users = [(issuer, self._decision(self._place("user", issuer=issuer))) for issuer in self._system.issuers]
        cases: tuple[Case, ...] = ()
        if not self._problems:
            try:
                cases = self._cases(users, tokenless or FALSE)
            except UnsupportedError as problem:
                self._problems.append((-1, problem.construct))
        if len(cases) > MOST_CASES:
            self._problems.append((-1, "more alternatives than Envoy should try one after the other"))
        reads = self._reads
        return _Draft(
            rule=CompiledRule(cases=cases) if cases else DENY,
            problems=tuple(self._problems),
            cacheable=not (reads.time or reads.path or reads.source),
            tokenless=tokenless is not FALSE,
        )

    def _cases(self, users: Sequence[tuple[Issuer, Formula]], tokenless: Formula) -> tuple[Case, ...]:
        readable = readable_params(self._reads.path, self._segments)
        without = all_of([Lit(TokenPresent(), positive=False), readable, tokenless])
        cases = [*self._remembered(without, ())]
        alike: dict[tuple[Formula, tuple[TypeGuard, ...]], list[Issuer]] = {}
        for issuer, user in users:
            alike.setdefault((user, type_guards(self._reads, self._system, issuer)), []).append(issuer)
        for (user, guards), issuers in alike.items():
            cases += self._remembered(all_of([token_is_believed(issuers), readable, user]), guards)
        return tuple(cases)

    def _remembered(self, formula: Formula, guards: tuple[TypeGuard, ...]) -> tuple[Case, ...]:
        key = (formula, guards)
        cases = self._cache.cases.get(key)
        if cases is None:
            cases = self._cache.cases[key] = cases_of(formula, guards)
        return cases

    def _tokenless(self) -> Formula | None:
        """Return when a request without a token is allowed, None where that cannot be compiled."""
        ways: dict[Formula, list[str]] = {}
        for caller in self._context.callers:
            before = len(self._problems)
            allowed = self._decision(self._place("guest" if caller == EDGE else "workload", caller=caller))
            if len(self._problems) > before:
                return None
            ways.setdefault(allowed, []).append(caller)
        place = self._place("user")
        return any_of(
            all_of([allowed, _one_of(callers, place)]) for allowed, callers in ways.items() if allowed is not FALSE
        )

    def _place(self, kind: Kind, *, caller: str = "", issuer: Issuer | None = None) -> Place:
        context = self._context
        return Place(
            system=self._system,
            kind=kind,
            action=context.action,
            service=context.service,
            zone=context.zone,
            holds=context.holds,
            callers=context.callers,
            segments=self._segments,
            issuer=issuer,
            workload=caller,
        )

    def _decision(self, place: Place) -> Formula:
        """Return `!forbids && permits`; what does not compile is noted as a problem."""
        permits: list[Formula] = []
        forbids: list[Formula] = []
        for number, parsed in enumerate(self._policies):
            try:
                (permits if parsed.permits else forbids).append(
                    satisfied(parsed, place, self._number, self._cache.formulas)
                )
            except UnsupportedError as problem:
                self._problems.append((number, problem.construct))
        return all_of([*(negation(forbid) for forbid in forbids), any_of(permits)])


def _one_of(callers: Sequence[str], place: Place) -> Formula:
    if set(callers) == set(place.callers):
        return TRUE
    return any_of(membership.called_by(caller, place) for caller in callers)


class _Index:
    """Finds the policies that can apply to an operation without looking at all of them."""

    def __init__(self, policies: Iterable[CedarPolicy]) -> None:
        self._by_action: dict[str, list[tuple[int, CedarPolicy]]] = {}
        self._by_service: dict[str, list[tuple[int, CedarPolicy]]] = {}
        self._others: list[tuple[int, CedarPolicy]] = []
        self._found: dict[tuple[str, str], tuple[CedarPolicy, ...]] = {}
        for number, parsed in enumerate(policies):
            self._add(number, parsed)

    def of(self, action: str, service: str) -> tuple[CedarPolicy, ...]:
        """Return the policies that can apply, in the order they were given."""
        known = self._found.get((action, service))
        if known is None:
            known = self._found[action, service] = self._search(action, service)
        return known

    def _search(self, action: str, service: str) -> tuple[CedarPolicy, ...]:
        found = dict(self._others)
        for group in (
            self._by_action.get(action, ()),
            self._by_action.get(f"{service}/*", ()),
            self._by_service.get(service, ()),
        ):
            found.update(group)
        return tuple(parsed for _, parsed in sorted(found.items()) if parsed.applies_to(action, service))

    def _add(self, number: int, parsed: CedarPolicy) -> None:
        action, resource = parsed.body["action"], parsed.body["resource"]
        if action["op"] != "All":
            for entity in action["entities"] if "entities" in action else [action["entity"]]:
                self._by_action.setdefault(entity["id"], []).append((number, parsed))
        elif "entity" in resource:
            self._by_service.setdefault(resource["entity"]["id"], []).append((number, parsed))
        else:
            self._others.append((number, parsed))
