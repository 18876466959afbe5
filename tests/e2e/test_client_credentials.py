"""A program outside the system gets a token of its own with a secret, and is let in by its roles."""

import http.client
import json
import os
import signal
import time
import urllib.parse
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest
from tests.support.system import System, copy_example

from ringwall.identity.tokens.jws import UnverifiedToken

DEFINITION = "\nclients:\n  robot: {roles: [tester]}\n  idler: {roles: [student]}\n"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("clients"))
    blueprint = folder / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    with System(folder) as running:
        yield running


def ask_for_token(system: System, client: str, secret: str) -> tuple[int, dict[str, object]]:
    status, body = post(system, "token", client, secret, grant_type="client_credentials")
    return status, json.loads(body)


def post(system: System, endpoint: str, client: str, secret: str, **form: str) -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection("localhost", system.port, context=system.trust, timeout=15)
    try:
        connection.request(
            "POST",
            f"/auth/{endpoint}",
            urllib.parse.urlencode(form),
            {
                "content-type": "application/x-www-form-urlencoded",
                "authorization": f"Basic {b64encode(f'{client}:{secret}'.encode()).decode()}",
            },
        )
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_client_gets_a_token_and_what_its_roles_allow(system: System) -> None:
    made = system.ringwall_json("client", "robot")
    assert made["token_endpoint"] == f"https://localhost:{system.port}/auth/token"
    status, answer = ask_for_token(system, "robot", made["secret"])
    assert status == 200, answer
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    assert system.ask("POST", "/bin/post", headers=headers, body=b"{}").status == 200
    status, answer = ask_for_token(system, "idler", system.ringwall("client", "idler").strip())
    assert status == 200
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    assert system.ask("POST", "/bin/post", headers=headers, body=b"{}").status == 403


def test_a_wrong_and_a_revoked_secret_are_refused(system: System) -> None:
    first = system.ringwall("client", "robot").strip()
    assert ask_for_token(system, "robot", first + "x")[0] == 401
    assert ask_for_token(system, "idler", first)[0] == 401
    assert ask_for_token(system, "robot", first)[0] == 200
    assert "revoked" in system.ringwall("client", "robot", "--revoke")
    assert ask_for_token(system, "robot", first)[0] == 401


def test_there_is_no_secret_for_whom_the_blueprint_does_not_name(system: System) -> None:
    system.ringwall("client", "nobody", code=1)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_client_had_revoked_stays_lifted_when_the_issuer_ends(system: System) -> None:
    secret = system.ringwall("client", "robot").strip()
    token = str(ask_for_token(system, "robot", secret)[1]["access_token"])

    def status() -> int:
        return system.ask("POST", "/bin/post", headers={"authorization": f"Bearer {token}"}, body=b"{}").status

    assert post(system, "revoke", "robot", secret, token=token)[0] == 200
    _until(lambda: status() == 401)
    name = str(json.loads(UnverifiedToken.parse(token).payload)["jti"])

    def listed() -> bool:
        return name in {each["name"] for each in system.ringwall_json("revoke", "list")["revoked"]}

    assert listed()
    system.ringwall("revoke", "token", name, "--lift")
    _until(lambda: status() == 200)
    former = system.processes()["ringwall-issuer"]
    os.kill(former, signal.SIGKILL)
    _until(lambda: system.processes().get("ringwall-issuer") not in {None, former})
    _until(lambda: ask_for_token(system, "robot", secret)[0] == 200)
    time.sleep(1.5)  # longer than the issuer takes to tell what it knows
    assert status() == 200
    assert not listed()
