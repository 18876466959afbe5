"""Slows down those who present wrong secrets."""

import hashlib
import math
import secrets
from typing import Final

from ringwall.model.clock import Clock

BUCKETS: Final = 1024
BURST: Final = 10.0
PER_SECOND: Final = 0.2


class Throttle:
    """A token bucket of wrong answers for each client name: BURST at once, then PER_SECOND.

    Names fall into a fixed number of buckets by a keyed hash. So memory is bounded, a name that exists behaves
    like one that does not, and nobody can choose a name that shares a bucket with another's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._left = [BURST] * BUCKETS
        self._when = [clock.monotonic()] * BUCKETS

    def wrong(self, name: str) -> int:
        """Count one wrong answer; return 0, or how many seconds to wait where there were too many."""
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._key, digest_size=4).digest()
        bucket = int.from_bytes(digest) % BUCKETS
        now = self._clock.monotonic()
        left = min(BURST, self._left[bucket] + (now - self._when[bucket]) * PER_SECOND)
        self._when[bucket] = now
        self._left[bucket] = max(0.0, left - 1.0)
        return 0 if left >= 1.0 else math.ceil((1.0 - left) / PER_SECOND)
