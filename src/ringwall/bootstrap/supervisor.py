"""Keeps processes running: ordered start, readiness, restart with back-off, clean stop.

It knows nothing of Ringwall's parts; `ringwall.bootstrap.processes` says what is run.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from ringwall.bootstrap.keeper import Keeper, Report, Spec, State
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError

_RETIRED: Final = "~"


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
