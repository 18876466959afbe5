"""Keeps the ring of signing keys: stored before published, published before used.

The order makes a crash at any moment harmless: what is stored is the truth, the published
file follows from it and is written anew at every start, and nothing signs before both are on disk.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ringwall.identity.issuer.ring import LEASE, Ring, RingKey, Schedule
from ringwall.identity.keystore import KeyMissingError, KeyStore
from ringwall.identity.tokens.encoding import encode_json
from ringwall.identity.tokens.keys import KeySet
from ringwall.identity.tokens.signing import SigningKey
from ringwall.identity.turn import FirstLook, every_time
from ringwall.model.clock import Clock
from ringwall.model.durable import remove_leftovers, replace_file

_ENTRY: Final = "ring"
_FILE: Final = f"{_ENTRY}.json"

_log = logging.getLogger(__name__)


class KeyKeeper:
    """Owner of the signing keys, together with those of the other processes that share its key store.

    Whoever changes the ring does so in its turn, by what the store says then; the others notice with their next
    signature. So all of them sign with the same key, and none of them with one that another has dropped.

    Attributes:
        published: the JWK set as it lies in the file, JSON.
    """

    def __init__(
        self,
        *,
        store: KeyStore,
        jwks_file: Path,
        clock: Clock,
        schedule: Schedule,
        first_look: FirstLook = every_time,
    ) -> None:
        """Load the keys, or make the first ones, and publish them."""
        self._store = store
        self._file = jwks_file
        self._clock = clock
        self._first_look = first_look
        self.schedule = schedule
        self.published = b""
        self._key_set: KeySet | None = None
        self._kid = ""
        self._stamp: object = object()  # of no entry
        with store.exclusive():
            remove_leftovers(jwks_file.parent, jwks_file.name)
            try:
                self._load()
            except KeyMissingError:
                self._commit(Ring.begin(clock.now()))
                _log.info("made the first signing keys")
        self.tick()

    @property
    def key_set(self) -> KeySet:
        """The published keys, to verify tokens of ours that come back."""
        if self._key_set is None:
            self._key_set = KeySet.parse(self.published)
        return self._key_set

    def tick(self) -> None:
        """Do what the schedule says is due; to be called every few seconds."""
        now = self._clock.now()
        self._follow()
        if now >= self._due:
            self._change(lambda ring: ring.advance(now, self.schedule))

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Sign claims with the active key, which is then kept published until their `exp`.

        What does not expire is an answer, which is read at once: for that the key is kept a few minutes.
        """
        now = self._clock.now()
        expires = float(claims.get("exp", now + LEASE))
        self._follow()
        if now >= self._due or expires > self._signed_until:
            self._change(lambda ring: ring.advance(now, self.schedule).cover(expires))
        return self._signer.sign(claims, typ=typ)

    def rotate(self) -> float:
        """Let the next key take over as soon as it has been published long enough; return when that is or was."""
        self._change(Ring.request)
        due = self._ring.next_change(self.schedule)
        self.tick()
        return due

    def replace_compromised(self) -> None:
        """Drop every key at once, the next one too, as they lie in the same place; fresh ones take over.

        Every token issued so far is refused from then on, as soon as verifiers have the new set.
        """
        now = self._clock.now()
        self._change(lambda _: Ring.begin(now))
        _log.warning("all signing keys were dropped as compromised; tokens issued before are refused")

    def published_keys(self) -> tuple[RingKey, ...]:
        """Return the keys that are published now."""
        return self._ring.keys

    def next_change(self) -> float:
        """Return when the next key will take over, seconds since the epoch."""
        return self._ring.next_change(self.schedule)

    def _follow(self) -> None:
        """Take over what another process has made of the ring; costs one look at the entry's date."""
        if self._first_look(self) and self._store.stamp(_FILE) != self._stamp:
            with self._store.exclusive():
                self._load()

    def _change(self, change: Callable[[Ring], Ring]) -> None:
        """Change the ring as it is in the store now, while nobody else can."""
        with self._store.exclusive():
            self._load()
            changed = change(self._ring)
            if changed is not self._ring:
                self._commit(changed)

    def _load(self) -> None:
        stamp = self._store.stamp(_FILE)
        if stamp == self._stamp:
            return
        self._become(Ring.from_json(self._store.get_json(_ENTRY)), stamp)

    def _commit(self, ring: Ring) -> None:
        self._store.put_json(_ENTRY, ring.to_json())
        self._become(ring, self._store.stamp(_FILE))

    def _become(self, ring: Ring, stamp: object) -> None:
        self._publish(ring)
        if ring.active.kid != self._kid:
            if self._kid:
                _log.info("key %s signs from now on, in place of %s", ring.active.kid, self._kid)
            self._signer, self._kid = _signer_of(ring), ring.active.kid
        self._ring, self._stamp = ring, stamp
        self._due, self._signed_until = ring.due(self.schedule), ring.active.signed_until

    def _publish(self, ring: Ring) -> None:
        content = encode_json(ring.public_set())
        if content != self.published:
            if _content_of(self._file) != content:  # else another process has published it
                replace_file(self._file, content)
            self.published = content
            self._key_set = None


def _content_of(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _signer_of(ring: Ring) -> SigningKey:
    pem = ring.active.pem
    assert pem is not None  # noqa: S101  # Ring refuses to be made otherwise
    return SigningKey.from_pem(pem)
