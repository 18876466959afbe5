"""A service that asks for its identity as the very first thing it does gets it, without asking twice."""

import sys
from pathlib import Path

from tests.support.system import System

SERVICE = """
import http.server, os, pathlib, sys
from spiffe import WorkloadApiClient
with WorkloadApiClient(default_timeout=5) as client:
    pathlib.Path("identity").write_text(str(client.fetch_x509_svid().spiffe_id))
address = "127.0.0.1", int(os.environ["PORT"])
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""
BLUEPRINT = """
ringwall: 1
system: eager
edge:
  listen: 127.0.0.1:8443
services:
  web:
    run: {python} eager.py
    expose: /
    operations: [home: GET /]
    allow: [{{operations: [home], public: true}}]
"""


def test_a_service_has_its_identity_from_the_first_moment(tmp_path: Path) -> None:
    (tmp_path / "eager.py").write_text(SERVICE)
    (tmp_path / "ringwall.yaml").write_text(BLUEPRINT.format(python=sys.executable))
    with System(tmp_path) as system:
        assert (tmp_path / "identity").read_text() == "spiffe://eager/service/web"
        assert "exited" not in system.output
        assert system.ask("GET", "/").status == 200
