"""A collector in a process of its own that is killed while a proxy writes: everything is there once."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.observe_lines import numbered
from tests.support.observe_spool import Bench

CHILD = """
import resource, signal, sys, time
from pathlib import Path
from ringwall.model.clock import SystemClock
from ringwall.observe.collector import Collector
from ringwall.observe.spool import Spool
from ringwall.observe.tail import SpoolLimits

folder = Path(sys.argv[1])
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
spool = Spool("edge", folder / "edge.jsonl", (folder / "reopen").touch)
limits = SpoolLimits(rotate_bytes=100_000, grace_seconds=0.05)
collector = Collector(folder / "events.db", [spool], SystemClock(), limits=limits)
collector.start()
while True:
    time.sleep(0.02)
    (folder / "status").write_text(collector.status().problem)
    if limit and (folder / "room").exists():
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@contextlib.contextmanager
def collecting(folder: Path, limit: int = 0) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), str(limit)])
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def reopen_when_told(bench: Bench) -> None:
    flag = bench.writer.path.with_name("reopen")
    if flag.exists():
        flag.unlink()
        bench.writer.reopen()


def settle(bench: Bench, count: int) -> None:
    """Let a collector in this process do what is left."""
    for _ in range(40):
        bench.rounds()
        reopen_when_told(bench)
    assert sorted(bench.ids()) == [f"request-{n:06d}" for n in range(count)]
    assert bench.files() == ["edge.jsonl"]
    status = bench.collector.status()
    assert (status.bad_lines, status.drops, status.truncated_files) == (0, 0, 0)
    bench.close()


def test_killed_again_and_again_while_a_proxy_writes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    number = 0
    for seconds in (0.35, 0.5, 0.6, 0.4, 0.7, 0.45):
        with collecting(tmp_path):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                bench.writer.write(b"".join(numbered(n) for n in range(number, number + 20)))
                number += 20
                reopen_when_told(bench)
                time.sleep(0.001)
    settle(bench, number)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """No file of the collector may grow beyond a limit, as on a full disk, until there is room again."""
    bench = Bench(tmp_path)
    number = 0
    with collecting(tmp_path, limit=200_000):
        deadline = time.monotonic() + 60
        problem = ""
        while not problem:
            assert time.monotonic() < deadline, "the collector never met the limit"
            bench.writer.write(b"".join(numbered(n) for n in range(number, number + 50)))
            number += 50
            reopen_when_told(bench)
            time.sleep(0.01)
            with contextlib.suppress(FileNotFoundError):
                problem = (tmp_path / "status").read_text()
        assert "cannot be used" in problem
        (tmp_path / "room").touch()
        while problem:
            assert time.monotonic() < deadline, problem
            time.sleep(0.05)
            problem = (tmp_path / "status").read_text()
    settle(bench, number)
