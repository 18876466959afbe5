"""Password hashes: Argon2id (RFC 9106), made in threads of their own so that nothing else waits for them.

What is kept is a PHC string. Hashes that were imported are verified too (see `imported_hashes`); whatever is weaker
than what would be made today is told to be made anew, which happens at the next sign-in.
"""

import asyncio
import contextlib
import ctypes
import functools
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from ringwall.identity.people.errors import BusyError, PasswordRefusedError
from ringwall.identity.people.imported_hashes import ImportedHashError, candidates, verify_bcrypt, verify_pbkdf2
from ringwall.identity.people.password_rules import normalised
from ringwall.model.secret import Secret

TARGET_SECONDS: Final = 0.08
"""How long one hash may take; on two cores some 25 people sign in each second."""
THREADS: Final = 2
LONGEST_QUEUE: Final = 64
"""Whoever comes after so many is sent away, so that a flood costs neither memory nor everybody's patience."""
_MOST_PASSES: Final = 10
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_M_MMAP_THRESHOLD: Final = -3
_MAPPED_FROM: Final = 1_048_576

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a hash costs: memory in KiB, passes over it, lanes (RFC 9106, section 3.1)."""

    memory: int
    passes: int
    lanes: int = 1


FLOOR: Final = Cost(memory=19_456, passes=2)
"""The OWASP password storage cheat sheet's setting of this memory size. Never less."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out of a look at a password.

    Attributes:
        right: whether it is the one.
        renew: whether the hash that was kept is weaker than what is made today.
    """

    right: bool
    renew: bool


class PasswordHasher:
    """Makes and verifies password hashes. For one event loop; `close` ends its threads."""

    def __init__(self, cost: Cost | None = None) -> None:
        """Take `cost`, but never less than FLOOR; without it, measure this machine at the first hash."""
        self._cost = cost and Cost(max(cost.memory, FLOOR.memory), max(cost.passes, FLOOR.passes), cost.lanes)
        _give_memory_back()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._waiting = 0

    async def hash(self, password: Secret) -> str:
        """Return the PHC string to keep for a password; it must have passed `PasswordRules.check`."""
        return await self.elsewhere(lambda: _hash(normalised(password), self._measured()))

    async def verify(self, password: Secret, kept: str | None) -> Verdict:
        """Compare a password with what is kept; without that, as for an unknown account, do the same work for nothing.

        A password that nobody could have chosen is wrong, and costs the same.
        """
        return await self.elsewhere(lambda: _verify(password, kept, self._measured()))

    async def secret_hash(self, value: Secret, salt: bytes) -> bytes:
        """Return the 32-byte Argon2id tag of a short secret that was made here, such as a recovery code."""
        return await self.elsewhere(lambda: _raw(value, salt, FLOOR))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _measured(self) -> Cost:
        if self._cost is None:
            self._cost = measure()
        return self._cost

    async def elsewhere(self, work: Callable[[], R]) -> R:
        """Do work that takes long in one of the threads, and return what it returns; BusyError where too much waits."""
        if self._waiting >= LONGEST_QUEUE:
            raise BusyError("too many passwords wait to be checked", hint="try again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def measure(target: float = TARGET_SECONDS, *, timer: Callable[[], float] = time.perf_counter) -> Cost:
    """Return the cost whose hash takes `target` seconds here, as far as passes make it so; never less than FLOOR.

    Memory stays as it is: it bounds what the issuer needs, and passes make up for it.
    """
    taken = min(_timed(timer) for _ in range(3))
    passes = int(FLOOR.passes * target / taken) if taken > 0 else FLOOR.passes
    return Cost(FLOOR.memory, min(max(passes, FLOOR.passes), _MOST_PASSES), FLOOR.lanes)


def _give_memory_back() -> None:
    """Let the C library return each hash's memory at once; as it is set, every thread would keep its 19 MB for good."""
    with contextlib.suppress(AttributeError, OSError):  # only the GNU C library has this, and this habit
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)


def _timed(timer: Callable[[], float]) -> float:
    begin = timer()
    _raw(Secret(b"how fast is this machine?"), b"\0" * _SALT_BYTES, FLOOR)
    return timer() - begin


def _hash(password: Secret, cost: Cost) -> str:
    from argon2.low_level import Type, hash_secret  # noqa: PLC0415  # not needed before somebody signs in

    salt = secrets.token_bytes(_SALT_BYTES)
    return hash_secret(password.reveal(), salt, cost.passes, cost.memory, cost.lanes, _HASH_BYTES, Type.ID).decode(
        "ascii"
    )


def _raw(value: Secret, salt: bytes, cost: Cost) -> bytes:
    from argon2.low_level import Type, hash_secret_raw  # noqa: PLC0415  # as above

    return hash_secret_raw(value.reveal(), salt, cost.passes, cost.memory, cost.lanes, _HASH_BYTES, Type.ID)


@functools.lru_cache(maxsize=4)
def _nobodys(cost: Cost) -> str:
    """Return a hash that no password has, to be compared with for accounts that have none."""
    return _hash(Secret(secrets.token_bytes(32)), cost)


def _verify(password: Secret, kept: str | None, cost: Cost) -> Verdict:
    try:
        form = normalised(password)
    except PasswordRefusedError:
        form, kept = Secret(b""), None
    if kept is None:
        for each in candidates(password, form):
            _matches(_nobodys(cost), each)
        return Verdict(right=False, renew=False)
    if kept.startswith("$pbkdf2"):
        right = any(verify_pbkdf2(each, kept) for each in candidates(password, form))
        return Verdict(right=right, renew=True)
    if kept.startswith("$2"):
        right = any(verify_bcrypt(each, kept) for each in candidates(password, form))
        return Verdict(right=right, renew=True)
    if _matches(kept, form):
        return Verdict(right=True, renew=_is_weaker(kept, cost))
    # A hash that was imported may be of the text as it was typed.
    right = any(_matches(kept, each) for each in candidates(password, form)[1:])
    return Verdict(right=right, renew=True)


def _matches(kept: str, password: Secret) -> bool:
    from argon2.exceptions import Argon2Error, InvalidHash  # noqa: PLC0415  # as above
    from argon2.low_level import Type, verify_secret  # noqa: PLC0415

    kind = {"$argon2id": Type.ID, "$argon2i$": Type.I, "$argon2d$": Type.D}.get(kept[:9])
    if kind is None:
        raise ImportedHashError("a password hash is kept in a form that is not known here")
    try:
        return verify_secret(kept.encode(), password.reveal(), kind)
    except (Argon2Error, InvalidHash):
        return False


def _is_weaker(kept: str, cost: Cost) -> bool:
    from argon2 import extract_parameters  # noqa: PLC0415  # as above
    from argon2.low_level import Type  # noqa: PLC0415

    found = extract_parameters(kept)
    return (
        found.type is not Type.ID
        or found.memory_cost < cost.memory
        or found.time_cost < FLOOR.passes
        or found.time_cost * found.memory_cost * 2 <= cost.passes * cost.memory
        or found.hash_len < _HASH_BYTES
        or found.salt_len < _SALT_BYTES
    )
