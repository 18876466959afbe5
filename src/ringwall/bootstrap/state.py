"""The state folder `.ringwall/`: where things lie in it, and the lock that lets one `up` at a time use it."""

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Final, Self

from ringwall.bootstrap.ports import command_of
from ringwall.model.durable import replace_file
from ringwall.model.errors import RingwallError
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan
from ringwall.plan.store import NoPlanError, PlanStore

STATE_FOLDER: Final = ".ringwall"
BLUEPRINT_FILE: Final = "ringwall.yaml"


class NotFoundError(RingwallError):
    """There is no blueprint where one was looked for."""

    code = "no-blueprint"
    exit_code = 2


class NotRunningError(RingwallError):
    """The system is not running."""

    code = "not-running"
    exit_code = 3


class RunningError(RingwallError):
    """The system is already running."""

    code = "already-running"
    exit_code = 3


def find_blueprint(path: Path) -> Path:
    """Return the absolute path of the blueprint: the file itself, or `ringwall.yaml` in the folder or above it."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  # symbolic links stay as the user wrote them
    if path.is_file():
        return path
    if not path.is_dir():
        raise NotFoundError(f"there is no {path}", hint="give the folder that holds ringwall.yaml")
    for folder in (path, *path.parents):
        if (folder / BLUEPRINT_FILE).is_file():
            return folder / BLUEPRINT_FILE
    raise NotFoundError(
        f"there is no {BLUEPRINT_FILE} in {path} or above it",
        hint="go to the folder that holds it, or use `ringwall -C FOLDER …`",
    )


def workloads_file(bindings: Bindings) -> Path:
    """Where the supervisor writes which process is which workload, for the Workload API to read."""
    return bindings.run / "workloads.json"


class StateFolder:
    """Paths below `.ringwall/`, which lies beside the blueprint.

    Attributes:
        path: the folder, absolute.
        plans: the plan in force and those before it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plans = PlanStore(path / "plan")

    @classmethod
    def beside(cls, blueprint: Path) -> Self:
        """Return the state folder that belongs to a blueprint."""
        return cls(blueprint.parent / STATE_FOLDER)

    @property
    def plan_cache(self) -> Path:
        """What the compiler keeps from one command to the next; may be deleted."""
        return self.path / "plan" / "cache"

    @property
    def bindings_file(self) -> Path:
        """Where things listen in this run."""
        return self.path / "run" / "bindings.json"

    @property
    def supervisor_socket(self) -> Path:
        """The supervisor's own socket, under the run folder that `bindings.json` names."""
        return self.bindings().run / "up.sock"

    def holder(self) -> int | None:
        """Return the process id of the `up` that uses this folder now, None where there is none."""
        return Lock(self).holder()

    def log(self, name: str) -> Path:
        """The file that holds what a process prints."""
        return self.path / "log" / f"{name}.log"

    def create(self) -> None:
        """Make the folders, for the owner only, and keep them out of version control."""
        for folder in ("", "run", "log", "plan", "plan/archive", "plan/parts"):
            (self.path / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    def bindings(self) -> Bindings:
        """Read where things listen; raise NotRunningError where there never was a run."""
        try:
            return Bindings.model_validate_json(self.bindings_file.read_bytes())
        except FileNotFoundError as error:
            raise NotRunningError(
                f"nothing runs from {self.path.parent}", hint=f"start it with `ringwall up {self.path.parent}`"
            ) from error
        except ValueError as error:
            raise NotRunningError(
                f"{self.bindings_file} cannot be read", hint="start the system again with `ringwall up`"
            ) from error

    def plan(self) -> Plan:
        """Read the plan in force; raise NotRunningError where there is none."""
        try:
            return self.plans.current()
        except NoPlanError as error:
            raise NotRunningError("no plan is in force", hint="start the system with `ringwall up`") from error

    def write_bindings(self, bindings: Bindings) -> None:
        """Record where things listen, atomically; a file that says so already is left alone."""
        data = bindings.model_dump_json().encode()
        with contextlib.suppress(OSError):
            if self.bindings_file.read_bytes() == data:
                return
        replace_file(self.bindings_file, data)


class Lock:
    """Held by the one `up` that uses a state folder; the kernel lets it go when that process ends."""

    def __init__(self, folder: StateFolder) -> None:
        self._path = folder.path / "run" / "up.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raise RunningError, naming the holder, where another `up` has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            pid = self.holder()
            who = f"process {pid} ({command_of(pid)})" if pid else "another process"
            raise RunningError(
                f"this system is already running, held by {who}",
                hint="`ringwall status` shows it, `ringwall apply` changes it, `ringwall down` stops it",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid()}).encode(), 0)
        self._descriptor = descriptor

    def holder(self) -> int | None:
        """Return the process id of whoever holds the lock now, None where nobody does."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                return int(json.loads(os.pread(descriptor, 200, 0))["pid"])
        finally:
            os.close(descriptor)
        return None

    def release(self) -> None:
        """Let the lock go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
