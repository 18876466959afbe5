"""Slows down those who present wrong secrets."""

import hashlib
import math
from typing import Final

from ringwall.identity.issuer.kept_key import kept_key
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.keystore import KeyStore
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

BUCKETS: Final = 1024
BURST: Final = 10
SECONDS: Final = 5.0
_ENTRY: Final = "throttle"
_KIND: Final = "client-secret"


class Throttle:
    """A budget of wrong answers for each client name: BURST at once, then one in SECONDS, of all processes together.

    Names fall into a fixed number of buckets by a keyed hash. So the database keeps no more than that, a name that
    exists behaves like one that does not, and nobody can choose a name that shares a bucket with another's. A bucket
    that is known to be empty is not asked for again before it can have something in it.
    """

    def __init__(self, *, storage: Storage, keystore: KeyStore, clock: Clock) -> None:
        self._storage = storage
        self._keystore = keystore
        self._clock = clock
        self._key: Secret | None = None
        self._empty_until = [-math.inf] * BUCKETS

    async def wrong(self, name: str) -> int:
        """Count one wrong answer; return 0, or how many seconds to wait where there were too many."""
        bucket = self._bucket(name)
        asked = self._clock.monotonic()
        wait = self._empty_until[bucket] - asked
        if wait <= 0:
            budgets = (await self._storage.database()).budgets
            wait = await budgets.take(_KIND, str(bucket), burst=BURST, seconds=SECONDS, now=self._clock.now())
            if wait > 0:
                self._empty_until[bucket] = asked + wait
        return max(0, math.ceil(wait))

    def _bucket(self, name: str) -> int:
        if self._key is None:
            self._key = kept_key(self._keystore, _ENTRY)
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._key.reveal(), digest_size=4).digest()
        return int.from_bytes(digest) % BUCKETS
