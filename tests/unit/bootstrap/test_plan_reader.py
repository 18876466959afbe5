from pathlib import Path

import pytest

from ringwall.bootstrap.plan_reader import PlanReader, PlanUnreadableError
from ringwall.plan.model import Plan, Policy, Service, Source


def a_plan(*names: str, zone: str = "app") -> Plan:
    services = tuple(
        Service(name=name, spiffe_id=f"spiffe://x/service/{name}", zone=zone, source=Source(file="ringwall.yaml"))
        for name in names
    )
    policies = tuple(
        Policy(id=name, cedar="permit (principal, action, resource);", source=Source(file="a.cedar")) for name in names
    )
    return Plan(system="x", trust_domain="x", audience="x", cedar_schema="{}", services=services, policies=policies)


def write(tmp_path: Path, plan: Plan) -> Path:
    path = tmp_path / "plan.json"
    path.write_bytes(plan.canonical_bytes)
    return path


def test_a_plan_comes_back_equal_with_its_digest(tmp_path: Path) -> None:
    plan = a_plan("a", "b")
    read = PlanReader().read(write(tmp_path, plan), plan.digest)
    assert read == plan
    assert read.digest == plan.digest
    assert read.canonical_bytes == plan.canonical_bytes


def test_only_what_changed_is_made_anew(tmp_path: Path) -> None:
    reader = PlanReader()
    first = reader.read(write(tmp_path, a_plan("a", "b")))
    changed = Plan(**{**dict(a_plan("a", "b")), "services": (first.services[0], a_plan("b", zone="data").services[0])})
    second = reader.read(write(tmp_path, changed), changed.digest)
    assert second.services[0] is first.services[0]
    assert second.services[1].zone == "data"
    assert second.policies[0] is first.policies[0]
    assert second == changed


def test_parts_that_went_and_came_back_are_read_anew(tmp_path: Path) -> None:
    reader = PlanReader()
    for plan in (a_plan("a", "b"), a_plan("b"), a_plan("a", "b")):
        assert reader.read(write(tmp_path, plan), plan.digest) == plan


def test_another_plan_than_the_one_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanUnreadableError, match="another one"):
        PlanReader().read(write(tmp_path, a_plan("a")), a_plan("b").digest)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"services": 1}', b'{"services": [{}], "policies": []}'])
def test_what_is_no_plan_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(data)
    with pytest.raises(PlanUnreadableError, match="cannot be read"):
        PlanReader().read(tmp_path / "plan.json")


def test_a_missing_plan_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlanUnreadableError):
        PlanReader().read(tmp_path / "none.json")
