"""Edits of a running system take effect without a restart and without one failed request."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.system import System
from tests.support.traffic import Traffic

PATIENCE = 90


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def _save(path: Path, text: str) -> None:
    """Save as editors do: a new file takes the old one's place."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.replace(path)


@contextmanager
def _edit(path: Path, old: str, new: str) -> Iterator[None]:
    before = path.read_text()
    assert old in before
    _save(path, before.replace(old, new))
    try:
        yield
    finally:
        _save(path, before)


def _traffic(system: System) -> Traffic:
    return Traffic(system.port, system.trust, "/api/patients/7", system.authorization("alice"))


def test_a_policy_edit_takes_effect_under_load_without_a_failed_request(edited: System) -> None:
    processes = edited.processes()
    policy = edited.folder / "policies" / "administration.cedar"
    with _traffic(edited) as traffic:
        assert edited.ask("GET", "/api/patients", "noor").status == 403
        with _edit(policy, 'Role::"administrator"', 'Role::"clinician"'):
            _until(lambda: edited.ask("GET", "/api/patients", "adam").status == 403, "the edit")
        _until(lambda: edited.ask("GET", "/api/patients", "adam").status == 200, "its undoing")
        traffic.settle()
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}
    assert edited.processes() == processes, "nothing is restarted"


def test_an_edit_that_does_not_check_leaves_the_last_good_plan_in_force_and_says_so(edited: System) -> None:
    policy = edited.folder / "policies" / "own-record.cedar"
    with _traffic(edited) as traffic:
        with _edit(policy, "principal.patient ==", "principal.pateint =="):
            _until(lambda: "pateint" in edited.output, "the complaint")
            assert "own-record.cedar:" in edited.output
            traffic.settle()
            assert edited.ask("GET", "/api/patients/8", "alice").status == 403
        traffic.settle()
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}


def test_a_service_is_added_and_removed_under_load(edited: System) -> None:
    extra = """
  notices:
    run: python -m http.server {port} --bind 127.0.0.1 --directory contracts
    expose: /notices
    operations: [list: GET /]
    allow: [{public: true}]
"""
    before = edited.blueprint.read_text()
    with _traffic(edited) as traffic:
        assert edited.ask("GET", "/notices/").status == 404
        _save(edited.blueprint, before.rstrip("\n") + extra)
        _until(lambda: edited.ask("GET", "/notices/").status == 200, "the new service")
        pid = edited.processes()["notices"]
        _save(edited.blueprint, before)
        _until(lambda: edited.ask("GET", "/notices/").status == 404, "its removal")
        _until(lambda: not Path(f"/proc/{pid}").exists(), "the end of its process")
        traffic.settle()
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}


def test_the_authority_is_replaced_under_load(edited: System) -> None:
    def authority() -> dict[str, str]:
        held: dict[str, str] = edited.ringwall_json("status", code=None)["control_plane"]["authority"]
        return held

    before = authority()
    with Traffic(edited.port, edited.trust, "/overview/7", edited.authorization("alice")) as traffic:
        edited.ringwall("rotate", "ca")
        _until(lambda: authority()["issuing"] != before["issuing"], "the new authority")
        traffic.settle(50)
        overview = edited.ask("GET", "/overview/7", "alice").json()
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}
    assert "refused" not in str(overview)


def test_token_keys_are_replaced_under_load(edited: System) -> None:
    with _traffic(edited) as traffic:
        edited.ringwall("rotate", "keys")
        fresh = edited.ringwall("token", "--as", "alice").strip()
        _until(
            lambda: edited.ask("GET", "/api/patients/7", headers={"authorization": f"Bearer {fresh}"}).status == 200,
            "a token of the new key",
        )
        traffic.settle()
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}, "tokens of the old key are good until they expire"


def test_many_edits_in_a_row_end_with_the_last_one(edited: System) -> None:
    policy = edited.folder / "policies" / "administration.cedar"
    before = policy.read_text()
    for network in range(20):
        _save(policy, before.replace("10.20.0.0/16", f"10.{network}.0.0/16"))
    _save(policy, before.replace("127.0.0.0/8", "192.0.2.0/24"))
    _until(lambda: edited.ask("GET", "/api/patients", "adam").status == 403, "the last edit")
    _save(policy, before)
    _until(lambda: edited.ask("GET", "/api/patients", "adam").status == 200, "its undoing")
    assert os.path.exists(f"/proc/{edited.pid}")  # noqa: PTH110  # a path of the kernel
