import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringwall.bootstrap.state import (
    Lock,
    NotFoundError,
    NotRunningError,
    RunningError,
    StateFolder,
    find_blueprint,
)
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Plan


def folder_of(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / ".ringwall")
    folder.create()
    return folder


def a_plan(system: str = "x") -> Plan:
    return Plan(system=system, trust_domain="x", audience="x", cedar_schema="{}")


def test_the_blueprint_is_found_in_the_folder_above_it_or_by_name(tmp_path: Path) -> None:
    (tmp_path / "ringwall.yaml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "other.yaml").touch()
    assert find_blueprint(tmp_path) == tmp_path / "ringwall.yaml"
    assert find_blueprint(tmp_path / "a" / "b") == tmp_path / "ringwall.yaml"
    assert find_blueprint(tmp_path / "a" / "other.yaml") == tmp_path / "a" / "other.yaml"


@pytest.mark.parametrize("path", ["nowhere", "empty"])
def test_no_blueprint_is_said_with_a_hint(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError) as caught:
        find_blueprint(tmp_path / path)
    assert caught.value.hint


def test_folders_are_for_the_owner_only_and_ignored_by_git(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for path in (folder.path, *(p for p in folder.path.rglob("*") if p.is_dir())):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (folder.path / ".gitignore").read_text() == "*\n"


def test_plans_and_bindings_come_back(tmp_path: Path) -> None:
    folder, plan = folder_of(tmp_path), a_plan()
    with pytest.raises(NotRunningError):
        folder.plan()
    with pytest.raises(NotRunningError):
        folder.bindings()
    folder.plans.write(plan)
    folder.write_bindings(Bindings(state=folder.path, edge=Address(port=1234)))
    assert folder.plan() == plan
    assert folder.bindings().edge == Address(port=1234)


def test_damaged_bindings_are_not_a_traceback(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.bindings_file.write_text("{")
    with pytest.raises(NotRunningError, match="cannot be read"):
        folder.bindings()


def test_the_lock_is_held_by_one_and_names_its_holder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    lock = Lock(folder)
    assert folder.holder() is None
    lock.acquire()
    assert folder.holder() == os.getpid()
    with pytest.raises(RunningError, match=f"process {os.getpid()}"):
        Lock(folder).acquire()
    lock.release()
    assert folder.holder() is None
    Lock(folder).acquire()


def test_the_lock_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    code = (
        "import sys; from pathlib import Path; from ringwall.bootstrap.state import Lock, StateFolder;"
        "Lock(StateFolder(Path(sys.argv[1]))).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert folder.holder() == holder.pid
        holder.kill()
        holder.wait()
    assert folder.holder() is None
