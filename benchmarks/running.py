"""A whole system for a measurement: a blueprint's folder copied aside, started by `ringwall up`, and stopped."""

import http.client
import json
import re
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envoys import free_port
from load import Load
from ringwall.observe import EVENTS_FILE

REPOSITORY = Path(__file__).resolve().parents[1]
START_SECONDS = 120


class Running:
    """One running system.

    Attributes:
        folder: where its blueprint lies.
        port: where its edge listens.
        seconds: how long it took from the command to the line that says that it is up.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.seconds = 0.0

    @property
    def log(self) -> str:
        """What `up` has printed so far."""
        return (self.folder / "up.log").read_text()

    def ringwall(self, *words: str) -> str:
        """Run a command in the system's folder and return what it printed."""
        command = [sys.executable, "-m", "ringwall.cli.main", *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout  # noqa: S603

    def pid(self, process: str) -> int:
        """Return the id of a process of the system, by its name in `ringwall status`."""
        data = json.loads(self.ringwall("status", "--json"))["data"]
        return int(next(p["pid"] for p in data["supervisor"]["processes"] if p["name"] == process))

    def trust(self) -> ssl.SSLContext:
        """Return a client's context that trusts the development certificate."""
        return ssl.create_default_context(cafile=str(self.folder / ".ringwall" / "dev-ca.pem"))

    def load(self, path: str, token: str, *, expect: int, connections: int = 32) -> Load:
        """Return a load of GET requests."""
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        return Load(
            ("127.0.0.1", self.port), self.trust(), "localhost", request, connections, expect=expect, in_pieces=True
        )

    def recorded(self, hop: str) -> int:
        """Return how many decisions of a hop the store holds."""
        with sqlite3.connect(f"file:{self.folder / '.ringwall' / EVENTS_FILE}?mode=ro", uri=True) as store:
            return int(store.execute("SELECT count(*) FROM events WHERE hop = ?", (hop,)).fetchone()[0])

    def await_recorded(self, hop: str, count: int, seconds: float = 120) -> float:
        """Wait until so many decisions of a hop are recorded, or no more come; return how long that took."""
        begun = time.perf_counter()
        while self.recorded(hop) < count and time.perf_counter() < begun + seconds:
            time.sleep(0.1)
        return time.perf_counter() - begun

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection to the edge."""
        return http.client.HTTPSConnection("localhost", self.port, context=self.trust(), timeout=10)

    def status(self, path: str, token: str | None = None) -> int:
        """Return what one request on a connection of its own is answered with; 0 where nothing answers."""
        connection = self.connect()
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


@contextmanager
def copied(example: str) -> Iterator[Path]:
    """Give a copy of an example that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="rw-bench-") as folder:
        ignored = shutil.ignore_patterns(".ringwall", "state", "*.db", "__pycache__")
        yield Path(shutil.copytree(REPOSITORY / "examples" / example, Path(folder) / example, ignore=ignored))


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Running]:
    """Start the system of a folder on a free port, with the limit for each client address lifted."""
    blueprint = folder / "ringwall.yaml"
    port = free_port()
    text = re.sub(r"\nedge:(\n {2}.*)*", "", blueprint.read_text())
    edge = f"edge:\n  listen: 127.0.0.1:{port}\n  limit: 1000000/s burst 1000000\n"
    blueprint.write_text(text.replace("services:", f"{edge}services:", 1))
    system = Running(folder, port)
    started = time.perf_counter()
    with (folder / "up.log").open("wb") as log:
        command = [sys.executable, "-m", "ringwall.cli.main", "up", str(folder), *options]
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603
    try:
        while " is up: " not in system.log:
            if process.poll() is not None or time.perf_counter() > started + START_SECONDS:
                raise RuntimeError(f"the system did not start: {system.log}")
            time.sleep(0.01)
        system.seconds = time.perf_counter() - started
        yield system
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
