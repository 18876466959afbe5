import base64
import json
from typing import Any

import pytest
from tests.support.observe_plans import MORNING, NIGHT, small_plan

from ringwall.model.events import Outcome
from ringwall.observe.askers import Asker, ForeseeError, asker_of_token, known_asker
from ringwall.observe.foresee import Asked, Foreseen, Foresight
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.operation import StepUp

PLAN = small_plan()
FORESIGHT = Foresight(PLAN, Evaluator(PLAN))
BUILTIN = next(issuer for issuer in PLAN.issuers if issuer.builtin)


def hops(who: str | Asker, method: str, path: str, **asked: Any) -> tuple[Foreseen, ...]:
    asker = known_asker(PLAN, who) if isinstance(who, str) else who
    return FORESIGHT.hops(asker, Asked(method=method, path=path, **{"time": float(MORNING), **asked}))


def said(who: str | Asker, method: str, path: str, **asked: Any) -> list[tuple[str, int]]:
    return [(hop.hop, hop.status) for hop in hops(who, method, path, **asked)]


@pytest.mark.parametrize(
    ("who", "method", "path", "asked", "answers"),
    [
        ("alice", "GET", "/api/patients/7", {}, [("edge", 200), ("patients", 200)]),
        ("alice", "GET", "/api/patients/8", {}, [("edge", 403)]),
        ("alice", "GET", "/api/patients/7", {"time": float(NIGHT)}, [("edge", 403)]),
        ("alice", "GET", "/api/%70atients/./7?x=1", {}, [("edge", 200), ("patients", 200)]),
        ("alice", "GET", "/api/patients%2f7", {}, [("edge", 400)]),
        ("alice", "GET", "api", {}, [("edge", 400)]),
        ("alice", "GET", "/api/patients/7/", {}, [("edge", 404)]),
        ("alice", "DELETE", "/api/patients/7", {}, [("edge", 405)]),
        ("alice", "HEAD", "/api/patients/7", {}, [("edge", 200), ("patients", 200)]),
        ("alice", "HEAD", "/api/patients/8", {}, [("edge", 403)]),
        ("portal", "HEAD", "/inner", {"service": "patients"}, [("patients", 405)]),
        ("portal", "DELETE", "/lone", {"service": "other"}, [("other", 405)]),
        ("guest", "GET", "/files/%2e%2e;/files/a", {}, [("edge", 400)]),
        ("guest", "GET", "/files/..;/nope", {}, [("edge", 404)]),
        ("guest", "GET", "/api/patients", {}, [("edge", 401)]),
        ("dana", "GET", "/api/patients", {}, [("edge", 200), ("patients", 200)]),
        ("robot", "GET", "/api/patients", {}, [("edge", 200), ("patients", 200)]),
        ("guest", "GET", "/", {}, [("edge", 200), ("portal", 200)]),
        ("guest", "GET", "/files/a/b", {}, [("edge", 200), ("portal", 200)]),
        ("guest", "GET", "/files/a", {"source": "10.1.2.3"}, [("edge", 403)]),
        ("guest", "GET", "/api/ping", {}, [("edge", 200), ("patients", 200)]),
        ("alice", "GET", "/patients/7", {"via": "portal"}, [("patients", 200)]),
        ("alice", "GET", "/patients/8", {"via": "portal"}, [("patients", 403)]),
        ("portal", "POST", "/inner", {}, [("patients", 200)]),
        ("other", "POST", "/inner", {}, [("patients", 403)]),
        ("alice", "POST", "/inner", {"service": "patients"}, [("edge", 403)]),
        ("alice", "GET", "/ping", {"service": "other"}, [("edge", 404)]),
        ("portal", "GET", "/lone", {}, [("other", 200)]),
        ("patients", "GET", "/lone", {}, [("other", 403)]),
        ("portal", "GET", "/ping", {"service": "other"}, [("other", 200)]),
        ("portal", "GET", "/nope", {"service": "other"}, [("other", 404)]),
        ("alice", "GET", "/patients/7", {"service": "patients"}, [("edge", 200), ("patients", 200)]),
        ("alice", "GET", "/loose/all", {}, [("edge", 200), ("loose", 200)]),
        ("portal", "TCP", "ledger", {}, [("ledger", 200)]),
        ("patients", "TCP", "ledger", {}, [("ledger", 403)]),
        ("guest", "TCP", "", {"service": "ledger"}, [("ledger", 403)]),
    ],
)
def test_what_each_hop_says(
    who: str, method: str, path: str, asked: dict[str, Any], answers: list[tuple[str, int]]
) -> None:
    assert said(who, method, path, **asked) == answers


def test_the_policy_is_named() -> None:
    (edge,) = hops("alice", "GET", "/api/patients/7", time=float(NIGHT))
    assert [str(policy.source) for policy in edge.verdict.policies] == ["rules.cedar:5"]
    assert edge.verdict.why == "a policy forbids it"
    (edge,) = hops("alice", "GET", "/api/patients/8")
    assert "rules.cedar:1" in [str(policy.source) for policy in edge.verdict.near]


def test_shadow_policies_and_services_say_what_they_would_do() -> None:
    edge, _ = hops("dana", "GET", "/api/patients")
    assert edge.verdict.shadow == "denied"
    edge, inbound = hops("alice", "GET", "/loose/all")
    assert edge.verdict.only_reports
    assert inbound.verdict.shadow == "denied"
    assert hops("guest", "GET", "/")[0].verdict.shadow == ""


@pytest.mark.parametrize(
    ("path", "hint"), [("/patients/7", "did you mean /api/patients/7?"), ("/lone", "--via"), ("/nowhere", "plan")]
)
def test_a_path_that_is_not_at_the_edge_leads_to_where_it_is(path: str, hint: str) -> None:
    (edge,) = hops("alice", "GET", path)
    assert edge.verdict.outcome is Outcome.NO_ROUTE
    assert hint in edge.todo


@pytest.mark.parametrize(
    ("who", "method", "path", "asked", "message"),
    [
        ("portal", "GET", "/ping", {}, "patients"),
        ("portal", "GET", "/nowhere", {}, "no service has"),
        ("alice", "GET", "/ping", {"service": "patient"}, "no service 'patient'"),
        ("alice", "GET", "/ping", {"via": "nobody"}, "no service 'nobody'"),
        ("portal", "TCP", "patients", {}, "speaks http1"),
        ("portal", "TCP", "nobody", {}, "no service 'nobody'"),
    ],
)
def test_questions_that_cannot_be_answered(
    who: str, method: str, path: str, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(ForeseeError, match=message):
        hops(who, method, path, **asked)


def test_nobody_is_guessed_at() -> None:
    with pytest.raises(ForeseeError, match="'alise'") as caught:
        known_asker(PLAN, "alise")
    assert caught.value.hint == "did you mean 'alice'?"
    with pytest.raises(ForeseeError) as caught:
        known_asker(PLAN, "zzz")
    assert "guest" in caught.value.hint


def token(**changes: Any) -> str:
    claims = {"iss": BUILTIN.url, "sub": "alice", "aud": PLAN.audience, "exp": float(MORNING) + 60, "patients": ["7"]}
    payload = json.dumps({k: v for k, v in (claims | changes).items() if v is not None}).encode()
    return f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2ln"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"aud": ["x", PLAN.audience]}, 200),
        ({"patients": ["8"]}, 403),
        ({"patients": "7"}, 403),
        ({"aud": "x"}, 401),
        ({"aud": None}, 401),
        ({"iss": "https://elsewhere"}, 401),
        ({"exp": None}, 401),
        ({"exp": "soon"}, 401),
        ({"exp": True}, 401),
        ({"exp": float(MORNING) - 31}, 401),
        ({"exp": float(MORNING) - 29}, 200),
        ({"nbf": float(MORNING) + 31}, 401),
        ({"nbf": float(MORNING) + 29}, 200),
    ],
)
def test_a_token_is_asked_for_as_the_proxies_would_take_it(changes: dict[str, Any], status: int) -> None:
    asker = asker_of_token(PLAN, token(**changes), at=float(MORNING))
    assert said(asker, "GET", "/api/patients/7")[-1][1] == status


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c.d", "e30.!!!.c", "e30.W10.c", "e30.e30\xff.c"])
def test_what_is_no_token_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ForeseeError) as caught:
        asker_of_token(PLAN, f"secret{text}", at=0)
    assert "secret" not in str(caught.value)


def test_what_an_operation_asks_of_the_sign_in_is_told() -> None:
    """Nobody knows how a person of the plan will sign in."""
    patients = PLAN.by_name["patients"]
    asking = [
        each.model_copy(update={"step_up": StepUp(acr=("mfa", "phr"), max_age=60)}) for each in patients.operations
    ]
    changed = patients.model_copy(update={"operations": tuple(asking)})
    plan = PLAN.model_copy(update={"services": tuple(changed if s is patients else s for s in PLAN.services)})
    asked = Asked(method="GET", path="/api/patients/7", time=float(MORNING))
    for hop in Foresight(plan, Evaluator(plan)).hops(known_asker(plan, "alice"), asked):
        assert "acr mfa or phr, signed in 60 s ago at most" in hop.verdict.why
