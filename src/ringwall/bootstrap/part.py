"""How a process of Ringwall's own begins and ends: wait for a plan, run, say in one line what went wrong."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ringwall.bootstrap.state import StateFolder
from ringwall.model.errors import RingwallError

_PLAN_SECONDS: Final = 180.0
_PAUSE_SECONDS: Final = 0.01


class OneLine(logging.Formatter):
    """Writes each message as one line with nothing hidden in it.

    Messages tell what others have sent, who must neither begin a line of their own nor send the operator's terminal a
    command by it.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the library's name
        """Return the line, without the traceback that may follow."""
        line = super().formatMessage(record)
        if line.isprintable():
            return line
        return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in line)


def run_part(run: Callable[[StateFolder, int], None]) -> int:
    """Run one of Ringwall's processes, its imports done, as soon as there is a plan; return its exit code.

    `run` is given the state folder, and the process's number where several do the same.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--process", type=int, default=0)
    given = parser.parse_args()
    folder = StateFolder(given.state)
    os.umask(0o077)
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    try:
        _await_plan(folder)
        run(folder, given.process)
    except RingwallError as error:
        if os.environ.get("RINGWALL_DEBUG") == "1":
            raise
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"  hint: {error.hint}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _await_plan(folder: StateFolder) -> None:
    """Return once the supervisor has written plan and bindings; the process is started before, to load meanwhile."""
    deadline = time.monotonic() + _PLAN_SECONDS
    while not folder.bindings_file.exists():
        if time.monotonic() > deadline:
            raise RingwallError("there is no plan", hint="this process is started by `ringwall up`")
        time.sleep(_PAUSE_SECONDS)
