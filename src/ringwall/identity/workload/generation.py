"""One generation of the workload CA: a root, its intermediate and the key of JWT-SVIDs, which live and end together.

Private keys lie in the key store under the generation's id; certificates are kept with the CA's state.
The root's key may be away (taken offline): everything works on until the intermediate must be replaced.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ringwall.identity.keystore import KeyMissingError, KeyStore, KeyStoreError
from ringwall.identity.workload.certificates import (
    half_life,
    intermediate_certificate,
    is_valid_at,
    new_key,
    root_certificate,
)
from ringwall.model.errors import RingwallError

KEY_PREFIX = "ca-"
_KINDS = ("root", "intermediate", "jwt")


class CaError(RingwallError):
    """The CA cannot issue."""

    code = "workload-ca"


class RootOfflineError(CaError):
    """The root's key is needed, and is not here."""

    code = "root-offline"


@dataclass(frozen=True, slots=True)
class Generation:
    """A root with all that hangs from it.

    Attributes:
        id: eight hex digits; names the keys in the store, and is the `kid` of its JWT-SVIDs.
        jwt_key: signs JWT-SVIDs.
    """

    id: str
    root: x509.Certificate
    intermediate: x509.Certificate
    intermediate_key: ec.EllipticCurvePrivateKey
    jwt_key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, store: KeyStore, trust_domain: str, now: float) -> Self:
        """Make a generation and keep its keys; the caller then records it in the CA's state."""
        name = secrets.token_hex(4)
        root_key, intermediate_key, jwt_key = new_key(), new_key(), new_key()
        for kind, key in zip(_KINDS, (root_key, intermediate_key, jwt_key), strict=True):
            store.put_key(_entry(name, kind), key)
        root = root_certificate(root_key, trust_domain, name, now)
        intermediate = intermediate_certificate(intermediate_key, root, root_key, trust_domain, now)
        return cls(name, root, intermediate, intermediate_key, jwt_key)

    @classmethod
    def from_state(cls, store: KeyStore, name: str, state: dict[str, Any]) -> Self:
        """Bring a generation back from the CA's state and the key store; the root's key need not be there."""
        try:
            root = x509.load_pem_x509_certificate(state["root"].encode())
            intermediate = x509.load_pem_x509_certificate(state["intermediate"].encode())
        except (KeyError, AttributeError, ValueError) as error:
            raise KeyStoreError(f"the state of the workload CA does not describe generation {name}") from error
        return cls(
            name,
            root,
            intermediate,
            _matching(store, _entry(name, "intermediate"), intermediate),
            _elliptic(store, _entry(name, "jwt")),
        )

    def to_state(self) -> dict[str, str]:
        """Return what the CA's state keeps: the certificates, as PEM."""
        return {"root": pem_of(self.root).decode(), "intermediate": pem_of(self.intermediate).decode()}

    def intermediate_due(self, now: float) -> bool:
        """Return whether the intermediate is past half of its life, or not valid at all (a clock that went back)."""
        return now >= self.intermediate_due_at or not is_valid_at(self.intermediate, now)

    @property
    def intermediate_due_at(self) -> float:
        """Epoch seconds after which the intermediate is to be replaced."""
        start = self.intermediate.not_valid_before_utc.timestamp()
        return half_life(start, self.intermediate.not_valid_after_utc.timestamp())

    def with_new_intermediate(self, store: KeyStore, trust_domain: str, now: float) -> Self:
        """Return this generation with a fresh intermediate certificate over the same key.

        The key stays, so a crash between key and state cannot part them. Raises RootOfflineError
        where the root's key is away, CaError where the root itself is not valid now.
        """
        if not is_valid_at(self.root, now):
            raise CaError(
                f"the root is valid from {self.root.not_valid_before_utc:%Y-%m-%d %H:%M} UTC "
                f"to {self.root.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, and the clock says otherwise",
                hint="set the clock; if the clock is right, run: ringwall rotate ca --compromised",
            )
        root_key = self.root_key(store)
        fresh = intermediate_certificate(self.intermediate_key, self.root, root_key, trust_domain, now)
        return replace(self, intermediate=fresh)

    def root_key(self, store: KeyStore) -> ec.EllipticCurvePrivateKey:
        """Return the root's key; raise RootOfflineError where it is away."""
        try:
            return _matching(store, _entry(self.id, "root"), self.root)
        except KeyMissingError as error:
            raise RootOfflineError(
                "the intermediate must be replaced, and the root's key is offline; the present intermediate "
                f"ends on {self.intermediate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
                hint="bring the root's key back (`ringwall ca attach`), or replace the root (`ringwall rotate ca`)",
            ) from error

    def root_is_offline(self, store: KeyStore) -> bool:
        """Return whether the root's key is away."""
        return f"{_entry(self.id, 'root')}.pem" not in store.names()

    def check_root_key(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Raise CaError where this is not the key of this root."""
        if key.public_key() != self.root.public_key():
            raise CaError("this is not the key of the present root", hint="the root may have been replaced since")

    def put_root_key(self, store: KeyStore, key: ec.EllipticCurvePrivateKey) -> None:
        """Bring the root's key back; raise CaError where it is not the key of this root."""
        self.check_root_key(key)
        store.put_key(_entry(self.id, "root"), key)

    def remove_root_key(self, store: KeyStore) -> None:
        """Take the root's key away."""
        store.delete(f"{_entry(self.id, 'root')}.pem")


def remove_unused(store: KeyStore, keep: set[str]) -> None:
    """Delete the keys of every generation that is not in `keep`: retired ones, and those of a crashed start."""
    for name in store.names():
        if name.startswith(KEY_PREFIX) and name.endswith(".pem") and name.split("-")[1] not in keep:
            store.delete(name)


def pem_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _entry(name: str, kind: str) -> str:
    return f"{KEY_PREFIX}{name}-{kind}"


def _elliptic(store: KeyStore, entry: str) -> ec.EllipticCurvePrivateKey:
    key = store.get_key(entry)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyStoreError(f"the entry {entry}.pem does not hold a P-256 key")
    return key


def _matching(store: KeyStore, entry: str, certificate: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    key = _elliptic(store, entry)
    if key.public_key() != certificate.public_key():
        raise KeyStoreError(
            f"the entry {entry}.pem is not the key of its certificate",
            hint="the folder mixes two backups; restore it whole",
        )
    return key
