"""Several changes in one request (RFC 7644, section 3.7), and who asks (section 3.11)."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.scim_world import BASE, BLUEPRINT, GROUP, PATCH, USER, ScimWorld
from tests.unit.identity.issuer.scim.test_scim_fuzz import BODIES, FEW, JSON, shared

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
PASSWORD = "quiet-harbour-lantern-42"
__all__ = ["shared"]


def bulk(world: ScimWorld, *operations: dict[str, Any], status: int | None = 200, **more: Any) -> Any:
    return world.hr.ask("POST", "/Bulk", {"schemas": [BULK], "Operations": operations, **more}, status=status).json()


def making(name: str, **more: Any) -> dict[str, Any]:
    return {
        "method": "POST",
        "path": "/Users",
        "bulkId": name,
        "data": {"schemas": [USER], "userName": name, **more},
    }


def grouping(name: str, *members: str) -> dict[str, Any]:
    data = {"schemas": [GROUP], "displayName": name, "members": [{"value": each} for each in members]}
    return {"method": "POST", "path": "/Groups", "bulkId": name, "data": data}


def patching(path: str, *operations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": operations}, **more}


def statuses(told: dict[str, Any]) -> list[str]:
    assert told["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]
    return [each["status"] for each in told["Operations"]]


def test_everything_can_be_done_at_once(world: ScimWorld) -> None:
    old = world.hr.user("old")
    told = bulk(
        world,
        making("ada"),
        grouping("staff", "bulkId:ada", old["id"]),
        patching(f"/Users/{old['id']}", {"op": "add", "path": "title", "value": "Dr"}),
        {"method": "put", "path": "/Users/bulkId:ada", "data": {"schemas": [USER], "userName": "ada.b"}},
        patching("/Groups/bulkId:staff", {"op": "remove", "path": "members", "value": [{"value": old["id"]}]}),
        {"method": "DELETE", "path": f"/Users/{old['id']}"},
    )
    assert statuses(told) == ["201", "201", "200", "200", "200", "204"]
    ada, staff = (each["location"] for each in told["Operations"][:2])
    assert world.hr.names("userName pr") == ["ada.b"]
    group = world.hr.ask("GET", staff.removeprefix(BASE)).json()
    assert [f"{BASE}/Users/{each['value']}" for each in group["members"]] == [ada]
    assert [each.get("bulkId") for each in told["Operations"]] == ["ada", "staff", None, None, None, None]
    assert told["Operations"][3]["version"] == world.hr.ask("GET", ada.removeprefix(BASE)).json()["meta"]["version"]
    assert all("response" not in each for each in told["Operations"])


def test_what_comes_later_may_be_referred_to(world: ScimWorld) -> None:
    told = bulk(
        world,
        grouping("staff", "bulkId:ada"),
        patching("/Groups/bulkId:x", {"op": "remove", "path": "members"}),
        making("ada"),
    )
    assert statuses(told) == ["201", "404", "201"]
    assert [each["method"] for each in told["Operations"]] == ["POST", "PATCH", "POST"]
    assert len(world.hr.ask("GET", "/Groups").json()["Resources"][0]["members"]) == 1


def test_what_refers_to_nothing_or_to_itself_is_refused(world: ScimWorld) -> None:
    told = bulk(
        world,
        making("ada", roles=[{"value": "admin"}]),  # is not made
        grouping("staff", "bulkId:ada"),
        grouping("itself", "bulkId:itself"),
        grouping("one", "bulkId:other"),
        grouping("other", "bulkId:one"),
        grouping("nobody", "bulkId:nobody-at-all"),
        patching("/Users/bulkId:ada", {"op": "add", "path": "title", "value": "Dr"}),
    )
    assert statuses(told) == ["403", "400", "409", "409", "400", "400", "404"]
    assert world.hr.names("displayName pr", "Groups") == []


def test_it_stops_after_so_many_errors(world: ScimWorld) -> None:
    wrong = {"method": "DELETE", "path": "/Users/nobody"}
    asked = [making("ada"), wrong, making("bea"), wrong, making("zoe")]
    assert statuses(bulk(world, *asked, failOnErrors=2)) == ["201", "404", "201", "404"]
    assert world.hr.names("userName pr") == ["ada", "bea"]
    again = bulk(world, *asked)
    assert statuses(again) == ["409", "404", "409", "404", "201"]
    assert again["Operations"][0]["response"]["scimType"] == "uniqueness"


def test_a_version_is_a_condition(world: ScimWorld) -> None:
    ada = world.hr.user("ada")
    title = {"op": "add", "path": "title", "value": "Dr"}
    asked = patching(f"/Users/{ada['id']}", title, version=ada["meta"]["version"])
    assert statuses(bulk(world, asked, {**asked, "method": "DELETE"})) == ["200", "412"]


def test_each_operation_is_asked_of_the_policies(tmp_path: Path) -> None:
    some = "operations: [scim.bulk, scim.users.create, scim.users.change]"
    blueprint = BLUEPRINT.replace("- roles: [admin, hr, crm]", f"- {{roles: [hr], {some}}}\n      - roles: [admin]")
    policies = """forbid (principal, action == Action::"ringwall-issuer/scim.users.change", resource)
      when { context.path.user == "untouchable" };"""
    world = ScimWorld(tmp_path, blueprint=blueprint, policies=policies)
    told = bulk(
        world,
        making("ada"),
        patching("/Users/bulkId:ada", {"op": "add", "path": "title", "value": "Dr"}),
        {"method": "DELETE", "path": "/Users/bulkId:ada"},
        {"method": "PUT", "path": "/Users/bulkId:ada", "data": {"schemas": [USER], "userName": "eve"}},
        grouping("staff"),
        patching("/Users/untouchable", {"op": "add", "path": "title", "value": "Dr"}),
        patching("/Users/other", {"op": "add", "path": "title", "value": "Dr"}),
    )
    assert statuses(told) == ["201", "200", "403", "403", "403", "403", "404"]
    world.batch.ask("POST", "/Bulk", {"schemas": [BULK], "Operations": [making("eve")]}, status=403)
    world.context.people.close()


def test_the_rules_about_roles_hold(world: ScimWorld) -> None:
    bob = world.crm.user("bob")
    told = bulk(
        world,
        making("ada", roles=[{"value": "admin"}]),
        patching(f"/Users/{bob['id']}", {"op": "add", "path": "password", "value": PASSWORD}),
        grouping("mine", bob["id"]),
    )
    assert statuses(told) == ["403", "403", "403"]


def test_who_has_lost_their_roles_does_nothing_more(world: ScimWorld) -> None:
    account, boss = world.employee("boss", "admin")
    asked = [
        patching(f"/Users/{account}", {"op": "remove", "path": "roles"}),
        making("eve", roles=[{"value": "admin"}]),
    ]
    told = boss.ask("POST", "/Bulk", {"schemas": [BULK], "Operations": asked}).json()
    assert statuses(told) == ["200", "403"]
    assert world.hr.names('userName eq "eve"') == []


WRONG: list[dict[str, Any]] = [
    {"bulkId": ""},
    {"bulkId": 7},
    {"bulkId": "y" * 129},
    {"method": "GET"},
    {"data": None},
    {"data": []},
    {"version": 1},
    {"path": "/Users/7"},
    *(
        {"method": "PATCH", "path": path}
        for path in ("/Users", "/Bulk", "/Me", "/Users/a/b", "/Users/%2e%2e", "/Users/../x", "/.search", 7)
    ),
]
"""What makes an operation that is none."""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"schemas": [BULK]}, 400),
        ({"schemas": [USER], "Operations": [making("x")]}, 400),
        ({"schemas": [BULK], "Operations": []}, 400),
        ({"schemas": [BULK], "Operations": [making("x")] * 2}, 400),
        ({"schemas": [BULK], "Operations": [making("x")], "failOnErrors": -1}, 400),
        ({"schemas": [BULK], "Operations": [making("x")], "failOnErrors": True}, 400),
        ({"schemas": [BULK], "Operations": [making(f"x{number}") for number in range(101)]}, 413),
        *(({"schemas": [BULK], "Operations": [making("x"), {**making("y"), **wrong}]}, 400) for wrong in WRONG),
    ],
)
def test_what_is_no_bulk_request_does_nothing_at_all(world: ScimWorld, body: dict[str, Any], status: int) -> None:
    world.hr.ask("POST", "/Bulk", body, status=status)
    assert world.hr.names("userName pr") == []


def test_it_is_no_larger_than_is_said(world: ScimWorld) -> None:
    told = world.hr.ask("GET", "/ServiceProviderConfig").json()["bulk"]
    assert told == {"supported": True, "maxOperations": 100, "maxPayloadSize": 524_288}
    padding = b" " * (told["maxPayloadSize"] + 1)
    world.hr.ask("POST", "/Bulk", padding, status=413)
    most = bulk(world, *(making(f"person{number}") for number in range(told["maxOperations"])))
    assert statuses(most) == ["201"] * 100


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "method": st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]),
                "path": st.sampled_from(["/Users", "/Groups", "/Users/bulkId:a", "/Groups/bulkId:b", "/Users/x"]),
                "bulkId": st.sampled_from(["a", "b", "c"]),
                "data": st.one_of(BODIES, JSON),
            },
            optional={"version": JSON},
        ),
        max_size=4,
    ),
    JSON,
)
@FEW
def test_any_bulk_request(
    shared: tuple[ScimWorld, str, str], operations: list[dict[str, Any]], most: Any
) -> None:  # the fixture
    body = {"schemas": [BULK], "Operations": operations, "failOnErrors": most}
    answer = shared[0].hr.ask("POST", "/Bulk", json.dumps(body).encode(), status=None)
    assert all(each["status"] < "500" for each in answer.json().get("Operations", []))


def test_who_asks_is_shown_to_themselves(world: ScimWorld) -> None:
    account, boss = world.employee("boss", "admin")
    told = boss.ask("GET", "/Me?attributes=userName")
    assert told.json()["userName"] == "boss"
    assert "roles" not in told.json()
    assert told.headers["location"] == f"{BASE}/Users/{account}"
    assert boss.ask("GET", "/Me", if_none_match=told.headers["etag"], status=304).content == b""
    world.hr.ask("GET", "/Me", status=404)  # a client
    world.person("ann").ask("GET", "/Me", status=404)  # who has no account
    world.person("nemo").ask("GET", "/Me", status=403)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused: httpx.Response = boss.ask(method, "/Me", {"schemas": [USER]}, status=405)
        assert refused.headers["allow"] == "GET, HEAD"
