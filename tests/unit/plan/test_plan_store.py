"""Plans on disk: they come back equal, cost what changed, and nothing damaged is believed."""

import errno
import os
from pathlib import Path

import pytest

from ringwall.model.durable import StorageError
from ringwall.plan.identity import Person
from ringwall.plan.model import Plan, Service
from ringwall.plan.policy import Policy, Source
from ringwall.plan.store import NoPlanError, PlanStore, PlanUnreadableError


def a_service(name: str, zone: str = "app") -> Service:
    return Service(name=name, spiffe_id=f"spiffe://x/service/{name}", zone=zone, source=Source(file="ringwall.yaml"))


def a_plan(*names: str, zone: str = "app", **changes: object) -> Plan:
    policies = tuple(
        Policy(
            id=f"{file}.cedar#{name}", cedar=f"permit (principal, action, {name});", source=Source(file=f"{file}.cedar")
        )
        for file in ("a", "b")
        for name in names
    )
    services = tuple(a_service(name, zone) for name in names)
    fields = {"system": "x", "trust_domain": "x", "audience": "x", "cedar_schema": '{"y": 1}'}
    return Plan(**{**fields, "services": services, "policies": policies, **changes})


def parts(tmp_path: Path) -> set[str]:
    return {path.stem for path in (tmp_path / "parts").iterdir()}


def test_a_plan_comes_back_equal_with_its_digest(tmp_path: Path) -> None:
    plan = a_plan("a", "b")
    PlanStore(tmp_path).write(plan)
    for read in (
        PlanStore(tmp_path).current(),
        PlanStore(tmp_path).current(plan.digest),
        PlanStore(tmp_path).archived(plan.digest),
    ):
        assert read == plan
        assert read.digest == plan.digest
        assert read.canonical_bytes == plan.canonical_bytes
        assert Plan.model_validate_json(read.canonical_bytes).digest == plan.digest


@pytest.mark.parametrize(
    "other",
    [
        a_plan("a", "b", zone="data"),
        a_plan("a"),
        a_plan("a", "b", cedar_schema="{}"),
        a_plan("a", "b", system="y"),
        a_plan("a", "b", people=(Person(name="alice"),)),
        a_plan("a", "b", policies=a_plan("a", "b").policies[:-1]),
        a_plan("a", "b", policies=()),
    ],
)
def test_the_digest_stands_for_everything_in_a_plan(other: Plan) -> None:
    assert other.digest != a_plan("a", "b").digest
    assert a_plan("a", "b").digest == a_plan("a", "b").digest


def test_an_edit_writes_and_makes_only_what_it_changed(tmp_path: Path) -> None:
    writer, reader = PlanStore(tmp_path), PlanStore(tmp_path)
    writer.write(a_plan("a", "b"))
    first, before = reader.current(), parts(tmp_path)
    changed = a_plan("a", "b", services=(first.services[0], a_service("b", "data")))
    writer.write(changed)
    second = reader.current(changed.digest)
    assert second == changed
    assert second.services[0] is first.services[0]
    assert second.policies[0] is first.policies[0]
    assert len(parts(tmp_path) - before) == 1


def test_parts_that_went_and_came_back_are_read_anew(tmp_path: Path) -> None:
    writer, reader = PlanStore(tmp_path), PlanStore(tmp_path)
    for plan in (a_plan("a", "b"), a_plan("b"), a_plan("a", "b")):
        writer.write(plan)
        assert reader.current(plan.digest) == plan


def test_another_plan_than_the_one_asked_for_is_refused(tmp_path: Path) -> None:
    store, other = PlanStore(tmp_path), a_plan("b")
    store.write(a_plan("a"))
    with pytest.raises(PlanUnreadableError, match="another one"):
        store.current(other.digest)
    store.archived_file(other.digest).write_bytes(a_plan("a").manifest.content)
    with pytest.raises(PlanUnreadableError, match="another one"):
        store.archived(other.digest)


def test_where_there_is_none_that_is_said(tmp_path: Path) -> None:
    for ask in (PlanStore(tmp_path).current, PlanStore(tmp_path).head, lambda: PlanStore(tmp_path).archived("0" * 64)):
        with pytest.raises(NoPlanError):
            ask()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b'{"services": 1, "policies": {}, "cedar_schema": ""}',
        b'{"services": {"a": "../../etc/passwd"}, "policies": {}, "cedar_schema": ""}',
        b'{"services": {"a": 1}, "policies": {}, "cedar_schema": null}',
        b'{"services": {}, "policies": {}, "cedar_schema": "' + b"0" * 64 + b'"}',
        b'{"services": [{"name": "a"}], "policies": [], "cedar_schema": "{}"}',
    ],
)
def test_what_is_no_manifest_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "current.json").write_bytes(content)
    for ask in (PlanStore(tmp_path).current, PlanStore(tmp_path).head):
        if content.endswith(b'0"}') and ask.__name__ == "head":
            continue  # it looks at no part
        with pytest.raises(PlanUnreadableError):
            ask()


def test_a_damaged_part_is_not_believed_and_is_written_again(tmp_path: Path) -> None:
    plan = a_plan("a")
    PlanStore(tmp_path).write(plan)
    for path in (tmp_path / "parts").iterdir():
        whole = path.read_bytes()
        for damaged in (whole[:-2] + b"?" + whole[-1:], b"", whole[:-1], whole + b" "):
            path.write_bytes(damaged)
            with pytest.raises(PlanUnreadableError):
                PlanStore(tmp_path).current()
        path.unlink()
        with pytest.raises(PlanUnreadableError):
            PlanStore(tmp_path).current()
        path.write_bytes(whole[:-1])
        PlanStore(tmp_path).write(plan)
        assert PlanStore(tmp_path).current() == plan


def test_a_plan_of_another_version_is_refused(tmp_path: Path) -> None:
    store = PlanStore(tmp_path)
    store.write(a_plan("a"))
    content = store.current_file.read_bytes()
    store.current_file.unlink()
    store.current_file.write_bytes(content.replace(b'"format":2', b'"format":3'))
    for ask in (store.current, store.head):
        with pytest.raises(PlanUnreadableError, match="another version"):
            ask()


def test_the_head_needs_no_parts(tmp_path: Path) -> None:
    plan = a_plan("a", people=(Person(name="alice", roles=("clerk",)),))
    PlanStore(tmp_path).write(plan)
    for path in (tmp_path / "parts").iterdir():
        path.unlink()
    head = PlanStore(tmp_path).head()
    assert (head.system, head.people) == (plan.system, plan.people)


def test_the_archive_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringwall.plan.store._ARCHIVED", 3)
    monkeypatch.setattr("ringwall.plan.store._PRUNE_EVERY", 1)
    store = PlanStore(tmp_path)
    plans = [a_plan(f"x{number}") for number in range(6)]
    for number, plan in enumerate(plans):
        store.write(plan)
        os.utime(store.archived_file(plan.digest), (number, number))
    store.write(plans[-1])
    kept = {path.stem for path in store.archived_file("x").parent.iterdir()}
    assert kept == {plan.digest for plan in plans[-3:]}
    assert parts(tmp_path) == {name for plan in plans[-3:] for name in plan.manifest.parts}
    for plan in plans[-3:]:
        assert store.archived(plan.digest) == plan


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_a_file_system_without_second_names_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    store = PlanStore(tmp_path)
    for plan in (a_plan("a"), a_plan("a", "b"), a_plan("a")):
        store.write(plan)
        assert PlanStore(tmp_path).current() == plan


def test_a_full_disk_is_said_and_leaves_the_plan_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, plan = PlanStore(tmp_path), a_plan("a")
    store.write(plan)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("hardlink_to", "replace"):
        monkeypatch.setattr(Path, name, full)
    with pytest.raises(StorageError, match="No space left"):
        store.write(a_plan("a", "b"))
    assert PlanStore(tmp_path).current() == plan


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    PlanStore(tmp_path).write(a_plan("a"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
