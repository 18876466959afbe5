"""A whole system for a test: an example copied aside, started by `ringwall up` on free ports, asked, and stopped."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
START_SECONDS = 120
STOP_SECONDS = 60


@dataclass(frozen=True)
class Reply:
    """What the edge answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The id by which `ringwall explain` knows the request."""
        return self.headers.get("x-request-id", "")

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Row:
    """One row of an example's requests.yaml."""

    method: str
    path: str
    expect: int
    person: str | None = None
    through_edge: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copy_example(name: str, folder: Path) -> Path:
    """Copy an example without what its own runs left, so that a test may edit it; return the copy."""
    ignored = shutil.ignore_patterns(".ringwall", "state", "*.db", "__pycache__")
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=ignored))


class System:
    """One running system. Use it as a context manager, or call `start` and `stop`.

    Args:
        folder: holds ringwall.yaml; the edge's ports there are replaced by free ones, and its limit for each client
            address is lifted, because all clients of a test share one.
        watch: whether edits take effect by themselves.
        environ: added to the operator's environment.
    """

    def __init__(self, folder: Path, *, watch: bool = False, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.blueprint = folder / "ringwall.yaml"
        self.port = free_port()
        self._watch = watch
        self._environ = dict(environ or {})
        self._tokens: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        text = self.blueprint.read_text()
        text = re.sub(
            r"(\n  listen: 127\.0\.0\.1:)\d+", rf"\g<1>{self.port}\n  limit: 100000/s burst 100000", text, count=1
        )
        self.blueprint.write_text(re.sub(r"(\n  redirect: 127\.0\.0\.1:)\d+", rf"\g<1>{free_port()}", text, count=1))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # Life

    @property
    def state(self) -> Path:
        """The system's `.ringwall` folder."""
        return self.folder / ".ringwall"

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What `ringwall up` has printed so far."""
        return (self.folder / "up.log").read_text()

    def start(self) -> None:
        """Start, and return when every process is ready."""
        command = [sys.executable, "-m", "ringwall.cli.main", "up", str(self.folder)]
        with (self.folder / "up.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--watch"] if self._watch else command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "NO_COLOR": "1", **self._environ},
            )
        end = time.monotonic() + START_SECONDS
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > end:
                output = self.output
                self.stop(check=False)
                raise AssertionError(f"the system did not start:\n{output}")
            time.sleep(0.05)

    def _is_up(self) -> bool:
        return " is up: " in self.output

    def states(self) -> dict[str, tuple[str, int | None]]:
        """Return state and process id of everything that is kept running, by name."""
        data = self.ringwall_json("status", code=None)
        return {p["name"]: (p["state"], p["pid"]) for p in data["supervisor"]["processes"]}

    def processes(self) -> dict[str, int]:
        """Return the process id of everything that runs, by name."""
        return {name: pid for name, (_, pid) in self.states().items() if pid}

    def stop(self, *, how: signal.Signals = signal.SIGTERM, check: bool = True) -> None:
        """Stop, and check that no process is left; afterwards `start` may be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        left = dict(self.leftovers())
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if check:
            assert code == 0, f"`up` ended with {code}:\n{self.output}"
            assert not left, f"left behind: {left}"

    def leftovers(self) -> Iterator[tuple[int, str]]:
        """Yield id and command of every process that works in this system's folder, or names it."""
        needle = str(self.folder)
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = str((process / "cwd").readlink())
                if int(process.name) != os.getpid() and (needle in command or where.startswith(needle)):
                    yield int(process.name), command

    # Commands

    def ringwall(self, *words: str, code: int | None = 0, seconds: float = 180) -> str:
        """Run a command in the system's folder and return what it printed on standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "ringwall.cli.main", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"ringwall {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def ringwall_json(self, *words: str, code: int | None = 0) -> Any:
        """Run a command with `--json` and return its data."""
        return json.loads(self.ringwall(*words, "--json", code=code))["data"]

    def ringwall_error(self, *words: str) -> str:
        """Run a command that fails with an error, and return its message."""
        return str(json.loads(self.ringwall(*words, "--json", code=1))["data"]["message"])

    def token(self, person: str) -> str:
        """Return a token of a development user; the same one for the same person."""
        if person not in self._tokens:
            self._tokens[person] = self.ringwall("token", "--as", person).strip()
        return self._tokens[person]

    # Requests

    @property
    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts the development certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.state / "dev-ca.pem"))

    def authorization(self, person: str | None) -> dict[str, str]:
        """Return the headers that say who asks; none for a guest."""
        return {"authorization": f"Bearer {self.token(person)}"} if person else {}

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection to the edge; whoever asks for it closes it."""
        return http.client.HTTPSConnection("localhost", self.port, context=self.trust, timeout=30)

    def ask(
        self,
        method: str,
        path: str,
        person: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        over: http.client.HTTPSConnection | None = None,
    ) -> Reply:
        """Send one request through the edge, on a connection of its own or `over` one that is kept."""
        connection = over or self.connect()
        try:
            connection.request(method, path, body, {**self.authorization(person), **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            if over is None:
                connection.close()

    def rows(self) -> list[Row]:
        """Return the rows of the example's requests.yaml."""
        rows = yaml.safe_load((self.folder / "requests.yaml").read_text())
        return [
            Row(
                row["method"],
                row["path"],
                row["expect"],
                row.get("as"),
                "via" not in row and not row.get("as", "").startswith("service:"),
                row.get("headers", {}),
                row["body"].encode() if "body" in row else None,
            )
            for row in rows
        ]
