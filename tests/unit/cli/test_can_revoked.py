"""`ringwall can` knows who is revoked."""

from pathlib import Path

import pytest
from tests.support.observe_plans import BLUEPRINT, CEDAR, put_in_force, small_plan

from ringwall.cli.main import main
from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.revoked import RevocationList
from ringwall.model.clock import SystemClock
from ringwall.model.revocation import Revocation, Revoked

CAN = ["--at", "2026-03-03T11:00"]
PLAN = small_plan()
ISSUER = PLAN.issuers[0].url


@pytest.fixture
def revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RevocationList:
    (tmp_path / "ringwall.yaml").write_text(BLUEPRINT)
    (tmp_path / "rules.cedar").write_text(CEDAR)
    put_in_force(PLAN, tmp_path / ".ringwall")
    monkeypatch.chdir(tmp_path)
    return RevocationList(tmp_path / ".ringwall" / REVOCATIONS_FILE, SystemClock())


def test_a_revoked_user_may_not(revoked: RevocationList, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["can", "alice", "GET", "/api/patients/7", *CAN]
    assert main(asked) == 0
    revoked.revoke([Revocation(Revoked.USER, "alice", ISSUER)])
    capsys.readouterr()
    assert main(asked) == 3
    assert "the user is revoked" in capsys.readouterr().out
    revoked.lift(Revoked.USER, "alice", ISSUER)
    assert main(asked) == 0


def test_a_revoked_workload_may_call_nobody(revoked: RevocationList, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["can", "alice", "GET", "/patients/7", "--via", "portal", *CAN]
    assert main(asked) == 0
    revoked.revoke([Revocation(Revoked.WORKLOAD, PLAN.by_name["portal"].spiffe_id)])
    capsys.readouterr()
    assert main(asked) == 3
    assert "the calling workload is revoked" in capsys.readouterr().out
    assert main(["can", "alice", "GET", "/api/patients/7", *CAN]) == 0
