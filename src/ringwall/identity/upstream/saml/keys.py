"""Our own keys towards SAML providers: one to sign requests with, one that they encrypt assertions with.

Providers hold copies of our metadata, and many never read them again. So these keys are not replaced by a schedule, as
those are that everybody reads anew, but when the operator says so, in two steps: first the next keys are in the
metadata beside the present ones, then they take over. Former ones still decrypt.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from ringwall.identity.keystore import KeyMissingError, KeyStore, KeyStoreError
from ringwall.model.clock import Clock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_ENTRY: Final = "saml"
_BITS: Final = 3072
"""Good beyond 2030 (NIST SP 800-57 part 1, table 4)."""
_YEARS: Final = 10
"""Certificates are only a form for keys here (SAML V2.0 Metadata Interoperability Profile 1.0, section 2.6.1)."""


@dataclass(frozen=True, slots=True)
class SamlKey:
    """A key, with the certificate in which metadata names it.

    Attributes:
        pem: PKCS#8.
        certificate: base64 DER.
    """

    pem: str
    certificate: str

    @classmethod
    def make(cls, name: str, now: float) -> Self:
        """Make one."""
        from cryptography import x509  # noqa: PLC0415  # only where SAML is spoken
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  # as above
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  # as above

        key = rsa.generate_private_key(65537, _BITS)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        began = datetime.fromtimestamp(now, UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(secrets.randbits(127) + 1)
            .not_valid_before(began - timedelta(hours=1))
            .not_valid_after(began + timedelta(days=365 * _YEARS))
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(pem.decode(), base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode())

    @property
    def private(self) -> "RSAPrivateKey":
        """The key itself."""
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  # only where SAML is spoken
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  # as above

        key = load_pem_private_key(self.pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeyStoreError("the keys for SAML are damaged", hint="restore the key store from a backup")
        return key

    def __repr__(self) -> str:
        """Tell nothing of it."""
        return "SamlKey(…)"


@dataclass(frozen=True, slots=True)
class SamlPair:
    """The two keys of one time."""

    signing: SamlKey
    decryption: SamlKey

    @classmethod
    def make(cls, now: float) -> Self:
        """Make both."""
        return cls(SamlKey.make("ringwall signing", now), SamlKey.make("ringwall encryption", now))


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlRing:
    """All keys that are good for something.

    Attributes:
        active: what signs.
        following: what metadata already names, and is to take over; None where nothing is.
        former: what may still be encrypted for; None where there is nothing.
    """

    active: SamlPair
    following: SamlPair | None = None
    former: SamlPair | None = None

    @property
    def signing_certificates(self) -> tuple[str, ...]:
        """What metadata names for signatures."""
        return tuple(pair.signing.certificate for pair in (self.active, self.following) if pair is not None)

    @property
    def encryption_certificate(self) -> str:
        """What metadata names for encryption: the newest alone, so that a former one is soon used no more."""
        return (self.following or self.active).decryption.certificate

    @property
    def decryption_keys(self) -> tuple[SamlKey, ...]:
        """What to try, the likeliest first."""
        return tuple(pair.decryption for pair in (self.active, self.following, self.former) if pair is not None)

    def fingerprints(self) -> dict[str, str]:
        """Return SHA-256 of the certificates that metadata name or named, for people to compare."""
        pairs = {"active": self.active, "following": self.following, "former": self.former}
        return {
            name: hashlib.sha256(base64.b64decode(pair.signing.certificate)).hexdigest()
            for name, pair in pairs.items()
            if pair is not None
        }

    def rotated(self, now: float) -> "SamlRing":
        """Return the ring after the next step: another pair is announced, or takes over."""
        if self.following is None:
            return SamlRing(active=self.active, following=SamlPair.make(now), former=self.former)
        return SamlRing(active=self.following, former=self.active)

    def to_json(self) -> dict[str, Any]:
        """Return what is kept."""
        pairs = {"active": self.active, "following": self.following, "former": self.former}
        return {name: _kept(pair) for name, pair in pairs.items() if pair is not None}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return what was kept."""
        try:
            pairs = {name: _read(kept[name]) for name in ("active", "following", "former") if name in kept}
            return cls(**pairs)
        except (KeyError, TypeError, ValueError):
            raise KeyStoreError("the keys for SAML are damaged", hint="restore the key store from a backup") from None


class SamlKeys:
    """The ring as the key store has it, the same in every process; made when it is first needed.

    Methods may take a tenth of a second, so they are called in a thread.
    """

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self.clock = clock
        self._ring: SamlRing | None = None
        self._stamp: object = None

    def ring(self) -> SamlRing:
        """Return the keys."""
        stamp = self._store.stamp(f"{_ENTRY}.json")
        if self._ring is None or stamp != self._stamp:
            with self._store.exclusive():
                self._load()
        assert self._ring is not None  # noqa: S101  # loaded or made just now
        return self._ring

    def rotate(self, *, compromised: bool = False) -> SamlRing:
        """Take the next step (see `SamlRing.rotated`); after a compromise, drop every key and make new ones."""
        with self._store.exclusive():
            if compromised:
                return self._keep(SamlRing(active=SamlPair.make(self.clock.now())))
            return self._keep(self._load().rotated(self.clock.now()))

    def _load(self) -> SamlRing:
        try:
            ring, stamp = SamlRing.from_json(self._store.get_json(_ENTRY)), self._store.stamp(f"{_ENTRY}.json")
        except KeyMissingError:
            return self._keep(SamlRing(active=SamlPair.make(self.clock.now())))
        self._ring, self._stamp = ring, stamp
        return ring

    def _keep(self, ring: SamlRing) -> SamlRing:
        self._store.put_json(_ENTRY, ring.to_json())
        self._ring, self._stamp = ring, self._store.stamp(f"{_ENTRY}.json")
        return ring


def _kept(pair: SamlPair) -> list[list[str]]:
    return [[key.pem, key.certificate] for key in (pair.signing, pair.decryption)]


def _read(kept: Iterable[Iterable[str]]) -> SamlPair:
    signing, decryption = (SamlKey(*each) for each in kept)
    return SamlPair(signing, decryption)
