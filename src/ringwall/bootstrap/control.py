"""The control plane's process: `python -m ringwall.bootstrap.control --state DIR`."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn

from ringwall.bootstrap.control_admin import create_admin_app
from ringwall.bootstrap.control_plane import ControlPlane
from ringwall.bootstrap.part import run_part
from ringwall.bootstrap.state import StateFolder
from ringwall.model.clock import SystemClock

_STOP_SECONDS: Final = 2


class _Server(uvicorn.Server):
    """Leaves signals to `_serve`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _run(folder: StateFolder) -> None:
    control = ControlPlane(folder, SystemClock())
    control.start()
    try:
        asyncio.run(_serve(control))
    finally:
        control.stop()


async def _serve(control: ControlPlane) -> None:
    listener = _listen(control.bindings.admin)
    config = uvicorn.Config(
        create_admin_app(control),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = _Server(config)

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await server.serve(sockets=[listener])


def _listen(path: Path) -> socket.socket:
    """Listen on a Unix socket that only this user can connect to."""
    path.unlink(missing_ok=True)  # left by a crash: the supervisor starts one control plane at a time
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


if __name__ == "__main__":
    sys.exit(run_part(_run))
