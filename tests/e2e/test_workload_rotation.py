"""A whole system whose service is a SPIFFE client: its identity, and the CA replaced under load to the very end."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from spiffe import WorkloadApiClient
from spiffe.errors import PySpiffeError
from tests.support.system import System
from tests.support.traffic import Traffic

BLUEPRINT = """\
ringwall: 1
system: mirror
edge:
  listen: 127.0.0.1:8443
  domains: [localhost]
services:
  whoami:
    run: python whoami.py
    expose: /
    operations: [whoami: GET /]
    allow: [{public: true}]
"""

WHOAMI = """\
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from spiffe import TrustDomain, X509Source

source = X509Source()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        context = source.get_x509_context()
        svid = context.default_svid
        bundle = context.x509_bundle_set.get_bundle_for_trust_domain(TrustDomain("mirror"))
        body = json.dumps({
            "id": str(svid.spiffe_id),
            "issuer": svid.leaf.issuer.rfc4514_string(),
            "roots": sorted(root.subject.rfc4514_string() for root in bundle.x509_authorities),
        }).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("mirror")
    (folder / "ringwall.yaml").write_text(BLUEPRINT)
    (folder / "whoami.py").write_text(WHOAMI)
    with System(folder) as system:
        yield system


def seen(mirror: System) -> Any:
    return mirror.ask("GET", "/").json()


def authority(mirror: System) -> Any:
    return mirror.ringwall_json("status", code=None)["control_plane"]["authority"]


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.2)


def test_a_service_finds_its_identity_by_itself(mirror: System) -> None:
    assert seen(mirror)["id"] == "spiffe://mirror/service/whoami"
    assert len(seen(mirror)["roots"]) == 1


def test_a_process_that_is_no_service_gets_none(mirror: System) -> None:
    client = WorkloadApiClient(f"unix://{mirror.state}/run/workload.sock", default_timeout=20)
    with pytest.raises(PySpiffeError, match="PERMISSION_DENIED"):
        client.fetch_x509_svid()
    client.close()


def test_the_old_root_goes_under_load_without_a_failed_request(mirror: System) -> None:
    before = seen(mirror)
    with Traffic(mirror.port, mirror.trust, "/", {}) as traffic:
        mirror.ringwall("rotate", "ca")
        until(lambda: len(seen(mirror)["roots"]) == 2, "the new root, announced")
        until(lambda: bool(seen(mirror)["issuer"] != before["issuer"]), "an SVID of the new root")
        until(lambda: bool(authority(mirror)["phase"] == "stable"), "the end of the old root")
        until(lambda: len(seen(mirror)["roots"]) == 1, "the news of it at the service")
        traffic.settle(200)
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}
    assert not set(seen(mirror)["roots"]) & set(before["roots"])


def test_a_second_rotation_waits_for_the_first(mirror: System) -> None:
    mirror.ringwall("rotate", "ca")
    assert mirror.ringwall("rotate", "ca", code=1) == ""
    until(lambda: bool(authority(mirror)["phase"] == "stable"), "the end of the rotation")


def test_a_compromised_root_is_gone_at_once_and_the_system_recovers(mirror: System) -> None:
    before = seen(mirror)
    mirror.ringwall("rotate", "ca", "--compromised")
    assert authority(mirror)["phase"] == "stable"
    until(lambda: mirror.ask("GET", "/").status == 200, "recovery")
    until(lambda: not set(seen(mirror)["roots"]) & set(before["roots"]), "the new root at the service")
    folder = mirror.state / "ca"
    keys = {path.name.split("-")[1] for path in Path(folder).glob("ca-*.pem")}
    assert keys == {authority(mirror)["issuing"]}
