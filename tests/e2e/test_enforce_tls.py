"""TLS as it is spoken on the wire: what the edge and the inner hops accept, asked by a client that offers just that."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running
from tests.support.enforce_tls_client import Offer, TlsClients, tls_clients

PLAN = plan(service("web", operation("web", "home", "GET", "/home", token=False), prefix="/web"))

PQ = ("X25519MLKEM768",)
AEAD = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384")
WEAK = ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256", "AES128-SHA")

ACCEPTED = {
    "tls12": Offer(most="TLSv1_2"),
    "tls13": Offer(least="TLSv1_3"),
    **{f"suite {suite}": Offer(most="TLSv1_2", suites=(suite,)) for suite in AEAD},
    **{f"group {group}": Offer(groups=(group,)) for group in (*PQ, "X25519", "P-256", "P-384")},
}
REFUSED = {
    "tls10": Offer(least="TLSv1_0", most="TLSv1_0"),
    "tls11": Offer(least="TLSv1_0", most="TLSv1_1"),
    **{f"suite {suite}": Offer(most="TLSv1_2", suites=(suite,)) for suite in WEAK},
    "group P-521": Offer(groups=("P-521",)),
}
INNER = {
    "inner tls13": Offer(least="TLSv1_3"),
    "inner P-256": Offer(least="TLSv1_3", groups=("P-256",)),
    "inner hybrid": Offer(least="TLSv1_3", groups=PQ),
    "inner tls12": Offer(most="TLSv1_2"),
    "inner P-521": Offer(least="TLSv1_3", groups=("P-521",)),
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder: Path = tmp_path_factory.mktemp("tls")
    with running(PLAN, folder / "state") as started:
        yield started


@pytest.fixture(scope="module")
def clients(rig: Rig) -> Iterator[TlsClients]:
    me, web = rig.credentials.svid(spiffe("edge")), rig.bindings.inbound["web"]
    inner = {name: Offer(offer.least, offer.most, offer.suites, offer.groups, web, me) for name, offer in INNER.items()}
    with tls_clients(rig, {**ACCEPTED, **REFUSED, **inner}) as made:
        yield made


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_edge_accepts(clients: TlsClients, name: str) -> None:
    assert clients.ask(name, "/web/home") == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("name", REFUSED)
def test_the_edge_refuses(clients: TlsClients, name: str) -> None:
    assert clients.ask(name, "/web/home") == b""


def test_the_edge_negotiates_the_hybrid_group_with_whoever_offers_it(rig: Rig, clients: TlsClients) -> None:
    """`tls13` offers what BoringSSL does by itself; the client that offers nothing else is among the accepted."""
    before = _handshakes(rig)
    assert clients.ask("group X25519MLKEM768", "/web/home") == b"HTTP/1.1 200 OK"
    assert _handshakes(rig) == before + 1


def _handshakes(rig: Rig) -> int:
    lines = rig.admin("edge", "/stats?filter=^listener.*curves.X25519MLKEM768$").splitlines()
    return sum(int(line.rpartition(": ")[2]) for line in lines)


@pytest.mark.parametrize("version", [(3, 1), (3, 2), (3, 0)], ids=["1.0", "1.1", "SSL 3.0"])
def test_an_old_version_is_refused_for_being_old(rig: Rig, version: tuple[int, int]) -> None:
    """Not only because none of its suites is left: the alert is `protocol_version` (RFC 5246, section 7.2.2)."""
    for where in (rig.bindings.edge, rig.bindings.inbound["web"]):
        assert where is not None
        with socket.create_connection((where.host, where.port), 10) as connection:
            connection.sendall(_client_hello(version))
            assert connection.recv(7)[-2:] == bytes((2, 70))


def _client_hello(version: tuple[int, int]) -> bytes:
    """Return a ClientHello of at most this version that offers one suite of that time (RFC 4346, section 7.4.1.2)."""
    server_name = b"\x00" + _counted(b"localhost", 2)
    extensions = b"".join(
        kind.to_bytes(2) + _counted(body, 2)
        for kind, body in ((0, _counted(server_name, 2)), (10, _counted(b"\x00\x17", 2)), (11, _counted(b"\x00", 1)))
    )
    suite, no_compression = b"\xc0\x09", b"\x00"  # ECDHE-ECDSA-AES128-SHA
    hello = bytes(version) + bytes(32) + b"\x00" + _counted(suite, 2) + _counted(no_compression, 1)
    message = b"\x01" + _counted(hello + _counted(extensions, 2), 3)
    return b"\x16\x03\x01" + _counted(message, 2)


def _counted(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width) + data


@pytest.mark.parametrize("name", ["inner tls13", "inner P-256", "inner hybrid"])
def test_a_service_accepts(clients: TlsClients, name: str) -> None:
    assert clients.ask(name, "/home") == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("name", ["inner tls12", "inner P-521"])
def test_a_service_refuses(clients: TlsClients, name: str) -> None:
    assert clients.ask(name, "/home") == b""
