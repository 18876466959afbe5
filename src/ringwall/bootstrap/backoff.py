"""How long to wait before a process that ended is started again."""

from random import Random
from typing import Final

FIRST_SECONDS: Final = 0.25
LONGEST_SECONDS: Final = 15.0
STABLE_SECONDS: Final = 10.0
"""A process that ran this long was well; what happened before is forgotten."""
CRASH_LOOP: Final = 3
"""So many failures in a row are called a crash loop."""
_JITTER: Final = 0.2


class Backoff:
    """Delays that double with each failure in a row; the first restart after a good run is immediate.

    Args:
        random: where the jitter comes from; it spreads restarts, it protects nothing.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.failures = 0

    @property
    def crash_loop(self) -> bool:
        """Whether the process has failed so often in a row that the operator must look."""
        return self.failures >= CRASH_LOOP

    def after(self, uptime: float) -> float:
        """Count an end after `uptime` seconds; return how many seconds to wait before the next start."""
        if uptime >= STABLE_SECONDS:
            self.failures = 0
        self.failures += 1
        if self.failures == 1:
            return 0.0
        delay: float = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(self.failures - 2, 16))
        return delay * self._random.uniform(1 - _JITTER, 1 + _JITTER)
