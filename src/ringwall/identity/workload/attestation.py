"""Which workload a calling process is, by what the kernel says of it; the workload itself takes no part.

The supervisor registers each service's process when it starts it. A caller is that service if it is the registered
process, or descends from it, or lives in the session that it leads. Among processes of one user this keeps honest
ones apart, but not hostile ones: whoever can attach a debugger to a service is that service.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from ringwall.identity.workload.processes import Caller, Process, ProcessTable, ProcFs
from ringwall.model.durable import StorageError
from ringwall.model.errors import RingwallError
from ringwall.model.spiffe import SpiffeId

_MAX_ANCESTORS: Final = 64
_MAX_FILE_BYTES: Final = 1_048_576


class AttestationError(RingwallError):
    """A caller is not a workload that is known."""

    code = "attestation"


@dataclass(frozen=True, slots=True)
class Workload:
    """A registered process: number and start name it for good."""

    spiffe_id: str
    pid: int
    started: int
    uid: int


class Attestor(Protocol):
    """Says who a caller is."""

    def attest(self, caller: Caller) -> str:
        """Return the SPIFFE ID of the workload that the caller is part of; raise AttestationError otherwise."""
        ...


class ProcessRegistry:
    """The workloads of this machine, held in memory. Safe for threads."""

    def __init__(self, table: ProcessTable | None = None, *, file: Path | None = None) -> None:
        """Start empty.

        Args:
            table: where facts about processes come from; the kernel by default.
            file: where to write each change, for a `RegistryFile` in another process to read.
        """
        self._table = table or ProcFs()
        self._file = file
        self._workloads: dict[int, Workload] = {}
        self._lock = threading.Lock()

    def register(self, spiffe_id: str, pid: int) -> None:
        """Say that a running process, and whatever it starts, is this workload.

        Raises:
            SpiffeIdError: the identity is not well formed.
            AttestationError: there is no such process.
            StorageError: the file cannot be written now; the next change writes this one too.
        """
        SpiffeId.parse(spiffe_id)
        process = self._table.read(pid)
        if process is None:
            raise AttestationError(f"there is no process {pid} to register as {spiffe_id}")
        with self._lock:
            self._workloads[pid] = Workload(spiffe_id, pid, process.started, process.uid)
            self._write()

    def unregister(self, pid: int) -> None:
        """Say that a process is no workload any more, because it has ended; nothing happens where it was none.

        Where the file cannot be written it keeps the process, which nobody can be: its time of start is in there.
        """
        with self._lock:
            if self._workloads.pop(pid, None) is not None:
                with contextlib.suppress(StorageError):
                    self._write()

    def attest(self, caller: Caller) -> str:
        """Return the SPIFFE ID of the workload that the caller is part of; raise AttestationError otherwise."""
        with self._lock:
            workloads = dict(self._workloads)
        return attest(caller, workloads, self._table)

    def _write(self) -> None:
        if self._file is None:
            return
        temporary = self._file.with_name(f".{self._file.name}.tmp")
        try:  # not synced to disk: after a crash of the machine no process of the list lives
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps([asdict(workload) for workload in self._workloads.values()]))
            temporary.replace(self._file)
        except OSError as error:
            raise StorageError(f"cannot write {self._file}: {error.strerror}", hint="is the disk full?") from error


class RegistryFile:
    """The workloads that a `ProcessRegistry` in another process writes to a file; read anew when it changes."""

    def __init__(self, path: Path, table: ProcessTable | None = None) -> None:
        """Remember the file, which need not exist yet: until it does, there are no workloads."""
        self._path = path
        self._table = table or ProcFs()
        self._seen: tuple[int, int, int] | None = None
        self._workloads: dict[int, Workload] = {}
        self._lock = threading.Lock()

    def attest(self, caller: Caller) -> str:
        """Return the SPIFFE ID of the workload that the caller is part of; raise AttestationError otherwise."""
        with self._lock:
            self._refresh()
            workloads = self._workloads
        return attest(caller, workloads, self._table)

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise PermissionError("others can write it")
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            text = self._path.read_text() if status.st_size <= _MAX_FILE_BYTES else "null"
            self._workloads = {workload.pid: workload for workload in _parse(json.loads(text))}
            self._seen = seen
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            self._workloads, self._seen = {}, None
            if not isinstance(error, FileNotFoundError):
                raise AttestationError(f"the list of workloads {self._path} cannot be read: {error}") from error


def _parse(entries: Iterable[dict[str, str | int]]) -> list[Workload]:
    return [
        Workload(str(entry["spiffe_id"]), int(entry["pid"]), int(entry["started"]), int(entry["uid"]))
        for entry in entries
    ]


def attest(caller: Caller, workloads: dict[int, Workload], table: ProcessTable) -> str:
    """Return the SPIFFE ID of the workload among `workloads`, by pid, that the caller is part of.

    Raises AttestationError otherwise. The steps stand in the order in which they are taken.
    """
    # 1. The kernel can name the process here: pid 0 is one in another pid namespace.
    if caller.pid <= 0 or caller.started is None:
        raise AttestationError("the calling process cannot be seen from here")
    # 2. The process that connected still lives, and its number still means it.
    process = _same(table, caller)
    # 3. It, an ancestor of it, or the leader of its session is registered.
    workload = _find(process, workloads, table)
    if workload is None:
        raise AttestationError(f"process {caller.pid} is not part of any registered workload")
    # 4. It connected as the user that the workload runs as.
    if caller.uid != workload.uid:
        raise AttestationError(f"process {caller.pid} runs as another user than {workload.spiffe_id}")
    # 5. While all this was read, the process stayed the one that it was.
    _same(table, caller)
    return workload.spiffe_id


def _same(table: ProcessTable, caller: Caller) -> Process:
    process = table.read(caller.pid)
    if process is None or process.started != caller.started or caller.has_ended():
        raise AttestationError(f"the process that connected as {caller.pid} has ended")
    return process


def _find(process: Process, workloads: dict[int, Workload], table: ProcessTable) -> Workload | None:
    current: Process | None = process
    for _ in range(_MAX_ANCESTORS):
        if current is None:
            break
        found = _registered(current, workloads)
        if found is not None:
            return found
        parent = table.read(current.parent)
        # A parent younger than its child is another process under a number that was used again.
        current = parent if parent is not None and parent.started <= current.started else None
    leader = table.read(process.session)
    return None if leader is None else _registered(leader, workloads)


def _registered(process: Process, workloads: dict[int, Workload]) -> Workload | None:
    workload = workloads.get(process.pid)
    return workload if workload is not None and workload.started == process.started else None
