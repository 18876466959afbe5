"""Keeps the rings of signing keys: stored before published, published before used.

The order makes a crash at any moment harmless: what is stored is the truth, the published
file follows from it and is written anew at every start, and nothing signs before both are on disk.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ringwall.identity.issuer.encryption_keeper import EncryptionKeeper
from ringwall.identity.issuer.ring import LEASE, Ring, RingKey, Schedule
from ringwall.identity.issuer.rings import Rings
from ringwall.identity.issuer.spare_keys import SpareKeys
from ringwall.identity.keystore import KeyMissingError, KeyStore
from ringwall.identity.tokens.encoding import encode_json
from ringwall.identity.tokens.keys import KeySet
from ringwall.identity.tokens.signing import ALGORITHM, RS256, SigningKey
from ringwall.identity.turn import FirstLook, every_time
from ringwall.model.clock import Clock
from ringwall.model.durable import remove_leftovers, replace_file

AHEAD_SECONDS: Final = 60.0
"""How long before keys are due to change what that takes is prepared."""
FOR_ROTATION: Final = 2
"""How many RSA keys a rotation may need at once: one to sign, and one to decrypt."""
FOR_REPLACEMENT: Final = 3
"""How many RSA keys it takes to replace all."""
_ENTRY: Final = "ring"
_FILE: Final = f"{_ENTRY}.json"

_log = logging.getLogger(__name__)


class KeyKeeper:
    """Owner of the signing keys, together with those of the other processes that share its key store.

    Whoever changes the ring does so in its turn, by what the store says then; the others notice with their next
    signature. So all of them sign with the same key, and none of them with one that another has dropped.

    Attributes:
        published: the JWK set as it lies in the file, JSON: the keys that sign access tokens, for the proxies.
        jwks: the JWK set for clients, as far as it is for signatures: those, and the keys that sign with RS256.
        encryption: the keys by which clients encrypt for the issuer, which share the schedule.
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
        self._spares = SpareKeys()
        self.encryption = EncryptionKeeper(
            store=store, clock=clock, schedule=schedule, first_look=first_look, make_rsa=self._spares.take
        )
        self.published = b""
        self.jwks = b""
        self._key_set: KeySet | None = None
        self._id_token_key_set: KeySet | None = None
        self._signers: dict[str, SigningKey] = {}
        self._making = threading.Lock()
        self._made: Ring | None = None
        self._stamp: object = object()  # of no entry
        with store.exclusive():
            remove_leftovers(jwks_file.parent, jwks_file.name)
            try:
                self._load()
            except KeyMissingError:
                self._commit(Rings(Ring.begin(clock.now())))
                _log.info("made the first signing keys")
        self.tick()

    @property
    def key_set(self) -> KeySet:
        """The keys of access tokens, to verify those that come back; none for RS256 is among them."""
        if self._key_set is None:
            self._key_set = KeySet.parse(self.published)
        return self._key_set

    @property
    def id_token_key_set(self) -> KeySet:
        """All published keys, to verify ID tokens that come back."""
        if self._id_token_key_set is None:
            self._id_token_key_set = KeySet.parse(self.jwks)
        return self._id_token_key_set

    async def complete(self) -> None:
        """Make the keys for RS256, and for encryption, where there are none yet, in a thread: it takes 0.2 seconds.

        What publishes keys to clients waits for this, so that nobody ever sees one half of a new system's keys.
        """
        if self._rings.rs256 is None:
            self._add(await asyncio.to_thread(self._make))
        await self.encryption.complete()

    async def prepare(self, count: int = 0) -> None:
        """Make RSA keys in a thread: `count` of them, or what the schedule will need in the next minute.

        Whatever changes the keys does so on the event loop, which must not stand still while such a key is made.
        """
        soon = self._clock.now() + AHEAD_SECONDS
        signing = self._rings.rs256 is not None and self.next_change() <= soon
        reading = self.encryption.next_change() <= soon
        await self._spares.fill(max(count, signing + reading))

    def tick(self) -> None:
        """Do what the schedule says is due; to be called every few seconds, after `prepare`."""
        now = self._clock.now()
        self._follow()
        if now >= self._due:
            self._change(lambda rings: rings.advance(now, self.schedule, self._fresh))
        self.encryption.tick()

    def sign(self, claims: Mapping[str, Any], *, typ: str, algorithm: str = ALGORITHM) -> str:
        """Sign claims with the active key, which is then kept published until their `exp`.

        What does not expire is an answer, which is read at once: for that the key is kept a few minutes.
        KeyNotReadyError is raised for RS256 while its first key is not published long enough.
        """
        now = self._clock.now()
        expires = float(claims.get("exp", now + LEASE))
        self._follow()
        if algorithm != ALGORITHM and self._rings.rs256 is None:
            self._add(self._make())
        if now >= self._due or expires > self._rings.ready(algorithm, now).active.signed_until:
            self._change(lambda rings: rings.advance(now, self.schedule, self._fresh).cover(algorithm, expires))
        self._rings.ready(algorithm, now)
        return self._signers[algorithm].sign(claims, typ=typ)

    def rotate(self) -> float:
        """Let the next key take over as soon as it has been published long enough; return when that is or was.

        The keys for encryption are replaced at once: nobody has to know them before they are used. FOR_ROTATION keys
        are to be prepared.
        """
        self._change(Rings.request)
        due = self._rings.next_change(self.schedule)
        self.encryption.rotate()
        self.tick()
        return due

    def replace_compromised(self) -> None:
        """Drop every key at once, the next one too, as they lie in the same place; fresh ones take over.

        Every token issued so far is refused from then on, as soon as verifiers have the new set. FOR_REPLACEMENT
        keys are to be prepared.
        """
        now = self._clock.now()
        self._change(lambda _: Rings.begin(now, self._fresh))
        self.encryption.replace_compromised()
        _log.warning("all signing keys were dropped as compromised; tokens issued before are refused")

    def published_keys(self) -> tuple[RingKey, ...]:
        """Return the keys that are published now."""
        return self._rings.keys

    def next_change(self) -> float:
        """Return when the first of the next keys will take over, seconds since the epoch."""
        return self._rings.next_change(self.schedule)

    def _follow(self) -> None:
        """Take over what another process has made of the ring; costs one look at the entry's date."""
        if self._first_look(self) and self._store.stamp(_FILE) != self._stamp:
            with self._store.exclusive():
                self._load()

    def _fresh(self, algorithm: str) -> SigningKey:
        return SigningKey.generate(algorithm, self._spares.take)

    def _make(self) -> Ring:
        """Return a ring for RS256 that nobody has seen; however many ask at the same time, one is made."""
        with self._making:
            if self._made is None:
                self._made = Ring.begin(self._clock.now(), RS256)
            return self._made

    def _add(self, fresh: Ring) -> None:
        now = self._clock.now()
        self._change(lambda rings: rings.add(fresh, now, self.schedule))
        self._made = None

    def _change(self, change: Callable[[Rings], Rings]) -> None:
        """Change the rings as they are in the store now, while nobody else can."""
        with self._store.exclusive():
            self._load()
            changed = change(self._rings)
            if changed is not self._rings:
                self._commit(changed)

    def _load(self) -> None:
        stamp = self._store.stamp(_FILE)
        if stamp == self._stamp:
            return
        self._become(Rings.from_json(self._store.get_json(_ENTRY)), stamp)

    def _commit(self, rings: Rings) -> None:
        self._store.put_json(_ENTRY, rings.to_json())
        self._become(rings, self._store.stamp(_FILE))

    def _become(self, rings: Rings, stamp: object) -> None:
        self._publish(rings)
        signers: dict[str, SigningKey] = {}
        for ring in rings.all:
            former = self._signers.get(ring.algorithm)
            if former is not None and former.kid == ring.active.kid:
                signers[ring.algorithm] = former
                continue
            if former is not None:
                _log.info("key %s signs from now on, in place of %s", ring.active.kid, former.kid)
            signers[ring.algorithm] = _signer_of(ring)
        self._signers, self._rings, self._stamp = signers, rings, stamp
        self._due = rings.due(self.schedule)

    def _publish(self, rings: Rings) -> None:
        content, jwks = encode_json(rings.es256.public_set()), encode_json(rings.public_set())
        if content != self.published:
            if _content_of(self._file) != content:  # else another process has published it
                replace_file(self._file, content)
            self.published = content
            self._key_set = None
        if jwks != self.jwks:
            self.jwks = jwks
            self._id_token_key_set = None


def _content_of(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _signer_of(ring: Ring) -> SigningKey:
    pem = ring.active.pem
    assert pem is not None  # noqa: S101  # Ring refuses to be made otherwise
    return SigningKey.from_pem(pem)
