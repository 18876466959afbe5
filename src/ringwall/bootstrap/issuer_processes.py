"""The issuer's processes in one run: how many there are, and how fresh ones take the place of others.

Each has a number, and by it sockets of its own, so that one can start while those before it still answer. Which
numbers answer is in the bindings, as proxies and the command line must know; names only tell the processes apart.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from ringwall.bootstrap.keeper import Spec
from ringwall.bootstrap.supervisor import Supervisor

_NAME: Final = "ringwall-issuer"
DRAIN_SECONDS: Final = 3.0
"""How long one that leaves still answers: by then every thread of the proxy has turned to the others."""


def name_of(place: int) -> str:
    """Return the name of the process at this place: `ringwall-issuer`, `ringwall-issuer-2` and so on."""
    return f"{_NAME}-{place + 1}" if place else _NAME


def is_issuer(name: str) -> bool:
    """Return whether a process is one of the issuer's; no service of a user may have such a name."""
    return name.startswith(_NAME)


class IssuerProcesses:
    """Starts, replaces and ends the issuer's processes.

    Args:
        supervisor: keeps them running.
        spec: says how the process of this name and number is started.

    Attributes:
        numbers: of those that are to answer, in the order of their names.
    """

    def __init__(self, supervisor: Supervisor, spec: Callable[[str, int], Spec]) -> None:
        self.numbers: tuple[int, ...] = ()
        self._supervisor = supervisor
        self._spec = spec
        self._before: tuple[int, ...] = ()
        self._leaving: dict[str, int] = {}

    def become(self, count: int, *, fresh: bool = False) -> None:
        """Start what is missing to `count` processes, all of them where they are to be `fresh`; `settled` waits.

        Those that are too many go on until `retire`; `restore` takes them back.
        """
        kept = 0 if fresh else min(count, len(self.numbers))
        self._before = self.numbers
        for place in range(kept, len(self._before)):
            self._leaving[self._supervisor.retire(name_of(place))] = self._before[place]
        self.numbers = self._before[:kept]
        for place in range(kept, count):
            number = self._free_number()
            self._supervisor.start(self._spec(name_of(place), number))
            self.numbers += (number,)

    async def settled(self) -> None:
        """Return when all are ready; NotReadyError where one does not start."""
        for place in range(len(self.numbers)):
            await self._supervisor.settled(name_of(place))

    async def restore(self) -> None:
        """Go back to what was before the last `become`."""
        new = [place for place, number in enumerate(self.numbers) if number not in self._before]
        await asyncio.gather(*(self._supervisor.stop(name_of(place)) for place in new))
        for name in [name for name, number in self._leaving.items() if number in self._before]:
            self._supervisor.reinstate(name)
            del self._leaving[name]
        self.numbers = self._before

    async def retire(self, *, drain: float = DRAIN_SECONDS) -> None:
        """End those that were replaced: no proxy asks them any more, and what they began they finish."""
        leaving = list(self._leaving)
        if leaving:
            await asyncio.sleep(drain)
            await asyncio.gather(*(self._supervisor.stop(name) for name in leaving))
        for name in leaving:
            del self._leaving[name]

    def _free_number(self) -> int:
        used = {*self.numbers, *self._before, *self._leaving.values()}
        return next(number for number in range(len(used) + 1) if number not in used)
