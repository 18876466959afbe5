import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from ringwall.identity.workload.certificates import (
    SVID_SECONDS,
    credential,
    intermediate_certificate,
    new_key,
    root_certificate,
    svid_certificate,
)
from ringwall.model.spiffe import SpiffeId

NOW = 1_700_000_000.0
PATIENTS = SpiffeId("clinic", "/patients")


@pytest.fixture(scope="module")
def root_key() -> ec.EllipticCurvePrivateKey:
    return new_key()


@pytest.fixture(scope="module")
def intermediate_key() -> ec.EllipticCurvePrivateKey:
    return new_key()


@pytest.fixture(scope="module")
def root(root_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return root_certificate(root_key, "clinic", "0a0b0c0d", NOW)


@pytest.fixture(scope="module")
def intermediate(
    root: x509.Certificate, root_key: ec.EllipticCurvePrivateKey, intermediate_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    return intermediate_certificate(intermediate_key, root, root_key, "clinic", NOW)


@pytest.fixture(scope="module")
def leaf(intermediate: x509.Certificate, intermediate_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return svid_certificate(new_key(), PATIENTS, intermediate, intermediate_key, NOW)


def test_a_leaf_has_exactly_what_the_standard_asks(leaf: x509.Certificate) -> None:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("spiffe://clinic/patients")]
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.crl_sign
    assert not usage.value.key_encipherment
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    basic = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert not basic.value.ca
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert isinstance(leaf.signature_hash_algorithm, hashes.SHA256)


def test_a_leaf_lasts_an_hour_and_is_backdated_a_little(leaf: x509.Certificate) -> None:
    assert leaf.not_valid_after_utc.timestamp() == NOW + SVID_SECONDS
    assert leaf.not_valid_before_utc.timestamp() == NOW - 60


def test_no_certificate_outlives_its_issuer(
    root: x509.Certificate, root_key: ec.EllipticCurvePrivateKey, intermediate_key: ec.EllipticCurvePrivateKey
) -> None:
    late = root.not_valid_after_utc.timestamp() - 600
    intermediate = intermediate_certificate(intermediate_key, root, root_key, "clinic", late)
    assert intermediate.not_valid_after_utc == root.not_valid_after_utc
    leaf = svid_certificate(new_key(), PATIENTS, intermediate, intermediate_key, late)
    assert leaf.not_valid_after_utc == intermediate.not_valid_after_utc


@pytest.mark.parametrize(("name", "length"), [("root", 1), ("intermediate", 0)])
def test_signing_certificates(request: pytest.FixtureRequest, name: str, length: int) -> None:
    certificate: x509.Certificate = request.getfixturevalue(name)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert basic.value.ca
    assert basic.value.path_length == length
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("spiffe://clinic")]


def test_two_roots_never_have_one_name(root_key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> None:
    assert root_certificate(root_key, "clinic", "ffffffff", NOW).subject != root.subject


def test_openssl_accepts_the_chain_strictly(
    root: x509.Certificate, intermediate: x509.Certificate, leaf: x509.Certificate, tmp_path: Path
) -> None:
    for name, certificate in (("root", root), ("intermediate", intermediate), ("leaf", leaf)):
        (tmp_path / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for purpose in ("sslclient", "sslserver"):
        done = subprocess.run(
            [
                "openssl",
                "verify",
                "-x509_strict",
                *("-purpose", purpose),
                *("-attime", str(int(NOW))),
                *("-CAfile", str(tmp_path / "root")),
                *("-untrusted", str(tmp_path / "intermediate")),
                str(tmp_path / "leaf"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_credential_holds_chain_and_key(leaf: x509.Certificate, intermediate: x509.Certificate) -> None:
    key = new_key()
    pair = credential([leaf, intermediate], key)
    assert x509.load_pem_x509_certificates(pair.chain_pem) == [leaf, intermediate]
    loaded = serialization.load_pem_private_key(pair.key_pem.reveal(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    assert loaded.private_numbers() == key.private_numbers()
    assert (pair.not_before, pair.not_after) == (NOW - 60, NOW + SVID_SECONDS)
    assert "PRIVATE" not in repr(pair)
