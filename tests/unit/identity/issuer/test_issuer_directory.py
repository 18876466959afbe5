from pathlib import Path

import pytest
from tests.support.issuer_plan import ALICE, issuer_plan, write_plan

from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.plan.store import PlanStore, PlanUnreadableError


def test_it_follows_the_plan(tmp_path: Path) -> None:
    directory = LiveDirectory(write_plan(tmp_path, issuer_plan()))
    assert set(directory.current().people) == {"alice"}
    first = directory.current()
    assert directory.current() is first
    write_plan(tmp_path, issuer_plan(people=(ALICE, ALICE.model_copy(update={"name": "bert"}))))
    assert set(directory.current().people) == {"alice", "bert"}


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format": 3}'])
def test_a_plan_that_cannot_be_read_leaves_the_last_good_one(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    plans = write_plan(tmp_path, issuer_plan())
    directory = LiveDirectory(plans)
    plans.current_file.unlink()  # it has a second name, in the archive
    plans.current_file.write_bytes(content)
    assert set(directory.current().people) == {"alice"}
    assert "keeping the former plan" in caplog.text
    write_plan(tmp_path, issuer_plan(people=()))
    assert not directory.current().people


def test_a_plan_that_goes_away_or_loses_its_issuer_leaves_the_last_good_one(tmp_path: Path) -> None:
    plans = write_plan(tmp_path, issuer_plan())
    directory = LiveDirectory(plans)
    write_plan(tmp_path, issuer_plan(issuers=()))
    assert set(directory.current().people) == {"alice"}
    plans.current_file.unlink()
    assert set(directory.current().people) == {"alice"}


def test_without_a_plan_there_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(PlanUnreadableError) as raised:
        LiveDirectory(PlanStore(tmp_path))
    assert raised.value.hint
    with pytest.raises(PlanUnreadableError):
        LiveDirectory(write_plan(tmp_path, issuer_plan(issuers=())))
