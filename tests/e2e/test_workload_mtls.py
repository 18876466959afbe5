"""SVIDs in real TLS handshakes (OpenSSL), through every phase of a rotation."""

import itertools
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.rotation import Phase
from ringwall.model.clock import ManualClock

PATIENTS = "spiffe://clinic/patients"
BILLING = "spiffe://clinic/billing"
SETTLE = 5.0


@dataclass
class View:
    """What a party had at some moment."""

    phase: str
    identity: Path
    bundle: Path


class Parties:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(time.time())
        self.authority = WorkloadAuthority(MemoryKeyStore(), "clinic", self.clock, settle_seconds=SETTLE)
        self._count = 0

    def view(self, name: str) -> View:
        self._count += 1
        credential = self.authority.svid(name)
        identity, bundle = self.folder / f"{self._count}.pem", self.folder / f"{self._count}-bundle.pem"
        identity.write_bytes(credential.chain_pem + credential.key_pem.reveal())
        bundle.write_bytes(self.authority.trust_bundle())
        return View(self.authority.status().phase, identity, bundle)

    def step(self) -> None:
        self.clock.advance(SETTLE)
        self.authority.tick()


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


def handshake(client: View, server: View) -> tuple[str, str]:
    """Return whom each side takes the other for: (client sees, server sees); ssl.SSLError where they do not agree."""
    sides = []
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    for view, protocol, incoming, outgoing in (
        (client, ssl.PROTOCOL_TLS_CLIENT, to_client, to_server),
        (server, ssl.PROTOCOL_TLS_SERVER, to_server, to_client),
    ):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # the identity is the URI name, checked below
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        context.load_verify_locations(view.bundle)
        context.load_cert_chain(view.identity)
        sides.append(context.wrap_bio(incoming, outgoing, server_side=protocol is ssl.PROTOCOL_TLS_SERVER))
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return _peer(sides[0]), _peer(sides[1])


def _peer(side: ssl.SSLObject) -> str:
    certificate = side.getpeercert()
    assert certificate
    names: Any = certificate["subjectAltName"]
    ((kind, value),) = names
    assert kind == "URI"
    return str(value)


def test_two_workloads_know_each_other(parties: Parties) -> None:
    assert handshake(parties.view(PATIENTS), parties.view(BILLING)) == (BILLING, PATIENTS)


def test_a_foreign_system_is_not_trusted(parties: Parties, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    foreign = Parties(tmp_path / "other")
    with pytest.raises(ssl.SSLError):
        handshake(parties.view(PATIENTS), foreign.view(BILLING))
    with pytest.raises(ssl.SSLError):
        handshake(foreign.view(PATIENTS), parties.view(BILLING))


def test_the_edge_certificate_is_no_identity(parties: Parties) -> None:
    workload = parties.view(BILLING)
    web = parties.authority.edge_certificate(["localhost"])
    (parties.folder / "web.pem").write_bytes(web.chain_pem + web.key_pem.reveal())
    with pytest.raises(ssl.SSLError):
        handshake(View("", parties.folder / "web.pem", workload.bundle), workload)


def test_a_rotation_never_parts_neighbours_and_in_the_end_the_old_root_is_nothing(parties: Parties) -> None:
    views = [(parties.view(PATIENTS), parties.view(BILLING))]
    parties.authority.rotate()
    views.append((parties.view(PATIENTS), parties.view(BILLING)))
    for _ in range(2):
        parties.step()
        views.append((parties.view(PATIENTS), parties.view(BILLING)))
    assert [pair[0].phase for pair in views] == [Phase.STABLE, Phase.ANNOUNCED, Phase.RETIRING, Phase.STABLE]
    for earlier, later in itertools.pairwise(views):
        for client, server in ((earlier, later), (later, earlier), (later, later)):
            assert handshake(client[0], server[1]) == (BILLING, PATIENTS)
    for client, server in ((views[0], views[3]), (views[3], views[0])):
        with pytest.raises(ssl.SSLError):
            handshake(client[0], server[1])


def test_after_a_compromise_what_was_issued_before_is_nothing(parties: Parties) -> None:
    before = parties.view(PATIENTS)
    parties.authority.rotate(compromised=True)
    after = parties.view(BILLING)
    with pytest.raises(ssl.SSLError):
        handshake(before, after)
    assert handshake(parties.view(PATIENTS), after) == (BILLING, PATIENTS)
