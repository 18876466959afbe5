"""Collects the decisions of all proxies, in one thread; the proxies' logs are the spool that outlives this process.

Each round, for each log: find its files, read what is new, retire what was read to its end, rename what has grown
too large; and, only where all files together exceed their cap, drop the oldest and count its lines.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from ringwall.model.clock import Clock
from ringwall.observe.access_lines import no_plan
from ringwall.observe.reader import CorruptStoreError, StoreError
from ringwall.observe.spool import Spool
from ringwall.observe.store import EventStore, PositionConflictError, Retention
from ringwall.observe.tail import BAD_LINES, DROPPED, RECOVERED, TRUNCATED, SpoolLimits, Tail

WRITE_FAILURES: Final = "proxy_write_failures"
_SEEN: Final = "seen/"
_WRITE_FAILED: Final = "filesystem.write_failed"

_IDLE_SECONDS: Final = 0.05
_RETRY_SECONDS: Final = 1.0
_COUNTERS_SECONDS: Final = 5.0
_LAST_ROUNDS_SECONDS: Final = 5.0
_PRUNED_PER_ROUND: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorStatus:
    """How far collecting has come.

    Attributes:
        running: the thread is at work.
        stored: decisions stored since the collector started.
        lag_bytes: bytes of the logs that are not stored yet.
        lag_seconds: for how long there has been something not stored.
        drops: decisions lost, ever: log lines given up because the logs exceeded their cap.
        bad_lines: lines that were no records, ever; the newest are kept aside.
        recovered_lines: records saved from lines that began with a torn one.
        truncated_files: log files that somebody emptied or replaced.
        proxy_write_failures: writes that the proxies themselves could not do; each may have held many decisions.
        problem: why nothing can be stored now; empty where it can.
        set_aside: damaged stores that were moved out of the way.
    """

    running: bool = False
    stored: int = 0
    lag_bytes: int = 0
    lag_seconds: float = 0.0
    drops: int = 0
    bad_lines: int = 0
    recovered_lines: int = 0
    truncated_files: int = 0
    proxy_write_failures: int = 0
    problem: str = ""
    set_aside: tuple[str, ...] = ()


class Rules(Protocol):
    """Tells which plan was in force."""

    def refresh(self) -> None:
        """Look whether another plan is in force now; called before each round."""
        ...

    def plan_of(self, rule: str) -> str:
        """Return the digest of the plan in force, by the id of the rule that was applied."""
        ...


class _NoRules:
    def refresh(self) -> None:
        pass

    def plan_of(self, rule: str) -> str:
        return no_plan(rule)


def _nothing() -> None:
    pass


class Collector:
    """Collects in a thread of its own between `start` and `stop`.

    Args:
        path: the event store.
        spools: the proxies' logs.
        clock: where time comes from.
        rules: tells which plan was in force; used in the thread only.
        limits: of the logs.
        retention: of the store.
        unknown_key: called, from the thread and at most once a round, where a token was refused that a key too new
            to be known here would explain. It must return at once and not raise.
    """

    def __init__(
        self,
        path: Path,
        spools: Sequence[Spool],
        clock: Clock,
        *,
        rules: Rules | None = None,
        limits: SpoolLimits | None = None,
        retention: Retention | None = None,
        unknown_key: Callable[[], None] = _nothing,
    ) -> None:
        self._path = path
        self._unknown_key = unknown_key
        self._clock = clock
        self._limits = limits or SpoolLimits()
        self._retention = retention or Retention()
        self._rules = rules or _NoRules()
        self._tails = [Tail(spool, clock, self._rules.plan_of, self._limits) for spool in spools]
        self._store: EventStore | None = None
        self._stored = 0
        self._set_aside: tuple[str, ...] = ()
        self._caught_up = clock.monotonic()
        self._counters_read = float("-inf")
        self._status = CollectorStatus()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to collect."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what is in the logs now, and end; what comes later is found at the next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def status(self) -> CollectorStatus:
        """Return how far collecting has come; may be called from any thread."""
        thread = self._thread
        return replace(self._status, running=thread is not None and thread.is_alive())

    def round(self) -> bool:
        """Do one round; return whether there is more to do at once. Never raises for a full disk or a damaged store."""
        try:
            more = self._round(self._opened())
        except CorruptStoreError as error:
            self._report(f"{error.message}; it was moved aside")
            self._abandon()
            self._begin_anew()
            return True
        except (StoreError, OSError) as error:
            self._report(error.message if isinstance(error, StoreError) else f"a log cannot be read: {error}")
            self._abandon()
            return isinstance(error, PositionConflictError)
        self._report("")
        return more

    def close(self) -> None:
        """Let go of every file; for use where no thread was started."""
        self._abandon()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.round():
                self._stop.wait(_RETRY_SECONDS if self._status.problem else _IDLE_SECONDS)
        deadline = self._clock.monotonic() + _LAST_ROUNDS_SECONDS
        while self.round() and self._clock.monotonic() < deadline:
            pass
        self._abandon()

    def _round(self, store: EventStore) -> bool:
        more = False
        self._rules.refresh()
        for tail in self._tails:
            tail.discover(store)
            stored, unfinished = tail.read(store)
            self._stored += stored
            more = more or unfinished
            tail.retire(store)
            tail.rotate()
        if any(tail.unknown_key for tail in self._tails):
            for tail in self._tails:
                tail.unknown_key = False
            self._unknown_key()
        self._enforce_cap(store)
        self._read_counters(store)
        pruned = store.prune(self._retention, now=self._clock.now(), at_most=_PRUNED_PER_ROUND)
        return more or pruned == _PRUNED_PER_ROUND

    def _enforce_cap(self, store: EventStore) -> None:
        while sum(tail.size() for tail in self._tails) > self._limits.total_bytes:
            candidates = [(age, tail) for tail in self._tails if (age := tail.oldest()) is not None]
            if not candidates:
                return
            min(candidates, key=lambda candidate: candidate[0])[1].drop_oldest(store)

    def _read_counters(self, store: EventStore) -> None:
        """Count what the proxies themselves could not write; their counters begin at 0 when they start."""
        now = self._clock.monotonic()
        if now - self._counters_read < _COUNTERS_SECONDS:
            return
        self._counters_read = now
        known = store.counters()
        for tail in self._tails:
            try:
                failed = int(tail.spool.counters().get(_WRITE_FAILED, 0))
            except (OSError, ValueError):
                continue
            name = _SEEN + tail.spool.name
            seen = known.get(name, 0)
            if failed != seen:
                lost = failed - seen if failed > seen else failed
                store.write(counts={WRITE_FAILURES: lost, name: failed - seen})

    def _opened(self) -> EventStore:
        """Return the store, opened; a store that somebody deleted is begun anew, and the logs are read again."""
        if self._store is not None and not self._store.is_current():
            self._abandon()
        if self._store is None:
            self._store = EventStore.open(self._path)
        return self._store

    def _abandon(self) -> None:
        for tail in self._tails:
            tail.close()
        if self._store is not None:
            self._store.close()
            self._store = None

    def _begin_anew(self) -> None:
        try:
            aside = EventStore.set_aside(self._path, int(self._clock.now()))
        except StoreError as error:
            self._report(error.message)
            self._stop.wait(_RETRY_SECONDS)
        else:
            self._set_aside = (*self._set_aside, aside.name)

    def _report(self, problem: str) -> None:
        now = self._clock.monotonic()
        try:
            counters = self._store.counters() if self._store is not None else {}
            lag = sum(tail.lag() for tail in self._tails)
        except (StoreError, OSError):
            counters, lag = {}, self._status.lag_bytes
        if not lag and not problem:
            self._caught_up = now
        old = self._status
        self._status = CollectorStatus(
            stored=self._stored,
            lag_bytes=lag,
            lag_seconds=now - self._caught_up,
            drops=counters.get(DROPPED, old.drops),
            bad_lines=counters.get(BAD_LINES, old.bad_lines),
            recovered_lines=counters.get(RECOVERED, old.recovered_lines),
            truncated_files=counters.get(TRUNCATED, old.truncated_files),
            proxy_write_failures=counters.get(WRITE_FAILURES, old.proxy_write_failures),
            problem=problem or next((tail.problem for tail in self._tails if tail.problem), ""),
            set_aside=self._set_aside,
        )
