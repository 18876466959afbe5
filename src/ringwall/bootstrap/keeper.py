"""Keeps one process running: its start, readiness, restart with back-off, and clean stop."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ringwall.bootstrap.backoff import CRASH_LOOP, Backoff
from ringwall.bootstrap.capture import Capture
from ringwall.bootstrap.child import Child, StartError
from ringwall.bootstrap.readiness import Probe, always
from ringwall.model.errors import RingwallError

if TYPE_CHECKING:
    from ringwall.bootstrap.supervisor import Supervisor

_POLL_SECONDS: Final = (0.01, 0.02, 0.05, 0.1)
_CANNOT_START: Final = 127
_SILENT_TIMES: Final = 3


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
        alive: asked from then on; where it fails several times in a row the process hangs, and is started again. None
            where only its end counts.
        alive_every: seconds between two such questions.
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
    alive: Probe | None = field(default=None, compare=False)
    alive_every: float = 5.0
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
                if not await self._stays_alive(child):
                    why = "no longer answered"
                    await child.stop(self.spec.grace)
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

    async def _stays_alive(self, child: Child) -> bool:
        """Return True once it ends by itself or is to be stopped, False where it is there and does not answer."""
        silent = 0
        while self.spec.alive is not None and silent < _SILENT_TIMES:
            await asyncio.wait([child.ended], timeout=self.spec.alive_every)
            if child.ended.done() or self._wanted_stop.is_set():
                return True
            silent = 0 if await self.spec.alive() else silent + 1
        return silent < _SILENT_TIMES

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
