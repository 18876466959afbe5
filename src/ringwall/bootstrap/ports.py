"""Finds free TCP ports, keeps them from others, and says who holds one that is taken.

A port chosen here lies below the range from which the kernel takes ports for outgoing connections, and is held by
a bound socket that never listens until it is used. The proxy binds its listeners with SO_REUSEPORT, which the
kernel allows beside our held socket for processes of the same user, so such a port is never up for grabs. A user's
service usually binds without it; its port is let go just before the service starts.
"""

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from ringwall.model.errors import RingwallError

_BELOW_EPHEMERAL: Final = 12_000
_LISTENING: Final = "0A"


class PortInUseError(RingwallError):
    """Somebody else listens at an address that the system needs."""

    code = "port-in-use"
    exit_code = 3


_STEPS: Final = (7919, 7907)
"""Primes: a step that does not divide the number of ports visits each."""


class HeldPorts:
    """Ports held for this run. Not safe for use by several threads."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], socket.socket] = {}

    def choose(self, host: str, *, preferred: int = 0) -> int:
        """Return a free port at `host`, and hold it; `preferred` where that is free."""
        for port in chain([preferred] if preferred else [], _candidates()):
            try:
                self._hold(host, port)
            except OSError:
                continue
            return port
        raise PortInUseError(f"no port is free at {host}", hint="stop something that listens, or use Unix sockets")

    def claim(self, host: str, port: int, wanted_by: str) -> None:
        """Hold a port that the user chose; raise PortInUseError, naming the owner, where it is taken."""
        try:
            self._hold(host, port)
        except PermissionError as error:
            raise PortInUseError(
                f"{wanted_by} wants port {port}, which only an administrator may use",
                hint="choose a port above 1023 in ringwall.yaml",
            ) from error
        except OSError as error:
            if port not in {held for _, held in self._held}:
                check_free(host, port, wanted_by)
            raise PortInUseError(
                f"{wanted_by} cannot listen at {host}:{port}: {error.strerror or error}",
                hint="two parts of this system want it, or the address is not of this machine; look at `listen`",
            ) from error

    def release(self, host: str, port: int) -> None:
        """Let a port go so that the process it is for can bind it; it may be held again later."""
        if held := self._held.pop((host, port), None):
            held.close()

    def release_all_but(self, used: set[tuple[str, int]]) -> None:
        """Let go of every port that is not among the (host, port) pairs in `used`."""
        for host, port in self._held.keys() - used:
            self.release(host, port)

    def close(self) -> None:
        """Let everything go."""
        for held in self._held.values():
            held.close()
        self._held.clear()

    def _hold(self, host: str, port: int) -> None:
        if (host, port) in self._held:
            raise OSError(f"{host}:{port} is already used by this system")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        _try(family, host, port)
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            try:
                held.bind((host, port))
            except OSError:  # connections of an earlier run linger; with SO_REUSEADDR the hold is weaker, but it is one
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held.bind((host, port))
        except OSError:
            held.close()
            raise
        self._held[host, port] = held


def _try(family: socket.AddressFamily, host: str, port: int) -> None:
    """Raise OSError where nobody else could listen at the address, as a server without SO_REUSEPORT would see it."""
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((host, port))
        trial.listen(1)


def check_free(host: str, port: int, wanted_by: str) -> None:
    """Raise PortInUseError, naming the owner, where somebody listens at `host`:`port`."""
    for owner in listeners(port):
        raise PortInUseError(
            f"{wanted_by} wants {host}:{port}, where {owner} listens",
            hint=f"stop it, or choose another port for {wanted_by} in ringwall.yaml",
        )


def listeners(port: int) -> Iterator[str]:
    """Yield, in words, who listens on a TCP port of this machine: `process 123 (python app.py)`."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == _LISTENING:
                    inodes.add(fields[9])
    found = False
    for pid in _owners({f"socket:[{inode}]" for inode in inodes}):
        found = True
        yield f"process {pid} ({command_of(pid)})"
    if inodes and not found:
        yield "a process of another user"


def command_of(pid: int) -> str:
    """Return the command line of a process, shortened; `unknown` where it cannot be read."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        text = b" ".join(words).decode("utf-8", "replace")
        return text if len(text) <= 80 else text[:79] + "…"  # noqa: PLR2004  # one line of a terminal
    return "unknown"


def _owners(links: set[str]) -> Iterator[int]:
    if not links:
        return
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            if any(_link(entry.path) in links for entry in entries):
                yield int(folder.parent.name)


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _candidates() -> Iterator[int]:
    """Give every port below those that the kernel hands out, each once, from anywhere."""
    low = 32_768
    with contextlib.suppress(OSError, ValueError):
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    first = max(1024, low - _BELOW_EPHEMERAL)
    if first >= low:
        return
    count = low - first
    begin = random.randrange(count)  # noqa: S311  # two systems that start at once should not try the same ports
    step = next(step for step in _STEPS if count % step)
    for number in range(count):
        yield first + (begin + number * step) % count
