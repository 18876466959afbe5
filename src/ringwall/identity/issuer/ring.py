"""The life of a signing key: next → active → retiring → gone. Pure: each step returns a new ring.

There is always exactly one active key, which signs, and one next key, which is already published. So
whoever verifies has had a key for the whole overlap before the first token signed with it arrives, and keeps it
until the last such token has expired.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.signing import ALGORITHM, SigningKey
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

MakeKey = Callable[[str], SigningKey]
"""Returns a key for an algorithm that nobody has seen."""
CLOCK_SKEW: Final = 60.0
"""Seconds for which a verifier may still take an expired token: Envoy's default."""
LEASE: Final = 300.0
"""How far ahead `signed_until` is written, so that not every token costs a write."""
_FORMAT: Final = 1


class KeyRingError(RingwallError):
    """The stored signing keys are not usable."""

    code = "issuer-keys"


class KeyState(StrEnum):
    """Where a key is in its life; one that is gone is not kept."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class RingKey:
    """One key; times are seconds since the epoch.

    Attributes:
        pem: the private key; None once it signs no more.
        published: when it was first in the public key set.
        activated: when it began to sign; None before.
        signed_until: no token that it signed is valid after this; 0 where it signed none.
    """

    state: KeyState
    jwk: Mapping[str, str] = field(repr=False)
    pem: Secret | None
    published: float
    activated: float | None = None
    signed_until: float = 0.0

    @property
    def kid(self) -> str:
        """Its name in tokens and in the key set."""
        return self.jwk["kid"]

    @property
    def algorithm(self) -> str:
        """What it signs with."""
        return self.jwk["alg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long a key signs (`lifetime`), and how long it is published before that (`overlap`); seconds."""

    lifetime: float
    overlap: float


@dataclass(frozen=True, slots=True)
class Ring:
    """All keys of one algorithm that are published.

    Attributes:
        keys: one active, one next, any number of retiring ones.
        requested: a rotation was asked for and waits for the next key's overlap to pass.
        algorithm: what they sign with.
        active: the key that signs.
        next: the key that will sign after it.
    """

    keys: tuple[RingKey, ...]
    requested: bool = False
    algorithm: str = ALGORITHM
    active: RingKey = field(init=False, repr=False, compare=False)
    next: RingKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the active and the next key; refuse a ring without exactly one of each that can sign."""
        for state in (KeyState.ACTIVE, KeyState.NEXT):
            found = [key for key in self.keys if key.state is state]
            if len(found) != 1 or found[0].pem is None:
                raise KeyRingError(f"the stored signing keys do not include exactly one {state} key", hint=_RESTORE)
            object.__setattr__(self, state.value, found[0])
        if any(key.algorithm != self.algorithm for key in self.keys):
            raise KeyRingError(f"a stored signing key is not for {self.algorithm}", hint=_RESTORE)

    @classmethod
    def begin(cls, now: float, algorithm: str = ALGORITHM, make: MakeKey = SigningKey.generate) -> Self:
        """Return a ring of fresh keys: at the very start, or after all former ones were compromised."""
        active = replace(_fresh(now, make(algorithm)), state=KeyState.ACTIVE, activated=now)
        return cls((active, _fresh(now, make(algorithm))), algorithm=algorithm)

    def from_moment(self, now: float, wait: float) -> "Ring":
        """Return a ring of fresh keys as one that is published at `now`, and signs `wait` seconds later."""
        active = replace(self.active, published=now, activated=now + wait)
        return replace(self, keys=(active, replace(self.next, published=now)))

    def next_change(self, schedule: Schedule) -> float:
        """Return when the next key takes over, unless something is asked for in between."""
        ripe = self.next.published + schedule.overlap
        due = 0.0 if self.requested else (self.active.activated or 0.0) + schedule.lifetime
        return max(ripe, due)

    def due(self, schedule: Schedule) -> float:
        """Return from when on `advance` has something to do."""
        retiring = [key.signed_until + CLOCK_SKEW for key in self.keys if key.state is KeyState.RETIRING]
        return min(self.next_change(schedule), *retiring) if retiring else self.next_change(schedule)

    def request(self) -> "Ring":
        """Ask for a rotation as soon as the next key has been published long enough."""
        return replace(self, requested=True)

    def advance(self, now: float, schedule: Schedule, make: MakeKey = SigningKey.generate) -> "Ring":
        """Return the ring as it is to be at `now`, with keys by `make`; the same object where nothing is due."""
        keys = tuple(key for key in self.keys if key.state is not KeyState.RETIRING or not _over(key, now))
        if now >= self.next_change(schedule):
            retired = replace(self.active, state=KeyState.RETIRING, pem=None)
            others = tuple(key for key in keys if key.state is KeyState.RETIRING)
            kept = others if _over(retired, now) else (*others, retired)
            promoted = replace(self.next, state=KeyState.ACTIVE, activated=now)
            return Ring((promoted, _fresh(now, make(self.algorithm)), *kept), algorithm=self.algorithm)
        return self if len(keys) == len(self.keys) else replace(self, keys=keys)

    def cover(self, expires: float) -> "Ring":
        """Return a ring whose active key is kept until a token that expires then has; mostly the same object."""
        if expires <= self.active.signed_until:
            return self
        leased = replace(self.active, signed_until=expires + LEASE)
        return replace(self, keys=tuple(leased if key.state is KeyState.ACTIVE else key for key in self.keys))

    def public_set(self) -> dict[str, list[dict[str, str]]]:
        """Return the JWK set (RFC 7517, section 5) of every key that may have signed, or may come to."""
        return {"keys": [dict(sorted(key.jwk.items())) for key in self.keys]}

    def to_json(self) -> dict[str, Any]:
        """Return the whole ring, private keys included, for the key store."""
        return {
            "format": _FORMAT,
            "requested": self.requested,
            "keys": [
                {
                    "state": key.state.value,
                    "jwk": dict(key.jwk),
                    "pem": key.pem.reveal().decode("ascii") if key.pem else None,
                    "published": key.published,
                    "activated": key.activated,
                    "signed_until": key.signed_until,
                }
                for key in self.keys
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], algorithm: str = ALGORITHM) -> Self:
        """Read what `to_json` gave; KeyRingError where it is anything else."""
        try:
            if value["format"] != _FORMAT:
                raise KeyRingError("the stored signing keys are of another version of Ringwall", hint=_RESTORE)
            return cls(tuple(_key_from_json(item) for item in value["keys"]), bool(value["requested"]), algorithm)
        except (KeyError, TypeError, ValueError, AttributeError, KeyRefusedError) as error:
            raise KeyRingError("the stored signing keys are damaged", hint=_RESTORE) from error


_RESTORE: Final = (
    "restore the folder issuer/ of the state folder from a backup, or remove issuer/keys to start with new keys: "
    "every token issued so far is then refused"
)


def _fresh(now: float, key: SigningKey) -> RingKey:
    return RingKey(state=KeyState.NEXT, jwk=key.public_jwk(), pem=key.to_pem(), published=now)


def _over(key: RingKey, now: float) -> bool:
    return now >= key.signed_until + CLOCK_SKEW if key.signed_until else True


def _key_from_json(item: Mapping[str, Any]) -> RingKey:
    pem = None if item["pem"] is None else Secret(item["pem"])
    jwk = {str(name): str(part) for name, part in item["jwk"].items()}
    if pem is not None and SigningKey.from_pem(pem).public_jwk() != jwk:
        raise KeyRingError("a stored signing key does not fit its public part", hint=_RESTORE)
    return RingKey(
        state=KeyState(item["state"]),
        jwk=jwk,
        pem=pem,
        published=float(item["published"]),
        activated=None if item["activated"] is None else float(item["activated"]),
        signed_until=float(item["signed_until"]),
    )
