"""Clients that have no secret but a certificate, in a whole system: from the token endpoint to a service."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.support.certificate_authority import Certified, authority, sans
from tests.support.client_certificate import ClientCertificate
from tests.support.dpop_client import DpopClient
from tests.support.system import Reply, System, copy_example

from ringwall.model.clock import SystemClock

DOMAIN = "mtls.localhost"
TOKEN = "/auth/token"


class Running:
    """The system, a client's certificate that its plan names, another, and an authority that the plan names."""

    def __init__(self, system: System, folder: Path, authority: Certified, *certificates: ClientCertificate) -> None:
        self.system, self.folder, self.authority = system, folder, authority
        self.mine, self.other = certificates

    def signed(self, *names: x509.GeneralName) -> Certified:
        """A certificate that the authority vouches for by one between them."""
        return self.authority.sign("Issuing", authority=True).sign("a client", sans(*names))

    def ask(
        self,
        method: str,
        path: str,
        certificate: ClientCertificate | Certified | None,
        *,
        client: str = "robot",
        **more: str,
    ) -> Reply:
        """Ask at the domain where certificates are asked for."""
        context = self.system.trust
        if isinstance(certificate, Certified):
            certificate.into(context, self.folder)
        elif certificate is not None:
            certificate.into(context)
        body = urlencode({"grant_type": "client_credentials", "client_id": client}).encode()
        connection = http.client.HTTPConnection(DOMAIN, self.system.port)
        raw = socket.create_connection(("127.0.0.1", self.system.port), timeout=30)
        connection.sock = context.wrap_socket(raw, server_hostname=DOMAIN)
        form = {"content-type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        try:
            connection.request(method, path, body if method == "POST" else None, form | more)
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    mine, other = (ClientCertificate(tmp_path_factory.mktemp(name)) for name in ("mine", "other"))
    folder = copy_example("unmodified", tmp_path_factory.mktemp("certificate"))
    blueprint = folder / "ringwall.yaml"
    text = blueprint.read_text()
    domains = "domains: [localhost, unmodified.localhost"
    assert domains in text
    text = text.replace(f"{domains}]", f"{domains}, {DOMAIN}]\n  client_certificates: [{DOMAIN}]")
    root = authority()
    (folder / "clients.pem").write_bytes(root.pem)
    clients = f"""
clients:
  robot: {{roles: [tester], certificates: ["{mine.fingerprint}"]}}
  rotating: {{roles: [tester], certificates: ["{mine.fingerprint}"]}}
  leaving: {{roles: [tester], certificates: ["{mine.fingerprint}", "{other.fingerprint}"]}}
  vouched: {{roles: [tester], tls_client_auth_san_dns: robot.example, authorities: clients.pem}}
"""
    blueprint.write_text(text + clients)
    with System(folder, watch=True) as system:
        yield Running(system, tmp_path_factory.mktemp("shown"), root, mine, other)


def test_its_certificate_is_its_credential_and_its_token_goes_with_it(running: Running) -> None:
    metadata = running.system.ask("GET", "/auth/.well-known/openid-configuration").json()
    endpoint = urlsplit(metadata["mtls_endpoint_aliases"]["token_endpoint"])
    assert (endpoint.hostname, endpoint.port) == (DOMAIN, running.system.port)
    given = running.ask("POST", endpoint.path, running.mine)
    assert given.status == 200, given.body
    bearer = {"authorization": f"Bearer {given.json()['access_token']}"}
    assert running.ask("GET", "/bin/get", running.mine, **bearer).status == 200
    assert running.ask("GET", "/bin/get", running.other, **bearer).status == 401
    refused = running.ask("GET", "/bin/get", None, **bearer)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="ringwall", error="invalid_token"'
    assert "bound to a certificate" in running.system.ringwall("explain", refused.request_id)
    assert running.system.ask("GET", "/bin/get", headers=bearer).status == 401
    seen = json.loads(running.ask("GET", "/bin/headers", running.mine, **bearer).body)["headers"]
    assert not [name for name in seen if "certificate" in name.lower()]


def test_nothing_else_is(running: Running) -> None:
    forged = {"x-client-certificate-sha256": running.mine.thumbprint}
    assert running.ask("POST", TOKEN, running.other).status == 401
    assert running.ask("POST", TOKEN, None, **forged).status == 401
    assert running.ask("POST", TOKEN, running.other, **forged).status == 401
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = b"grant_type=client_credentials&client_id=robot"
    assert running.system.ask("POST", TOKEN, headers=form | forged, body=body).status == 401


def test_an_authority_vouches_for_a_certificate_and_those_between_come_with_it(running: Running) -> None:
    metadata = running.system.ask("GET", "/auth/.well-known/openid-configuration").json()
    assert "tls_client_auth" in metadata["token_endpoint_auth_methods_supported"]
    own = running.signed(x509.DNSName("other.example"), x509.DNSName("robot.example"))
    given = running.ask("POST", TOKEN, own, client="vouched")
    assert given.status == 200, given.body
    bearer = {"authorization": f"Bearer {given.json()['access_token']}"}
    assert running.ask("GET", "/bin/get", own, **bearer).status == 200
    renewed = running.signed(x509.DNSName("robot.example"))
    assert running.ask("GET", "/bin/get", renewed, **bearer).status == 401, "the token is bound to one of them"
    assert running.ask("POST", TOKEN, renewed, client="vouched").status == 200
    seen = json.loads(running.ask("GET", "/bin/headers", own, **bearer).body)["headers"]
    assert not [name for name in seen if "certificate" in name.lower()]


def test_no_other_certificate_is_its(running: Running) -> None:
    own = running.signed(x509.DNSName("robot.example"))
    chain = "".join(each.public_bytes(Encoding.PEM).decode() for each in own.shown)
    forged = {"x-client-certificate-sha256": own.thumbprint, "x-client-certificate-chain": quote(chain, safe="")}
    strange = authority().sign("a client", sans(x509.DNSName("robot.example")))
    for certificate in (running.signed(x509.DNSName("*.example")), strange, running.mine, None):
        assert running.ask("POST", TOKEN, certificate, client="vouched").status == 401
        assert running.ask("POST", TOKEN, certificate, client="vouched", **forged).status == 401
    alone = Certified(own.key, own.certificate)
    assert running.ask("POST", TOKEN, alone, client="vouched").status == 401, "what is between is missing"
    long = Certified(own.key, own.certificate, own.between * 180)
    assert running.ask("POST", TOKEN, long, client="vouched").status == 401, "and not an error"


def test_a_proof_is_for_the_address_that_was_asked(running: Running) -> None:
    """RFC 9449, section 4.3, item 9, at the addresses of `mtls_endpoint_aliases` (RFC 8705, section 5)."""
    holder = DpopClient(SystemClock())
    metadata = running.system.ask("GET", "/auth/.well-known/openid-configuration").json()
    alias, plain = metadata["mtls_endpoint_aliases"]["token_endpoint"], metadata["token_endpoint"]

    def ask(uri: str) -> Reply:
        for _ in range(2):
            reply = running.ask("POST", TOKEN, running.mine, dpop=holder.proof("POST", uri))
            holder.nonce = reply.headers.get("dpop-nonce", holder.nonce)
            if reply.json().get("error") != "use_dpop_nonce":
                break
        return reply

    given = ask(alias)
    assert (given.status, given.json().get("token_type")) == (200, "DPoP"), given.body
    for uri in (plain, alias.replace(DOMAIN, "unmodified.localhost")):
        assert ask(uri).json()["error"] == "invalid_dpop_proof"


class Load:
    """Two programs that get tokens and use them, with whatever certificate is theirs at the time."""

    def __init__(self, running: Running, client: str, certificate: ClientCertificate | Certified) -> None:
        self._running, self._client, self.certificate = running, client, certificate
        self.rounds, self.refused = [0, 0], list[tuple[int, bytes]]()
        self._over = threading.Event()
        self._workers = [threading.Thread(target=self._work, args=(number,)) for number in range(2)]

    def __enter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for worker in self._workers:
            worker.join()

    def go_on(self, rounds: int = 3) -> None:
        """Return when each has done so many whole rounds more."""
        wanted = [done + rounds for done in self.rounds]
        wait(lambda: all(done >= needed for done, needed in zip(self.rounds, wanted, strict=True)))

    def once(self, certificate: ClientCertificate | Certified) -> Reply:
        """Get a token with a certificate, and use it."""
        given = self._running.ask("POST", TOKEN, certificate, client=self._client)
        if given.status != 200:
            return given
        bearer = {"authorization": f"Bearer {given.json()['access_token']}"}
        return self._running.ask("GET", "/bin/get", certificate, **bearer)

    def _work(self, number: int) -> None:
        while not self._over.is_set():
            reply = self.once(self.certificate)
            if reply.status != 200:
                self.refused.append((reply.status, reply.body))
            self.rounds[number] += 1
            time.sleep(0.05)  # the edge lets 50 a second in


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_fingerprint_is_replaced_under_load_without_a_refusal(running: Running) -> None:
    blueprint = running.system.folder / "ringwall.yaml"
    text, mine = blueprint.read_text(), f'rotating: {{roles: [tester], certificates: ["{running.mine.fingerprint}"'
    assert mine in text
    with Load(running, "rotating", running.mine) as load:
        load.go_on()
        blueprint.write_text(text.replace(mine, f'{mine}, "{running.other.fingerprint}"'))
        wait(lambda: load.once(running.other).status == 200)
        load.certificate = running.other
        load.go_on()
        blueprint.write_text(text.replace(mine, mine.replace(running.mine.fingerprint, running.other.fingerprint)))
        wait(lambda: load.once(running.mine).status == 401)
        load.go_on()
    assert not load.refused


def test_a_renewed_certificate_is_taken_under_load_with_nothing_to_edit(running: Running) -> None:
    with Load(running, "vouched", running.signed(x509.DNSName("robot.example"))) as load:
        for _ in range(3):
            load.go_on()
            load.certificate = running.signed(x509.DNSName("robot.example"))
        load.go_on()
    assert not load.refused


def test_another_authority_is_believed_when_its_file_is_another(running: Running) -> None:
    old, new = running.signed(x509.DNSName("robot.example")), authority("Others' Root")
    file = running.system.folder / "clients.pem"
    before = file.read_bytes()
    fresh = new.sign("a client", sans(x509.DNSName("robot.example")))
    assert running.ask("POST", TOKEN, fresh, client="vouched").status == 401
    try:
        file.write_bytes(new.pem)
        wait(lambda: running.ask("POST", TOKEN, fresh, client="vouched").status == 200)
        assert running.ask("POST", TOKEN, old, client="vouched").status == 401
    finally:
        file.write_bytes(before)
        wait(lambda: running.ask("POST", TOKEN, old, client="vouched").status == 200)


def test_a_certificate_that_leaves_the_blueprint_takes_its_tokens_along(running: Running) -> None:
    bearers = []
    for certificate in (running.mine, running.other):
        given = running.ask("POST", TOKEN, certificate, client="leaving").json()
        bearers.append({"authorization": f"Bearer {given['access_token']}"})
        assert running.ask("GET", "/bin/get", certificate, **bearers[-1]).status == 200
    blueprint = running.system.folder / "ringwall.yaml"
    text = blueprint.read_text()
    blueprint.write_text(text.replace(f', "{running.other.fingerprint}"', ""))
    wait(lambda: running.ask("GET", "/bin/get", running.other, **bearers[1]).status != 200)
    refused = running.ask("GET", "/bin/get", running.other, **bearers[1])
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="ringwall", error="invalid_token"'
    assert "names no more" in running.system.ringwall("explain", refused.request_id)
    assert running.ask("GET", "/bin/get", running.mine, **bearers[0]).status == 200, "the other goes on"
