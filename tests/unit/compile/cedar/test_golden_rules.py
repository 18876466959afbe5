"""Each file of tests/golden/cedar is some policies; the .txt beside it is what they become.

UPDATE_GOLDEN=1 writes what comes out now.
"""

import os
from pathlib import Path

import pytest
from tests.property.policy.differential import forget
from tests.property.policy.world import GET, LOCAL, PARTNER, Site, policy

from ringwall.plan.operation import HopRule
from ringwall.plan.rule import AllOf, AnyOf, CompiledRule, Not, Predicate

GOLDEN = Path(__file__).parents[3] / "golden" / "cedar"
CASES = sorted(path.stem for path in GOLDEN.glob("*.cedar"))
SITES = {
    "edge": Site(issuers=(LOCAL,), hop="edge", action=GET, timezone="Europe/Berlin"),
    "inbound": Site(issuers=(LOCAL, PARTNER), hop="inbound", action=GET, callers=("edge", "portal")),
}
CLAIMS = 'metadata.filter_metadata["envoy.filters.http.jwt_authn"]["claims"]'


def shown(when: Predicate) -> str:
    match when:
        case AllOf(parts=parts):
            return f"all({', '.join(map(shown, parts))})"
        case AnyOf(parts=parts):
            return f"any({', '.join(map(shown, parts))})"
        case Not(part=part):
            return f"not {shown(part)}"
    fields = when.model_dump(exclude={"kind"})
    words = [".".join(value) if isinstance(value, tuple) else str(value) for value in fields.values()]
    return f"{when.kind}({' '.join(words)})"


def listed(rule: HopRule) -> list[str]:
    lines = [f"  authentication {rule.authentication}, callers {' '.join(rule.callers)}"]
    if not isinstance(rule.rule, CompiledRule):
        return [*lines, *(f"  decision point: {reason}" for reason in rule.rule.reasons)]
    if not rule.rule.cases:
        return [*lines, "  denies everything"]
    for number, case in enumerate(rule.rule.cases):
        parts = case.when.parts if isinstance(case.when, AllOf) else (case.when,)
        lines += [f"  case {number}", *(f"    {shown(part)}" for part in parts)]
        if case.condition is not None:
            lines.append(f"    {case.condition.text.replace(CLAIMS, 'claims')}")
    return lines


@pytest.mark.parametrize("case", CASES)
def test_the_rules_are_as_before(case: str) -> None:
    texts = [f"{text};" for text in (GOLDEN / f"{case}.cedar").read_text().split(";\n") if text.strip()]
    policies = tuple(policy(number, text) for number, text in enumerate(texts))
    lines = []
    for name, site in SITES.items():
        lines += [name, *listed(site.compile(policies))]
    made = "\n".join(lines) + "\n"
    expected = GOLDEN / f"{case}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(made)
    assert made == expected.read_text(), f"{case}.txt changed; UPDATE_GOLDEN=1 if that is meant"


@pytest.mark.parametrize("case", CASES)
def test_the_same_policies_give_the_same_bytes(case: str) -> None:
    texts = [f"{text};" for text in (GOLDEN / f"{case}.cedar").read_text().split(";\n") if text.strip()]
    policies = tuple(policy(number, text) for number, text in enumerate(texts))
    once = SITES["inbound"].compile(policies).model_dump_json()
    forget()
    assert SITES["inbound"].compile(policies).model_dump_json() == once
