"""Nonces that proofs must carry (RFC 9449, sections 8 and 9): made by a key, so nobody has to remember them.

A nonce follows from the key and the time, changes every PERIOD_SECONDS, and is good until the one after it ends. So a
proof that was made ahead of time, or stolen from a log, is soon worthless whatever its `iat` says (section 11.2).
"""

import hashlib
import hmac
from typing import Final

from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

PERIOD_SECONDS: Final = 60.0
KEY_BYTES: Final = 32
_PURPOSE: Final = b"ringwall dpop nonce "
_SIZE: Final = 18


class Nonces:
    """Makes and recognises nonces; every process with the same key makes the same ones."""

    def __init__(self, key: Secret, clock: Clock) -> None:
        """Take a key of KEY_BYTES random bytes."""
        self._key = key
        self._clock = clock

    def current(self) -> str:
        """Return the nonce to be used from now on."""
        return self._of(self._period())

    def is_good(self, nonce: str) -> bool:
        """Return whether a nonce is the current one or the one before it."""
        shown = nonce.encode("utf-8", "surrogatepass")
        period = self._period()
        is_current, is_former = (
            hmac.compare_digest(shown, self._of(number).encode("ascii")) for number in (period, period - 1)
        )
        return is_current or is_former

    def _period(self) -> int:
        return int(self._clock.now() // PERIOD_SECONDS)

    def _of(self, period: int) -> str:
        made = hmac.digest(self._key.reveal(), _PURPOSE + str(period).encode("ascii"), hashlib.sha256)
        return encode_base64url(made[:_SIZE])
