"""Changes under way: policies, certificates, services and refusals, with real Envoys and kept-alive connections."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.support.enforce_app import App
from tests.support.enforce_pki import Authority
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, free_port, running

from ringwall.enforce.xds import PlanNotInForceError, PlanRejectedError
from ringwall.plan.bindings import Address
from ringwall.plan.identity import Claim, ClaimType
from ringwall.plan.model import Plan, Service
from ringwall.plan.rule import ALLOW, DENY, Case, CompiledRule, PathMatches, Rule


def _patients(rule: Rule = ALLOW, *, rule_id: str = "000000000001") -> Service:
    return service(
        "patients", operation("patients", "get", "GET", "/patients/{id}", edge=rule, token=False, rule_id=rule_id),
        prefix="/api",
    )  # fmt: skip


PLAN = plan(_patients())


@contextmanager
def _traffic(rig: Rig, path: str = "/api/patients/7") -> Iterator[list[int]]:
    """Ask on two kept-alive connections and on new ones until the block ends; gives the statuses, -1 for a failure."""
    statuses: list[int] = []
    over = threading.Event()

    def ask(*, keep: bool) -> None:
        connection = rig.open() if keep else None
        while not over.is_set():
            try:
                answer = rig.on(connection, "GET", path) if connection else rig.get(path)
                statuses.append(answer.status)
                if connection and answer.headers.get("connection") == "close":
                    connection = rig.open()
            except OSError:
                statuses.append(-1)
                return

    threads = [threading.Thread(target=ask, kwargs={"keep": keep}) for keep in (True, True, False)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.3)
        yield statuses
        time.sleep(0.3)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_policy_takes_effect_on_a_connection_that_is_open(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        connection = rig.open()
        assert rig.on(connection, "GET", "/api/patients/7").status == 200
        before = rig.server.status().nodes["edge"].versions
        for rule, status in ((DENY, 403), (ALLOW, 200)):
            rig.publish(plan(_patients(rule, rule_id=f"00000000000{status % 7}")))
            assert rig.on(connection, "GET", "/api/patients/7").status == status
        after = rig.server.status().nodes["edge"].versions
        assert {kind for kind in after if after[kind] != before[kind]} == {"RouteConfiguration"}


def test_policies_change_under_load_without_a_failed_request(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig, _traffic(rig) as statuses:
        for round_ in range(10):
            rig.publish(plan(_patients(rule_id=f"{round_:012x}")))
    assert set(statuses) == {200}


def test_a_listener_changes_under_load_without_a_failed_request(tmp_path: Path) -> None:
    """Which claims are logged is part of the listener: connections are told to close, none is cut."""
    with running(PLAN, tmp_path) as rig, _traffic(rig) as statuses:
        for name in ("one", "two"):
            rig.publish(plan(_patients(), claims=(Claim(name=name, type=ClaimType.STRING, path=(name,)),)))
            time.sleep(0.5)
    assert set(statuses) == {200}


def test_the_edge_turns_from_a_table_for_each_segment_to_one_and_back_without_a_failed_request(tmp_path: Path) -> None:
    """A service whose paths may begin with anything comes and goes."""
    catch_all = service("billing", operation("billing", "any", "GET", "/{name}.bill", token=False), prefix="")
    with running(plan(_patients(), catch_all), tmp_path) as rig, _traffic(rig) as statuses:
        for _ in range(2):
            assert rig.get("/7.bill").status == 200
            rig.publish(plan(_patients()))
            _until(lambda: rig.get("/7.bill").status == 404)
            rig.publish(plan(_patients(), catch_all))
            _until(lambda: rig.get("/7.bill").status == 200)
    assert set(statuses) == {200}


def test_certificates_are_replaced_under_load_without_a_failed_request(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig, _traffic(rig) as statuses:
        for _ in range(5):
            before = _secrets(rig)
            rig.credentials.rotate()
            _until(partial(_changed, rig, before))
    assert set(statuses) == {200}


def test_roots_are_replaced_under_load_without_a_failed_request(tmp_path: Path) -> None:
    """Old and new root are trusted while certificates change over; then the old one is trusted no more."""
    with running(PLAN, tmp_path) as rig:
        old = rig.credentials.authority
        context = rig.mesh_context(spiffe("edge"))
        with _traffic(rig) as statuses:
            new = Authority("new root")
            rig.credentials.authority, rig.credentials.roots = new, [old.pem, new.pem]
            rig.credentials.rotate()  # bundle and certificates at once: the server must order them
            _settle(rig)
            time.sleep(0.3)
            rig.credentials.roots = [new.pem]
            rig.credentials.changed()
            _settle(rig)
        assert set(statuses) == {200}
        with pytest.raises(OSError, match=r"(?i)certificate|reset|unknown|closed"):
            rig.get("/patients/7", to=rig.bindings.inbound["patients"], context=context)


def _secrets(rig: Rig) -> str:
    return rig.server.status().nodes["mesh"].versions["Secret"]


def _changed(rig: Rig, before: str) -> bool:
    return _secrets(rig) != before


def _served(rig: Rig) -> bool:
    try:
        return rig.get("/api/patients/7").status == 200
    except OSError:
        return False


def _settle(rig: Rig) -> None:
    _until(lambda: not rig.server.status().nodes["mesh"].pending and not rig.server.status().nodes["edge"].pending)


def _until(condition: Callable[[], bool], timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_service_comes_and_goes_under_load_without_a_failed_request(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        added = service("billing", operation("billing", "all", "GET", "/", token=False), prefix="/billing")
        update = {
            "inbound": {**rig.bindings.inbound, "billing": Address(port=free_port())},
            "app": {**rig.bindings.app, "billing": Address(port=free_port())},
        }
        alone, both = rig.bindings, rig.bindings.model_copy(update=update)
        rig.apps["billing"] = App(both.app["billing"])
        with _traffic(rig) as statuses:
            for _ in range(3):
                rig.bindings = both
                rig.publish(plan(_patients(), added))
                assert rig.get("/billing/").status == 200
                rig.bindings = alone
                rig.publish(PLAN)
                assert rig.get("/billing/").status == 404
                _until(lambda: "inbound/billing" not in rig.admin("mesh", "/listeners"))
        assert set(statuses) == {200}


def _broken() -> Plan:
    """A plan whose rule no Envoy can load, which only a fault of Ringwall's could make."""
    return plan(_patients(CompiledRule(cases=(Case(when=PathMatches(regex="(")),)), rule_id="00000000bad0"))


def test_a_plan_that_a_proxy_refuses_is_taken_back_and_told(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        with pytest.raises(PlanRejectedError) as refused:
            rig.publish(_broken())
        rejection = refused.value.rejections[0]
        assert rejection.node == "edge"
        assert rejection.what == "the edge's routes below '/api'"
        assert "missing )" in rejection.message
        assert rig.get("/api/patients/7").status == 200
        rig.server.wait_in_force(PLAN.digest, 5)
        status = rig.server.status()
        assert status.rejected_plan == refused.value.plan
        assert status.nodes["edge"].plan == PLAN.digest
        rig.publish(plan(_patients(DENY, rule_id="000000000002")))
        assert rig.get("/api/patients/7").status == 403


def test_a_plan_that_cannot_be_built_changes_nothing(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        stranger = service("stranger", operation("stranger", "any", "GET", "/", token=False))
        with pytest.raises(KeyError):
            rig.server.publish(plan(_patients(DENY), stranger), rig.bindings)  # it has no address
        assert rig.server.status().nodes["edge"].plan == PLAN.digest
        assert rig.get("/api/patients/7").status == 200


def test_what_is_not_in_force_in_time_is_said(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        os.kill(rig.envoys["edge"].pid, signal.SIGSTOP)
        changed = plan(_patients(DENY, rule_id="000000000003"))
        rig.server.publish(changed, rig.bindings)
        with pytest.raises(PlanNotInForceError, match="the edge proxy still lacks the edge's routes below '/api'"):
            rig.server.wait_in_force(changed.digest, 1)
        os.kill(rig.envoys["edge"].pid, signal.SIGCONT)
        rig.server.wait_in_force(changed.digest, 10)
        assert rig.get("/api/patients/7").status == 403


def test_enforcement_outlives_the_control_plane_which_finds_its_place_again(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        with _traffic(rig) as statuses:
            rig.server.stop()
            time.sleep(0.5)
            rig.restart_server()
            rig.server.publish(PLAN, rig.bindings)
            rig.server.wait_in_force(PLAN.digest, 15)
        assert set(statuses) == {200}
        rig.publish(plan(_patients(DENY, rule_id="000000000004")))
        assert rig.get("/api/patients/7").status == 403


def test_a_proxy_that_was_killed_gets_everything_again(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        for node in ("edge", "mesh"):
            rig.stop_envoy(node)
            rig.start_envoy(node)
            _until(partial(_served, rig))


def test_a_proxy_gets_only_what_is_its_own(tmp_path: Path) -> None:
    with running(PLAN, tmp_path) as rig:
        secrets = {node: rig.admin(node, "/config_dump?resource=dynamic_active_secrets") for node in ("edge", "mesh")}
        assert '"svid/edge"' in secrets["edge"]
        assert '"svid/patients"' not in secrets["edge"]
        assert '"svid/patients"' in secrets["mesh"]
        assert '"svid/edge"' not in secrets["mesh"]
        assert '"edge-certificate"' not in secrets["mesh"]
