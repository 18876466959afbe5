import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from ringwall.bootstrap.keeper import Report, Spec, State
from ringwall.bootstrap.readiness import always, answers
from ringwall.bootstrap.supervisor import NotReadyError, Supervisor
from ringwall.model.clock import SystemClock
from ringwall.plan.bindings import Address


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[Report] = []
        self.started: list[tuple[str, int]] = []
        self.supervisor = Supervisor(
            clock=SystemClock(),
            random=Random(1),  # noqa: S311  # jitter
            tell=self.reports.append,
            started=lambda name, pid: self.started.append((name, pid)),
        )

    def spec(self, name: str, code: str, **more: object) -> Spec:
        return Spec(
            name=name,
            argv=(sys.executable, "-S", "-c", code),
            env={"PATH": os.defpath},
            cwd=self.folder,
            log=self.folder / f"{name}.log",
            **more,  # type: ignore[arg-type]
        )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


def run(folder: Path, scenario: Callable[[Rig], Awaitable[None]]) -> Rig:
    async def whole() -> Rig:
        rig = Rig(folder)
        try:
            await asyncio.wait_for(scenario(rig), 30)
        finally:
            await rig.supervisor.stop_all()
        return rig

    return asyncio.run(whole())


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if b") Z " in Path(f"/proc/{pid}/stat").read_bytes():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0.01)


SLEEP = "import time; print('up', flush=True); time.sleep(60)"


def test_output_is_captured_and_the_process_ends_with_the_supervisor(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("one", SLEEP))
        await rig.supervisor.settled("one")
        await until(lambda: (tmp_path / "one.log").exists() and rig.log("one") == "up\n")

    rig = run(tmp_path, scenario)
    assert gone(rig.started[0][1])


def test_what_needs_another_starts_after_it_is_ready(tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    async def ready() -> bool:
        return flag.exists()

    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("base", SLEEP, ready=ready))
        rig.supervisor.start(rig.spec("top", SLEEP, needs=("base",)))
        await until(lambda: len(rig.started) == 1)
        await asyncio.sleep(0.1)
        assert [name for name, _ in rig.started] == ["base"]
        flag.touch()
        await rig.supervisor.settled("top")
        assert [name for name, _ in rig.started] == ["base", "top"]

    run(tmp_path, scenario)


def test_a_crash_loop_is_reported_with_the_last_lines(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("bad", "print('no database here'); raise SystemExit(3)", ready=never))
        with pytest.raises(NotReadyError, match="bad exited with code 3") as caught:
            await rig.supervisor.settled("bad")
        assert caught.value.lines == ("no database here",)

    rig = run(tmp_path, scenario)
    loop = [report for report in rig.reports if report.state is State.CRASH_LOOP]
    assert loop
    assert loop[0].lines == ("no database here",)


def test_a_process_that_is_killed_is_started_again_at_once(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("one", SLEEP))
        await rig.supervisor.settled("one")
        os.kill(rig.started[0][1], signal.SIGKILL)
        await until(lambda: len(rig.started) == 2 and rig.supervisor.status()[0].state is State.READY)
        status = rig.supervisor.status()[0]
        assert status.restarts == 1
        assert status.last_end == "was ended by signal 9"

    run(tmp_path, scenario)


def test_a_process_is_kept_where_nobody_can_be_told(tmp_path: Path) -> None:
    """The supervisor's own output may go to a full disk."""

    def deaf(_report: Report) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario(rig: Rig) -> None:
        rig.supervisor.tell = deaf
        rig.supervisor.start(rig.spec("one", SLEEP))
        await rig.supervisor.settled("one")
        os.kill(rig.started[0][1], signal.SIGKILL)
        await until(lambda: len(rig.started) == 2)
        await rig.supervisor.ready("one")
        assert rig.supervisor.status()[0].state is State.READY

    run(tmp_path, scenario)


def test_a_process_that_ignores_term_is_killed(tmp_path: Path) -> None:
    ignore = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"

    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("deaf", ignore, grace=0.2))
        await until(lambda: (tmp_path / "deaf.log").exists() and "deaf" in rig.log("deaf"))

    rig = run(tmp_path, scenario)
    assert gone(rig.started[0][1])


def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    parent = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-S', '-c', {SLEEP!r}]);"
        " print(p.pid, flush=True); p.wait()"
    )

    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("parent", parent))
        await until(lambda: (tmp_path / "parent.log").exists() and "\n" in rig.log("parent"))
        os.kill(rig.started[0][1], signal.SIGKILL)
        await until(lambda: len(rig.started) == 2)

    run(tmp_path, scenario)
    children = [int(line) for line in (tmp_path / "parent.log").read_text().splitlines() if line.isdigit()]
    assert children
    assert all(gone(child) for child in children)


def test_a_process_that_does_not_become_ready_is_ended_and_counts_as_failed(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("slow", SLEEP, ready=never, ready_within=0.2))
        await until(lambda: len(rig.started) == 2)
        assert "was not ready within 0.2 s" in rig.reports[0].message

    rig = run(tmp_path, scenario)
    assert all(gone(pid) for _, pid in rig.started)


def test_a_process_that_no_longer_answers_is_ended_and_started_again(tmp_path: Path) -> None:
    heard = iter([True, False, False, True, False, False, False])

    async def alive() -> bool:
        return next(heard, True)

    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("one", SLEEP, alive=alive, alive_every=0.01, grace=0.2))
        await until(lambda: len(rig.started) == 2)
        await rig.supervisor.settled("one")
        assert next(heard, None) is None  # twice in a row was not enough

    rig = run(tmp_path, scenario)
    assert rig.reports[0].message.startswith("no longer answered; starting it again")
    assert gone(rig.started[0][1])


def test_a_stopped_process_does_not_answer(tmp_path: Path) -> None:
    socket = tmp_path / "http.sock"
    code = (
        "import os, signal, socket\n"
        f"s = socket.socket(socket.AF_UNIX); s.bind({str(socket)!r}); s.listen()\n"
        "for answered in range(9):\n"
        "    c, _ = s.accept(); c.recv(999); c.sendall(b'HTTP/1.1 204 No Content\\r\\n\\r\\n'); c.close()\n"
        "    if answered == 2: os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    probe = answers(Address(socket=str(socket)), "/health", patience=0.2)

    async def scenario(rig: Rig) -> None:
        clear = lambda: socket.unlink(missing_ok=True)  # noqa: E731  # one line
        rig.supervisor.start(
            rig.spec("one", code, ready=probe, alive=probe, alive_every=0.05, grace=0.2, prepare=clear)
        )
        await until(lambda: len(rig.started) == 2)

    assert run(tmp_path, scenario).reports[0].message.startswith("no longer answered")


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        spec = Spec(
            name="none", argv=("no-such-program",), env={"PATH": os.defpath}, cwd=tmp_path, log=tmp_path / "none.log"
        )
        rig.supervisor.start(spec)
        with pytest.raises(NotReadyError, match="cannot start 'no-such-program': No such file"):
            await rig.supervisor.settled("none")

    run(tmp_path, scenario)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        spec = Spec(name="x", argv=(sys.executable,), env={}, cwd=tmp_path / "gone", log=tmp_path / "x.log")
        rig.supervisor.start(spec)
        with pytest.raises(NotReadyError, match="gone does not exist"):
            await rig.supervisor.settled("x")

    run(tmp_path, scenario)


def test_a_retired_process_runs_beside_its_successor_and_can_come_back(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("one", SLEEP))
        await rig.supervisor.settled("one")
        old = rig.supervisor.retire("one")
        rig.supervisor.start(rig.spec("one", SLEEP))
        await rig.supervisor.settled("one")
        assert len({status.pid for status in rig.supervisor.status()}) == 2
        await rig.supervisor.stop("one")
        rig.supervisor.reinstate(old)
        assert [status.pid for status in rig.supervisor.status()] == [rig.started[0][1]]

    run(tmp_path, scenario)


def test_stop_while_starting_leaves_nothing(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async def scenario(rig: Rig) -> None:
        rig.supervisor.start(rig.spec("one", SLEEP, ready=never))
        rig.supervisor.start(rig.spec("two", SLEEP, needs=("one",), ready=always))
        await until(lambda: bool(rig.started))

    rig = run(tmp_path, scenario)
    assert [name for name, _ in rig.started] == ["one"]
    assert gone(rig.started[0][1])
    assert rig.supervisor.names == ()


def test_nothing_survives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    # The grandchild leads a session of its own, and so escapes both its parent's death and its group's.
    grandchild = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    child = (
        f"import subprocess, sys, os, time; subprocess.Popen([sys.executable, '-S', '-c', {grandchild!r}],"
        " start_new_session=True); print(os.getpid(), flush=True); time.sleep(60)"
    )
    script = f"""
import asyncio, os, sys
from pathlib import Path
from random import Random
from ringwall.bootstrap.orphans import Sentinel
from ringwall.bootstrap.supervisor import Spec, Supervisor
from ringwall.model.clock import SystemClock
from ringwall.plan.bindings import Address

async def main():
    sentinel = Sentinel("RINGWALL_RUN=test-{os.getpid()}")
    supervisor = Supervisor(clock=SystemClock(), random=Random(), tell=print)
    supervisor.start(Spec(
        name="child", argv=(sys.executable, "-S", "-c", {child!r}),
        env={{"PATH": os.defpath, "RINGWALL_RUN": "test-{os.getpid()}"}},
        cwd=Path({str(tmp_path)!r}), log=Path({str(tmp_path)!r}) / "child.log"))
    await asyncio.sleep(60)

asyncio.run(main())
"""
    log = tmp_path / "child.log"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL) as supervisor:
        for _ in range(400):
            if log.exists() and len(log.read_text().split()) == 2:
                break
            time.sleep(0.05)
        pids = [int(word) for word in log.read_text().split()]
        assert len(pids) == 2
        supervisor.kill()
    assert all(gone(pid) for pid in pids)
