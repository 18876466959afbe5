"""Looks that are worth taking once in a turn of the event loop, because nothing is heard of the world within one."""

import asyncio
from collections.abc import Callable

FirstLook = Callable[[object], bool]
"""Says of somebody who follows a file whether to look at it now, or to take it to be as it was a moment ago."""


def every_time(_: object) -> bool:
    """Look, always: for whoever asks seldom, or outside an event loop."""
    return True


class Turn:
    """Lets each follower look once in a turn of the event loop.

    What is asked within one turn, by however many requests, begins before anything that happens after the first look
    could have been heard of. With files whose date is asked for several times in each request that saves most of them.
    """

    def __init__(self) -> None:
        self._looked: set[int] = set()

    def first(self, who: object) -> bool:
        """Return whether `who`, which lives as long as this, has not looked in this turn yet; it is to look then."""
        if id(who) in self._looked:
            return False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # not in a loop
            return True
        if not self._looked:
            loop.call_soon(self._looked.clear)
        self._looked.add(id(who))
        return True
