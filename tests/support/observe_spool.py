"""A proxy's log in a test: a writer that reopens when told to, and what the collector made of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from ringwall.model.clock import ManualClock
from ringwall.observe.collector import Collector
from ringwall.observe.query import Query
from ringwall.observe.reader import EventReader
from ringwall.observe.spool import Spool
from ringwall.observe.store import Retention
from ringwall.observe.tail import SpoolLimits


class Writer:
    """Appends to a log as a proxy does: to the file it has open, whatever its name is by now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reachable = True
        self.reopened = 0
        self._within_line = False
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._within_line = not data.endswith(b"\n") if data else self._within_line

    def reopen(self) -> None:
        if not self.reachable or self._within_line:
            raise ConnectionRefusedError("no proxy")
        self._file.close()
        self._file = self.path.open("ab", buffering=0)
        self.reopened += 1

    def revive(self) -> None:
        """Begin anew as a proxy does that was killed, perhaps within a line."""
        self._within_line = False
        self.reopen()

    def close(self) -> None:
        self._file.close()


class Bench:
    """A folder with one log and one store, a collector that is made anew at will, and a clock that tests move."""

    def __init__(self, folder: Path, limits: SpoolLimits | None = None, retention: Retention | None = None) -> None:
        self.store = folder / "events.db"
        self.clock = ManualClock()
        self.writer = Writer(folder / "edge.jsonl")
        self.counters: Mapping[str, int] = {}
        self.unknown_keys = 0
        self._limits = limits
        self._retention = retention
        self.collector = self.new_collector()

    def new_collector(self) -> Collector:
        spool = Spool("edge", self.writer.path, self.writer.reopen, lambda: self.counters)
        return Collector(
            self.store,
            [spool],
            self.clock,
            limits=self._limits,
            retention=self._retention,
            unknown_key=self._count_unknown_key,
        )

    def _count_unknown_key(self) -> None:
        self.unknown_keys += 1

    def restart(self) -> None:
        self.collector.close()
        self.collector = self.new_collector()

    def rounds(self, count: int = 1, *, seconds: float = 1.0) -> None:
        """Let the collector work, with time passing after each round."""
        for _ in range(count):
            self.collector.round()
            self.clock.advance(seconds)

    def ids(self) -> list[str]:
        """Return the request id of every stored event, in the order of storing."""
        reader = EventReader.open(self.store)
        try:
            return [stored.event.request_id for stored in reader.after(0, Query(), limit=1_000_000)]
        finally:
            reader.close()

    def files(self) -> list[str]:
        """Return the names of the log's files."""
        return sorted(path.name for path in self.writer.path.parent.glob("edge.jsonl*"))

    def close(self) -> None:
        self.collector.close()
        self.writer.close()
