"""The files that one proxy's log consists of, read in whole lines from where reading stopped.

The proxy appends to `NAME`. A file that has grown is renamed to `NAME.000001` and so on; the proxy keeps writing to
it until it is told to reopen. A file is known by its inode and by the hash of its beginning, so renaming
moves nothing, and neither a truncated file nor a new one under an old inode is taken for the old one.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from ringwall.observe.store import Position

CHUNK: Final = 512 * 1024
"""Bytes read at once; longer than any line that is a record."""
_HEAD: Final = 1024


def _no_counters() -> Mapping[str, int]:
    return {}


@dataclass(frozen=True, slots=True)
class Spool:
    """One proxy's log.

    Attributes:
        name: of the proxy.
        path: file that the proxy appends to.
        reopen: tells the proxy to open `path` anew; raises OSError where the proxy cannot be reached.
        counters: the proxy's own statistics, by name; raises OSError where it cannot be reached.
    """

    name: str
    path: Path
    reopen: Callable[[], None]
    counters: Callable[[], Mapping[str, int]] = _no_counters


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines that were read, without line ends, and the position after them."""

    lines: Sequence[bytes]
    position: Position


class SpoolFile:
    """One open file of a spool.

    Attributes:
        path: its name now.
        position: how far it was read.
        stored: what the store says about this inode.
        quiet_since: monotonic time since when it has had its size `quiet_size`; None before that was looked at.
    """

    def __init__(self, path: Path, descriptor: int, position: Position, stored: Position | None) -> None:
        self.path = path
        self.position = position
        self.stored = stored
        self.quiet_since: float | None = None
        self.quiet_size = 0
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path, spool: str, known: Iterable[Position]) -> Self:
        """Open a file where reading stopped; raise FileNotFoundError where it is gone.

        Args:
            path: of the file.
            spool: name of the proxy.
            known: positions that are stored.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        stat = os.fstat(descriptor)
        stored = next((p for p in known if (p.device, p.inode) == (stat.st_dev, stat.st_ino)), None)
        file = cls(path, descriptor, stored or Position(stat.st_dev, stat.st_ino, spool, 0, 0, b""), stored)
        file.catch_up()
        return file

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.position.device, self.position.inode

    def size(self) -> int:
        """Return the file's length in bytes."""
        return os.fstat(self._descriptor).st_size

    def modified(self) -> float:
        """Return when the file was last written to."""
        return os.fstat(self._descriptor).st_mtime

    def catch_up(self) -> bool:
        """Go to where reading must go on if somebody emptied, cut or replaced the file; return whether that was so."""
        if _hash(os.pread(self._descriptor, self.position.head_length, 0)) != self.position.head:
            self.position = replace(self.position, offset=0, head_length=0, head=b"")
            return True
        size = self.size()
        if size < self.position.offset:
            self.position = replace(self.position, offset=size)
            return True
        return False

    def chunk(self, *, final: bool = False) -> Chunk | None:
        """Return the next lines, None where no whole line has been written yet.

        Args:
            final: nothing more will be written, so an unfinished last line is returned too.
        """
        data = os.pread(self._descriptor, CHUNK, self.position.offset)
        cut = data.rfind(b"\n") + 1
        if not cut:
            if not data or (len(data) < CHUNK and not final):
                return None
            cut = len(data)  # an unfinished last line, or one that is too long to be a record
        lines = data[:cut].removesuffix(b"\n").split(b"\n")
        return Chunk(lines, self._advanced(data, cut))

    def _advanced(self, data: bytes, cut: int) -> Position:
        position = self.position
        if position.offset == 0:
            head = data[: min(cut, _HEAD)]
            position = replace(position, head_length=len(head), head=_hash(head))
        return replace(position, offset=position.offset + cut)

    def count_unread(self) -> tuple[int, int]:
        """Return how many lines and bytes have not been read."""
        offset, lines, last = self.position.offset, 0, b""
        while data := os.pread(self._descriptor, CHUNK, offset):
            offset += len(data)
            lines += data.count(b"\n")
            last = data[-1:]
        return lines + (last not in {b"", b"\n"}), offset - self.position.offset

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest() if data else b""


def segments(path: Path) -> list[Path]:
    """Return the files of a spool that lie on disk, oldest first; the one being written comes last."""
    numbered = sorted(p for p in path.parent.glob(f"{path.name}.*") if _number(path, p) > 0)
    return [*numbered, path] if path.exists() else numbered


def next_segment(path: Path) -> Path:
    """Return the name that the file being written gets next."""
    highest = max((_number(path, p) for p in path.parent.glob(f"{path.name}.*")), default=0)
    return path.with_name(f"{path.name}.{highest + 1:06d}")


def _number(path: Path, candidate: Path) -> int:
    suffix = candidate.name.removeprefix(f"{path.name}.")
    return int(suffix) if suffix.isascii() and suffix.isdigit() else 0


def identity(path: Path) -> tuple[int, int]:
    """Return device and inode of what lies at a path; raise FileNotFoundError for nothing."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def delete(path: Path) -> None:
    """Delete a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
