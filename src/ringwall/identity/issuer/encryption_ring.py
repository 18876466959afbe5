"""The life of the keys by which clients encrypt for the issuer: current → former → gone. Pure, as `ring` is.

A key may be used from the moment in which it is published, since nobody but the issuer has to know of it before. A
former one is published no more, but kept for those who have yet to hear of the new one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from ringwall.identity.issuer.ring import KeyRingError, Schedule
from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.model.secret import Secret

MakeKey = Callable[[str], DecryptionKey]
"""Returns a key for an algorithm that nobody has seen."""
ALGORITHMS: Final = ("ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256")
"""What there is a key for."""
LONGEST_SECONDS: Final = 3600.0
"""How long what clients have encrypted is good at most: as long as a request object."""
MOST_FORMER: Final = 4
"""How many former keys of an algorithm are kept: an entry of the key store, and the time to try them, are bounded."""
_FORMAT: Final = 1
_RESTORE: Final = (
    "restore the folder issuer/ of the state folder from a backup, or remove its entry encryption.json to start with "
    "new keys: what clients have encrypted so far is then refused"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingKey:
    """One key; times are seconds since the epoch.

    Attributes:
        made: when it was first published.
        replaced: when another took its place; None for the current one.
    """

    algorithm: str
    pem: Secret = field(repr=False)
    jwk: Mapping[str, str] = field(repr=False)
    made: float
    replaced: float | None = None

    @classmethod
    def fresh(cls, key: DecryptionKey, now: float) -> Self:
        """Return a new key, which is published from now on."""
        return cls(algorithm=key.algorithm, pem=key.to_pem(), jwk=key.public_jwk(), made=now)


@dataclass(frozen=True, slots=True)
class EncryptionRing:
    """The current key of each of ALGORITHMS, then former ones, the latest first."""

    keys: tuple[ReadingKey, ...]

    def __post_init__(self) -> None:
        """Refuse a ring without exactly one current key of each algorithm."""
        if sorted(key.algorithm for key in self.current) != sorted(ALGORITHMS):
            raise KeyRingError("the stored keys for encryption are not one of each algorithm", hint=_RESTORE)

    @classmethod
    def begin(cls, now: float, make: MakeKey = DecryptionKey.generate) -> Self:
        """Return fresh keys: at the very start, or after all former ones were compromised."""
        return cls(tuple(ReadingKey.fresh(make(algorithm), now) for algorithm in ALGORITHMS))

    @property
    def current(self) -> tuple[ReadingKey, ...]:
        """The keys that are published."""
        return tuple(key for key in self.keys if key.replaced is None)

    def next_change(self, schedule: Schedule) -> float:
        """Return when a current key is to be replaced."""
        return min(_end(key, schedule) for key in self.current)

    def due(self, schedule: Schedule) -> float:
        """Return from when on `advance` has something to do."""
        return min(_end(key, schedule) for key in self.keys)

    def advance(self, now: float, schedule: Schedule, make: MakeKey = DecryptionKey.generate) -> "EncryptionRing":
        """Return the ring as it is to be at `now`, with keys by `make`; the same object where nothing is due."""
        kept = tuple(key for key in self.keys if key.replaced is None or now < _end(key, schedule))
        ring = self if len(kept) == len(self.keys) else EncryptionRing(kept)
        return ring.replaced(now, make, lambda key: now >= _end(key, schedule))

    def replaced(
        self, now: float, make: MakeKey = DecryptionKey.generate, which: Callable[[ReadingKey], bool] = lambda _: True
    ) -> "EncryptionRing":
        """Return the ring with fresh keys in place of current ones, which are kept as former ones."""
        over = tuple(key for key in self.current if which(key))
        if not over:
            return self
        fresh = tuple(ReadingKey.fresh(make(key.algorithm), now) for key in over)
        former = (
            *(replace(key, replaced=now) for key in over),
            *(key for key in self.keys if key.replaced is not None),
        )
        going_on = tuple(key for key in self.current if key not in over)
        kept = (each for name in ALGORITHMS for each in [key for key in former if key.algorithm == name][:MOST_FORMER])
        return EncryptionRing((*fresh, *going_on, *kept))

    def to_json(self) -> dict[str, Any]:
        """Return the whole ring, private keys included, for the key store."""
        return {
            "format": _FORMAT,
            "keys": [
                {
                    "algorithm": key.algorithm,
                    "pem": key.pem.reveal().decode("ascii"),
                    "jwk": dict(key.jwk),
                    "made": key.made,
                    "replaced": key.replaced,
                }
                for key in self.keys
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; KeyRingError where it is anything else."""
        try:
            if value["format"] != _FORMAT:
                raise KeyRingError("the stored keys for encryption are of another version of Ringwall", hint=_RESTORE)
            return cls(tuple(_key_from_json(item) for item in value["keys"]))
        except (KeyError, TypeError, ValueError, AttributeError, KeyRefusedError) as error:
            raise KeyRingError("the stored keys for encryption are damaged", hint=_RESTORE) from error


def _end(key: ReadingKey, schedule: Schedule) -> float:
    """Return when a current key is to be replaced; of a former one, when it goes.

    Until the overlap has passed somebody may encrypt with it, and what they encrypted lasts a while.
    """
    if key.replaced is None:
        return key.made + schedule.lifetime
    return key.replaced + schedule.overlap + LONGEST_SECONDS


def _key_from_json(item: Mapping[str, Any]) -> ReadingKey:
    pem, jwk = Secret(item["pem"]), {str(name): str(part) for name, part in item["jwk"].items()}
    if DecryptionKey.from_pem(pem, item["algorithm"]).public_jwk() != jwk:
        raise KeyRingError("a stored key for encryption does not fit its public part", hint=_RESTORE)
    return ReadingKey(
        algorithm=str(item["algorithm"]),
        pem=pem,
        jwk=jwk,
        made=float(item["made"]),
        replaced=None if item["replaced"] is None else float(item["replaced"]),
    )
