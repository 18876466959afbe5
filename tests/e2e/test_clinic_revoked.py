"""What is revoked in a running system is refused, said why, still refused after a crash, and believed again."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.system import System, copy_example

RECORD = "/api/patients/7"
INVOICES = "/api/invoices"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(copy_example("clinic", tmp_path_factory.mktemp("revoked"))) as running:
        yield running


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _status(system: System, path: str, person: str) -> int:
    return system.ask("GET", path, headers=system.authorization(person)).status


def test_a_user_is_revoked_and_believed_again(system: System) -> None:
    assert _status(system, RECORD, "alice") == 200
    assert "is revoked until that is lifted" in system.ringwall("revoke", "user", "alice")
    _until(lambda: _status(system, RECORD, "alice") == 401)
    refused = system.ask("GET", RECORD, headers=system.authorization("alice"))
    _until(lambda: "the user is revoked" in system.ringwall("explain", refused.request_id, code=None))
    assert _status(system, RECORD, "dana") in {200, 403}, "nobody else is meant"
    assert "alice" in system.ringwall("revoke", "list")
    assert "the user is revoked" in system.ringwall("can", "alice", "GET", RECORD, code=3)
    os.kill(system.processes()["ringwall-control"], signal.SIGKILL)
    assert _status(system, RECORD, "alice") == 401, "the proxies know it by themselves"
    _until(lambda: "alice" in system.ringwall("revoke", "list", code=None))
    system.ringwall("revoke", "user", "alice", "--lift")
    _until(lambda: _status(system, RECORD, "alice") == 200)
    assert "nothing is revoked" in system.ringwall("revoke", "list")


def test_a_token_is_revoked_for_as_long_as_was_said(system: System) -> None:
    token = system.token("alice")
    file = system.folder / "token"
    file.write_text(token)
    system.ringwall("revoke", "token", str(file), "--for", "2s")
    headers = {"authorization": f"Bearer {token}"}
    assert system.ask("GET", RECORD, headers=headers).status in {200, 401}
    _until(lambda: "nothing is revoked" in system.ringwall("revoke", "list"))
    _until(lambda: system.ask("GET", RECORD, headers=headers).status == 200)


def test_a_workload_is_cut_off_from_services_and_from_plain_tcp(system: System) -> None:
    _until(lambda: _status(system, INVOICES, "cleo") == 200)
    system.ringwall("revoke", "workload", "billing")
    _until(lambda: _status(system, INVOICES, "cleo") >= 500)
    system.ringwall("revoke", "workload", "billing", "--lift")
    _until(lambda: _status(system, INVOICES, "cleo") == 200)


def test_what_is_not_there_is_not_revoked(system: System) -> None:
    assert "there is no service" in system.ringwall_error("revoke", "workload", "biling")
    assert "not revoked" in system.ringwall_error("revoke", "user", "alice", "--lift")
