import datetime as dt
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ringwall.bootstrap.edge_certificate import EdgeCredentials, OwnCertificateError, read_certificate
from ringwall.model.credentials import X509Credential
from ringwall.model.secret import Secret
from ringwall.plan.model import Edge, Plan
from ringwall.plan.operation import Limit

DEVELOPMENT = X509Credential(chain_pem=b"development", key_pem=Secret(b""), not_before=0, not_after=1)


class Authority:
    def svid(self, spiffe_id: str) -> X509Credential:
        return X509Credential(chain_pem=spiffe_id.encode(), key_pem=Secret(b""), not_before=0, not_after=1)

    def trust_bundle(self) -> bytes:
        return b"bundle"

    def edge_certificate(self, domains: Sequence[str]) -> X509Credential:
        assert domains
        return DEVELOPMENT

    def subscribe(self, changed: Callable[[], None]) -> None:
        self.changed = changed


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


def a_plan(certificate: str | None, key: str | None) -> Plan:
    edge = Edge(
        spiffe_id="spiffe://x/edge",
        host="127.0.0.1",
        port=0,
        domains=("localhost",),
        certificate=certificate,
        key=key,
        per_ip=Limit(requests=1, seconds=1, burst=1),
    )
    return Plan(system="x", trust_domain="x", audience="x", cedar_schema="{}", edge=edge)


def test_a_pair_that_fits_is_read(tmp_path: Path) -> None:
    chain, key = write_pair(tmp_path, "a")
    read = read_certificate(chain, key)
    assert read.chain_pem == chain.read_bytes()
    assert read.not_after - read.not_before == pytest.approx(86_400)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    chain, _ = write_pair(tmp_path, "a")
    _, key = write_pair(tmp_path, "b")
    with pytest.raises(OwnCertificateError, match="not the key of the certificate"):
        read_certificate(chain, key)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    chain, key = write_pair(tmp_path, "a")
    chain.write_bytes(content)
    with pytest.raises(OwnCertificateError):
        read_certificate(chain, key)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    chain, key = write_pair(tmp_path, "a")
    key.unlink()
    with pytest.raises(OwnCertificateError, match=r"a\.key"):
        read_certificate(chain, key)


def test_the_development_certificate_serves_where_the_plan_names_none(tmp_path: Path) -> None:
    credentials = EdgeCredentials(Authority(), tmp_path, a_plan(None, None))
    assert credentials.edge_certificate(["localhost"]) is DEVELOPMENT
    assert credentials.svid("spiffe://x/a").chain_pem == b"spiffe://x/a"
    credentials.stop()


def test_a_replaced_file_takes_effect_and_a_bad_one_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringwall.bootstrap.edge_certificate._POLL_SECONDS", 0.02)
    chain, key = write_pair(tmp_path, "a")
    credentials = EdgeCredentials(Authority(), tmp_path, a_plan("a.pem", "a.key"))
    told: list[bytes] = []
    credentials.subscribe(lambda: told.append(credentials.edge_certificate(["localhost"]).chain_pem))
    try:
        first = credentials.edge_certificate(["localhost"]).chain_pem
        assert first == chain.read_bytes()
        key.write_bytes(b"half a key")
        new_chain, new_key = write_pair(tmp_path, "b")
        _wait(lambda: not told, 0.2)
        assert credentials.edge_certificate(["localhost"]).chain_pem == first
        key.write_bytes(new_key.read_bytes())
        chain.write_bytes(new_chain.read_bytes())
        _wait(lambda: new_chain.read_bytes() not in told, 5)
        assert told[-1] == new_chain.read_bytes()
    finally:
        credentials.stop()


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while condition() and time.monotonic() < end:
        time.sleep(0.01)
