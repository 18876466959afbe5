"""`ringwall down`."""

import contextlib
import os
import select
import signal
from pathlib import Path
from typing import Final

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.state import NotRunningError, StateFolder
from ringwall.cli.locate import here
from ringwall.cli.output import Output
from ringwall.model.errors import RingwallError

_PATIENCE_SECONDS: Final = 30.0


class NotStoppedError(RingwallError):
    """The system is still there."""

    code = "not-stopped"


def down(path: Path = Path(), /, *, json: bool = False) -> None:
    """Stop the system, and return when nothing of it runs any more.

    Args:
        path: The blueprint, or the folder that holds it.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    folder = here(path)
    pid = folder.holder()
    if pid is None:
        output.json("down", {"was_running": False})
        output.text("nothing runs")
        return
    output.progress("stopping …")
    with contextlib.suppress(ProcessLookupError):  # it ends just now
        _stop(folder, pid)
    output.clear_progress()
    output.json("down", {"was_running": True})
    output.text("stopped")


def _stop(folder: StateFolder, pid: int) -> None:
    """Ask the supervisor to stop, and wait for its end; the kernel tells of it by the descriptor of the process."""
    descriptor = os.pidfd_open(pid)
    try:
        try:
            request(folder.supervisor_socket, "stop")
        except NotRunningError:  # it is just starting, or does not answer
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not select.select([descriptor], [], [], _PATIENCE_SECONDS)[0]:
            raise NotStoppedError(
                f"process {pid} has not stopped within {_PATIENCE_SECONDS:g} s",
                hint=f"kill -9 {pid} ends it and everything it started",
            )
    finally:
        os.close(descriptor)
