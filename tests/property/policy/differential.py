"""Generate, compile, ask both, compare."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.property.policy.draw import RequestDrawer
from tests.property.policy.interpret import Interpreter, at_site
from tests.property.policy.oracle import Oracle, valid
from tests.property.policy.requests import Request
from tests.property.policy.world import Site, policy
from tests.property.policy.write import PolicyWriter

from ringwall.plan.operation import HopRule
from ringwall.plan.policy import Policy
from ringwall.plan.rule import CompiledRule

AIMS = (
    *("role", "user", "sub", "iss", "scopes", "text", "like", "long", "bool", "set", "has"),
    *("source", "clock", "now", "caller", "kind", "path"),
)


@dataclass(frozen=True)
class Sample:
    """One site with policies, the requests to it and what Cedar answers."""

    seed: int
    site: Site
    policies: tuple[Policy, ...]
    requests: list[tuple[Request, bool]]


@dataclass
class Count:
    """What a run has seen."""

    requests: int = 0
    allowed: int = 0
    rules: int = 0
    native: int = 0
    undecided: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.requests} requests ({self.allowed} allowed), {self.rules} compiled rules "
            f"({self.native} native alone), "
            f"{self.undecided.total()} rules for the decision point: {dict(self.undecided)}"
        )


def samples(seeds: Iterable[int], requests: int, aims: tuple[str, ...] = AIMS) -> Iterator[Sample]:
    """Yield a sample for each seed whose policies are valid; the construct that is aimed at goes round."""
    for seed in seeds:
        writer = PolicyWriter(seed, aims=(aims[seed % len(aims)],))
        site = writer.site()
        texts = writer.policies(site)
        if not valid(texts):
            continue
        oracle = Oracle(site, texts)
        drawer = RequestDrawer(seed, writer.hints)
        drawn = [drawer.request(site) for _ in range(requests)]
        policies = tuple(policy(number, text) for number, text in enumerate(texts))
        yield Sample(seed, site, policies, [(request, oracle.allows(request)) for request in drawn])


def mismatches(sample: Sample, rule: HopRule, count: Count) -> Iterator[str]:
    """Yield a description of each request that a compiled rule answers otherwise than Cedar."""
    compiled = rule.rule
    if not isinstance(compiled, CompiledRule):
        for reason in compiled.reasons:
            count.undecided[reason.partition("): ")[2] or reason] += 1
        return
    count.rules += 1
    count.native += all(case.condition is None for case in compiled.cases)
    interpreter = Interpreter(compiled)
    for request, expected in sample.requests:
        count.requests += 1
        count.allowed += expected
        facts = at_site(sample.site, request)
        refused = facts is None or (request.claims is None and rule.authentication == "required")
        if (not refused and facts is not None and interpreter.allows(facts)) is not expected:
            yield describe(sample, request, rule, expected=expected)


def describe(sample: Sample, request: Request, rule: HopRule, *, expected: bool) -> str:
    """Describe a request about which Cedar and a rule disagree."""
    lines = [f"seed {sample.seed}: Cedar {'allows' if expected else 'denies'}, the rule does not agree"]
    lines += [f"  {one.cedar}" for one in sample.policies]
    lines += [f"  {sample.site}", f"  {request}"]
    if isinstance(rule.rule, CompiledRule):
        for case in rule.rule.cases:
            lines += [f"  {case.when.model_dump_json()}", f"    && {case.condition.text if case.condition else 'true'}"]
    return "\n".join(lines)[:6000]


def forget() -> None:
    """Empty every memory of the compiler, so that a planted bug is not hidden by what was compiled before."""
    for name, module in list(sys.modules.items()):
        if name.startswith("ringwall.compile.cedar"):
            for thing in vars(module).values():
                clear = getattr(thing, "cache_clear", None)
                if clear is not None:
                    clear()
