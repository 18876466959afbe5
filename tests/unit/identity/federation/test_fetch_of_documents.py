import ipaddress
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tests.support import misbehaving_issuer as misbehave
from tests.support.misbehaving_issuer import IssuerServer, issuer_server

from ringwall.identity.federation import fetch as fetch_module
from ringwall.identity.federation.discovery import fetch_key_set
from ringwall.identity.federation.fetch import Fetcher, FetchError, check_url
from ringwall.plan.identity import Issuer


@pytest.mark.parametrize(
    "url",
    [
        "https://idp.example/.well-known/openid-configuration",
        "https://idp.example:8443/keys?tenant=1",
        "http://127.0.0.1:8080/keys",
        "http://[::1]:8080/keys",
        "http://localhost/keys",
    ],
)
def test_addresses_that_may_be_fetched_in_development(url: str) -> None:
    assert check_url(url, development=True).hostname


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keys",
        "//idp.example/keys",
        "http://idp.example/keys",
        "http://127.0.0.1.example/keys",
        "http://localhost.example/keys",
        "http://0.0.0.0/keys",
        "http://10.0.0.1/keys",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "file:///etc/passwd",
        "ftp://idp.example/keys",
        "gopher://idp.example/",
        "data:application/json,{}",
        "unix:/run/docker.sock",
        "HTTPS//idp.example",
        "https:///keys",
        "https://user@idp.example/keys",
        "https://user:pass@idp.example/keys",
        "https://@idp.example/keys",
        "https://idp.example/keys#fragment",
        "https://idp.example:0/keys",
        "https://idp.example:99999/keys",
        "https://idp.example:x/keys",
        "https://idp.example/a b",
        "https://idp.example/\r\nhost: other",
        "https://idp.example/\tkeys",
        "https://idp.example\\@other/",
        "https://ídp.example/keys",
        "https://[::1/keys",
        "https://idp.example/" + "a" * 3000,
    ],
)
def test_addresses_that_are_never_fetched(url: str) -> None:
    with pytest.raises(FetchError):
        check_url(url, development=True)


def test_plain_http_is_for_development_only() -> None:
    with pytest.raises(FetchError, match="only https"):
        check_url("http://127.0.0.1/keys", development=False)


@given(st.text(max_size=60) | st.text(alphabet="htps:/[]@#?%.\\0129 \n", max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for candidate in (text, f"https://{text}", f"http://127.0.0.1{text}"):
        try:
            parts = check_url(candidate, development=True)
        except FetchError:
            continue
        assert parts.hostname
        if parts.scheme != "https" and parts.hostname != "localhost":
            assert ipaddress.ip_address(parts.hostname).is_loopback


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(development=True, seconds=10)


def fetch(server: IssuerServer, answer: misbehave.Answer, *, seconds: float = 10, max_bytes: int = 100_000) -> bytes:
    server.answers["/x"] = answer
    return Fetcher(development=True, seconds=seconds).get(f"{server.url}/x", max_bytes=max_bytes).body


def test_a_document_is_fetched_with_its_query(fetcher: Fetcher) -> None:
    with issuer_server() as server:
        server.answers["/x?tenant=1"] = lambda handler: misbehave.send(handler, b"yes")
        fetched = fetcher.get(f"{server.url}/x?tenant=1", max_bytes=3)
        assert (fetched.body, fetched.public) == (b"yes", False)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (misbehave.failing, "status 500"),
        (misbehave.huge, "larger"),
        (misbehave.endless, "larger"),
        (misbehave.short, "breaks off"),
        (misbehave.compressed, "encoding"),
        (misbehave.garbage, "cannot be asked"),
    ],
)
def test_answers_that_are_not_taken(answer: misbehave.Answer, problem: str) -> None:
    with issuer_server() as server, pytest.raises(FetchError, match=problem) as raised:
        fetch(server, answer)
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with issuer_server() as server, issuer_server() as other:
        target = f"{other.url}/keys"
        with pytest.raises(FetchError, match="redirect"):
            fetch(server, lambda handler: misbehave.send(handler, b"", status, location=target))
        assert not other.asked


@pytest.mark.parametrize("answer", [misbehave.dripping, misbehave.dripping_headers, misbehave.silent])
def test_time_is_bounded_however_the_server_stalls(answer: misbehave.Answer) -> None:
    begun = time.monotonic()
    with issuer_server() as server, pytest.raises(FetchError):
        fetch(server, answer, seconds=0.3)
    assert time.monotonic() - begun < 20  # each of these would go on for longer


def test_nobody_there(fetcher: Fetcher) -> None:
    with issuer_server() as server:
        url = server.url
    with pytest.raises(FetchError, match="cannot be asked"):
        fetcher.get(f"{url}/keys", max_bytes=100)


def test_a_private_address_is_not_asked_on_behalf_of_a_public_document(fetcher: Fetcher) -> None:
    with issuer_server() as server:
        with pytest.raises(FetchError, match="private address"):
            fetcher.get(f"{server.url}/keys", max_bytes=100_000, only_public=True)
        assert not server.asked


def at(*addresses: str) -> Callable[[object], ipaddress.IPv4Address]:
    """Stand in for the addresses of servers elsewhere, which a test has no business to ask."""
    rest = iter(addresses)
    return lambda _: ipaddress.IPv4Address(next(rest))


def test_a_local_name_that_leads_elsewhere_is_not_asked_over_plain_http(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "_address_of", at("192.0.2.1"))
    with issuer_server() as server:
        with pytest.raises(FetchError, match="not this machine"):
            fetcher.get(f"{server.url}/keys", max_bytes=100_000)
        assert not server.asked


@pytest.mark.parametrize(("keys_at", "reached"), [("1.0.0.1", True), ("10.0.0.1", False), ("169.254.169.254", False)])
def test_keys_of_a_public_issuer_are_fetched_from_public_addresses_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys_at: str, *, reached: bool
) -> None:
    context, trusted = certificate(tmp_path)
    trusting = Fetcher(development=False, tls=ssl.create_default_context(cafile=str(trusted)))
    monkeypatch.setattr(fetch_module, "_address_of", at("1.1.1.1", keys_at))
    with issuer_server(context) as server:
        issuer = Issuer(name="partner", url=server.url, audiences=("clinic",), algorithms=("ES256",))
        if reached:
            assert b"k1" in fetch_key_set(issuer, trusting)
            return
        with pytest.raises(FetchError, match="private address"):
            fetch_key_set(issuer, trusting)
        assert server.asked == [misbehave.DISCOVERY]


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server context for 127.0.0.1 and the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test issuer")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    pem.write_bytes(private + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    trusted = folder / "ca.pem"
    trusted.write_bytes(public)
    return context, trusted


def test_certificates_are_verified(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    with issuer_server(context) as server:
        trusting = Fetcher(development=False, tls=ssl.create_default_context(cafile=str(trusted)))
        assert b"keys" in trusting.get(f"{server.url}/keys", max_bytes=100_000).body
        with pytest.raises(FetchError, match="cannot be asked"):
            Fetcher(development=False).get(f"{server.url}/keys", max_bytes=100_000)
        port = server.url.rpartition(":")[2]
        with pytest.raises(FetchError, match="cannot be asked"):
            trusting.get(f"https://localhost:{port}/keys", max_bytes=100_000)
        assert server.asked == ["/keys"]
