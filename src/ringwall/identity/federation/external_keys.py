"""The public keys of every issuer of the plan: what the proxies verify tokens with."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.federation.local import LocalKeys
from ringwall.identity.federation.remote import RemoteKeys
from ringwall.identity.federation.source import IssuerStatus, KeySource
from ringwall.model.clock import Clock
from ringwall.plan.bindings import Bindings
from ringwall.plan.identity import Issuer
from ringwall.plan.model import Plan

_JOIN_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class ExternalKeys:
    """Follows the key sets of all issuers; a `ringwall.model.credentials.TokenKeySource`."""

    def __init__(self, *, plan: Plan, bindings: Bindings, clock: Clock, fetcher: Fetcher | None = None) -> None:
        """Take up the issuers of a plan, with the keys known from the last run; nothing is asked before `start`.

        Args:
            plan: whose issuers.
            bindings: where the built-in issuer's keys and the kept ones lie.
            clock: for schedules and ages.
            fetcher: how documents are fetched; made from the plan's mode by default.
        """
        self._bindings = bindings
        self._clock = clock
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[], None]] = []
        self._sources: dict[str, KeySource] = {}
        self._started = False
        self._development = plan.development
        self.update(plan)

    def start(self) -> None:
        """Begin to follow the issuers, each in a thread of its own."""
        with self._lock:
            self._started = True
            sources = list(self._sources.values())
        for source in sources:
            source.start()

    def stop(self) -> None:
        """Stop following them."""
        with self._lock:
            sources = list(self._sources.values())
            self._started = False
        for source in sources:
            source.stop()
        for source in sources:
            source.join(_JOIN_SECONDS)

    def update(self, plan: Plan) -> None:
        """Follow the issuers of another plan; those that did not change keep their keys. One caller at a time."""
        former = self._sources
        same_mode = plan.development == self._development
        self._development = plan.development
        # Outside the lock: a new source takes up what it knows, and tells so.
        sources = {
            issuer.name: former[issuer.name]
            if same_mode and issuer.name in former and former[issuer.name].issuer == issuer
            else self._source(issuer)
            for issuer in plan.issuers
        }
        added = [source for name, source in sources.items() if former.get(name) is not source]
        removed = [source for name, source in former.items() if sources.get(name) is not source]
        with self._lock:
            self._sources = sources
            started = self._started
        for source in removed:
            source.stop()
        if started:
            for source in added:
                source.start()
        if added or removed:
            self._notify()

    def key_sets(self) -> Mapping[str, str]:
        """Return for each issuer name its JWK set as JSON: never missing, `{"keys":[]}` while no key is known."""
        with self._lock:
            return {name: source.jwks for name, source in self._sources.items()}

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread, whenever a key set has changed."""
        with self._lock:
            self._subscribers.append(changed)

    def refresh(self, issuer: str) -> bool:
        """Ask an issuer out of turn, because a token may be signed with a key that is not known.

        Cheap and safe to call for every such token: an issuer is asked out of turn at most every `MIN_SECONDS`.

        Returns:
            Whether the issuer will be asked; False for the built-in issuer and for unknown names.
        """
        with self._lock:
            source = self._sources.get(issuer)
        return source is not None and source.refresh()

    def refresh_all(self) -> None:
        """Ask every external issuer out of turn: an unverified token does not say whose it is."""
        with self._lock:
            names = list(self._sources)
        for name in names:
            self.refresh(name)

    def status(self) -> tuple[IssuerStatus, ...]:
        """Return how it stands with each issuer, ordered by name."""
        with self._lock:
            return tuple(source.status for _, source in sorted(self._sources.items()))

    def _source(self, issuer: Issuer) -> KeySource:
        if issuer.builtin:
            source: KeySource = LocalKeys(issuer, self._notify, file=self._bindings.jwks, clock=self._clock)
            source.poll()
            return source
        fetcher = self._fetcher or Fetcher(development=self._development)
        folder = self._bindings.state / "federation"
        return RemoteKeys(issuer, self._notify, folder=folder, fetcher=fetcher, clock=self._clock)

    def _notify(self) -> None:
        with self._lock:
            subscribers = list(self._subscribers)
        for changed in subscribers:
            try:
                changed()
            except Exception:  # noqa: BLE001  # whatever is wrong with a subscriber, the keys are still followed
                _log.exception("a subscriber to key sets failed")
