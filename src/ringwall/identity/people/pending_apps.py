"""Secrets of authenticator apps that have not shown a code yet: sealed into the page, so that nothing is stored."""

import struct
from dataclasses import dataclass
from typing import Final

from ringwall.identity.people.errors import SignInRefusedError
from ringwall.identity.sealing import Sealer, SealingError
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

SECONDS: Final = 1800.0
"""How long somebody has for finding an app and setting it up."""
_TIME: Final = struct.Struct(">d")


@dataclass(frozen=True, slots=True)
class NewApp:
    """A secret for an authenticator app.

    Attributes:
        uri: for a QR code.
        typed: the same, for typing it by hand.
        pending: what `confirm_totp` needs; sealed, so it may wait in a form of the page.
    """

    uri: str
    typed: str
    pending: str


class PendingApps:
    """Seals secrets for one account and a while."""

    def __init__(self, key: Secret, clock: Clock) -> None:
        self._sealer = Sealer(key)
        self._clock = clock

    def seal(self, account: str, secret: Secret) -> str:
        """Return a secret as text that only `open` can read."""
        expires = _TIME.pack(self._clock.now() + SECONDS)
        return self._sealer.seal(_name(account), Secret(expires + secret.reveal())).decode("ascii")

    def open(self, account: str, sealed: str) -> Secret:
        """Return the secret; SignInRefusedError where it was sealed for another account, is over, or no such text."""
        try:
            raw = self._sealer.open(_name(account), sealed.encode()).reveal()
        except (SealingError, UnicodeEncodeError):
            raise SignInRefusedError from None
        (expires,) = _TIME.unpack_from(raw)
        if expires <= self._clock.now():
            raise SignInRefusedError(hint="begin setting up the app again")
        return Secret(raw[_TIME.size :])


def _name(account: str) -> str:
    return f"pending app of {account}"
