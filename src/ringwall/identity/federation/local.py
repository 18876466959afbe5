"""The keys of the built-in issuer: a file that it replaces."""

from collections.abc import Callable
from pathlib import Path

from ringwall.identity.federation.key_filter import usable_keys
from ringwall.identity.federation.source import KeySource
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import MAX_SET_BYTES
from ringwall.model.clock import Clock
from ringwall.model.durable import Stamp, stamp_of
from ringwall.plan.identity import Issuer


class LocalKeys(KeySource):
    """Follows the built-in issuer's key file."""

    tick_seconds = 0.1

    def __init__(self, issuer: Issuer, changed: Callable[[], None], *, file: Path, clock: Clock) -> None:
        super().__init__(issuer, changed)
        self._file = file
        self._clock = clock
        self._stamp: Stamp | None = None

    def poll(self) -> None:
        """Read the file if it was replaced."""
        stamp = stamp_of(self._file)
        if stamp is None:
            self._stamp = None
            self._fail("the built-in issuer has not published its keys")
            return
        if stamp == self._stamp:
            return
        try:
            with self._file.open("rb") as stream:
                content = stream.read(MAX_SET_BYTES + 1)
            keys = usable_keys(content, self.issuer.algorithms)
        except (OSError, KeyRefusedError) as error:
            self._fail(f"cannot read {self._file}: {error}")
            return
        self._stamp = stamp
        self._accept(keys, self._clock.now())

    def refresh(self) -> bool:
        """Nothing is gained: the file is looked at all the time."""
        return False
