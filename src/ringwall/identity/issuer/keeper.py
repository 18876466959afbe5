"""Keeps the ring of signing keys: stored before published, published before used.

The order makes a crash at any moment harmless: what is stored is the truth, the published
file follows from it and is written anew at every start, and nothing signs before both are on disk.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ringwall.identity.issuer.ring import LEASE, Ring, RingKey, Schedule
from ringwall.identity.keystore import KeyMissingError, KeyStore
from ringwall.identity.tokens.encoding import encode_json
from ringwall.identity.tokens.keys import KeySet
from ringwall.identity.tokens.signing import SigningKey
from ringwall.model.clock import Clock
from ringwall.model.durable import remove_leftovers, replace_file

_ENTRY: Final = "ring"

_log = logging.getLogger(__name__)


class KeyKeeper:
    """Owner of the signing keys. For one thread, and one process per key store.

    Attributes:
        published: the JWK set as it lies in the file, JSON.
    """

    def __init__(self, *, store: KeyStore, jwks_file: Path, clock: Clock, schedule: Schedule) -> None:
        """Load the keys, or make the first ones, and publish them."""
        self._store = store
        self._file = jwks_file
        self._clock = clock
        self.schedule = schedule
        self.published = b""
        self._key_set: KeySet | None = None
        remove_leftovers(jwks_file.parent, jwks_file.name)
        try:
            self._ring = Ring.from_json(store.get_json(_ENTRY))
            self._publish(self._ring)
        except KeyMissingError:
            self._commit(Ring.begin(clock.now()))
            _log.info("made the first signing keys")
        self._signer = _signer_of(self._ring)
        self.tick()

    @property
    def key_set(self) -> KeySet:
        """The published keys, to verify tokens of ours that come back."""
        if self._key_set is None:
            self._key_set = KeySet.parse(self.published)
        return self._key_set

    def tick(self) -> None:
        """Do what the schedule says is due; to be called every few seconds."""
        self._become(self._ring.advance(self._clock.now(), self.schedule))

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Sign claims with the active key, which is then kept published until their `exp`.

        What does not expire is an answer, which is read at once: for that the key is kept a few minutes.
        """
        self.tick()
        self._become(self._ring.cover(float(claims.get("exp", self._clock.now() + LEASE))))
        return self._signer.sign(claims, typ=typ)

    def rotate(self) -> float:
        """Let the next key take over as soon as it has been published long enough; return when that is or was."""
        requested = self._ring.request()
        due = requested.next_change(self.schedule)
        self._become(requested)
        self.tick()
        return due

    def replace_compromised(self) -> None:
        """Drop every key at once, the next one too, as they lie in the same place; fresh ones take over.

        Every token issued so far is refused from then on, as soon as verifiers have the new set.
        """
        self._become(Ring.begin(self._clock.now()))
        _log.warning("all signing keys were dropped as compromised; tokens issued before are refused")

    def published_keys(self) -> tuple[RingKey, ...]:
        """Return the keys that are published now."""
        return self._ring.keys

    def next_change(self) -> float:
        """Return when the next key will take over, seconds since the epoch."""
        return self._ring.next_change(self.schedule)

    def _become(self, ring: Ring) -> None:
        if ring is self._ring:
            return
        former = self._ring.active.kid
        self._commit(ring)
        if ring.active.kid != former:
            self._signer = _signer_of(ring)
            _log.info("key %s signs from now on, in place of %s", ring.active.kid, former)

    def _commit(self, ring: Ring) -> None:
        self._store.put_json(_ENTRY, ring.to_json())
        self._publish(ring)
        self._ring = ring

    def _publish(self, ring: Ring) -> None:
        content = encode_json(ring.public_set())
        if content != self.published:
            replace_file(self._file, content)
            self.published = content
            self._key_set = None


def _signer_of(ring: Ring) -> SigningKey:
    pem = ring.active.pem
    assert pem is not None  # noqa: S101  # Ring refuses to be made otherwise
    return SigningKey.from_pem(pem)
