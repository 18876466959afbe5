"""Nobody rises by provisioning: neither by roles and groups, nor through accounts and groups of others."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.support.scim_world import GROUP, USER, ScimWorld

PASSWORD = "quiet-harbour-lantern-42"


def operator(world: ScimWorld, method: str, path: str, body: Any = None) -> dict[str, Any]:
    response = world.ask_admin(method, f"/admin{path}", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def roles_of(world: ScimWorld, identifier: str) -> tuple[str, ...]:
    async def look() -> tuple[str, ...]:
        found = await (await world.context.storage.database()).accounts.get(identifier)
        assert found is not None
        return found.effective_roles

    return asyncio.run(look())


def account_of(world: ScimWorld, name: str, **profile: Any) -> str:
    return asyncio.run(world.new_account(name, PASSWORD, **profile))


def change(world: ScimWorld, identifier: str, **members: Any) -> None:
    """Change an account as administration may."""

    async def run() -> None:
        services = await world.context.people.services()
        await services.accounts.change(identifier, lambda was: replace(was, **members), by="test")

    asyncio.run(run())


def test_without_a_permit_nobody_reaches_it(world: ScimWorld) -> None:
    for asker in (world.batch, world.person("nemo")):
        for method, path in (("GET", "/Users"), ("POST", "/Users"), ("GET", "/Schemas"), ("DELETE", "/Groups/x")):
            asker.ask(method, path, status=403)
    reader = world.person("rhea")
    reader.ask("GET", "/Users")
    for method, path in (("GET", "/Groups"), ("POST", "/Users/.search"), ("POST", "/Users"), ("POST", "/.search")):
        reader.ask(method, path, status=403)
    world.hr.token = "x" + world.hr.token
    assert "www-authenticate" in world.hr.ask("GET", "/Users", status=401).headers


@pytest.mark.parametrize("path", ["/", "/Users/x/y", "/users", "/Groups//x", "/Users/%2e%2e/Users"])
def test_there_is_nothing_else(world: ScimWorld, path: str) -> None:
    for method in ("GET", "POST", "PATCH"):
        world.hr.ask(method, path, {"schemas": []} if method != "GET" else None, status=404)
    world.hr.ask("GET", "/Users/a%2Fb", status=404)


def test_roles_are_given_only_by_who_has_them(world: ScimWorld) -> None:
    given = world.hr.user("ada", roles=[{"value": "hr"}, {"value": "nurse"}])  # through what `hr` includes
    assert roles_of(world, given["id"]) == ("hr", "nurse")
    for role, status in (("admin", 403), ("crm", 403), ("root", 400)):
        body = {"schemas": [USER], "userName": "eve", "roles": [{"value": role}]}
        world.hr.ask("POST", "/Users", body, status=status)
        world.hr.ask("PUT", f"/Users/{given['id']}", {**body, "userName": "ada"}, status=status)
        for path, value in (("roles", [{"value": role}]), ("roles.value", role), ('roles[value eq "hr"].value', role)):
            for op in ("add", "replace"):
                world.hr.patch(f"/Users/{given['id']}", {"op": op, "path": path, "value": value}, status=status)
        world.hr.patch(f"/Users/{given['id']}", {"op": "add", "value": {"ROLES": [role]}}, status=status)
    assert roles_of(world, given["id"]) == ("hr", "nurse")
    assert world.hr.names('userName eq "eve"') == []
    admin = world.person("ann")
    admin.patch(f"/Users/{given['id']}", {"op": "add", "path": "roles", "value": [{"value": "crm"}]}, status=403)
    # Who has less than the account takes nothing from it either.
    change(world, given["id"], roles=("admin", "nurse"))
    world.hr.patch(f"/Users/{given['id']}", {"op": "remove", "path": "roles"}, status=403)
    assert roles_of(world, given["id"]) == ("admin", "nurse")


def test_an_account_that_rose_is_not_taken_over_by_who_provisions_it(world: ScimWorld) -> None:
    ada = world.hr.user("ada", emails=[{"value": "ada@example.org"}])
    change(world, ada["id"], roles=("admin",))
    path = f"/Users/{ada['id']}"
    for operation in (
        {"op": "replace", "path": "password", "value": PASSWORD},
        {"op": "replace", "path": "emails", "value": [{"value": "eve@example.org"}]},
        {"op": "replace", "path": "userName", "value": "eve"},
        {"op": "add", "path": "roles", "value": [{"value": "nurse"}]},
    ):
        world.hr.patch(path, operation, status=403)
        with_end = {"op": "replace", "path": "active", "value": False}
        world.hr.patch(path, with_end, operation, status=403)
    # But people leave.
    assert world.hr.patch(path, {"op": "replace", "path": "active", "value": False})["active"] is False
    world.hr.patch(path, {"op": "replace", "path": "active", "value": True}, status=403)
    world.hr.ask("DELETE", path, status=204)


def test_a_program_changes_only_what_it_manages(world: ScimWorld) -> None:
    root = account_of(world, "root", roles=("admin",))
    dora = account_of(world, "dora")
    ada, bob = world.hr.user("ada"), world.crm.user("bob")
    group = world.hr.group("staff", ada["id"])
    for identifier in (root, dora, ada["id"]):
        path = f"/Users/{identifier}"
        world.crm.ask("GET", path)
        for value in (False, True):
            active = {"op": "replace", "path": "active", "value": value}
            if not value:
                world.crm.patch(path, active, status=403)
        world.crm.patch(path, {"op": "add", "path": "password", "value": PASSWORD}, status=403)
        world.crm.patch(path, {"op": "add", "path": "externalId", "value": "x"}, status=403)
        world.crm.ask("PUT", path, {"schemas": [USER], "userName": "zoe"}, status=403)
        world.crm.ask("DELETE", path, status=403)
    path = f"/Groups/{group['id']}"
    for operation in (
        {"op": "add", "path": "members", "value": [{"value": bob["id"]}]},
        {"op": "remove", "path": "members"},
        {"op": "replace", "path": "displayName", "value": "x"},
        {"op": "add", "path": "externalId", "value": "x"},
    ):
        world.crm.patch(path, operation, status=403)
    world.crm.ask("PUT", path, {"schemas": [GROUP], "displayName": "staff"}, status=403)
    world.crm.ask("DELETE", path, status=403)
    # Nor does it put accounts of others into groups of its own: taking them out would sign them out.
    own = world.crm.group("callers", bob["id"])
    for other in (root, ada["id"]):
        add = {"op": "add", "path": "members", "value": [{"value": other}]}
        world.crm.patch(f"/Groups/{own['id']}", add, status=403)
        body = {"schemas": [GROUP], "displayName": "x", "members": [{"value": other}]}
        world.crm.ask("POST", "/Groups", body, status=403)
        world.crm.ask("PUT", f"/Groups/{own['id']}", body, status=403)
    assert world.crm.names("displayName pr", "Groups") == ["callers", "staff"]


def test_what_is_handed_over_is_managed(world: ScimWorld) -> None:
    dora = account_of(world, "dora")
    operator(world, "POST", "/groups", {"name": "staff"})
    staff = world.hr.ask("GET", "/Groups").json()["Resources"][0]["id"]
    add = {"op": "add", "path": "members", "value": [{"value": dora}]}
    world.hr.patch(f"/Groups/{staff}", add, status=403)
    change(world, dora, manager="hr")
    operator(world, "PATCH", f"/groups/{staff}", {"managed_by": "hr"})
    assert world.hr.patch(f"/Groups/{staff}", add)["members"]
    world.hr.patch(f"/Users/{dora}", {"op": "add", "path": "title", "value": "Dr"})


def test_a_group_that_gives_more_than_one_has_is_not_filled(world: ScimWorld) -> None:
    ada = world.hr.user("ada")
    for name, role in (("clinicians", "clinician"), ("admins", "admin")):
        operator(world, "POST", "/groups", {"name": name, "roles": [role], "managed_by": "hr"})
    ids = {each["displayName"]: each["id"] for each in world.hr.ask("GET", "/Groups").json()["Resources"]}
    add = {"op": "add", "path": "members", "value": [{"value": ada["id"]}]}
    world.hr.patch(f"/Groups/{ids['admins']}", add, status=403)
    world.hr.ask("DELETE", f"/Groups/{ids['admins']}", status=403)
    body = {"schemas": [GROUP], "displayName": "admins", "members": [{"value": ada["id"]}]}
    world.hr.ask("PUT", f"/Groups/{ids['admins']}", body, status=403)
    world.hr.ask("POST", "/Groups", {**body, "displayName": "Admins "}, status=409)
    world.hr.patch(f"/Groups/{ids['clinicians']}", add)
    assert roles_of(world, ada["id"]) == ("clinician",)


def test_a_person_acts_within_their_roles_and_as_themselves(world: ScimWorld) -> None:
    root = account_of(world, "root", roles=("admin",))
    dora = account_of(world, "dora", roles=("crm",))
    ann = world.person("ann")
    told = ann.patch(f"/Users/{root}", {"op": "add", "path": "title", "value": "Dr"})
    assert told["title"] == "Dr"
    for operation in ({"op": "replace", "path": "active", "value": False}, {"op": "remove", "path": "roles"}):
        ann.patch(f"/Users/{dora}", operation, status=403)
    ann.ask("DELETE", f"/Users/{dora}", status=403)
    ada = ann.user("ada", roles=[{"value": "admin"}])

    async def look() -> tuple[str, str]:
        database = await world.context.storage.database()
        account = await database.accounts.get(ada["id"])
        assert account is not None
        return account.manager, (await database.events.by_subject(ada["id"]))[-1].actor

    assert asyncio.run(look()) == ("", "ann")
