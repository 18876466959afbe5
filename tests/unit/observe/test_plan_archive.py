from pathlib import Path

import pytest
from tests.support.observe_plans import CEDAR, operation, put_in_force, small_plan

from ringwall.observe.plans import PlanArchive, RuleIndex
from ringwall.plan.store import PlanUnreadableError

OLD = small_plan()
NEW = small_plan(CEDAR.replace("context.hour < 7", "context.hour > 7"))


def rule(plan: object, name: str) -> str:
    return operation(plan, name).rule_id  # type: ignore[arg-type]


def test_there_may_be_no_plan_yet(tmp_path: Path) -> None:
    index = RuleIndex(tmp_path)
    index.refresh()
    assert index.plan_of("anything") == ""
    assert PlanArchive(tmp_path).current() is None


def test_the_plan_in_force_is_named_for_its_rules_and_the_one_before_for_its_own(tmp_path: Path) -> None:
    put_in_force(OLD, tmp_path)
    index = RuleIndex(tmp_path)
    index.refresh()
    assert index.plan_of(rule(OLD, "patients/get")) == OLD.digest
    put_in_force(NEW, tmp_path)
    assert index.plan_of(rule(OLD, "patients/list")) == OLD.digest, "nothing is read between two looks"
    index.refresh()
    assert index.plan_of(rule(NEW, "patients/get")) == NEW.digest
    assert index.plan_of(rule(OLD, "patients/get")) == OLD.digest, "decided just before the change"
    assert index.plan_of(rule(OLD, "patients/list")) == NEW.digest, "the same rule in both"
    assert index.plan_of("") == NEW.digest
    put_in_force(OLD, tmp_path)
    index.refresh()
    assert index.plan_of(rule(OLD, "patients/get")) == OLD.digest


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"services": 3}', b'{"services": [{}]}', b"\xff"])
def test_a_plan_that_cannot_be_read_leaves_the_last_one(tmp_path: Path, content: bytes) -> None:
    put_in_force(OLD, tmp_path)
    index = RuleIndex(tmp_path)
    index.refresh()
    current = tmp_path / "plan" / "current.json"
    current.unlink()  # it has a second name, in the archive
    current.write_bytes(content)
    index.refresh()
    assert index.plan_of("") == OLD.digest
    with pytest.raises(PlanUnreadableError, match=r"current\.json"):
        PlanArchive(tmp_path).current()


def test_plans_are_found_by_digest_and_rules_in_them(tmp_path: Path) -> None:
    put_in_force(OLD, tmp_path)
    archive = put_in_force(NEW, tmp_path)
    assert archive.current() == NEW
    assert archive.plan(OLD.digest) == OLD
    found = archive.resolve(rule(OLD, "patients/get"), OLD.digest)
    assert found is not None
    assert (found.service.name, found.operation.id) == ("patients", "patients/get")
    assert archive.resolve(rule(OLD, "patients/get"), NEW.digest) is None
    assert archive.resolve("", NEW.digest) is None
    assert archive.evaluator("0" * 64) is None


def test_only_a_few_plans_are_kept_in_memory(tmp_path: Path) -> None:
    plans = [small_plan(CEDAR.replace("< 7", f"< {hour}")) for hour in range(1, 8)]
    for plan in plans:
        archive = put_in_force(plan, tmp_path)
    for plan in plans * 2:
        assert archive.evaluator(plan.digest) is archive.evaluator(plan.digest)
        assert len(archive._plans) <= 4
        assert set(archive._evaluators) <= set(archive._plans)
