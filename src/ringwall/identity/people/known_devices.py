"""Tokens of browsers in which somebody has signed in before: with one, others' wrong guesses slow nobody down.

A token signs nobody in. It only says which budget of attempts counts (the "device cookies" of OWASP), so losing one
gives a guesser no more than that device's few attempts.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

from ringwall.identity.tokens.encoding import EncodingError, decode_base64url, encode_base64url
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

SECONDS: Final = 180 * 86_400
"""How long a browser is remembered after its last sign-in."""
MOST: Final = 8
"""How many accounts of one browser are remembered."""
_ID: Final = 12
_TIME: Final = 6
_TAG: Final = 16


class KnownDevices:
    """Gives tokens out, and knows them again."""

    def __init__(self, *, key: Secret, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def issue(self, account: str) -> str:
        """Return a token for a browser in which this account has just signed in; for a cookie that no script reads."""
        head = secrets.token_bytes(_ID) + (int(self._clock.now()) + SECONDS).to_bytes(_TIME, "big")
        return encode_base64url(head + self._tag(head, account))

    def recognised(self, tokens: Iterable[str], account: str) -> str:
        """Return the name of the device that one of these tokens makes known to this account; empty where none does."""
        for token in list(tokens)[:MOST]:
            try:
                raw = decode_base64url(token[:64])
            except EncodingError:
                continue
            head, tag = raw[: _ID + _TIME], raw[_ID + _TIME :]
            if hmac.compare_digest(tag, self._tag(head, account)) and self._clock.now() < int.from_bytes(
                head[_ID:], "big"
            ):
                return head[:_ID].hex()
        return ""

    def _tag(self, head: bytes, account: str) -> bytes:
        return hmac.digest(self._key.reveal(), head + account.encode(), hashlib.sha256)[:_TAG]
