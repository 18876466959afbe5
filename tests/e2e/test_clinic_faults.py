"""Parts of a running system are killed; the rest goes on, and everything ends cleanly."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from tests.support.system import System, copy_example
from tests.support.traffic import Traffic


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A clinic whose parts are killed; each test leaves it whole again."""
    with System(copy_example("clinic", tmp_path_factory.mktemp("broken"))) as system:
        yield system


def _back(system: System, name: str, killed: int) -> float:
    """Return the seconds until another process of this name is ready."""
    begun = time.monotonic()
    while time.monotonic() < begun + 90:
        state, pid = system.states()[name]
        if state == "ready" and pid not in {None, killed}:
            return time.monotonic() - begun
        time.sleep(0.05)
    raise AssertionError(f"{name} did not come back")


def test_killing_the_control_plane_fails_no_request_and_loses_no_record(broken: System) -> None:
    before = broken.ask("GET", "/api/patients/8", "alice")
    with Traffic(broken.port, broken.trust, "/api/patients/7", broken.authorization("alice")) as traffic:
        pid = broken.processes()["ringwall-control"]
        os.kill(pid, signal.SIGKILL)
        during = broken.ask("GET", "/api/patients/8", "alice")
        traffic.settle(200)
        _back(broken, "ringwall-control", pid)
        traffic.settle(200)
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}
    for reply in (before, during):
        assert reply.status == 403
        assert "denied" in broken.ringwall("explain", reply.request_id)
    assert broken.ask("GET", "/api/patients/7", "alice").status == 200


@pytest.mark.parametrize("proxy", ["ringwall-edge", "ringwall-mesh"])
def test_a_killed_proxy_is_mended(broken: System, proxy: str) -> None:
    before = broken.ask("GET", "/api/patients/8", "alice")
    pid = broken.processes()[proxy]
    os.kill(pid, signal.SIGKILL)
    begun = time.monotonic()
    status = 0
    while status != 200 and time.monotonic() < begun + 60:
        try:
            status = broken.ask("GET", "/api/patients/7", "alice").status
        except OSError:
            time.sleep(0.01)
    assert status == 200
    _back(broken, proxy, pid)
    assert "denied" in broken.ringwall("explain", before.request_id)


def test_a_killed_service_answers_503_and_comes_back(broken: System) -> None:
    pid = broken.processes()["patients"]
    os.kill(pid, signal.SIGKILL)
    assert broken.ask("GET", "/api/patients/7", "alice").status in {200, 502, 503}
    _back(broken, "patients", pid)
    assert broken.ask("GET", "/api/patients/7", "alice").status == 200


def test_a_second_up_of_the_same_system_is_refused(broken: System) -> None:
    broken.ringwall("up", str(broken.folder), code=3)
    assert broken.ask("GET", "/").status == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_every_way_of_stopping_leaves_no_process(tmp_path_factory: pytest.TempPathFactory, how: signal.Signals) -> None:
    system = System(copy_example("clinic", tmp_path_factory.mktemp("stopped")))
    system.start()
    assert len(list(system.leftovers())) >= 8, "the count of what runs must work, or the check below could not fail"
    if how is not signal.SIGKILL:
        system.stop(how=how)
        return
    os.kill(system.pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while (left := list(system.leftovers())) and time.monotonic() < end:
        time.sleep(0.05)
    system.stop(check=False)
    assert not left
