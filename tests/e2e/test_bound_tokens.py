"""Tokens that the built-in issuer has bound to a key, in a whole system: from the token endpoint to the service."""

import base64
import os
import signal
import time
from collections.abc import Iterator

import pytest
from tests.support.dpop_client import DpopClient
from tests.support.system import Reply, System, copy_example

from ringwall.model.clock import SystemClock

DEFINITION = """
clients:
  robot: {roles: [tester], bound_tokens: true}
issuers:
  local:
    administration: [{roles: [tester], operations: [users.list]}]
"""
PATH = "/bin/post"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("bound"))
    blueprint = folder / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    with System(folder) as running:
        yield running


class Robot:
    """A machine client with a key."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.base = f"https://localhost:{system.port}"
        self.client = DpopClient(SystemClock())
        self.secret = system.ringwall("client", "robot").strip()
        self.token = self._get()

    def _get(self) -> str:
        basic = base64.b64encode(f"robot:{self.secret}".encode()).decode()
        for _ in range(2):
            proof = self.client.proof("POST", f"{self.base}/auth/token")
            headers = {
                "authorization": f"Basic {basic}",
                "dpop": proof,
                "content-type": "application/x-www-form-urlencoded",
            }
            reply = self.system.ask("POST", "/auth/token", headers=headers, body=b"grant_type=client_credentials")
            self.client.nonce = reply.headers["dpop-nonce"]
        assert reply.json()["token_type"] == "DPoP"
        self.client.nonce = ""
        return str(reply.json()["access_token"])

    def proof(self, path: str = PATH, method: str = "POST") -> str:
        return self.client.proof(method, f"{self.base}{path}", access_token=self.token)

    def post(self, proof: str) -> Reply:
        headers = {"authorization": f"DPoP {self.token}", "dpop": proof}
        return self.system.ask("POST", PATH, headers=headers, body=b"{}")


@pytest.fixture(scope="module")
def robot(system: System) -> Robot:
    return Robot(system)


def test_a_bound_token_reaches_a_service_with_its_proof_alone(system: System, robot: Robot) -> None:
    proof = robot.proof()
    assert robot.post(proof).status == 200
    again = robot.post(proof)
    assert again.status == 401
    bearer = system.ask("POST", PATH, headers={"authorization": f"Bearer {robot.token}"}, body=b"{}")
    assert bearer.status == 401
    assert 'error="invalid_token"' in bearer.headers["www-authenticate"]
    told = system.ringwall("explain", again.request_id)
    assert "the DPoP proof was used before" in told
    told = system.ringwall("explain", bearer.request_id)
    assert "came as a bearer token" in told


def test_the_issuer_takes_proofs_for_its_own_endpoints_itself(system: System, robot: Robot) -> None:
    """With its own nonce, and not twice: what the edge let through it has not used up."""
    headers = {"authorization": f"DPoP {robot.token}"}
    first = system.ask("GET", "/auth/userinfo", headers=headers | {"dpop": robot.proof("/auth/userinfo", "GET")})
    assert 'error="use_dpop_nonce"' in first.headers["www-authenticate"]
    robot.client.nonce = first.headers["dpop-nonce"]
    second = system.ask("GET", "/auth/userinfo", headers=headers | {"dpop": robot.proof("/auth/userinfo", "GET")})
    robot.client.nonce = ""
    assert (second.status, second.json()["error"]) == (403, "insufficient_scope")  # a machine is no person
    plain = system.ask("GET", "/auth/userinfo", headers={"authorization": f"Bearer {robot.token}"})
    assert plain.status == 401


def test_an_administrator_with_a_bound_token_shows_a_proof_for_each_request(system: System, robot: Robot) -> None:
    path = "/auth/admin/users"
    authorization = {"authorization": f"DPoP {robot.token}"}
    first = system.ask("GET", path, headers=authorization | {"dpop": robot.proof(path, "GET")})
    assert 'error="use_dpop_nonce"' in first.headers["www-authenticate"]
    robot.client.nonce = first.headers["dpop-nonce"]
    thief = DpopClient(SystemClock())
    thief.nonce = robot.client.nonce
    proof, others = robot.proof(path, "GET"), robot.proof("/auth/admin/keys", "GET")
    stolen = thief.proof("GET", f"{robot.base}{path}", access_token=robot.token)
    robot.client.nonce = ""
    listed = system.ask("GET", path, headers=authorization | {"dpop": proof})
    assert (listed.status, listed.json()["users"]) == (200, [])
    for wrong in (proof, others, stolen):
        assert system.ask("GET", path, headers=authorization | {"dpop": wrong}).status == 401
    assert system.ask("GET", path, headers=authorization).status == 401
    assert system.ask("GET", path, headers={"authorization": f"Bearer {robot.token}"}).status == 401


def test_no_proof_is_new_again_after_the_control_plane_was_killed(system: System, robot: Robot) -> None:
    proofs = [robot.proof() for _ in range(20)]
    assert [robot.post(proof).status for proof in proofs] == [200] * 20
    killed = system.processes()["ringwall-control"]
    os.kill(killed, signal.SIGKILL)
    while_away = robot.post(proofs[0])
    assert while_away.status in {401, 503}
    end = time.monotonic() + 60
    while (answer := robot.post(robot.proof())).status != 200:
        assert answer.status == 503, answer
        assert time.monotonic() < end
    assert [robot.post(proof).status for proof in proofs] == [401] * 20
    assert system.processes()["ringwall-control"] != killed
