"""A client that has no secret but a certificate, in a whole system: from the token endpoint to a service."""

import http.client
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.support.client_certificate import ClientCertificate
from tests.support.system import Reply, System, copy_example

DOMAIN = "mtls.localhost"
FORM = b"grant_type=client_credentials&client_id=robot"


class Running:
    """The system, a client's certificate that its plan names, and another."""

    def __init__(self, system: System, mine: ClientCertificate, other: ClientCertificate) -> None:
        self.system, self.mine, self.other = system, mine, other

    def ask(self, method: str, path: str, certificate: ClientCertificate | None, **more: str) -> Reply:
        """Ask at the domain where certificates are asked for."""
        context = self.system.trust
        if certificate is not None:
            certificate.into(context)
        connection = http.client.HTTPConnection(DOMAIN, self.system.port)
        raw = socket.create_connection(("127.0.0.1", self.system.port), timeout=30)
        connection.sock = context.wrap_socket(raw, server_hostname=DOMAIN)
        form = {"content-type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        try:
            connection.request(method, path, FORM if method == "POST" else None, form | more)
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
    blueprint.write_text(f'{text}\nclients:\n  robot: {{roles: [tester], certificates: ["{mine.fingerprint}"]}}\n')
    with System(folder) as system:
        yield Running(system, mine, other)


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
    assert "bound to a key or a certificate" in running.system.ringwall("explain", refused.request_id)
    assert running.system.ask("GET", "/bin/get", headers=bearer).status == 401
    seen = json.loads(running.ask("GET", "/bin/headers", running.mine, **bearer).body)["headers"]
    assert not [name for name in seen if "certificate" in name.lower()]


def test_nothing_else_is(running: Running) -> None:
    forged = {"x-client-certificate-sha256": running.mine.thumbprint}
    assert running.ask("POST", "/auth/token", running.other).status == 401
    assert running.ask("POST", "/auth/token", None, **forged).status == 401
    assert running.ask("POST", "/auth/token", running.other, **forged).status == 401
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert running.system.ask("POST", "/auth/token", headers=form | forged, body=FORM).status == 401
