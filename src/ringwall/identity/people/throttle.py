"""Slows guessing down, without letting those who guess lock anybody out.

Budgets of attempts (OWASP: "Blocking brute force attacks", device cookies; NIST SP 800-63B, section 5.2.2):

- a browser that has signed in to the account before has a budget of its own, and nobody else's attempts touch it;
- everybody else shares one budget for the account, besides the budget of the address they come from.

So strangers can use up the strangers' budget of an account, and its owner signs in all the same: in any browser used
before, or anywhere with a passkey, which cannot be guessed and is not counted. An attempt is paid for before it is
looked at, or many at once would all find the budget full; whoever turns out to be right gets it back.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ringwall.identity.people.errors import TooManyAttemptsError
from ringwall.identity.store.attempts import AttemptBudgets
from ringwall.model.clock import Clock

_V6_NETWORK: Final = 64
"""One customer of an IPv6 network has this many bits to choose addresses from."""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many attempts at once, then one in so many seconds (the generic cell rate algorithm, ITU-T I.371).

    Attributes:
        burst: attempts.
        seconds: until one more is allowed.
    """

    burst: int
    seconds: float


STRANGERS: Final = Budget(10, 300.0)
"""All browsers that the account does not know: 288 guesses a day, whoever makes them."""
DEVICE: Final = Budget(10, 60.0)
"""One browser that the account knows."""
SOURCE: Final = Budget(30, 10.0)
"""One address, for all accounts: an office shares it, a guesser does too."""
SECOND_FACTOR: Final = Budget(6, 300.0)
"""Codes for an account, after a right password: at three codes in a million, 0.1 % in a day."""


class Admission:
    """An attempt that was let through and paid for."""

    def __init__(self, budgets: AttemptBudgets, paid: Sequence[tuple[str, str, Budget]]) -> None:
        self._budgets = budgets
        self._paid = paid

    async def was_right(self) -> None:
        """Give back what the attempt cost."""
        for kind, key, budget in self._paid:
            await self._budgets.give_back(kind, key, seconds=budget.seconds)
        self._paid = ()


class Throttle:
    """Lets attempts through, or says how long to wait."""

    def __init__(self, budgets: AttemptBudgets, clock: Clock) -> None:
        self._budgets = budgets
        self._clock = clock

    async def admit_password(self, *, account: str, source: str, device: str) -> Admission:
        """Let an attempt at a password through; TooManyAttemptsError.

        Args:
            account: what names it; also one that does not exist, which must look the same.
            source: address of the client as the edge saw it.
            device: as `KnownDevices.recognised` gave it for this account; empty for a stranger.
        """
        if device:
            return await self._pay(("device", f"{account}:{device}", DEVICE))
        return await self._pay(("source", network_of(source), SOURCE), ("strangers", account, STRANGERS))

    async def admit_second_factor(self, *, account: str) -> Admission:
        """Let an attempt at a one-time password or recovery code through; only who knows the password comes here."""
        return await self._pay(("second-factor", account, SECOND_FACTOR))

    async def admit_source(self, *, source: str) -> Admission:
        """Let an attempt through that names no account, such as an invitation."""
        return await self._pay(("source", network_of(source), SOURCE))

    async def _pay(self, *paid: tuple[str, str, Budget]) -> Admission:
        now = self._clock.now()
        for kind, key, budget in paid:
            wait = await self._budgets.take(kind, key, burst=budget.burst, seconds=budget.seconds, now=now)
            if wait > 0:
                raise TooManyAttemptsError(wait)
        return Admission(self._budgets, paid)


def network_of(source: str) -> str:
    """Return who a client address stands for: itself, or its IPv6 network."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return "unknown"
    if address.version == 4:  # noqa: PLR2004  # IP versions are best read as numbers
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _V6_NETWORK), strict=False))
