"""Finds and ends what a run has left behind, even after its supervisor was killed.

Children of the supervisor die with it by the kernel's hand (`ringwall.bootstrap.child`). What those children
started themselves does not; it is recognised by the mark of the run in its environment. A sentinel process
waits for the supervisor to end and then sweeps. It runs this file as a script, on the standard library alone.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.05


def marked(mark: str) -> list[int]:
    """Return the processes, other than this one, whose environment holds `mark` (`NAME=value`)."""
    wanted = mark.encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(folder.name))
    return found


def sweep(mark: str) -> None:
    """Kill every process with this mark, until none is left; at most for a few seconds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        left = [pid for pid in marked(mark) if _kill(pid)]
        if not left:
            return
        time.sleep(_PAUSE_SECONDS)


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


class Sentinel:
    """The process that sweeps when this one ends, however it ends."""

    def __init__(self, mark: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and file
            [sys.executable, "-I", "-S", __file__, mark],
            stdin=subprocess.PIPE,  # closed by the kernel when we end
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            start_new_session=True,
        )

    def sweep(self) -> None:
        """Let it sweep now, and return when it has."""
        self._process.communicate()


def main() -> None:
    """Wait until standard input ends, then sweep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    sweep(sys.argv[1])


if __name__ == "__main__":
    main()
