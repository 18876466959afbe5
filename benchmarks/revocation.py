"""From a revocation to the first refusal, at the edge and at a service's own listener, with other requests going on.

Half of the tokens are revoked as `ringwall revoke` does it, at the control plane, half by their client at the issuer's
revocation endpoint. Each is asked with all the time at both hops, over connections that are open already.
"""

import base64
import http.client
import json
import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path

from figures import Figure, percentile
from live_edit import Traffic
from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.impersonation import LEND
from ringwall.bootstrap.revoking import REVOKE
from ringwall.bootstrap.state import StateFolder
from ringwall.plan.bindings import Bindings
from running import Running, copied, running

TIMES = 100
LOADERS = 3
PAUSE = 0.02
LONGEST = 10.0
OK, REFUSED = 200, 401
FORM = "application/x-www-form-urlencoded"


class _Inbound(http.client.HTTPSConnection):
    """A connection to a service's listener, under the certificate of another service."""

    def __init__(self, bindings: Bindings, service: str, lent: dict[str, str], folder: Path) -> None:
        where = bindings.inbound[service]
        super().__init__(where.host, where.port, timeout=LONGEST)
        held = folder / "lent.pem"
        held.touch(mode=0o600)
        held.write_text(lent["key"] + lent["chain"])
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False  # workloads have SPIFFE IDs and no host names
        self._tls.load_verify_locations(cadata=lent["bundle"])
        self._tls.load_cert_chain(held)
        self._tls.set_alpn_protocols(["http/1.1"])

    def connect(self) -> None:
        """Connect."""
        self.sock = self._tls.wrap_socket(socket.create_connection((self.host, self.port), timeout=LONGEST))


class _Watch:
    """Asks with a token over an open connection until it is refused; says when that was."""

    def __init__(self, connection: http.client.HTTPSConnection, path: str, token: str) -> None:
        self._connection = connection
        self._path = path
        self._headers = {"authorization": f"Bearer {token}"}
        self.refused = 0.0
        if self._ask() == REFUSED:
            raise RuntimeError("a token is refused that nobody has revoked")
        self._thread = threading.Thread(target=self._await)
        self._thread.start()

    def _ask(self) -> int:
        self._connection.request("GET", self._path, headers=self._headers)
        response = self._connection.getresponse()
        response.read()
        return response.status

    def _await(self) -> None:
        deadline = time.perf_counter() + LONGEST
        while time.perf_counter() < deadline:
            if self._ask() == REFUSED:
                self.refused = time.perf_counter()
                return
            time.sleep(0.001)

    def seconds_since(self, begun: float) -> float:
        """Wait for the refusal; return how long after `begun` it came."""
        self._thread.join()
        return self.refused - begun if self.refused else LONGEST


class _Issuer:
    """The issuer's endpoints, as a machine client asks them."""

    def __init__(self, system: Running) -> None:
        secret = json.loads(system.ringwall("client", "batch", "--json"))["data"]["secret"]
        self._headers = {
            "authorization": "Basic " + base64.b64encode(f"batch:{secret}".encode()).decode(),
            "content-type": FORM,
        }
        self._connection = system.connect()

    def token(self) -> str:
        """Return a new token."""
        return str(json.loads(self._post("/auth/token", "grant_type=client_credentials"))["access_token"])

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        self._post("/auth/revoke", f"token={token}")

    def _post(self, path: str, form: str) -> bytes:
        self._connection.request("POST", path, form, self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != OK:
            raise RuntimeError(f"{path} answers {response.status}: {body[:200]!r}")
        return body


def _jti(token: str) -> str:
    middle = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["jti"])


def measure() -> list[Figure]:
    """Revoke a hundred tokens each way."""
    taken: dict[tuple[str, str], list[float]] = {
        (by, at): [] for by in ("operator", "client") for at in ("edge", "service")
    }
    with copied("clinic") as folder, tempfile.TemporaryDirectory(prefix="rw-bench-") as aside:
        blueprint = folder / "ringwall.yaml"
        blueprint.write_text(
            blueprint.read_text().replace("policies:", "clients: {batch: {roles: [clerk]}}\npolicies:", 1)
        )
        with running(folder) as system:
            bindings = StateFolder(folder / ".ringwall").bindings()
            issuer = _Issuer(system)
            edge = system.connect()
            service = _Inbound(bindings, "patients", request(bindings.admin, LEND, service="portal"), Path(aside))
            traffic = [Traffic(system, "/style.css") for _ in range(LOADERS)]
            try:
                for number in range(2 * TIMES):
                    by = ("operator", "client")[number % 2]
                    token = issuer.token()
                    watches = {"edge": _Watch(edge, "/api/patients/7", token)}
                    watches["service"] = _Watch(service, "/patients/7", token)
                    time.sleep(PAUSE)
                    begun = time.perf_counter()
                    if by == "operator":
                        request(bindings.admin, REVOKE, kind="token", value=_jti(token), lasts=60.0)
                    else:
                        issuer.revoke(token)
                    for at, watch in watches.items():
                        taken[by, at].append(1000 * watch.seconds_since(begun))
            finally:
                for each in traffic:
                    each.stop()
    statuses = sum((each.statuses for each in traffic), start=traffic[0].statuses.__class__())
    return [
        *(
            Figure(f"revocation-by-{by}-at-{at}-p99", percentile(values, 99), "ms", at_most=250)
            for (by, at), values in taken.items()
        ),
        Figure("revocation-failed-requests", statuses.total() - statuses[OK], "count", at_most=0),
        Figure("revocation-requests-meanwhile", statuses.total(), "count"),
    ]
