"""How the certificates of workload identity look. Nothing here keeps state: keys, names and the time go in.

Source: the SPIFFE X.509-SVID standard, sections 2 to 4, and RFC 5280. All keys are ECDSA P-256 with SHA-256.
"""

import datetime as dt
import secrets
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ringwall.model.credentials import X509Credential
from ringwall.model.secret import Secret
from ringwall.model.spiffe import SpiffeId

SVID_SECONDS: Final = 3_600
INTERMEDIATE_SECONDS: Final = 90 * 86_400
ROOT_SECONDS: Final = 3_650 * 86_400

LEAF_BACKDATE_SECONDS: Final = 60
"""How far the clocks of two machines may differ before a fresh certificate is refused."""
CA_BACKDATE_SECONDS: Final = 3_600

_ORGANIZATION: Final = "Ringwall"


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def root_certificate(key: ec.EllipticCurvePrivateKey, trust_domain: str, name: str, now: float) -> x509.Certificate:
    """Return a self-signed signing certificate for a trust domain, for ten years.

    `name` is unique to each root, so that a verifier never confuses two roots of one trust domain.
    """
    builder = _signing(_subject(f"Root {name}"), _subject(f"Root {name}"), key, key, path_length=1)
    builder = _lasting(builder, now - CA_BACKDATE_SECONDS, now + ROOT_SECONDS)
    return _uri(builder, SpiffeId(trust_domain, "")).sign(key, hashes.SHA256())


def intermediate_certificate(
    key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    trust_domain: str,
    now: float,
) -> x509.Certificate:
    """Return a signing certificate that can issue SVIDs and nothing else, for 90 days or as long as its root."""
    until = min(now + INTERMEDIATE_SECONDS, root.not_valid_after_utc.timestamp())
    builder = _signing(_subject(f"Intermediate {secrets.token_hex(4)}"), root.subject, key, root_key, path_length=0)
    builder = _lasting(builder, now - CA_BACKDATE_SECONDS, until)
    return _uri(builder, SpiffeId(trust_domain, "")).sign(root_key, hashes.SHA256())


def svid_certificate(
    key: ec.EllipticCurvePrivateKey,
    spiffe_id: SpiffeId,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: float,
) -> x509.Certificate:
    """Return an X.509-SVID for one hour, or as long as its issuer, backdated by a minute."""
    until = min(now + SVID_SECONDS, issuer.not_valid_after_utc.timestamp())
    builder = _lasting(_leaf(key, issuer, issuer_key), now - LEAF_BACKDATE_SECONDS, until)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
    )
    return _uri(builder, spiffe_id).sign(issuer_key, hashes.SHA256())


def web_root_certificate(
    key: ec.EllipticCurvePrivateKey, permitted: list[x509.GeneralName], now: float, seconds: float
) -> x509.Certificate:
    """Return a self-signed root that can vouch for the permitted host names and addresses only (RFC 5280 4.2.1.10)."""
    name = _subject(f"Development web root {secrets.token_hex(4)}")
    builder = _lasting(_signing(name, name, key, key, path_length=0), now - CA_BACKDATE_SECONDS, now + seconds)
    builder = builder.add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), True)
    return builder.sign(key, hashes.SHA256())


def web_certificate(
    key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    now: float,
    seconds: float,
) -> x509.Certificate:
    """Return a TLS server certificate for these names."""
    builder = _lasting(_leaf(key, issuer, issuer_key), now - CA_BACKDATE_SECONDS, now + seconds)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def credential(chain: list[x509.Certificate], key: ec.EllipticCurvePrivateKey) -> X509Credential:
    """Put a chain (leaf first) and the leaf's key into the form that proxies are given."""
    return X509Credential(
        chain_pem=b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain),
        key_pem=Secret(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        ),
        not_before=chain[0].not_valid_before_utc.timestamp(),
        not_after=chain[0].not_valid_after_utc.timestamp(),
    )


def is_valid_at(certificate: x509.Certificate, now: float) -> bool:
    """Return whether `now` lies in the certificate's validity."""
    return certificate.not_valid_before_utc.timestamp() <= now < certificate.not_valid_after_utc.timestamp()


def half_life(not_before: float, not_after: float) -> float:
    """Return the time at which half of a validity has passed, which is when renewal is due."""
    return (not_before + not_after) / 2


def _subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _lasting(builder: x509.CertificateBuilder, start: float, end: float) -> x509.CertificateBuilder:
    return builder.not_valid_before(_utc(start)).not_valid_after(_utc(end))


def _utc(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def _uri(builder: x509.CertificateBuilder, spiffe_id: SpiffeId) -> x509.CertificateBuilder:
    name = x509.UniformResourceIdentifier(str(spiffe_id))
    return builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)


def _keyed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    """Give the builder the key, a random serial number of 159 bits and both key identifiers."""
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        builder.public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority, critical=False)
    )


def _signing(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    path_length: int,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer_name=issuer, subject_name=subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return _keyed(builder.add_extension(_usage(signing=True), critical=True), key, issuer_key)


def _leaf(
    key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION)])
    builder = x509.CertificateBuilder(issuer_name=issuer.subject, subject_name=subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return _keyed(builder.add_extension(_usage(signing=False), critical=True), key, issuer_key)


def _usage(*, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signing,
        crl_sign=signing,
        encipher_only=False,
        decipher_only=False,
    )
