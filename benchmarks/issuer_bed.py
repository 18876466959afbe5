"""Issuers to be measured: each alone on one core with the bare server, their load on the other."""

import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from envoys import OTHER_CORE, PIN, PROXY_CORE, cpu_seconds
from ringwall.bootstrap.state import StateFolder
from ringwall.identity.issuer.client_secrets import create_client_secret
from ringwall.identity.issuer.database_setting import DIRECT
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.model.clock import SystemClock
from ringwall.plan.bindings import Bindings
from ringwall.plan.client import Client, ClientKind
from ringwall.plan.identity import Issuer, Person, Registration
from ringwall.plan.model import Plan

CONNECTIONS = 8
PER_ROUND = 8
"""Requests on each connection in one round."""
START_SECONDS = 30.0
CALLBACK = "https://portal.example/callback"
PLAN = Plan(
    system="bench",
    trust_domain="bench",
    audience="bench",
    cedar_schema="{}",
    issuers=(
        Issuer(
            name="local",
            url="https://localhost/auth",
            builtin=True,
            audiences=("bench",),
            algorithms=("ES256",),
            registration=Registration(kinds=(ClientKind.MACHINE,), scopes=("read", "write")),
        ),
    ),
    people=(Person(name="alice", roles=()),),
    clients=(
        Client(name="batch", roles=("clerk",), scopes=("read", "write")),
        Client(name="portal", kind=ClientKind.WEB, scopes=("orders:read",), redirect_uris=(CALLBACK,)),
    ),
)

Take = Callable[[bytes], None]


class Server:
    """A process that is measured.

    Attributes:
        pid: of the process.
        batch: Basic credentials of the machine client; empty for the bare server.
        portal: the same of the client that signs people in.
    """

    def __init__(self, pid: int, path: Path, batch: str = "", portal: str = "") -> None:
        self.pid = pid
        self.batch, self.portal = batch, portal
        self._sockets = [_connected(path) for _ in range(CONNECTIONS)]

    def close(self) -> None:
        """End the connections."""
        for each in self._sockets:
            each.close()

    def round(self, make: Sequence[Callable[[], bytes]], take: Sequence[Take], *, expect: int = 200) -> float:
        """Send what each of `make` gives on a connection of its own, again and again; return the CPU for each, in µs.

        All connections ask before the first answer is taken, so the server has several requests before it.
        """
        before = cpu_seconds(self.pid)
        for _ in range(PER_ROUND):
            for connection, request in zip(self._sockets, make, strict=True):
                connection.sendall(request())
            for connection, answered in zip(self._sockets, take, strict=True):
                answered(_body(connection, expect))
        return 1e6 * (cpu_seconds(self.pid) - before) / (PER_ROUND * CONNECTIONS)

    def ask(self, request: bytes, *, expect: int = 200) -> bytes:
        """Send one request; return the answer, head and body."""
        self._sockets[0].sendall(request)
        return _answer(self._sockets[0], expect)


def post(path: str, form: dict[str, str], *headers: str) -> bytes:
    """Return a request with a form."""
    body = urlencode(form).encode()
    media = ("content-type: application/x-www-form-urlencoded", f"content-length: {len(body)}")
    return _head("POST", path, *headers, *media) + body


def get(path: str, *headers: str) -> bytes:
    """Return a request."""
    return _head("GET", path, *headers)


def basic(name: str, secret: str) -> str:
    """Return the header by which a client authenticates."""
    return "authorization: Basic " + b64encode(f"{name}:{secret}".encode()).decode()


@contextmanager
def on_the_other_core() -> Iterator[None]:
    """Keep this process off the core of what is measured."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {OTHER_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def bare_server(folder: Path) -> Iterator[Server]:
    """Run the smallest server of the issuer's kind."""
    path = folder / "bare.sock"
    with _process(path, {}, str(Path(__file__).with_name("bare.py")), str(path)) as process:
        server = Server(process.pid, path)
        yield server
        server.close()


@contextmanager
def issuer(folder: Path, database: str = "") -> Iterator[Server]:
    """Run an issuer on a database, which is a SQLite file of its own if there is no URL."""
    state = StateFolder(folder / ".ringwall")
    settings = IssuerSettings(state=state.path)
    directory = Directory.of(PLAN)
    given = {
        name: create_client_secret(settings.clients_file, name, directory=directory, clock=SystemClock())
        for name in ("batch", "portal")
    }
    headers = {name: basic(name, secret.reveal().decode()) for name, secret in given.items()}
    environ = {DIRECT: database} if database else {}
    path = settings.socket
    with _process(path, environ, "-m", "ringwall.bootstrap.issuer", "--state", str(state.path)) as process:
        server = Server(process.pid, path, **headers)
        yield server
        server.close()


def prepare(folder: Path) -> str:
    """Make a state folder with the plan in force; return the URL of its own database."""
    state = StateFolder(folder / ".ringwall")
    state.create()
    state.plans.write(PLAN)
    state.write_bindings(Bindings(state=state.path))
    return IssuerSettings(state=state.path).database_url


@contextmanager
def _process(path: Path, environ: dict[str, str], *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    pinned = [sys.executable, "-c", PIN, str(PROXY_CORE), sys.executable, *command]
    process = subprocess.Popen(pinned, stderr=subprocess.DEVNULL, env={**os.environ, **environ})  # noqa: S603
    try:
        deadline = time.monotonic() + START_SECONDS
        while not path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command} did not start")
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connection.connect(os.fspath(path))
        except ConnectionRefusedError:  # bound, and not listening yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return connection


def _head(method: str, path: str, *headers: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "host: localhost", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def _body(connection: socket.socket, expect: int) -> bytes:
    return _answer(connection, expect).partition(b"\r\n\r\n")[2]


def _answer(connection: socket.socket, expect: int) -> bytes:
    answer = b""
    while True:
        received = connection.recv(65_536)
        if not received:
            raise RuntimeError("the server has ended a connection")
        answer += received
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            break
    if expect and int(head[9:12]) != expect:
        raise RuntimeError(f"the answer is {head[:12]!r} and not {expect}: {body[:300]!r}")
    return answer


def _length(head: bytes) -> int:
    _, name, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if name else 0
