"""What a token costs the issuer, against the smallest JSON answer of the same kind of server, and its memory."""

import http.client
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envoys import cpu_seconds, resident_bytes
from figures import Figure, median
from ringwall.bootstrap.state import StateFolder
from ringwall.identity.issuer.client_secrets import create_client_secret
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.model.clock import SystemClock
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Client, Issuer, Plan

ROUNDS = 15
REQUESTS = 400
START_SECONDS = 30.0
MB = 1e6
OK = 200

PLAN = Plan(
    system="bench",
    trust_domain="bench",
    audience="bench",
    cedar_schema="{}",
    issuers=(
        Issuer(name="local", url="https://localhost/auth", builtin=True, audiences=("bench",), algorithms=("ES256",)),
    ),
    clients=(Client(name="batch", roles=("clerk",), scopes=("read", "write")),),
)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@contextmanager
def _process(path: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)  # noqa: S603
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


def _ask(connection: _Connection, authorization: str) -> None:
    headers = {"authorization": authorization, "content-type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/token", b"grant_type=client_credentials&scope=read", headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != OK:
        raise RuntimeError(f"the answer is {response.status}: {body!r}")


def measure() -> list[Figure]:
    """Ask both in turns; CPU time is the kernel's."""
    with tempfile.TemporaryDirectory(prefix="rw-bench-") as name:
        folder = StateFolder(Path(name) / ".ringwall")
        folder.create()
        folder.plans.write(PLAN)
        folder.write_bindings(Bindings(state=folder.path))
        settings = IssuerSettings(state=folder.path)
        secret = create_client_secret(settings.clients_file, "batch", directory=Directory.of(PLAN), clock=SystemClock())
        authorization = "Basic " + b64encode(b"batch:" + secret.reveal()).decode()
        bare_socket, issuer_socket = Path(name) / "bare.sock", settings.bindings.issuer
        bare_command = (str(Path(__file__).with_name("bare.py")), str(bare_socket))
        issuer_command = ("-m", "ringwall.bootstrap.issuer", "--state", str(folder.path))
        with _process(bare_socket, *bare_command) as bare, _process(issuer_socket, *issuer_command) as issuer:
            both = [(bare, _Connection(bare_socket)), (issuer, _Connection(issuer_socket))]
            costs: dict[int, list[float]] = {bare.pid: [], issuer.pid: []}
            for number in range(ROUNDS + 1):
                for process, connection in both:
                    before = cpu_seconds(process.pid)
                    for _ in range(REQUESTS):
                        _ask(connection, authorization)
                    if number:  # the first round warms up
                        costs[process.pid].append((cpu_seconds(process.pid) - before) / REQUESTS)
            memory = resident_bytes(issuer.pid)
    ratios = [token / least for token, least in zip(costs[issuer.pid], costs[bare.pid], strict=True)]
    return [
        Figure("issuer-bare-answer", 1e6 * median(costs[bare.pid]), "us"),
        Figure("issuer-client-credentials-token", 1e6 * median(costs[issuer.pid]), "us"),
        Figure("issuer-token-to-bare-answer", median(ratios), "ratio", at_most=5),
        Figure("issuer-memory", memory / MB, "MB", at_most=120),
    ]
