"""The decision point's judge refuses whatever is not wholly in order."""

import json
from typing import Any

import pytest
from tests.support.enforce_plans import SOURCE, operation, plan, service, spiffe

from ringwall.enforce.decision_point import Judge, RefusedError, facts
from ringwall.plan.model import Plan
from ringwall.plan.policy import Policy
from ringwall.plan.rule import DecisionPointRule

ALICE = 'permit(principal == User::"alice", action, resource);'


def _plan(policy: str = ALICE, rule_id: str = "r1", *, cacheable: bool = False) -> Plan:
    rule = DecisionPointRule(reasons=("because",), cacheable=cacheable)
    made = operation("patients", "get", "GET", "/patients/{id}", rule=rule, edge=rule, rule_id=rule_id)
    return plan(
        service(
            "patients",
            made.model_copy(update={"policies": ("p",)}),
            operation("patients", "other", "GET", "/other", rule_id="r2"),
            prefix="/api",
        ),
        policies=(Policy(id="p", cedar=policy, source=SOURCE),),
    )


def _headers(**changes: str | None) -> dict[str, str]:
    """Return sound facts at the edge; a change is `hop="inbound"`, None leaves a fact out."""
    values: dict[str, str | None] = {
        facts.OPERATION: "patients/get",
        facts.RULE: "r1",
        facts.HOP: "edge",
        facts.CLAIMS: json.dumps({"sub": "alice", "iss": "https://localhost/auth", "exp": 9_999_999_999}),
        facts.SOURCE: "127.0.0.1",
        facts.TIME: "1700000000.123456",
    }
    values |= {f"x-ringwall-fact-{name}": value for name, value in changes.items()}
    return {name: value for name, value in values.items() if value is not None}


def _decide(judge: Judge, **changes: str | None) -> bool:
    return judge.decide("GET", "/api/patients/7?x=y", _headers(**changes))


def test_a_sound_question_is_decided() -> None:
    judge = Judge(_plan())
    assert _decide(judge)
    assert not _decide(judge, claims=json.dumps({"sub": "bob", "iss": "https://localhost/auth"}))
    assert _decide(judge, hop="inbound", caller=spiffe("edge"))


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": None},
        {"operation": "patients/unknown"},
        {"operation": "patients/other", "rule": "r2"},
        {"rule": None},
        {"rule": "r9"},
        {"hop": None},
        {"hop": "elsewhere"},
        {"hop": "inbound"},
        {"hop": "inbound", "caller": ""},
        {"hop": "inbound", "caller": spiffe("stranger")},
        {"hop": "inbound", "caller": "edge"},
        {"claims": ""},
        {"claims": "{"},
        {"claims": "[]"},
        {"claims": "null"},
        {"time": None},
        {"time": "soon"},
        {"source": None},
    ],
    ids=repr,
)
def test_a_question_that_is_not_sound_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        _decide(Judge(_plan()), **changes)


def test_a_method_that_the_operation_does_not_have_is_refused() -> None:
    with pytest.raises(RefusedError):
        Judge(_plan()).decide("DELETE", "/api/patients/7", _headers())


def test_no_token_is_not_any_token() -> None:
    assert not _decide(Judge(_plan()), claims=None)


def test_rules_of_the_plans_before_stay_known_while_proxies_change_over() -> None:
    judge = Judge(_plan())
    judge.change(_plan("forbid(principal, action, resource);", "r5"))
    assert _decide(judge)
    assert not _decide(judge, rule="r5")
    judge.change(_plan(rule_id="r6"))
    assert _decide(judge)
    judge.change(_plan(rule_id="r7"))
    with pytest.raises(RefusedError):
        _decide(judge)


def test_a_cached_decision_is_for_one_token_one_caller_and_one_rule() -> None:
    judge = Judge(_plan(cacheable=True))
    bob = json.dumps({"sub": "bob", "iss": "https://localhost/auth"})
    for _ in range(3):
        assert _decide(judge)
        assert not _decide(judge, claims=bob)
        assert not _decide(judge, claims=None)
    judge.change(_plan(ALICE.replace("alice", "bob"), "r5", cacheable=True))
    assert not _decide(judge, rule="r5")
    assert _decide(judge, rule="r5", claims=bob)
