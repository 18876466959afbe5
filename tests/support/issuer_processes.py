"""Issuer processes that share one state folder and one database, each asked on its own Unix socket over real HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from tests.support.issuer_browser import ORIGIN
from tests.support.issuer_plan import write_plan

from ringwall.identity.issuer.client_secrets import create_client_secret
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.model.clock import SystemClock
from ringwall.plan.model import Plan
from ringwall.plan.store import PlanStore

START_SECONDS = 60.0
RUN = """
import json, os, sys
from pathlib import Path
from ringwall.identity.issuer.server import run_issuer
from ringwall.identity.issuer.settings import IssuerSettings
os.umask(0o077)
given = json.loads(sys.argv[1])
run_issuer(IssuerSettings(**{**given, "state": Path(given["state"])}))
"""


class OverSocket(httpx.AsyncBaseTransport):
    """Stands for the edge: takes the issuer's prefix off the path and goes on to a process's socket."""

    def __init__(self, path: Path) -> None:
        self._inner = httpx.AsyncHTTPTransport(uds=os.fspath(path), limits=httpx.Limits(max_connections=None))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/auth/"), request.url
        path = request.url.raw_path.removeprefix(b"/auth")
        request.url = request.url.copy_with(scheme="http", raw_path=path)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class IssuerProcess:
    """One of them; a context manager."""

    def __init__(self, state: Path, *, number: int = 0, database: str = "", **more: float) -> None:
        self.settings = IssuerSettings(state=state, process=number, database=database)
        self._given = json.dumps({"state": str(state), "process": number, "database": database, **more})
        self._process: subprocess.Popen[bytes] | None = None
        self.log = state / f"issuer-{number}.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", RUN, self._given], stdout=log, stderr=log)

    def ready(self) -> None:
        """Return when it accepts connections."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(os.fspath(self.settings.socket)) == 0:
                    return
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as if the machine had."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def browser(self) -> httpx.AsyncClient:
        """Return a browser that reaches this process; it follows no redirect by itself."""
        return httpx.AsyncClient(transport=OverSocket(self.settings.socket), base_url=ORIGIN, timeout=30)


@contextmanager
def issuer_state(plan: Plan) -> Iterator[Path]:
    """Make a state folder with a plan in force, with a path that is short enough for sockets."""
    with TemporaryDirectory(prefix="rw") as name:
        write_plan(Path(name), plan)
        yield Path(name)


@contextmanager
def issuer_processes(state: Path, database: str, count: int) -> Iterator[tuple[IssuerProcess, ...]]:
    """Start several at the same moment, and kill them at the end."""
    with ExitStack() as stack:
        processes = tuple(IssuerProcess(state, number=number, database=database) for number in range(count))
        for process in processes:
            stack.callback(process.kill)
            process.start()
        for process in processes:
            process.ready()
        yield processes


def new_secret(state: Path, client: str) -> str:
    """Make a secret for a client of the plan."""
    directory = LiveDirectory(PlanStore(state / "plan")).current()
    file = IssuerSettings(state=state).clients_file
    return create_client_secret(file, client, directory=directory, clock=SystemClock()).reveal().decode()
