"""Keeps processes running: ordered start, readiness, restart with back-off, clean stop.

It knows nothing of Ringwall's parts; `ringwall.bootstrap.processes` says what is run.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final

from ringwall.bootstrap.backoff import CRASH_LOOP, Backoff
from ringwall.bootstrap.capture import Capture
from ringwall.bootstrap.child import Child, StartError
from ringwall.bootstrap.readiness import Probe, always
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError

_POLL_SECONDS: Final = (0.01, 0.02, 0.05, 0.1)
_CANNOT_START: Final = 127
_RETIRED: Final = "~"


class State(StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"
    """For others to be ready first."""
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing-off"
    """Ended; it will be started again after a pause."""
    CRASH_LOOP = "crash-loop"
    """The same, but it ended several times in a row."""
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What is to run.

    Attributes:
        name: unique; also the name of its log file.
        argv: program and arguments.
        env: its whole environment.
        log: file for what it prints.
        ready: says when it is ready.
        needs: names of those that must be ready before it is started for the first time.
        ready_within: seconds after which an unready process is ended and counts as failed.
        grace: seconds between TERM and KILL.
        umask: file mode mask of the child; -1 keeps the supervisor's.
        tries: failures in a row after which `Supervisor.settled` gives up on it; it is started again all the same.
        prepare: called just before each start; may raise RingwallError, which counts as a failure.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    ready: Probe = field(default=always, compare=False)
    needs: tuple[str, ...] = ()
    ready_within: float = 60.0
    grace: float = 5.0
    umask: int = -1
    tries: int = CRASH_LOOP
    prepare: Callable[[], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Something that happened to a process, for the operator.

    Attributes:
        name: of the process.
        state: where it is now.
        message: what happened, one sentence.
        lines: the last lines that it printed, where they may say why.
    """

    name: str
    state: State
    message: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Status:
    """What `ringwall status` says of a process; `since` is the time of the last start, seconds since the epoch."""

    name: str
    state: State
    pid: int | None
    restarts: int
    since: float
    last_end: str


class NotReadyError(RingwallError):
    """A process did not become ready."""

    code = "not-ready"

    def __init__(self, message: str, *, hint: str = "", lines: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.lines = lines


def end_of(code: int) -> str:
    """Say in words how a process ended, from its exit code."""
    return f"was ended by signal {-code}" if code < 0 else f"exited with code {code}"


class Keeper:
    """Keeps one process running until told to stop."""

    def __init__(self, supervisor: "Supervisor", spec: Spec) -> None:
        self.spec = spec
        self.state = State.WAITING
        self.restarts = 0
        self.since = 0.0
        self.last_end = ""
        self.child: Child | None = None
        self.ready = asyncio.Event()
        self.settled = asyncio.Event()
        """Set when it is known whether the first starts lead to readiness or to a crash loop."""
        self._supervisor = supervisor
        self._capture = Capture(spec.log)
        self._wanted_stop = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"keep {spec.name}")

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines that the process printed."""
        return self._capture.last_lines()

    async def stop(self) -> None:
        """End the process and stop restarting it."""
        self._wanted_stop.set()
        if self.child is not None:
            await self.child.stop(self.spec.grace)
        await self._task

    async def _run(self) -> None:
        backoff = Backoff(self._supervisor.random)
        try:
            await self._first(self._needed())
            while not self._wanted_stop.is_set():
                clock = self._supervisor.clock
                begun = clock.monotonic()
                code, why = await self._once()
                if self._wanted_stop.is_set():
                    break
                self.last_end = why
                self.ready.clear()
                delay = backoff.after(clock.monotonic() - begun)
                self.state = State.CRASH_LOOP if backoff.crash_loop else State.BACKING_OFF
                if backoff.failures >= self.spec.tries:
                    self.settled.set()
                pause = f"; starting it again in {delay:.1f} s" if delay else "; starting it again"
                self._tell(f"{why}{pause}", self._capture.last_lines() if code else ())
                self.restarts += 1
                await self._first(asyncio.sleep(delay))
        finally:
            self.state = State.STOPPED
            self.settled.set()
            self._capture.close()

    async def _once(self) -> tuple[int, str]:
        """Start it, wait until it ends; return its exit code and what happened."""
        if self.state is not State.CRASH_LOOP:  # one more try does not end it; becoming ready does
            self.state = State.STARTING
        self.since = self._supervisor.clock.now()
        self._capture.forget()
        try:
            if self.spec.prepare is not None:
                self.spec.prepare()
            self.child = child = Child.start(
                self.spec.argv,
                env=self.spec.env,
                cwd=self.spec.cwd,
                capture=self._capture,
                umask=self.spec.umask,
            )
        except (StartError, RingwallError) as error:
            self._capture.write(f"{error.message}\n".encode())
            return _CANNOT_START, f"could not be started: {error.message}"
        self._supervisor.started(self.spec.name, child.pid)
        why = ""
        try:
            if await self._becomes_ready(child):
                self.state = State.READY
                self.ready.set()
                self.settled.set()
                if self.restarts:
                    self._tell("is ready again")
            elif not child.ended.done():
                why = f"was not ready within {self.spec.ready_within:g} s"
                await child.stop(self.spec.grace)
            code = await child.ended
            await child.close()
        finally:
            self.child = None
            self._supervisor.ended(child.pid)
        return code, why or end_of(code)

    async def _becomes_ready(self, child: Child) -> bool:
        clock = self._supervisor.clock
        deadline = clock.monotonic() + self.spec.ready_within
        attempt = 0
        while clock.monotonic() < deadline and not child.ended.done() and not self._wanted_stop.is_set():
            # A probe may be answered by somebody else's process: ours must be alive after it.
            if await self.spec.ready() and not child.ended.done():
                return True
            pause = _POLL_SECONDS[min(attempt, len(_POLL_SECONDS) - 1)]
            await asyncio.wait([child.ended], timeout=pause)
            attempt += 1
        return False

    async def _needed(self) -> None:
        for name in self.spec.needs:
            await self._supervisor.ready(name)

    async def _first(self, work: Coroutine[None, None, None]) -> None:
        """Wait for `work` unless told to stop first."""
        tasks = [asyncio.create_task(work), asyncio.create_task(self._wanted_stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self, message: str, lines: tuple[str, ...] = ()) -> None:
        # Whoever is told may be unable to note it, on a full disk or a closed pipe; the process is kept all the same.
        with contextlib.suppress(OSError):
            self._supervisor.tell(Report(name=self.spec.name, state=self.state, message=message, lines=lines))


class Supervisor:
    """Runs processes; lives in one event loop, in the main thread.

    Args:
        clock: for uptimes and deadlines.
        random: for the jitter of restarts.
        tell: is called with everything worth telling the operator.
        started: is called with name and process id after each start.
        ended: is called with the process id after each end.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        random: Random,
        tell: Callable[[Report], None],
        started: Callable[[str, int], None] = lambda _name, _pid: None,
        ended: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self.clock = clock
        self.random = random
        self.tell = tell
        self.started = started
        self.ended = ended
        self._keepers: dict[str, Keeper] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of everything that is kept running, in the order of their start."""
        return tuple(self._keepers)

    def spec(self, name: str) -> Spec:
        """Return what runs under this name; KeyError where nothing does."""
        return self._keepers[name].spec

    def start(self, spec: Spec) -> None:
        """Begin to keep a process running; what it needs must have been started before."""
        if spec.name in self._keepers:
            raise ValueError(f"{spec.name} runs already")
        if missing := [name for name in spec.needs if name not in self._keepers]:
            raise ValueError(f"{spec.name} needs {missing}, which nobody has started")
        self._keepers[spec.name] = Keeper(self, spec)

    async def ready(self, name: str) -> None:
        """Return when a process is ready, however long that takes."""
        await self._keepers[name].ready.wait()

    async def settled(self, name: str) -> None:
        """Return when a process is ready; raise NotReadyError where it ends again and again instead."""
        keeper = self._keepers[name]
        await keeper.settled.wait()
        if not keeper.ready.is_set():
            raise NotReadyError(f"{name} {keeper.last_end or 'was stopped'}", lines=keeper.lines)

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the last lines that a process printed."""
        return self._keepers[name].lines

    def retire(self, name: str) -> str:
        """Give a process another name, so that its successor can start beside it; return that name."""
        count = 1
        while (new := f"{name}{_RETIRED}{count}") in self._keepers:
            count += 1
        self._keepers[new] = self._keepers.pop(name)
        return new

    def reinstate(self, name: str) -> None:
        """Give a retired process its first name back, because its successor was not taken."""
        self._keepers[name.partition(_RETIRED)[0]] = self._keepers.pop(name)

    def status(self) -> list[Status]:
        """Return the state of every process, in the order of their start."""
        return [
            Status(
                name=name,
                state=keeper.state,
                pid=keeper.child.pid if keeper.child else None,
                restarts=keeper.restarts,
                since=keeper.since,
                last_end=keeper.last_end,
            )
            for name, keeper in self._keepers.items()
        ]

    async def stop(self, name: str) -> None:
        """End one process for good."""
        keeper = self._keepers[name]
        await keeper.stop()
        del self._keepers[name]

    async def stop_all(self) -> None:
        """End everything: those first that need others, side by side where nothing forbids it."""
        while self._keepers:
            needed = {need for keeper in self._keepers.values() for need in keeper.spec.needs}
            free = [name for name in self._keepers if name not in needed]
            await asyncio.gather(*(self.stop(name) for name in free))
