"""`ringwall down`."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.state import NotRunningError
from ringwall.cli.locate import here
from ringwall.cli.output import Output
from ringwall.model.errors import RingwallError

_PATIENCE_SECONDS: Final = 30.0


class NotStoppedError(RingwallError):
    """The system is still there."""

    code = "not-stopped"


def down(path: Annotated[Path, Parameter(show_default=False)] = Path(), *, json: bool = False) -> None:
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
    try:
        request(folder.supervisor_socket, "stop")
    except NotRunningError:  # it is just starting, or does not answer
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while folder.holder() is not None:
        if time.monotonic() > deadline:
            raise NotStoppedError(
                f"process {pid} has not stopped within {_PATIENCE_SECONDS:g} s",
                hint=f"kill -9 {pid} ends it and everything it started",
            )
        output.progress("stopping …")
        time.sleep(0.02)
    output.clear_progress()
    output.json("down", {"was_running": True})
    output.text("stopped")
