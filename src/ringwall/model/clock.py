"""Time is passed in, never looked up, so that tests can move it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where a part gets its time from."""

    def now(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never jumps back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return the wall-clock time in seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return the monotonic time in seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to; for tests, and for tests of those who use Ringwall."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        """Return the time last set."""
        return self._now

    def monotonic(self) -> float:
        """Return how far `advance` has moved this clock, in seconds."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both readings forward by `seconds`."""
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Move only the wall clock, as an administrator or NTP may; `seconds` may be negative."""
        self._now += seconds
