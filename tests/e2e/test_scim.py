"""A provisioning client makes, disables and removes people through the real edge; the policies say what it may ask."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.support.system import Reply, System, copy_example

DEFINITION = """
clients:
  hr: {roles: [tester]}
  other: {}
issuers:
  local:
    administration:
      - roles: [tester]
        operations: [scim.users.list, scim.users.create, scim.users.read, scim.users.change, scim.groups.create,
          scim.groups.change]
"""
BASE = "/auth/scim/v2"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("scim"))
    blueprint = folder / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    with System(folder) as running:
        yield running


class Client:
    """A client with a token of its own."""

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        secret = system.ringwall("client", name).strip()
        basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
        form = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {basic}"}
        body = urlencode({"grant_type": "client_credentials"}).encode()
        told = system.ask("POST", "/auth/token", headers=form, body=body)
        assert told.status == 200, told.body
        self.authorization = {"authorization": f"Bearer {told.json()['access_token']}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"content-type": "application/scim+json", **self.authorization, **headers}
        return self._system.ask(
            method, BASE + path, headers=sent, body=None if body is None else json.dumps(body).encode()
        )


def test_provisioning_through_the_edge(system: System) -> None:
    hr = Client(system, "hr")
    made = hr.ask("POST", "/Users", {"userName": "ada", "externalId": "7"})
    assert made.status == 201, made.body
    assert made.headers["content-type"] == "application/scim+json"
    ada = made.json()["id"]
    assert made.headers["location"] == f"https://localhost:{system.port}{BASE}/Users/{ada}"
    found = hr.ask("GET", "/Users?filter=externalId%20eq%20%227%22").json()
    assert [each["userName"] for each in found["Resources"]] == ["ada"]
    group = hr.ask("POST", "/Groups", {"displayName": "Ward 7", "members": [{"value": ada}]})
    assert group.status == 201, group.body
    assert "Ward 7" in system.ringwall("users", "show", "ada")
    operation = {"op": "Replace", "path": "active", "value": "False"}
    stale = hr.ask("PATCH", f"/Users/{ada}", {"schemas": [PATCH], "Operations": [operation]}, **{"if-match": 'W/"0"'})
    assert stale.status == 412
    ended = hr.ask("PATCH", f"/Users/{ada}", {"schemas": [PATCH], "Operations": [operation]})
    assert (ended.status, ended.json()["active"]) == (200, False)
    events = system.ringwall_json("users", "events", "ada")["events"]
    assert (events[0]["act"], events[0]["by"]) == ("account-disabled", "hr")


def test_the_proxies_refuse_what_no_policy_allows(system: System) -> None:
    hr, other = Client(system, "hr"), Client(system, "other")
    for asker, method, path in (
        (hr, "DELETE", "/Users/x"),  # an operation that is not permitted
        (hr, "POST", "/Bulk"),  # one that does not exist
        (hr, "GET", "/Groups"),
        (other, "GET", "/Users"),
    ):
        assert asker.ask(method, path).status in {403, 404}, (method, path)
    nobody = system.ask("GET", f"{BASE}/Users")
    assert nobody.status in {401, 403}
    assert system.ask("GET", f"{BASE}/Users", headers={"authorization": "Bearer x"}).status == 401


def test_the_operators_revocation_of_the_client_ends_it(system: System) -> None:
    hr = Client(system, "hr")
    assert hr.ask("GET", "/Users").status == 200
    system.ringwall("revoke", "client", "hr")
    end = time.monotonic() + 10
    while hr.ask("GET", "/Users").status == 200:
        assert time.monotonic() < end
        time.sleep(0.05)
