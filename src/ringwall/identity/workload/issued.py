"""What the workload CA hands out: SVIDs with their keys, and bundles of roots."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ringwall.model.credentials import X509Credential
from ringwall.model.secret import Secret
from ringwall.model.spiffe import SpiffeId


@dataclass(frozen=True, slots=True)
class IssuedSvid:
    """An X.509-SVID with its key.

    Attributes:
        generation: id of the CA generation that issued it.
        chain_der: leaf and intermediate, concatenated.
        key_der: PKCS#8.
        renew_at: epoch seconds after which it is to be replaced.
    """

    spiffe_id: SpiffeId
    generation: str
    credential: X509Credential
    chain_der: bytes
    key_der: Secret
    renew_at: float

    def is_current(self, now: float) -> bool:
        """Return whether this is valid and not yet due for renewal; a clock that went back makes it neither."""
        return self.credential.not_before <= now < min(self.renew_at, self.credential.not_after)


def bundle_der(roots: tuple[x509.Certificate, ...]) -> bytes:
    """Return root certificates as the Workload API wants them: DER, concatenated."""
    return b"".join(root.public_bytes(serialization.Encoding.DER) for root in roots)


def key_der(key: ec.EllipticCurvePrivateKey) -> Secret:
    """Return a private key as PKCS#8."""
    return Secret(
        key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
