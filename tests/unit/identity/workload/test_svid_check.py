"""Each step of the check refuses what it is there for; every certificate here is otherwise good."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ringwall.identity.workload.certificates import (
    intermediate_certificate,
    new_key,
    root_certificate,
    svid_certificate,
)
from ringwall.identity.workload.svid_check import SvidError, check_leaf, check_signing
from ringwall.model.spiffe import SpiffeId

NOW = 1_700_000_000.0
PATIENTS = SpiffeId("clinic", "/patients")


@dataclass
class Pki:
    root_key: ec.EllipticCurvePrivateKey
    root: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    intermediate: x509.Certificate

    def chain(self, leaf: x509.Certificate) -> list[x509.Certificate]:
        return [leaf, self.intermediate]


def make_pki(trust_domain: str = "clinic") -> Pki:
    root_key, key = new_key(), new_key()
    root = root_certificate(root_key, trust_domain, "01020304", NOW)
    return Pki(root_key, root, key, intermediate_certificate(key, root, root_key, trust_domain, NOW))


@pytest.fixture(scope="module")
def pki() -> Pki:
    return make_pki()


def uri(*values: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(value) for value in values])


def key_usage(**on: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: on.get(name, False) for name in names.split()})


def custom(
    pki: Pki,
    *,
    san: x509.SubjectAlternativeName | None = None,
    usage: x509.KeyUsage | None = None,
    usage_critical: bool = True,
    ca: bool = False,
    purposes: tuple[x509.ObjectIdentifier, ...] | None = (
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ),
    without: tuple[type[x509.ExtensionType], ...] = (),
) -> x509.Certificate:
    """A leaf like those that are issued, but for what is said."""
    moment = dt.datetime.fromtimestamp(NOW, dt.UTC)
    key = new_key()
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(pki.key.public_key())
    wanted: list[tuple[x509.ExtensionType, bool]] = [
        (san or uri(str(PATIENTS)), False),
        (usage or key_usage(digital_signature=True), usage_critical),
        (x509.BasicConstraints(ca=ca, path_length=None), True),
        (authority, False),
    ]
    if purposes is not None:
        wanted.append((x509.ExtendedKeyUsage(purposes), False))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test")]))
        .issuer_name(pki.intermediate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(moment - dt.timedelta(minutes=1))
        .not_valid_after(moment + dt.timedelta(hours=1))
    )
    for extension, critical in wanted:
        if not isinstance(extension, without):
            builder = builder.add_extension(extension, critical)
    return builder.sign(pki.key, hashes.SHA256())


def test_what_is_issued_passes(pki: Pki) -> None:
    leaf = svid_certificate(new_key(), PATIENTS, pki.intermediate, pki.key, NOW)
    assert check_leaf(pki.chain(leaf), [pki.root], NOW) == PATIENTS


def test_the_custom_leaf_passes_when_nothing_is_wrong_with_it(pki: Pki) -> None:
    assert check_leaf(pki.chain(custom(pki)), [pki.root], NOW) == PATIENTS
    assert check_leaf(pki.chain(custom(pki, purposes=None)), [pki.root], NOW) == PATIENTS


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda pki: custom(pki, without=(x509.SubjectAlternativeName,)), "no subject alternative name"),
        (lambda pki: custom(pki, san=uri("spiffe://clinic/a", "spiffe://clinic/b")), "exactly one URI"),
        (lambda pki: custom(pki, san=uri("spiffe://clinic/a", "https://clinic/a")), "exactly one URI"),
        (lambda pki: custom(pki, san=x509.SubjectAlternativeName([x509.DNSName("clinic")])), "exactly one URI"),
        (lambda pki: custom(pki, san=uri("https://clinic/a")), "does not begin"),
        (lambda pki: custom(pki, san=uri("spiffe://clinic/a/../b")), "path segment"),
        (lambda pki: custom(pki, san=uri("spiffe://clinic")), "names a trust domain"),
        (lambda pki: custom(pki, ca=True), "this is a signing certificate"),
        (lambda pki: custom(pki, usage=key_usage(key_agreement=True)), "digitalSignature"),
        (lambda pki: custom(pki, usage=key_usage(digital_signature=True, key_cert_sign=True)), "never keyCertSign"),
        (lambda pki: custom(pki, usage=key_usage(digital_signature=True, crl_sign=True)), "never keyCertSign"),
        (lambda pki: custom(pki, usage_critical=False), "not marked critical"),
        (lambda pki: custom(pki, without=(x509.KeyUsage,)), "no key usage"),
        (lambda pki: custom(pki, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "both serverAuth"),
        (lambda pki: custom(pki, purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "both serverAuth"),
        (lambda pki: custom(pki, san=uri("spiffe://other/patients")), "signing certificate of other"),
    ],
)
def test_refused(pki: Pki, make: Callable[[Pki], x509.Certificate], complaint: str) -> None:
    with pytest.raises(SvidError, match=complaint):
        check_leaf(pki.chain(make(pki)), [pki.root], NOW)


def test_no_certificate_no_root_and_no_path_are_refused(pki: Pki) -> None:
    leaf = svid_certificate(new_key(), PATIENTS, pki.intermediate, pki.key, NOW)
    with pytest.raises(SvidError, match="no certificate"):
        check_leaf([], [pki.root], NOW)
    with pytest.raises(SvidError, match="no root"):
        check_leaf(pki.chain(leaf), [], NOW)
    with pytest.raises(SvidError, match="no path"):
        check_leaf([leaf], [pki.root], NOW)
    with pytest.raises(SvidError, match="no path"):
        check_leaf(pki.chain(leaf), [make_pki().root], NOW)


@pytest.mark.parametrize("shift", [-61.0, 3600.0, 86_400.0])
def test_only_at_its_time(pki: Pki, shift: float) -> None:
    leaf = svid_certificate(new_key(), PATIENTS, pki.intermediate, pki.key, NOW)
    with pytest.raises(SvidError, match="not now"):
        check_leaf(pki.chain(leaf), [pki.root], NOW + shift)


def test_an_intermediate_that_has_ended_breaks_the_path(pki: Pki) -> None:
    old = intermediate_certificate(pki.key, pki.root, pki.root_key, "clinic", NOW - 100 * 86_400)
    leaf = svid_certificate(new_key(), PATIENTS, pki.intermediate, pki.key, NOW)
    with pytest.raises(SvidError, match="no path"):
        check_leaf([leaf, old], [pki.root], NOW)


def test_signing_certificates_are_told_from_leaves(pki: Pki) -> None:
    check_signing(pki.root, "clinic")
    check_signing(pki.intermediate, "clinic")
    with pytest.raises(SvidError, match="signing certificate of other"):
        check_signing(pki.root, "other")
    with pytest.raises(SvidError, match="does not say"):
        check_signing(svid_certificate(new_key(), PATIENTS, pki.intermediate, pki.key, NOW), "clinic")
    with pytest.raises(SvidError, match="not a signing certificate"):
        check_signing(custom(pki, san=uri("spiffe://clinic"), usage=key_usage(key_cert_sign=True)), "clinic")
    with pytest.raises(SvidError, match="keyCertSign"):
        check_signing(custom(pki, san=uri("spiffe://clinic"), ca=True), "clinic")
