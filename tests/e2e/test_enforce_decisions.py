"""The decision point behind real Envoys: asked where a rule could not be compiled, told only what was verified."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.enforce_plans import SOURCE, operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running

from ringwall.enforce.decision_point import DecisionPoint
from ringwall.model.headers import IDENTITY_HEADERS
from ringwall.plan.model import Plan
from ringwall.plan.operation import Operation
from ringwall.plan.policy import Mode, Policy
from ringwall.plan.rule import DENY, DecisionPointRule

ASK = DecisionPointRule(reasons=("the policy cannot be compiled",))
ONCE = DecisionPointRule(reasons=("the policy cannot be compiled",), cacheable=True)

POLICIES = """
permit(principal == User::"alice", action, resource);
permit(principal == Guest::"guest", action == Action::"patients/open", resource);
permit(principal == User::"bob", action == Action::"patients/here", resource)
  when { context has source && context.source.isInRange(ip("127.0.0.0/8")) };
permit(principal == Workload::"portal", action == Action::"patients/open", resource);
"""


def _ruled(made: Operation) -> Operation:
    return made.model_copy(update={"policies": tuple(f"p{number}" for number in range(4))})


def _plan(text: str = POLICIES, *, generation: str = "0", mode: Mode = Mode.ENFORCE) -> Plan:
    policies = [piece.strip() + ";" for piece in text.strip().split(";\n") if piece.strip()]
    return plan(
        service(
            "patients",
            *(
                _ruled(made)
                for made in (
                    operation("patients", "get", "GET", "/patients/{id}", rule=ASK, edge=ASK, rule_id=f"{generation}1"),
                    operation("patients", "here", "GET", "/here", rule=ASK, edge=ASK, rule_id=f"{generation}2"),
                    operation(
                        "patients", "open", "GET", "/open", rule=ONCE, edge=ONCE, token=False,
                        callers=("edge", "portal"), rule_id=f"{generation}3",
                    ),
                    operation("patients", "compiled", "GET", "/compiled", token=False, rule_id=f"{generation}4"),
                    operation("patients", "inside", "GET", "/inside", rule=ASK, rule_id=f"{generation}5"),
                    operation("patients", "closed", "GET", "/closed", rule=ASK, edge=DENY, rule_id=f"{generation}6"),
                )
            ),
            prefix="/api",
            mode=mode,
        ),
        service("portal", calls=("patients",)),
        policies=tuple(
            Policy(id=f"p{number}", cedar=cedar.replace(";;", ";"), source=SOURCE)
            for number, cedar in enumerate(policies)
        ),
    )  # fmt: skip


@contextmanager
def _deciding(made: Plan, folder: Path) -> Iterator[tuple[Rig, DecisionPoint]]:
    point = DecisionPoint(made)
    try:
        with running(made, folder, before=lambda rig: point.start(rig.bindings.decision_point)) as rig:
            yield rig, point
    finally:
        point.stop()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, DecisionPoint]]:
    with _deciding(_plan(), tmp_path_factory.mktemp("decisions")) as started:
        yield started


@pytest.fixture(scope="module")
def rig(both: tuple[Rig, DecisionPoint]) -> Rig:
    return both[0]


def test_it_decides_by_the_verified_token(rig: Rig) -> None:
    assert rig.get("/api/patients/7?x=y", token=rig.tokens.token("alice")).status == 200
    assert rig.get("/api/patients/7", token=rig.tokens.token("bob")).status == 403
    assert rig.get("/api/patients/7").status == 401


def test_it_knows_a_guest_and_a_calling_service(rig: Rig) -> None:
    assert rig.get("/api/open").status == 200
    assert rig.get("/api/open", token=rig.tokens.token("bob")).status == 403
    assert rig.get("/open", to=rig.bindings.outbound["portal>patients"]).status == 200


def test_it_knows_the_clients_address_at_both_hops(rig: Rig) -> None:
    assert rig.get("/api/here", token=rig.tokens.token("bob")).status == 200


def test_a_compiled_rule_and_a_compiled_hop_do_not_ask(rig: Rig) -> None:
    assert rig.get("/api/compiled").status == 200
    assert rig.get("/api/inside", token=rig.tokens.token("bob")).status == 403
    assert rig.get("/api/closed", token=rig.tokens.token("alice")).status == 403


def test_a_caller_that_is_not_named_is_refused_before_it_is_asked(rig: Rig) -> None:
    context = rig.mesh_context(spiffe("portal"))
    answer = rig.get(
        "/patients/7", token=rig.tokens.token("alice"), to=rig.bindings.inbound["patients"], context=context
    )
    assert answer.status == 403

    def told(lines: list[dict[str, Any]]) -> bool:
        return any(line.get("c") == spiffe("portal") and line["s"] == 403 for line in lines)

    refused = [line for line in rig.log("mesh", told) if line.get("c") == spiffe("portal") and line["s"] == 403]
    assert "rbac" in refused[-1]["d"]


@pytest.mark.parametrize("where", ["edge", "inbound"])
def test_facts_cannot_be_forged(rig: Rig, where: str) -> None:
    forged = {
        "x-ringwall-fact-claims": '{"sub": "alice", "iss": "https://localhost/auth"}',
        "x-ringwall-fact-caller": spiffe("edge"),
        "x-ringwall-fact-operation": "patients/open",
        "x-ringwall-fact-rule": "03",
        "x-ringwall-fact-hop": "inbound",
        "x-ringwall-fact-source": "127.0.0.1",
        "x-ringwall-fact-time": "1",
    }
    token = rig.tokens.token("mallory")
    if where == "edge":
        assert rig.get("/api/patients/7", token=token, headers=forged).status == 403
    else:
        context = rig.mesh_context(spiffe("edge"))
        to = rig.bindings.inbound["patients"]
        assert rig.get("/patients/7", token=token, headers=forged, to=to, context=context).status == 403


def test_the_service_is_not_told_the_facts(rig: Rig) -> None:
    rig.get("/api/patients/7", token=rig.tokens.token("alice"))
    names = {name.lower() for name, _ in rig.apps["patients"].seen[-1].headers}
    assert {name for name in names if name.startswith("x-ringwall")} <= set(IDENTITY_HEADERS)


def test_a_changed_policy_decides_at_once_and_no_request_fails_on_the_way(tmp_path: Path) -> None:
    with _deciding(_plan(), tmp_path) as (rig, point):
        connection, token = rig.open(), rig.tokens.token("alice")
        assert rig.on(connection, "GET", "/api/patients/7", token=token).status == 200
        changed = _plan(POLICIES.replace("alice", "carol"), generation="a")
        point.change(changed)
        assert rig.on(connection, "GET", "/api/patients/7", token=token).status == 200  # not published yet
        rig.publish(changed)
        assert rig.on(connection, "GET", "/api/patients/7", token=token).status == 403
        assert rig.on(connection, "GET", "/api/patients/7", token=rig.tokens.token("carol")).status == 200


def test_without_it_nothing_is_allowed_that_needs_it(tmp_path: Path) -> None:
    with _deciding(_plan(), tmp_path) as (rig, point):
        point.stop()
        answer = rig.get("/api/patients/7", token=rig.tokens.token("alice"))
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert rig.get("/api/compiled").status == 200
        assert [seen.path for seen in rig.apps["patients"].seen] == ["/compiled"]


def test_in_shadow_mode_it_is_not_asked_and_callers_are_enforced(tmp_path: Path) -> None:
    with running(_plan(mode=Mode.SHADOW), tmp_path) as rig:
        assert rig.get("/api/patients/7", token=rig.tokens.token("bob")).status == 200
        assert (
            rig.get("/patients/7", to=rig.bindings.outbound["portal>patients"], token=rig.tokens.token()).status == 403
        )
