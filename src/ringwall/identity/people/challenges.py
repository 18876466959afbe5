"""Challenges that authenticators sign: each is for one purpose and one browser, and is taken once.

A challenge authenticates itself (HMAC), so nothing is stored when one is given out, and asking for many fills no
table. Only a challenge that comes back is remembered, until it would be over anyway.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from ringwall.identity.people.errors import PasskeyRefusedError
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

SECONDS: Final = 300
"""How long somebody has for touching an authenticator."""
_RANDOM: Final = 16
_TIME: Final = 8
_TAG: Final = 32

Once = Callable[[bytes, float], Awaitable[bool]]
"""Remembers a value until a time (seconds since the epoch); tells whether it was new."""


class Purpose(StrEnum):
    """What a challenge is for."""

    REGISTER = "register"
    SIGN_IN = "sign-in"


class Challenges:
    """Gives challenges out, and takes each back once."""

    def __init__(self, *, key: Secret, once: Once, clock: Clock) -> None:
        self._key = key
        self._once = once
        self._clock = clock

    def issue(self, purpose: Purpose, binding: str) -> bytes:
        """Return a fresh challenge of 56 bytes.

        Args:
            purpose: what will be done with the answer.
            binding: what only this browser has shown: its session, or the sign-in that it has begun.
        """
        expires = int(self._clock.now()) + SECONDS
        head = secrets.token_bytes(_RANDOM) + expires.to_bytes(_TIME, "big")
        return head + self._tag(head, purpose, binding)

    async def take(self, challenge: bytes, purpose: Purpose, binding: str) -> None:
        """Use a challenge up; PasskeyRefusedError where it is not ours, another's, over, or used."""
        head, tag = challenge[: _RANDOM + _TIME], challenge[_RANDOM + _TIME :]
        if len(challenge) != _RANDOM + _TIME + _TAG or not hmac.compare_digest(tag, self._tag(head, purpose, binding)):
            raise PasskeyRefusedError("the challenge was not given out for this")
        expires = int.from_bytes(head[_RANDOM:], "big")
        if expires <= self._clock.now():
            raise PasskeyRefusedError("the challenge is over", hint="try again")
        if not await self._once(challenge, float(expires)):
            raise PasskeyRefusedError("the challenge was used before")

    def _tag(self, head: bytes, purpose: Purpose, binding: str) -> bytes:
        return hmac.digest(self._key.reveal(), b"\0".join((head, purpose.encode(), binding.encode())), hashlib.sha256)
