"""The edge's development certificate, as curl and openssl see it."""

import logging
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from ringwall.identity.keystore import KeyStoreError, MemoryKeyStore
from ringwall.identity.workload.web_root import WebNameError, WebRoot
from ringwall.model.credentials import X509Credential
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0
DAY = 86_400.0
NAMES = ["localhost", "clinic.localhost", "*.clinic.localhost", "127.0.0.1", "::1"]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return tmp_path / "dev-ca.pem"


@pytest.fixture
def store() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def web(store: MemoryKeyStore, export: Path) -> WebRoot:
    return WebRoot(store, export)


def openssl_verify(export: Path, issued: X509Credential, *check: str) -> str:
    leaf = export.with_name("leaf.pem")
    leaf.write_bytes(issued.chain_pem)
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW)), "-purpose", "sslserver", *check]
    done = subprocess.run([*command, "-CAfile", str(export), str(leaf)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "check",
    [
        ("-verify_hostname", "localhost"),
        ("-verify_hostname", "clinic.localhost"),
        ("-verify_hostname", "api.clinic.localhost"),
        ("-verify_ip", "127.0.0.1"),
        ("-verify_ip", "::1"),
    ],
)
def test_holds_for_every_name(web: WebRoot, export: Path, check: tuple[str, str]) -> None:
    assert ": OK" in openssl_verify(export.parent / "dev-ca.pem", web.issue(NAMES, NOW), *check)


@pytest.mark.parametrize("check", [("-verify_hostname", "bank.example"), ("-verify_ip", "127.0.0.2")])
def test_holds_for_no_other(web: WebRoot, export: Path, check: tuple[str, str]) -> None:
    assert "mismatch" in openssl_verify(export, web.issue(NAMES, NOW), *check)


def test_the_root_cannot_vouch_for_the_rest_of_the_web(web: WebRoot, store: MemoryKeyStore, export: Path) -> None:
    web.issue(NAMES, NOW)
    stolen = WebRoot(store, None)
    stolen._root = lambda names, now: web._kept()  # type: ignore[assignment, method-assign, return-value]  # noqa: ARG005  # whoever has the key
    for name in ("bank.example", "10.0.0.1"):
        assert "permitted subtree violation" in openssl_verify(export, stolen.issue([name], NOW))


def test_fits_an_ssl_server(web: WebRoot, export: Path) -> None:
    issued = web.issue(["localhost"], NOW)
    pem = export.with_name("server.pem")
    pem.write_bytes(issued.chain_pem + issued.key_pem.reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    ssl.create_default_context(cafile=str(export))


def test_the_root_stays_for_the_names_that_it_covers(web: WebRoot, export: Path) -> None:
    web.issue(["clinic.localhost"], NOW)
    root = export.read_bytes()
    web.issue(["shop.localhost", "a.test", "127.9.9.9"], NOW + 90 * DAY)
    assert export.read_bytes() == root


def test_a_name_outside_gives_a_new_root_and_says_so(
    web: WebRoot, export: Path, caplog: pytest.LogCaptureFixture
) -> None:
    web.issue(["localhost"], NOW)
    root = export.read_bytes()
    with caplog.at_level(logging.WARNING):
        issued = web.issue(["clinic.example", "192.0.2.7"], NOW)
    assert export.read_bytes() != root
    assert "trust" in caplog.text
    assert ": OK" in openssl_verify(export, issued, "-verify_hostname", "clinic.example")
    assert ": OK" in openssl_verify(export, issued, "-verify_ip", "192.0.2.7")


def test_the_root_survives_a_restart_and_is_replaced_in_time(web: WebRoot, store: MemoryKeyStore, export: Path) -> None:
    web.issue(["localhost"], NOW)
    root = export.read_bytes()
    export.unlink()
    WebRoot(store, export).issue(["localhost"], NOW)
    assert export.read_bytes() == root
    WebRoot(store, export).issue(["localhost"], NOW + 200 * DAY)
    assert export.read_bytes() != root


def test_a_key_without_its_certificate_is_replaced(web: WebRoot, store: MemoryKeyStore, export: Path) -> None:
    web.issue(["localhost"], NOW)
    kept = store.read("web-root.json")
    store.delete("web-root.json")
    web.issue(["localhost"], NOW)
    store.write("web-root.json", kept)
    assert ": OK" in openssl_verify(export, web.issue(["localhost"], NOW))


def test_damage_is_an_error_of_ours(web: WebRoot, store: MemoryKeyStore) -> None:
    web.issue(["localhost"], NOW)
    store.write("web-root.json", Secret('{"certificate": "nonsense"}'))
    with pytest.raises(KeyStoreError):
        web.issue(["localhost"], NOW)


def test_lasts_thirty_days_and_shows_only_its_names(web: WebRoot) -> None:
    issued = web.issue(["LOCALHOST.", "localhost", "[::1]"], NOW)
    assert issued.not_after == NOW + 30 * DAY
    names = x509.load_pem_x509_certificate(issued.chain_pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(name.value) for name in names.value][-1] == "::1"
    assert {str(name.value) for name in names.value} == {"localhost", "::1"}


@pytest.mark.parametrize(
    "domain", ["", "a b", "-a", "a-", "a..b", "é.example", "a/b", "*", "a.*.b", "x" * 64, "a." * 127 + "a", "a\n"]
)
def test_what_is_no_name_is_refused(web: WebRoot, domain: str) -> None:
    with pytest.raises(WebNameError):
        web.issue([domain], NOW)


def test_no_domain_is_refused(web: WebRoot) -> None:
    with pytest.raises(WebNameError, match="no domain"):
        web.issue([], NOW)


def test_a_place_that_cannot_be_written_is_an_error_of_ours(store: MemoryKeyStore, tmp_path: Path) -> None:
    (tmp_path / "dev-ca.pem").mkdir()
    with pytest.raises(RingwallError, match="cannot write"):
        WebRoot(store, tmp_path / "dev-ca.pem").issue(["localhost"], NOW)


def test_everybody_may_read_it(web: WebRoot, export: Path) -> None:
    web.issue(["localhost"], NOW)
    assert export.stat().st_mode & 0o777 == 0o644
    assert "PRIVATE" not in export.read_text()
