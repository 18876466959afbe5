"""The rings of signing keys together: one whose keys sign with ES256, and one with RS256 for the ID tokens of some.

They keep the same schedule, and are stored and changed as one. Access tokens are signed by the first alone, so it is
all that proxies are given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from ringwall.identity.issuer.ring import KeyRingError, MakeKey, Ring, RingKey, Schedule
from ringwall.identity.tokens.signing import ALGORITHM, RS256, SigningKey

BEGINNING: Final = 60.0
"""Seconds from the first key on in which the ring for RS256 is part of the beginning."""
_RS256: Final = "rs256"


class KeyNotReadyError(KeyRingError):
    """The key for RS256 has not been published long enough."""


@dataclass(frozen=True, slots=True)
class Rings:
    """All keys that are published.

    Attributes:
        es256: the keys that sign access tokens, and everything else that no client wants otherwise.
        rs256: the keys for RS256; None in the first moments, and in a store that was made without.
    """

    es256: Ring
    rs256: Ring | None = None

    @classmethod
    def begin(cls, now: float, make: MakeKey = SigningKey.generate) -> Self:
        """Return fresh keys of both kinds, which `make` makes; they sign from now on."""
        return cls(Ring.begin(now, make=make), Ring.begin(now, RS256, make))

    @property
    def all(self) -> tuple[Ring, ...]:
        """Both rings, as far as they are there."""
        return (self.es256,) if self.rs256 is None else (self.es256, self.rs256)

    @property
    def keys(self) -> tuple[RingKey, ...]:
        """All keys."""
        return tuple(key for ring in self.all for key in ring.keys)

    def ready(self, algorithm: str, now: float) -> Ring:
        """Return the ring that signs so; KeyNotReadyError where its key has not been published long enough."""
        ring = self.es256 if algorithm == ALGORITHM else self.rs256
        if ring is None or _waits(ring.active, now):
            hint = "it is new in this system, and verifiers may not have it before the overlap has passed; wait"
            raise KeyNotReadyError(f"the key for {algorithm} does not sign yet", hint=hint)
        return ring

    def add(self, fresh: Ring, now: float, schedule: Schedule) -> "Rings":
        """Return the rings with one for RS256, where there is none.

        In a system that has only just begun it signs at once, as its first key for ES256 does. In one that has run
        without, verifiers have key sets that lack it, so it signs after the overlap.
        """
        if self.rs256 is not None:
            return self
        first = self.es256.active
        new = first.activated == first.published and 0 <= now - first.published <= BEGINNING
        return Rings(self.es256, fresh.from_moment(now, 0.0 if new else schedule.overlap))

    def next_change(self, schedule: Schedule) -> float:
        """Return when the first of the next keys takes over, unless something is asked for in between."""
        return min(ring.next_change(schedule) for ring in self.all)

    def due(self, schedule: Schedule) -> float:
        """Return from when on `advance` has something to do."""
        return min(ring.due(schedule) for ring in self.all)

    def request(self) -> "Rings":
        """Ask for a rotation as soon as the next keys have been published long enough."""
        return Rings(self.es256.request(), self.rs256 and self.rs256.request())

    def advance(self, now: float, schedule: Schedule, make: MakeKey = SigningKey.generate) -> "Rings":
        """Return the rings as they are to be at `now`, with keys by `make`; the same object where nothing is due."""
        rs256 = self.rs256 and self.rs256.advance(now, schedule, make)
        return self._with(self.es256.advance(now, schedule, make), rs256)

    def cover(self, algorithm: str, expires: float) -> "Rings":
        """Return rings whose active key of that kind is kept until a token that expires then has."""
        if algorithm == ALGORITHM:
            return self._with(self.es256.cover(expires), self.rs256)
        return self._with(self.es256, self.rs256 and self.rs256.cover(expires))

    def public_set(self) -> dict[str, list[dict[str, str]]]:
        """Return the JWK set (RFC 7517, section 5) of every key that may have signed, or may come to."""
        return {"keys": [key for ring in self.all for key in ring.public_set()["keys"]]}

    def to_json(self) -> dict[str, Any]:
        """Return everything, private keys included, for the key store."""
        stored = self.es256.to_json()
        return stored if self.rs256 is None else {**stored, _RS256: self.rs256.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave, also in a version without RS256; KeyRingError where it is anything else."""
        return cls(Ring.from_json(value), Ring.from_json(value[_RS256], RS256) if _RS256 in value else None)

    def _with(self, es256: Ring, rs256: Ring | None) -> "Rings":
        return self if es256 is self.es256 and rs256 is self.rs256 else Rings(es256, rs256)


def _waits(active: RingKey, now: float) -> bool:
    """Return whether an active key is not to sign yet; one that ever signed goes on."""
    activated = active.activated or 0.0
    return active.published < activated and not active.signed_until and now < activated
