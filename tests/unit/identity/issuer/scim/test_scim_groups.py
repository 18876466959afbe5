"""Groups over SCIM."""

import asyncio
from typing import Any

import pytest
from tests.support.scim_world import BASE, GROUP, ScimWorld


def members(told: dict[str, Any]) -> set[str]:
    return {each["value"] for each in told.get("members", [])}


def people(world: ScimWorld, *names: str) -> list[str]:
    return [world.hr.user(name)["id"] for name in names]


def test_a_group_is_made_read_and_deleted(world: ScimWorld) -> None:
    ada, bob = people(world, "ada", "bob")
    told = world.hr.group("Ward 7", ada, bob, externalId="g-1")
    assert (told["displayName"], told["externalId"], members(told)) == ("Ward 7", "g-1", {ada, bob})
    assert {each["$ref"] for each in told["members"]} == {f"{BASE}/Users/{ada}", f"{BASE}/Users/{bob}"}
    user = world.hr.ask("GET", f"/Users/{ada}").json()
    assert user["groups"] == [
        {"value": told["id"], "$ref": f"{BASE}/Groups/{told['id']}", "display": "Ward 7", "type": "direct"}
    ]
    assert (
        world.hr.refused("POST", "/Groups", {"schemas": [GROUP], "displayName": "WARD 7"}, status=409) == "uniqueness"
    )
    for wrong in (
        {"displayName": ""},
        {},
        {"displayName": "a\u200b"},
        {"displayName": "x", "members": [{"value": "?"}]},
    ):
        assert world.hr.refused("POST", "/Groups", {"schemas": [GROUP], **wrong}) == "invalidValue"
    assert world.hr.names("displayName pr", "Groups") == ["Ward 7"]
    world.hr.ask("DELETE", f"/Groups/{told['id']}", status=204)
    world.hr.ask("GET", f"/Groups/{told['id']}", status=404)
    assert "groups" not in world.hr.ask("GET", f"/Users/{ada}").json()


def test_members_come_and_go_in_every_dialect(world: ScimWorld) -> None:
    ada, bob, eve = people(world, "ada", "bob", "eve")
    path = f"/Groups/{world.hr.group('staff')['id']}"

    def after(*operations: dict[str, Any]) -> set[str]:
        return members(world.hr.patch(path, *operations))

    assert after({"op": "Add", "path": "members", "value": [{"value": ada}, {"value": bob}]}) == {ada, bob}
    assert after({"op": "add", "path": "members", "value": {"value": bob, "display": "x", "type": "User"}}) == {
        ada,
        bob,
    }
    assert after({"op": "remove", "path": f'members[value eq "{ada}"]'}) == {bob}
    assert after({"op": "remove", "path": f'members[value eq "{ada}"]'}) == {bob}
    assert after({"op": "Remove", "path": "members", "value": [{"value": bob}]}) == set()
    assert after({"op": "add", "value": {"members": [{"value": eve}], "displayName": "Staff", "id": "x"}}) == {eve}
    assert after({"op": "replace", "path": f"{GROUP}:members", "value": [{"value": ada}, {"value": bob}]}) == {ada, bob}
    assert after({"op": "remove", "path": f'members[value eq "{ada}" or value eq "{bob}"]'}) == set()
    assert after(
        {"op": "add", "path": "members", "value": [{"value": ada}]},
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": [{"value": eve}]},
        {"op": "remove", "path": "members", "value": [{"value": bob}]},
    ) == {eve}
    assert after({"op": "replace", "path": "members", "value": []}) == set()
    told = world.hr.ask("PUT", path, {"schemas": [GROUP], "displayName": "S", "members": [{"value": ada}]}).json()
    assert (told["displayName"], members(told)) == ("S", {ada})
    assert members(world.hr.ask("PUT", path, {"schemas": [GROUP], "displayName": "S"}).json()) == set()


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "add", "path": "members", "value": [{"value": "nobody"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": "x", "type": "Group"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"display": "x"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": 7}, "invalidValue"),
        ({"op": "replace", "path": "members.value", "value": "x"}, "mutability"),
        ({"op": "replace", "path": 'members[value eq "x"]', "value": {"value": "y"}}, "mutability"),
        ({"op": "remove", "path": 'members[type eq "User"]'}, "invalidPath"),
        ({"op": "remove", "path": "displayName"}, "mutability"),
        ({"op": "replace", "path": "displayName", "value": ""}, "invalidValue"),
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": "roles", "value": [{"value": "admin"}]}, "invalidPath"),
        ({"op": "replace", "value": "x"}, "invalidSyntax"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "explode", "path": "members"}, "invalidSyntax"),
    ],
)
def test_what_cannot_be_changes_nothing(world: ScimWorld, operation: dict[str, Any], kind: str) -> None:
    (ada,) = people(world, "ada")
    told = world.hr.group("staff", ada)
    first = {"op": "remove", "path": "members"}
    assert world.hr.patch(f"/Groups/{told['id']}", first, operation, status=400)["scimType"] == kind
    assert world.hr.ask("GET", f"/Groups/{told['id']}").json() == told


def test_whoever_leaves_a_group_is_signed_out_and_that_is_noted(world: ScimWorld) -> None:
    (ada,) = people(world, "ada")
    told = world.hr.group("staff", ada)

    now = world.clock.now()

    async def sign_in() -> None:
        sessions = (await world.context.storage.database()).sessions
        await sessions.start(account=ada, payload={}, now=now, idle_seconds=60, final_seconds=60)

    async def look() -> list[tuple[str, str]]:
        database = await world.context.storage.database()
        assert await database.sessions.of_account(ada, now=now) == ()
        return [(event.act, event.actor) for event in await database.events.by_subject(ada, limit=1)]

    asyncio.run(sign_in())
    world.hr.patch(f"/Groups/{told['id']}", {"op": "remove", "path": "members"})
    assert asyncio.run(look()) == [("group-left", "hr")]


def test_a_group_is_changed_in_the_version_that_was_read(world: ScimWorld) -> None:
    ada, bob = people(world, "ada", "bob")
    told = world.hr.group("staff", ada)
    path, tag = f"/Groups/{told['id']}", told["meta"]["version"]
    add = {"op": "add", "path": "members", "value": [{"value": bob}]}
    rename = {"op": "replace", "path": "displayName", "value": "Staff"}
    now = world.hr.patch(path, add, rename, if_match=tag)
    assert (now["displayName"], members(now)) == ("Staff", {ada, bob})
    for operation in (rename, {"op": "remove", "path": "members"}):
        world.hr.patch(path, operation, status=412, if_match=tag)
    world.hr.ask("PUT", path, {"schemas": [GROUP], "displayName": "x"}, status=412, if_match=tag)
    world.hr.ask("DELETE", path, status=412, if_match=tag)
    assert world.hr.ask("GET", path).json() == now


def test_members_are_left_out_where_they_are_not_wanted(world: ScimWorld) -> None:
    ada, bob = people(world, "ada", "bob")
    told = world.hr.group("staff", ada)
    world.hr.group("night", ada, bob)
    for asked in ("excludedAttributes=members", "attributes=displayName"):
        for path in (f"/Groups/{told['id']}", "/Groups"):
            shown = world.hr.ask("GET", f"{path}?{asked}").json()
            assert all("members" not in each for each in shown.get("Resources", [shown]))
    assert world.hr.names(f'members eq "{bob}"', "Groups") == ["night"]
    assert sorted(world.hr.names(f'members.value eq "{ada}"', "Groups")) == ["night", "staff"]
    assert world.hr.names(f'id eq "{told["id"]}" and members eq "{bob}"', "Groups") == []
    assert world.hr.names(f'members[value eq "{bob}"]', "Groups") == ["night"]
