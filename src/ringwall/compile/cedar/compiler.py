"""Compiles the policies of one operation into what one hop enforces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.model import Claim, HopRule, Issuer, Mode, Param, Policy, Role
from ringwall.plan.rule import DENY, DecisionPointRule, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class HopContext:
    """Everything about one hop of one operation that is known when the plan is made.

    Attributes:
        hop: `edge` or `inbound`.
        action: operation id.
        service: its service, with `zone` and `holds`.
        params: path parameters, with segments counted in the service's own path.
        prefix_segments: how many segments the exposure prefix puts in front; used at the edge only.
        callers: names of the workloads that may call this hop; at the edge hop `("edge",)`.
        has_edge: whether the system has an edge at all.
    """

    hop: Literal["edge", "inbound"]
    action: str
    service: str
    zone: str
    holds: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    prefix_segments: int = 0
    callers: tuple[str, ...] = ()
    has_edge: bool = True


class CompileCache:
    """Remembers compiled hops between compiles; keep one and hand it to each new `PolicyCompiler`."""

    def __init__(self) -> None:
        self.hops: dict[object, object] = {}


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
        self._parsed = tuple(CedarPolicy.parse(policy) for policy in policies)

    def applicable(self, action: str, service: str) -> tuple[str, ...]:
        """Return the ids of the policies whose scope can match this operation, in the order of the plan."""
        return tuple(parsed.policy.id for parsed in self._parsed if parsed.applies_to(action, service))

    def compile_hop(self, context: HopContext) -> HopRule:
        """Return what this hop enforces."""
        applicable = [p for p in self._parsed if p.applies_to(context.action, context.service)]
        enforced = [p for p in applicable if p.policy.mode is Mode.ENFORCE]
        rule: Rule = DENY
        if any(p.permits for p in enforced):
            rule = DecisionPointRule(reasons=("the compiler is not finished",))
        return HopRule(rule=rule, authentication="optional", callers=context.callers)
