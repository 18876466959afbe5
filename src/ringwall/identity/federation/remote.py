"""The keys of somebody else's issuer: asked for by discovery, on a schedule and on demand, and kept."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ringwall.identity.federation.discovery import fetch_key_set
from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.federation.key_filter import EMPTY, usable_keys
from ringwall.identity.federation.source import KeySource
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.model.clock import Clock
from ringwall.model.durable import StorageError, replace_file
from ringwall.model.errors import RingwallError
from ringwall.plan.identity import Issuer

REFRESH_SECONDS: Final = 300.0
"""How often an issuer is asked while all is well."""
MIN_SECONDS: Final = 30.0
"""Shortest time between two attempts out of turn: unknown key names are free to make up."""
RETRY_SECONDS: Final = 5.0
"""Wait after the first failure; it doubles with each further one, up to REFRESH_SECONDS."""
RETRY_KEYLESS_SECONDS: Final = 30.0
"""Longest such wait while no key of the issuer is known: until then all its tokens are refused."""
MAX_AGE_SECONDS: Final = 7 * 86_400.0
"""Keys that nobody has confirmed for so long are believed no more."""
_MAX_FILE: Final = 1_048_576
_FORMAT: Final = 1


class RemoteKeys(KeySource):
    """Follows an external issuer. The last good key set outlives failures, and restarts, for MAX_AGE_SECONDS."""

    tick_seconds = 1.0

    def __init__(
        self, issuer: Issuer, changed: Callable[[], None], *, folder: Path, fetcher: Fetcher, clock: Clock
    ) -> None:
        super().__init__(issuer, changed)
        identity = json.dumps([issuer.name, issuer.url, issuer.discovery])
        self._file = folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"
        self._fetcher = fetcher
        self._clock = clock
        self._due = clock.monotonic()
        self._demanded: float | None = None
        self._failures = 0
        self._wanted = False
        self._load()

    def poll(self) -> None:
        """Ask the issuer if that is due, and forget keys that are too old."""
        now = self._clock.monotonic()
        if now >= self._due:
            self._ask()
        elif self._wanted and (self._demanded is None or now >= self._demanded + MIN_SECONDS):
            self._demanded = now
            self._ask()
        if self._too_old() and not self._failures:  # the machine slept, or its clock was set: nobody was asked so long
            self._ask()
        if self._too_old():
            self._put(EMPTY)
            self._fail("its keys have not been confirmed for a week and are believed no more")

    def _too_old(self) -> bool:
        confirmed = self._status.last_success
        return confirmed is not None and self._clock.now() - confirmed > MAX_AGE_SECONDS and self._jwks != EMPTY

    def refresh(self) -> bool:
        """Ask at once, or as soon as MIN_SECONDS have passed since that was last done."""
        if not self._wanted:  # a flood of such tokens does not keep the thread awake
            self._wanted = True
            self._wake.set()
        return True

    def _ask(self) -> None:
        self._wanted = False  # before asking: whoever wants news while the answer is on its way gets another
        try:
            published = fetch_key_set(self.issuer, self._fetcher)
            keys = usable_keys(published, self.issuer.algorithms)
        except RingwallError as error:
            self._failures += 1
            longest = RETRY_KEYLESS_SECONDS if self._jwks == EMPTY else REFRESH_SECONDS
            wait = min(RETRY_SECONDS * 2 ** min(self._failures - 1, 10), longest)
            self._fail(error.message)
        else:
            self._failures = 0
            wait = REFRESH_SECONDS
            self._accept(keys, self._clock.now())
            self._save()
        self._due = self._clock.monotonic() + wait

    def _save(self) -> None:
        kept = {
            "format": _FORMAT,
            "issuer": self.issuer.url,
            "discovery": self.issuer.discovery,
            "confirmed": self._status.last_success,
            "jwks": self._jwks,
        }
        try:
            replace_file(self._file, json.dumps(kept).encode())
        except StorageError as error:
            self._fail(f"its keys cannot be kept for the next start: {error.message}")

    def _load(self) -> None:
        """Take up what was confirmed before the last stop; anything that is not quite right is left alone."""
        try:
            with self._file.open("rb") as stream:
                kept = json.loads(stream.read(_MAX_FILE))
            confirmed = float(kept["confirmed"])
            same = (kept["format"], kept["issuer"], kept["discovery"]) == (
                _FORMAT,
                self.issuer.url,
                self.issuer.discovery,
            )
            fresh = 0 <= self._clock.now() - confirmed <= MAX_AGE_SECONDS
            keys = usable_keys(kept["jwks"], self.issuer.algorithms)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, KeyRefusedError):
            return
        if same and fresh:
            self._accept(keys, confirmed)
