"""A real PostgreSQL for tests: started from the system's package, on a Unix socket in a folder of its own.

Debian's package is `postgresql`; `.ci/run` installs it. Other systems: any `initdb` and `postgres` in PATH will do.
Where there is none, what needs it is skipped and named, but never in CI.
"""

import asyncio
import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

START_SECONDS = 60.0
_CLUSTER = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "logging_collector": "off",
}
_PR_SET_PDEATHSIG = 1
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


@dataclass
class Postgres:
    """A running server.

    Attributes:
        folder: where its socket is; only its user and root can look into it.
        pid: of the server's first process.
    """

    folder: Path
    pid: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def query(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement as the superuser."""
        asyncio.run(_query(self.url(database), statement))

    @contextlib.contextmanager
    def schema(self) -> Iterator[str]:
        """Make an empty schema, yield a URL that leads into it, and remove it; ten times as fast as a database."""
        name = f"test_{next(self._numbers)}"
        self.query(f"CREATE SCHEMA {name}")
        try:
            yield f"{self.url()}&search_path={name}"
        finally:
            self.query(f"DROP SCHEMA {name} CASCADE")

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database, yield its URL, and remove it."""
        name = f"test_{next(self._numbers)}"
        self.query(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.query(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server with a new, empty cluster; end it, and remove all that it wrote."""
    binaries = _binaries()
    user, group = _user()
    folder = Path(tempfile.mkdtemp(prefix="rw-pg-"))
    try:
        if user is not None:
            os.chown(folder, user, group or -1)
        made = subprocess.run(
            [binaries / "initdb", "-D", folder / "data", *_CLUSTER],
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        with (folder / "log").open("wb") as log, _server(binaries, folder, log.fileno(), user, group) as pid:
            yield Postgres(folder, pid)
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _server(binaries: Path, folder: Path, log: int, user: int | None, group: int | None) -> Iterator[int]:
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", folder / "data", "-k", folder, *settings],
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=_end_with_parent,  # noqa: PLW1509  # one system call, and no lock is held across it
    )
    try:
        _wait(server, binaries, folder)
        yield server.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.send_signal(signal.SIGINT)  # ends sessions, then stops
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait(10)


def _wait(server: "subprocess.Popen[bytes]", binaries: Path, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        ready = subprocess.run(
            [binaries / "pg_isready", "-q", "-h", folder, "-U", "postgres"], stdin=subprocess.DEVNULL, check=False
        )
        if ready.returncode == 0:
            return
        assert server.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)


def _end_with_parent() -> None:
    """Stop the server also if the test process is killed."""
    if _prctl is not None:  # only Linux has it
        _prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _binaries() -> Path:
    """Return the folder of the server's programs, which Debian does not put into PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = shutil.which("initdb")
    for folder in [*([Path(found).resolve().parent] if found else []), *reversed(folders)]:
        if all((folder / name).exists() for name in ("initdb", "postgres", "pg_isready")):
            return folder
    missing = "there is no PostgreSQL: `apt-get install postgresql`, or put `initdb` into PATH"
    if os.environ.get("CI"):
        raise AssertionError(missing)
    pytest.skip(missing)  # a newcomer's machine needs no database server; what lands is tested with one


def _user() -> tuple[int | None, int | None]:
    """Return whom to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None, None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise AssertionError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


async def _query(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
