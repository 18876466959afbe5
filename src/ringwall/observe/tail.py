"""Follows one proxy's log through its files: finds, reads, retires, renames and, at worst, drops them."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ringwall.model.clock import Clock
from ringwall.model.events import DecisionEvent, Outcome
from ringwall.observe.access_lines import BadLineError, excerpt, parse, recover
from ringwall.observe.outcomes import UNKNOWN_KEY
from ringwall.observe.reader import Aside, StoreError
from ringwall.observe.spool import Chunk, Spool, SpoolFile, delete, identity, next_segment, segments
from ringwall.observe.store import EventStore

BAD_LINES: Final = "bad_lines"
RECOVERED: Final = "recovered_lines"
DROPPED: Final = "dropped_lines"
TRUNCATED: Final = "truncated_files"

_CHUNKS_PER_ROUND: Final = 8
_ASIDE_PER_CHUNK: Final = 100
_REOPEN_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Sizes in bytes, times in seconds.

    Attributes:
        rotate_bytes: size at which a log file is renamed.
        total_bytes: what all log files together may take.
        grace_seconds: how long a renamed file must be quiet before it is taken to be complete.
    """

    rotate_bytes: int = 64 * 1024**2
    total_bytes: int = 1024**3
    grace_seconds: float = 2.0


class Tail:
    """One spool's files, open. Methods that take the store may raise StoreError, and can then be called again.

    Attributes:
        spool: what is followed.
        problem: why the proxy does not write a new file, empty where it does.
        unknown_key: whether a token was refused that a key too new to be known would explain; for others to reset.
    """

    def __init__(self, spool: Spool, clock: Clock, plan_of: Callable[[str], str], limits: SpoolLimits) -> None:
        self.spool = spool
        self.problem = ""
        self.unknown_key = False
        self._clock = clock
        self._plan_of = plan_of
        self._limits = limits
        self._files: list[SpoolFile] = []
        self._begun = False
        self._asked = float("-inf")
        self._counts: Counter[str] = Counter()

    def close(self) -> None:
        """Close every file; the next `discover` goes by what the store says."""
        for file in self._files:
            file.close()
        self._files.clear()
        self._begun = False

    def size(self) -> int:
        """Return how many bytes the files hold."""
        return sum(file.size() for file in self._files)

    def lag(self) -> int:
        """Return how many bytes are not stored yet."""
        return sum(max(0, file.size() - file.position.offset) for file in self._files)

    def discover(self, store: EventStore) -> None:
        """Open files that are new, oldest first, and forget those that are gone."""
        opened = {file.identity: file for file in self._files}
        present: list[SpoolFile] = []
        for path in segments(self.spool.path):
            with contextlib.suppress(FileNotFoundError):
                file = opened.pop(identity(path), None) or self._open(path, store)
                file.path = path
                present.append(file)
        # A file that somebody deleted is still open here and is read to its end.
        self._files = [*opened.values(), *present]
        self._counts[TRUNCATED] += sum(file.catch_up() for file in self._files)
        if not self._begun:
            here = {file.identity for file in self._files}
            for position in store.positions(self.spool.name):
                if (position.device, position.inode) not in here:
                    store.forget(position)
            self._begun = True

    def read(self, store: EventStore) -> tuple[int, bool]:
        """Store what is new; return how many events that were, and whether there is more to read at once."""
        stored, more = 0, False
        for file in self._files:
            for _ in range(_CHUNKS_PER_ROUND):
                chunk = file.chunk()
                if chunk is None:
                    break
                stored += self._store(store, file, chunk)
            else:
                more = True
        if self._counts.total():
            self._save_counts(store)
        return stored, more

    def retire(self, store: EventStore) -> None:
        """Delete files that nobody writes to any more, once everything in them is stored."""
        if self._live() is None:
            return  # until the proxy has begun a new file it may write to an old one
        now = self._clock.monotonic()
        for file in self._old():
            size = file.size()
            if file.quiet_since is None or file.quiet_size != size:
                file.quiet_since, file.quiet_size = now, size
            elif now - file.quiet_since >= self._limits.grace_seconds:
                while (chunk := file.chunk(final=True)) is not None:
                    self._store(store, file, chunk)
                self._retire(store, file)

    def rotate(self) -> None:
        """Rename the file being written where it has grown too large, and have the proxy begin a new one."""
        live = self._live()
        if live is not None and live.size() >= self._limits.rotate_bytes:
            target = next_segment(self.spool.path)
            self.spool.path.rename(target)
            live.path = target
            live = None
            self._asked = float("-inf")
        if live is not None or not self._files:
            self.problem = ""
            return
        now = self._clock.monotonic()
        if now - self._asked >= _REOPEN_SECONDS:
            self._asked = now
            try:
                self.spool.reopen()
            except OSError as error:
                self.problem = f"the proxy {self.spool.name!r} cannot be told to begin a new log: {error}"

    def oldest(self) -> float | None:
        """Return when the oldest file that could be dropped was last written to, None where there is none."""
        old = self._old() if self._live() is not None else []
        return min((file.modified() for file in old), default=None)

    def drop_oldest(self, store: EventStore) -> None:
        """Give up the oldest file and count the lines in it that were not read."""
        file = min(self._old(), key=SpoolFile.modified)
        lines, size = file.count_unread()
        self._counts[DROPPED] += lines
        file.position = replace(file.position, offset=file.position.offset + size)
        try:
            self._retire(store, file)
        except StoreError:
            # Nothing can be stored, most likely because the disk is full, and this is what makes room.
            # The count waits in memory.
            self._remove(file)

    def _open(self, path: Path, store: EventStore) -> SpoolFile:
        file = SpoolFile.open(path, self.spool.name, store.positions(self.spool.name))
        if file.stored is not None and file.position != file.stored:
            self._counts[TRUNCATED] += 1
        return file

    def _live(self) -> SpoolFile | None:
        """Return the file that the proxy is known to write to, None while there is none."""
        last = self._files[-1] if self._files else None
        return last if last is not None and last.path == self.spool.path and _is(last.path, last) else None

    def _old(self) -> list[SpoolFile]:
        live = self._live()
        return [file for file in self._files if file is not live]

    def _store(self, store: EventStore, file: SpoolFile, chunk: Chunk) -> int:
        aside: list[Aside] = []
        counts: Counter[str] = Counter()
        stored = store.write(
            self._events(chunk.lines, aside, counts),
            position=chunk.position,
            expected=file.stored,
            bad=aside,
            counts=counts,
        )
        file.position = file.stored = chunk.position
        return stored

    def _events(self, lines: Sequence[bytes], aside: list[Aside], counts: Counter[str]) -> Iterator[DecisionEvent]:
        plan_of = self._plan_of
        for line in lines:
            try:
                event: DecisionEvent | None = parse(line, plan_of)
            except BadLineError as error:
                if not line:
                    continue
                counts[BAD_LINES] += 1
                if len(aside) < _ASIDE_PER_CHUNK:
                    aside.append(Aside(self._clock.now(), self.spool.name, error.message, excerpt(line)))
                event = recover(line, plan_of)
                counts[RECOVERED] += event is not None
            if event is not None:
                if event.outcome is Outcome.UNAUTHENTICATED and event.detail in UNKNOWN_KEY:
                    self.unknown_key = True
                yield event

    def _save_counts(self, store: EventStore) -> None:
        store.write(counts=self._counts)
        self._counts.clear()

    def _retire(self, store: EventStore, file: SpoolFile) -> None:
        """Make durable that a file was read to its end, delete it, forget it; after a kill the rest follows."""
        store.write(position=file.position, expected=file.stored, counts=self._counts, durable=True)
        self._counts.clear()
        file.stored = file.position
        self._remove(file)
        store.forget(file.position)

    def _remove(self, file: SpoolFile) -> None:
        if _is(file.path, file):
            delete(file.path)
        file.close()
        self._files.remove(file)


def _is(path: Path, file: SpoolFile) -> bool:
    try:
        return identity(path) == file.identity
    except FileNotFoundError:
        return False
