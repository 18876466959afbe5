"""What the kernel says about processes and about who is at the other end of a Unix socket (Linux only)."""

import contextlib
import os
import select
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

_PEERCRED: Final = struct.Struct("iII")
_SO_PEERPIDFD: Final = 77
"""Since Linux 6.5: a descriptor of the very process that connected, whatever becomes of its number."""
_STAT_PARENT, _STAT_SESSION, _STAT_STARTED = 1, 3, 19
"""Places after the command name in /proc/PID/stat (proc_pid_stat(5): fields 4, 6 and 22)."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, as it is now.

    Attributes:
        started: clock ticks from boot to its start; with the pid it names one process, as pids are used again.
        session: pid of its session's leader; only ever inherited, or made anew by `setsid`.
    """

    pid: int
    parent: int
    session: int
    started: int
    uid: int


class ProcessTable(Protocol):
    """Where facts about processes come from."""

    def read(self, pid: int) -> Process | None:
        """Return what is known of a process, or None where there is none of that number."""
        ...


class ProcFs:
    """The kernel's own table, under /proc."""

    def read(self, pid: int) -> Process | None:
        """Return what /proc says; a process that has ended and is not yet waited for counts as gone."""
        if pid <= 0:
            return None
        folder = Path("/proc") / str(pid)
        try:
            # The command name stands in brackets and may itself hold brackets and spaces.
            text = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            uid = folder.stat().st_uid
            if text[0] in {b"Z", b"X"}:
                return None
            return Process(pid, int(text[_STAT_PARENT]), int(text[_STAT_SESSION]), int(text[_STAT_STARTED]), uid)
        except (OSError, IndexError, ValueError):
            return None


@dataclass(slots=True)
class Caller:
    """The process that made a connection.

    Attributes:
        pid, uid, gid: from SO_PEERCRED, as they were when it connected.
        started: its start, read when the connection was taken; None where it had gone already.
        descriptor: from SO_PEERPIDFD, or None on older kernels; closed by `close`.
    """

    pid: int
    uid: int
    gid: int
    started: int | None
    descriptor: int | None = None

    @classmethod
    def of(cls, connection: socket.socket, table: ProcessTable) -> Self:
        """Ask the kernel who is at the other end of a connected Unix socket; OSError where it cannot say."""
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        pid, uid, gid = _PEERCRED.unpack(raw)
        descriptor: int | None = None
        with contextlib.suppress(OSError):
            descriptor = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
        process = table.read(pid)
        return cls(pid, uid, gid, process.started if process else None, descriptor)

    def has_ended(self) -> bool:
        """Return whether the process is known to have ended; False on kernels that give no descriptor."""
        if self.descriptor is None:
            return False
        poller = select.poll()
        poller.register(self.descriptor, select.POLLIN)
        return bool(poller.poll(0))

    def close(self) -> None:
        """Give the descriptor back."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
