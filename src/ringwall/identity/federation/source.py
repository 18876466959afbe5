"""What the key sources of all issuers have in common."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

from ringwall.identity.federation.key_filter import EMPTY, UsableKeys
from ringwall.plan.identity import Issuer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerStatus:
    """How it stands with one issuer's keys, for `ringwall status`.

    Attributes:
        name: of the issuer in the blueprint.
        url: its `iss`.
        keys: how many keys are in force.
        last_success: when they were last confirmed, seconds since the epoch; None where they never were.
        error: why the last attempt failed, or what is wrong with what was published; empty where all is well.
        dropped: a sentence for each published key that is not used.
    """

    name: str
    url: str
    keys: int = 0
    last_success: float | None = None
    error: str = ""
    dropped: tuple[str, ...] = ()


class KeySource(ABC):
    """The keys of one issuer, polled by a thread of its own."""

    tick_seconds: float
    """How often `poll` is called."""

    def __init__(self, issuer: Issuer, changed: Callable[[], None]) -> None:
        self.issuer = issuer
        self._changed = changed
        self._jwks = EMPTY
        self._status = IssuerStatus(name=issuer.name, url=issuer.url)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keys of {issuer.name}", daemon=True)

    @property
    def jwks(self) -> str:
        """The key set in force, as JSON; without keys where none is known."""
        return self._jwks

    @property
    def status(self) -> IssuerStatus:
        """How it stands."""
        return self._status

    def start(self) -> None:
        """Begin to follow the issuer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; returns at once, and nothing changes any more."""
        self._stopping.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    @abstractmethod
    def poll(self) -> None:
        """Look whether there is something new, where that is due."""

    @abstractmethod
    def refresh(self) -> bool:
        """Look soon, out of turn; return whether that can help."""

    def _accept(self, keys: UsableKeys, now: float) -> None:
        """Put a published key set in force, even an empty one: the issuer has the say over its keys."""
        error = "" if keys.count else "the issuer publishes no key that can be used"
        self._status = replace(self._status, keys=keys.count, last_success=now, error=error, dropped=keys.dropped)
        self._put(keys.jwks)

    def _fail(self, error: str) -> None:
        """Keep what is in force, and say why there is nothing new."""
        if error != self._status.error:
            _log.warning("keys of issuer %s: %s", self.issuer.name, error)
        self._status = replace(self._status, error=error)

    def _put(self, jwks: str) -> None:
        if jwks == self._jwks or self._stopping.is_set():
            return
        self._jwks = jwks
        self._changed()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self.poll()
            self._wake.wait(self.tick_seconds)
