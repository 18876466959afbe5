"""Keeps the keys by which clients encrypt for the issuer: stored beside the signing keys, and before published."""

import asyncio
import logging
import math
import threading
from collections.abc import Callable
from typing import Final

from ringwall.identity.issuer.encryption_ring import EncryptionRing
from ringwall.identity.issuer.ring import Schedule
from ringwall.identity.keystore import KeyMissingError, KeyStore
from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.rsa_keys import MakeRsa
from ringwall.identity.turn import FirstLook
from ringwall.model.clock import Clock

_ENTRY: Final = "encryption"
_FILE: Final = f"{_ENTRY}.json"

_log = logging.getLogger(__name__)


class EncryptionKeeper:
    """Owner of these keys, together with the other processes that share its key store (see `KeyKeeper`).

    A new system has none until they are first to be published: until then nobody can have encrypted anything.
    """

    def __init__(
        self, *, store: KeyStore, clock: Clock, schedule: Schedule, first_look: FirstLook, make_rsa: MakeRsa
    ) -> None:
        """Begin without any; `make_rsa` gives what takes the place of keys that there are."""
        self._store = store
        self._clock = clock
        self._schedule = schedule
        self._first_look = first_look
        self._make_rsa = make_rsa
        self._making = threading.Lock()
        self._ring: EncryptionRing | None = None
        self._stamp: object = None  # of no entry
        self._readers: dict[str, DecryptionKey] = {}

    async def complete(self) -> None:
        """Make the keys where there are none yet, in a thread: the one for RSA takes some 50 ms."""
        if self._current() is None:
            await asyncio.to_thread(self._make)

    def public_jwks(self) -> tuple[dict[str, str], ...]:
        """Return the keys to encrypt with now (RFC 7517, section 4)."""
        ring = self._current()
        return () if ring is None else tuple(dict(sorted(key.jwk.items())) for key in ring.current)

    def readers(self) -> tuple[DecryptionKey, ...]:
        """Return the keys that read what is encrypted for the issuer, current ones first."""
        return () if self._current() is None else tuple(self._readers.values())

    def tick(self) -> None:
        """Do what the schedule says is due; to be called every few seconds."""
        ring, now = self._current(), self._clock.now()
        if ring is not None and now >= ring.due(self._schedule):
            self._change(lambda ring: ring.advance(now, self._schedule, self._fresh))

    def next_change(self) -> float:
        """Return when a key will be replaced, unless something is asked for in between; never where there are none."""
        ring = self._current()
        return math.inf if ring is None else ring.next_change(self._schedule)

    def rotate(self) -> None:
        """Publish new keys from now on; what is encrypted with the former ones is read for a while."""
        if self._current() is not None:
            self._change(lambda ring: ring.replaced(self._clock.now(), self._fresh))

    def replace_compromised(self) -> None:
        """Drop every key at once; what was encrypted with them is not read any more."""
        if self._current() is not None:
            self._change(lambda _: EncryptionRing.begin(self._clock.now(), self._fresh))

    def _fresh(self, algorithm: str) -> DecryptionKey:
        return DecryptionKey.generate(algorithm, self._make_rsa)

    def _current(self) -> EncryptionRing | None:
        """Return what the store has, taking over what another process has made of it."""
        if (self._ring is None or self._first_look(self)) and self._store.stamp(_FILE) != self._stamp:
            with self._store.exclusive():
                self._load()
        return self._ring

    def _make(self) -> None:
        with self._making:  # however many ask at the same time, keys are made once
            if self._ring is not None:
                return
            fresh = EncryptionRing.begin(self._clock.now())
            with self._store.exclusive():
                try:
                    self._load()  # another process was faster
                except KeyMissingError:
                    self._commit(fresh)
                    _log.info("made the first keys for encryption")

    def _change(self, change: Callable[[EncryptionRing], EncryptionRing]) -> None:
        with self._store.exclusive():
            ring = self._load()
            changed = change(ring)
            if changed is not ring:
                self._commit(changed)
                _log.info("new keys for encryption are published")

    def _load(self) -> EncryptionRing:
        stamp = self._store.stamp(_FILE)
        if self._ring is None or stamp != self._stamp:
            return self._become(EncryptionRing.from_json(self._store.get_json(_ENTRY)), stamp)
        return self._ring

    def _commit(self, ring: EncryptionRing) -> None:
        self._store.put_json(_ENTRY, ring.to_json())
        self._become(ring, self._store.stamp(_FILE))

    def _become(self, ring: EncryptionRing, stamp: object) -> EncryptionRing:
        self._readers = {key.jwk["kid"]: DecryptionKey.from_pem(key.pem, key.algorithm) for key in ring.keys}
        self._ring, self._stamp = ring, stamp
        return ring
