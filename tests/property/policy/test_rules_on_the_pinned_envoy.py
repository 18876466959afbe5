"""What the compiler relies on in the pinned Envoy, asked of it once: several plausible rules fail open there."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from google.api.expr.v1alpha1 import checked_pb2, syntax_pb2
from tests.property.policy.envoy_rig import Ask, Rig, running_envoy

from ringwall.compile.cedar import cases, cel, facts, re2
from ringwall.compile.cedar.cel import Cel, const, infix, negated, some
from ringwall.enforce.rbac import hop_filter
from ringwall.plan.operation import HopRule
from ringwall.plan.rule import (
    ALLOW,
    DENY,
    AllOf,
    Always,
    AnyOf,
    Case,
    ClaimHasText,
    ClaimPresent,
    ClaimText,
    CompiledRule,
    DecisionPointRule,
    Never,
    Not,
    Predicate,
    Rule,
)

ISSUER = "https://local.test"
EDGE, PORTAL = "spiffe://rig.test/edge", "spiffe://rig.test/service/portal"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "alice",
    "exp": 4_000_000_000,
    "text": "é",
    "empty": [],
    "mixed": [1, None, "a"],
    "numbers": [1],
    "object": {"a": 1},
    "null": None,
    "five": 5,
    "half": 5.5,
    "large": 2**53 + 1,
}


def when(predicate: Predicate) -> Rule:
    return CompiledRule(cases=(Case(when=predicate),))


def given(expression: Cel) -> Rule:
    return CompiledRule(cases=(Case(when=Always(), condition=cel.condition(expression)),))


def deep(levels: int) -> Predicate:
    found: Predicate = Always()
    for level in range(levels):
        found = (AllOf if level % 2 else AnyOf)(parts=(found, Not(part=ClaimPresent(path=("nowhere",)))))
    return found


def deep_cel(levels: int) -> Cel:
    found = const(True)
    while found.depth < levels:
        found = cel.ternary(const(True), found, const(False))
    return found


MISSING = infix("==", facts.claim(("missing",)), const("x"))


def hour_in(zone: str) -> Cel:
    return cel.method(facts.TIME, "getHours", const(zone))


def hours_now(zone: str) -> tuple[int, int]:
    """Return the hour there, and the next one, which may have begun when the request comes."""
    hour = datetime.now(ZoneInfo(zone)).hour
    return hour, (hour + 1) % 24


LARGEST = "alice|" + "x" * (re2.LARGEST_PROGRAM - re2.program_size(6))
PATHS = re2.segment_matches(20, f"[^/]*{'x' * (re2.LARGEST_PROGRAM - re2.program_size(0, wildcards=1, segments=20))}")
RULES: dict[str, tuple[Rule, bool]] = {
    "deny": (DENY, False),
    "allow": (ALLOW, True),
    "never": (when(Never()), False),
    "cel false": (given(const(False)), False),
    "cel true": (given(const(True)), True),
    "cel error": (given(MISSING), False),
    "cel error negated": (given(negated(MISSING)), False),
    "cel error, or true": (given(some([MISSING, const(True)])), True),
    "cel of no truth value": (given(const("text")), False),
    "the decision point only adds to the callers": (DecisionPointRule(reasons=("test",)), True),
    "an absent claim": (when(ClaimPresent(path=("missing",))), False),
    "a null claim is there": (when(ClaimPresent(path=("null",))), True),
    "the token itself": (when(ClaimPresent(path=())), True),
    "an empty list holds no text": (when(ClaimHasText(path=("empty",))), False),
    "an empty list is a list": (given(facts.has_type(facts.claim(("empty",)), "list")), True),
    "an object is no list": (given(facts.has_type(facts.claim(("object",)), "list")), False),
    "a mixed list holds a text": (when(ClaimHasText(path=("mixed",))), True),
    "numbers are no texts": (when(ClaimHasText(path=("numbers",))), False),
    "looking for a text among others does not err": (given(infix("in", const("a"), facts.claim(("mixed",)))), True),
    "a path through what is no object": (given(facts.present(("five", "x"))), False),
    "five is whole": (given(facts.is_whole(("five",))), True),
    "a half is not": (given(facts.is_whole(("half",))), False),
    "beyond 2^53 is not": (given(facts.is_whole(("large",))), False),
    "a text is not": (given(facts.is_whole(("text",))), False),
    "regular expressions match bytes": (when(ClaimText(path=("text",), match="regex", value="..")), True),
    "the longest regular expression": (
        when(ClaimText(path=("sub",), match="regex", value=LARGEST)),
        True,
    ),
    "the longest path expression": (when(PATHS), False),
    "the deepest predicate": (when(deep(cases.DEEPEST)), True),
    "the deepest expression": (given(deep_cel(cases.DEEPEST_CEL)), True),
    **{
        f"hours in {zone}": (given(some([infix("==", hour_in(zone), const(hour)) for hour in hours_now(zone)])), True)
        for zone in ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")
    },
    "an unknown time zone": (
        given(infix(">=", hour_in("No/Where"), const(0))),
        False,
    ),
}


def unchecked(rule: Rule) -> http_rbac_pb2.RBACPerRoute:
    return hop_filter(HopRule(rule=rule, callers=("edge",)), rule_id="abc", callers=None)


def checked_false() -> http_rbac_pb2.RBACPerRoute:
    config = unchecked(ALLOW)
    false = checked_pb2.CheckedExpr(expr=syntax_pb2.Expr(const_expr=syntax_pb2.Constant(bool_value=False)))
    config.rbac.rules.policies["abc"].checked_condition.CopyFrom(false)
    return config


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    edge: list[http_rbac_pb2.RBACPerRoute | None] = [unchecked(rule) for rule, _ in RULES.values()]
    inbound = hop_filter(HopRule(rule=ALLOW, callers=("edge",)), rule_id="abc", callers=(EDGE,))
    called_by_edge = given(infix("==", facts.CALLER, const(EDGE)))
    in_cel = hop_filter(HopRule(rule=called_by_edge, callers=("edge", "portal")), rule_id="abc", callers=(EDGE, PORTAL))
    with running_envoy(
        tmp_path_factory.mktemp("envoy"),
        edge=[*edge, None, checked_false()],
        inbound=[inbound, in_cel],
        issuers={"local": ISSUER},
        callers={"edge": EDGE, "portal": PORTAL},
    ) as rig:
        yield rig


@pytest.mark.parametrize("name", RULES)
def test_a_rule_means_what_the_compiler_takes_it_to_mean(envoy: Rig, name: str) -> None:
    number = list(RULES).index(name)
    (status,) = envoy.statuses([Ask(number, "/p/7", claims=CLAIMS)])
    assert status == (200 if RULES[name][1] else 403)


def test_a_route_without_rules_answers_403(envoy: Rig) -> None:
    assert envoy.statuses([Ask(len(RULES), "/p/7", claims=CLAIMS)]) == [403]


def test_a_checked_condition_would_fail_open(envoy: Rig) -> None:
    """If this fails, Envoy has changed, and the reason for `condition` in rbac.py with it."""
    assert envoy.statuses([Ask(len(RULES) + 1, "/p/7", claims=CLAIMS)]) == [200]


def test_another_caller_is_refused_by_its_certificate(envoy: Rig) -> None:
    for rule in (0, 1):
        asks = [Ask(rule, "/p/7", hop="inbound", caller=caller) for caller in ("edge", "portal")]
        assert envoy.statuses(asks) == [200, 403]


def test_an_allow_without_policies_is_what_denies() -> None:
    assert unchecked(DENY).rbac.rules == rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW)
