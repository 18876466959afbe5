"""Policies that say the same are asked once, and only where nothing that they mention differs."""

import pytest

from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.partial import Facts, guest, user
from ringwall.plan.policy import Policy, Source
from ringwall.plan.verdicts import Verdict, Verdicts


def verdicts(**texts: str) -> Verdicts:
    """Return verdicts of policies by name, each with `()` for the scope."""
    made = {
        name: Policy(id=name, cedar=text.replace("()", "(principal, action, resource)", 1), source=Source(file="a"))
        for name, text in texts.items()
    }
    return Verdicts({name: CedarPolicy.parse(policy) for name, policy in made.items()})


def facts(caller: str = "edge", service: str = "one", zone: str = "app", holds: tuple[str, ...] = ()) -> Facts:
    return Facts(user(), frozenset(), caller, service, {"zone": zone, "holds": list(holds)})


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ('context.caller == Workload::"web"', facts(caller="web"), facts(caller="other")),
        ('context["\\u{63}aller"] == Workload::"web"', facts(caller="web"), facts(caller="other")),
        ('resource.zone == "data"', facts(zone="data"), facts(zone="app")),
        ('resource.holds.contains("card")', facts(holds=("card",)), facts(holds=("health",))),
        ('resource == Service::"one"', facts(service="one"), facts(service="two")),
        ('[resource].contains(Service::"one")', facts(service="one"), facts(service="two")),
    ],
)
def test_a_fact_that_a_policy_mentions_is_told_apart(condition: str, yes: Facts, no: Facts) -> None:
    asked = verdicts(a=f"permit () when {{ {condition} }};")
    assert [asked.decide(("a",), one).verdict for one in (yes, no, yes)] == [Verdict.ALLOW, Verdict.DENY, Verdict.ALLOW]


def test_the_address_of_the_client_is_known_at_the_edge_only() -> None:
    asked = verdicts(a="permit () when { !(context has source) };")
    assert asked.decide(("a",), facts(caller="web")).verdict is Verdict.ALLOW
    assert asked.decide(("a",), facts(caller="edge")).verdict is Verdict.CONDITIONAL


def test_policies_that_differ_in_effect_or_condition_only_are_not_alike() -> None:
    asked = verdicts(
        a="permit ();",
        b="permit () when { principal is User };",
        c="forbid () when { principal is User };",
        d="permit () unless { principal is User };",
    )
    found = {names: asked.decide(tuple(names), facts()).verdict for names in ("a", "b", "d", "ab", "ac", "ad")}
    assert found == {
        "a": Verdict.ALLOW,
        "b": Verdict.ALLOW,
        "d": Verdict.DENY,
        "ab": Verdict.ALLOW,
        "ac": Verdict.DENY,
        "ad": Verdict.ALLOW,
    }
    nobody = Facts(guest(), frozenset(), "edge", "one", {"zone": "app", "holds": []})
    assert asked.decide(("b",), nobody).verdict is Verdict.DENY
    assert asked.decide(("a", "c"), nobody).policies == (0,)


def test_a_decision_names_policies_by_their_place_in_the_question() -> None:
    asked = verdicts(a="permit () when { context.hour > 3 };", b="permit () when { context.hour > 3 };", c="permit ();")
    assert asked.decide(("a", "b"), facts()).policies == (0, 1)
    assert asked.decide(("b", "c"), facts()).policies == (1,)
    assert asked.decide(("c", "a"), facts()).policies == (0,)


def test_a_policy_as_deep_as_a_policy_may_be_is_decided() -> None:
    hours = " || ".join(f"context.hour == {hour}" for hour in range(190))
    assert verdicts(a=f"permit () when {{ {hours} }};").decide(("a",), facts()).verdict is Verdict.CONDITIONAL
