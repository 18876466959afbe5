from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.observe_plans import CEDAR, NIGHT, operation, put_in_force, recorded, small_plan

from ringwall.model.events import DecisionEvent, Outcome
from ringwall.observe.explain import UnknownRequestError, explain, explain_event, find
from ringwall.observe.plans import PlanArchive
from ringwall.observe.store import EventStore

PLAN = small_plan()
DENIED: dict[str, Any] = {"s": 403, "d": "rbac_access_denied_matched_policy[none]"}


@pytest.fixture
def archive(tmp_path: Path) -> PlanArchive:
    return put_in_force(PLAN, tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    opened = EventStore.open(tmp_path / "events.db")
    yield opened
    opened.close()


def places(policies: tuple[object, ...]) -> list[str]:
    return [str(getattr(policy, "source", policy)) for policy in policies]


def test_an_allow_names_the_permit_and_its_line(archive: PlanArchive) -> None:
    hop = explain_event(recorded(PLAN, "patients/get", p="/api/patients/7"), archive)
    assert places(hop.policies) == ["rules.cedar:1"]
    assert (hop.who, hop.known_by, hop.caller, hop.kind) == ("alice", "by a token", "edge", "edge")
    assert hop.what == "it was let through and answered with 200"
    assert (hop.alarm, hop.note) == ("", "")


def test_the_service_decides_on_its_own_path(archive: PlanArchive) -> None:
    hop = explain_event(recorded(PLAN, "patients/get", caller="edge", p="/patients/7"), archive)
    assert places(hop.policies) == ["rules.cedar:1"]
    assert (hop.kind, hop.caller, hop.alarm) == ("inbound", "edge", "")


def test_a_forbid_is_named(archive: PlanArchive) -> None:
    hop = explain_event(recorded(PLAN, "patients/get", p="/api/patients/7", t=NIGHT, **DENIED), archive)
    assert places(hop.policies) == ["rules.cedar:5"]
    assert hop.what == "a policy forbids it"
    assert hop.alarm == ""


def test_a_default_deny_names_what_nearly_applied(archive: PlanArchive) -> None:
    hop = explain_event(recorded(PLAN, "patients/get", p="/api/patients/8", **DENIED), archive)
    assert hop.policies == ()
    assert "rules.cedar:1" in places(hop.near)
    assert hop.alarm == ""


def test_a_claim_of_a_wrong_type_is_named(archive: PlanArchive) -> None:
    event = recorded(PLAN, "patients/get", p="/api/patients/7", cl={"patients": "7"}, **DENIED)
    hop = explain_event(event, archive)
    assert "'patients'" in hop.what
    assert hop.alarm == ""


def test_roles_are_decided_on_what_was_recorded_of_the_token(archive: PlanArchive) -> None:
    allowed = explain_event(recorded(PLAN, "patients/list", who="dana", p="/api/patients", x="denied"), archive)
    assert (allowed.alarm, places(allowed.policies)[0].startswith("ringwall.yaml:")) == ("", True)
    refused = explain_event(recorded(PLAN, "patients/list", who="alice", p="/api/patients", **DENIED), archive)
    assert refused.alarm == ""


@pytest.mark.parametrize("caller", ["", "edge"])
def test_the_client_address_that_was_recorded_decides_again(archive: PlanArchive, caller: str) -> None:
    event = recorded(PLAN, "portal/any", caller=caller, who="guest", p="/files/a", ip="10.1.2.3", **DENIED)
    hop = explain_event(event, archive)
    assert (hop.alarm, hop.what) == ("", "a policy forbids it")


def test_a_guest_and_a_workload_are_told_from_people(archive: PlanArchive) -> None:
    guest = explain_event(recorded(PLAN, "portal/home", who="guest", p="/"), archive)
    assert (guest.who, guest.alarm) == ("guest", "")
    portal = explain_event(recorded(PLAN, "patients/inner", caller="portal", who="", m="POST", p="/inner"), archive)
    assert (portal.who, portal.alarm) == ("portal", "")


@pytest.mark.parametrize(
    "event",
    [
        recorded(PLAN, "patients/get", p="/api/patients/8"),
        recorded(PLAN, "patients/get", p="/api/patients/7", **DENIED),
        recorded(PLAN, "patients/get", p="/api/patients/7", t=NIGHT),
        recorded(PLAN, "patients/list", who="guest", p="/api/patients"),
        recorded(PLAN, "patients/inner", caller="edge", who="alice", m="POST", p="/inner"),
    ],
    ids=["allowed a stranger", "denied the owner", "allowed at night", "allowed without a token", "wrong caller"],
)
def test_a_record_that_the_plan_contradicts_is_an_alarm(archive: PlanArchive, event: DecisionEvent) -> None:
    hop = explain_event(event, archive)
    assert "defect" in hop.alarm
    assert PLAN.digest[:12] in hop.alarm


NULL_MATTERS = """
permit (principal, action == Action::"patients/get", resource) unless { principal has night };
"""


def test_a_claim_that_may_have_been_null_is_no_alarm(tmp_path: Path) -> None:
    plan = small_plan(CEDAR + NULL_MATTERS)
    archive = put_in_force(plan, tmp_path)
    denied = explain_event(recorded(plan, "patients/get", p="/api/patients/8", **DENIED), archive)
    assert denied.alarm == ""
    assert "claim 'night' is null" in denied.what
    assert "cannot tell from a claim that is absent" in denied.note
    allowed = explain_event(recorded(plan, "patients/get", p="/api/patients/8"), archive)
    assert (allowed.alarm, allowed.note) == ("", "")
    guest = recorded(plan, "patients/get", who="guest", p="/api/patients/8", **DENIED)
    assert explain_event(guest, archive).note == ""


def test_a_claim_that_no_policy_of_the_operation_reads_excuses_nothing(archive: PlanArchive) -> None:
    hop = explain_event(recorded(PLAN, "patients/get", p="/api/patients/7", **DENIED), archive)
    assert "defect" in hop.alarm


def test_what_a_browser_asks_about_origins_is_no_decision_of_a_policy(archive: PlanArchive) -> None:
    asked = recorded(PLAN, "patients/get", m="OPTIONS", op="", r="", d="cors_response", p="/api/patients/7")
    hop = explain_event(asked, archive)
    assert "a browser asked" in hop.what
    assert (hop.alarm, hop.policies) == ("", ())


def test_a_path_that_was_cut_raises_no_false_alarm(archive: PlanArchive) -> None:
    hop = explain_event(recorded(PLAN, "patients/get", p="/api/patients/" + "7" * 9000), archive)
    assert hop.alarm == ""
    assert "too long" in hop.note


@pytest.mark.parametrize(
    ("changes", "what", "todo"),
    [
        ({"s": 401, "d": "jwt_authn_access_denied{Jwt_is_missing}"}, "no token", "ringwall token"),
        ({"s": 401, "d": "jwt_authn_access_denied{Jwt_is_expired}"}, "expired", "new one"),
        ({"s": 403, "d": "jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}"}, "audience", "issuers"),
        ({"s": 401, "d": "jwt_authn_access_denied{Jwt_header_is_an_invalid_Base64url_encoded}"}, "malformed", "new"),
        ({"s": 401, "d": "jwt_authn_access_denied{Something_new}"}, "not believed", "new token"),
        ({"s": 401, "d": "rbac_access_denied_matched_policy[token-shape]"}, "one bearer token", "exactly one"),
        ({"s": 429, "d": "local_rate_limited", "f": "RL"}, "rate limit of edge", "wait"),
        ({"s": 413, "d": "request_payload_too_large"}, "too large", "send less"),
        ({"s": 431, "d": "http1.headers_too_large", "f": "DPE"}, "headers", "fewer"),
        ({"s": 400, "d": "path_normalization_failed"}, "malformed", "escaped slashes"),
        ({"s": 503, "d": "ext_authz_error", "f": "UAEX"}, "decision point", "ringwall status"),
        ({"s": 503, "d": "upstream_reset_before_response_started{connection_failure}"}, "connection", "log"),
        ({"s": 504, "d": "upstream_response_timeout", "f": "UT"}, "in time", "timeout"),
        ({"s": 0, "d": "downstream_remote_disconnect", "f": "DC"}, "the client left", ""),
        ({"s": 404, "d": "direct_response", "op": None, "r": None}, "no operation of the plan", "ringwall plan"),
        ({**DENIED, "s": 404, "op": None, "r": None}, "no operation of the plan", "ringwall plan"),
    ],
)
def test_every_other_refusal_says_what_and_what_to_do(
    archive: PlanArchive, changes: dict[str, Any], what: str, todo: str
) -> None:
    hop = explain_event(recorded(PLAN, "patients/get", p="/api/patients/7", **changes), archive)
    assert what in hop.what
    assert todo in hop.todo
    assert hop.alarm == ""


def test_an_old_decision_is_explained_by_the_plan_of_its_time(tmp_path: Path) -> None:
    old = PLAN
    new = small_plan(CEDAR.replace("context.hour < 7", "context.hour > 7"))
    put_in_force(old, tmp_path)
    archive = put_in_force(new, tmp_path)
    before = recorded(old, "patients/get", p="/api/patients/7")
    after = recorded(new, "patients/get", p="/api/patients/7", **DENIED)
    assert operation(old, "patients/get").rule_id != operation(new, "patients/get").rule_id
    assert explain_event(before, archive).alarm == explain_event(after, archive).alarm == ""
    assert places(explain_event(after, archive).policies) == ["rules.cedar:5"]


def test_a_plan_that_is_no_longer_kept_is_said_to_be_gone(archive: PlanArchive) -> None:
    hop = explain_event(replace(recorded(PLAN, "patients/get", p="/api/patients/7"), plan="f" * 64), archive)
    assert "ffffffffffff is not kept" in hop.note
    assert hop.policies == ()
    assert hop.who.startswith("alice")


@pytest.mark.parametrize("digest", ["", "../../secret", "f" * 63 + "/", "F" * 64])
def test_a_digest_is_never_a_path(archive: PlanArchive, tmp_path: Path, digest: str) -> None:
    (tmp_path / "secret.json").write_text("no plan, so reading it would raise")
    assert archive.plan(digest) is None


def test_a_plan_file_with_another_digest_is_not_believed(tmp_path: Path) -> None:
    archive = put_in_force(PLAN, tmp_path)
    (tmp_path / "plan" / "archive" / f"{'f' * 64}.json").write_bytes(PLAN.canonical_bytes)
    assert archive.plan("f" * 64) is None


def test_a_shadow_service_lets_through_what_its_policies_deny(archive: PlanArchive) -> None:
    hop = explain_event(recorded(PLAN, "loose/all", p="/loose/all", x="denied"), archive)
    assert hop.alarm == ""
    assert any("shadow mode" in reason for reason in hop.reasons)


def test_tcp_names_the_callers(archive: PlanArchive) -> None:
    fields: dict[str, Any] = {"h": "ledger", "m": "TCP", "s": None, "p": None, "op": None, "r": None}
    refused = recorded(
        PLAN, "patients/get", caller="patients", who="", **fields, d="rbac_access_denied_matched_policy[none]"
    )
    hop = explain_event(refused, archive)
    assert (hop.who, hop.event.outcome) == ("patients", Outcome.DENIED)
    assert hop.what == "patients may not connect; portal may"
    assert "calls" in hop.todo
    allowed = recorded(PLAN, "patients/get", caller="portal", who="", **fields, d=None)
    assert explain_event(allowed, archive).what == "the connection was let through"


def test_a_whole_request(archive: PlanArchive, store: EventStore) -> None:
    store.write(
        [
            recorded(PLAN, "patients/get", caller="edge", p="/patients/7", t="1772532000.7"),
            recorded(PLAN, "patients/get", p="/api/patients/7"),
        ]
    )
    request_id = find(store, "e403096a")
    explanation = explain(store, archive, request_id)
    assert [hop.kind for hop in explanation.hops] == ["edge", "inbound"]
    assert explanation.complete
    assert explanation.alarms == ()


def test_a_request_is_complete_when_both_hops_are_there(archive: PlanArchive, store: EventStore) -> None:
    edge = recorded(PLAN, "patients/get", p="/api/patients/7")
    store.write([edge])
    assert not explain(store, archive, edge.request_id).complete
    refused = recorded(PLAN, "patients/get", p="/api/patients/8", id="other", **DENIED)
    inner = recorded(PLAN, "patients/get", caller="edge", p="/patients/7", id="inner")
    store.write([refused, inner])
    assert explain(store, archive, "other").complete
    assert not explain(store, archive, "inner").complete


def test_an_unknown_id_is_answered_with_the_latest(store: EventStore) -> None:
    with pytest.raises(UnknownRequestError, match="no decision") as caught:
        find(store, "")
    assert "ringwall status" in caught.value.hint
    store.write([recorded(PLAN, "patients/get", p="/api/patients/7")])
    with pytest.raises(UnknownRequestError, match="'nope'") as caught:
        find(store, "nope")
    assert "e403096a-529b-4350-b4be-2116468bc3f1 (GET /api/patients/7: allowed)" in caught.value.hint


def test_an_ambiguous_beginning_is_refused_and_a_whole_id_is_not(store: EventStore) -> None:
    store.write([recorded(PLAN, "patients/get", id=name) for name in ("abc", "abcd", "abce")])
    assert find(store, "abc") == "abc"
    assert find(store, "ABCD") == "abcd"
    with pytest.raises(UnknownRequestError, match="begin with 'ab'"):
        find(store, "ab")
