"""Users over SCIM: made, read, replaced, changed, disabled, deleted, in the dialects of those who provision."""

import asyncio
from typing import Any

import pytest
from tests.support.scim_world import BASE, ENTERPRISE, USER, ScimWorld

from ringwall.identity.store.accounts import Account

PASSWORD = "quiet-harbour-lantern-42"


def account(world: ScimWorld, identifier: str) -> Account:
    async def read() -> Account | None:
        return await (await world.context.storage.database()).accounts.get(identifier)

    found = asyncio.run(read())
    assert found is not None
    return found


def sign_in(world: ScimWorld, identifier: str) -> None:
    async def start() -> None:
        database = await world.context.storage.database()
        await database.sessions.start(
            account=identifier, payload={}, now=world.clock.now(), idle_seconds=60, final_seconds=60
        )

    asyncio.run(start())


def signed_in(world: ScimWorld, identifier: str) -> bool:
    async def look() -> bool:
        sessions = (await world.context.storage.database()).sessions
        return bool(await sessions.of_account(identifier, now=world.clock.now()))

    return asyncio.run(look())


def acts(world: ScimWorld, identifier: str) -> list[tuple[str, str]]:
    async def look() -> list[tuple[str, str]]:
        found = await (await world.context.storage.database()).events.by_subject(identifier)
        return [(event.act, event.actor) for event in reversed(found)]

    return asyncio.run(look())


def test_a_user_is_made_with_what_a_provider_knows(world: ScimWorld) -> None:
    told = world.hr.user(
        "Ada@Example.org",
        externalId="e-1",
        displayName="Ada L.",
        name={"givenName": "Ada", "familyName": "Lovelace", "formatted": "Ada Lovelace"},
        emails=[{"value": "home@example.org", "type": "home"}, {"value": "ada@example.org", "type": "work"}],
        phoneNumbers=[{"value": "+1 1", "type": "mobile"}],
        roles=[{"value": "nurse"}],
        password=PASSWORD,
        unknown={"a": 1},
        photos=[{"value": "https://x"}],
        **{ENTERPRISE: {"department": "er", "costCenter": "not declared", "manager": {"value": "x"}}},
    )
    assert told["schemas"] == [USER, ENTERPRISE]
    assert told["meta"]["location"] == f"{BASE}/Users/{told['id']}"
    assert told[ENTERPRISE] == {"department": "er"}
    assert told["roles"] == [{"value": "nurse"}]
    assert told["active"] is True
    assert not {"password", "unknown", "photos", "groups"} & set(told)
    kept = account(world, told["id"])
    assert (kept.user_name, kept.name_key, kept.email) == ("Ada@Example.org", "ada@example.org", "ada@example.org")
    assert (kept.roles, kept.attributes["department"], kept.manager) == (("nurse",), "er", "hr")
    assert [act for act, _ in acts(world, told["id"])][:2] == ["account-created", "password-set"]
    assert {by for _, by in acts(world, told["id"])} == {"hr"}
    read = world.hr.ask("GET", f"/Users/{told['id']}")
    assert read.json() == told
    assert read.headers["etag"] == told["meta"]["version"]
    assert read.headers["cache-control"] == "no-store"
    world.hr.ask("GET", f"/Users/{told['id']}", status=304, if_none_match=read.headers["etag"])


@pytest.mark.parametrize("name", ["ADA", " ada ", "ａｄａ"])  # noqa: RUF001  # full width
def test_a_name_is_taken_however_it_is_written(world: ScimWorld, name: str) -> None:
    world.hr.user("ada")
    bob = world.hr.user("bob")
    assert world.hr.refused("POST", "/Users", {"schemas": [USER], "userName": name}, status=409) == "uniqueness"
    replace = {"schemas": [USER], "userName": name}
    assert world.hr.refused("PUT", f"/Users/{bob['id']}", replace, status=409) == "uniqueness"


@pytest.mark.parametrize("name", ["\u0430da", "аԁа", "a\u200bda", "a b", "", "x" * 129, "a\u202eb", 7, None, ["a"]])  # noqa: RUF001
def test_names_that_look_like_others_cannot_be_provisioned(world: ScimWorld, name: Any) -> None:
    assert world.hr.refused("POST", "/Users", {"schemas": [USER], "userName": name}) == "invalidValue"
    ada = world.hr.user("ada")
    patch = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
    operation = {"op": "replace", "path": "userName", "value": name}
    assert world.hr.refused("PATCH", f"/Users/{ada['id']}", {**patch, "Operations": [operation]}) == "invalidValue"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "active", "value": "False"},  # Entra ID
        {"op": "replace", "value": {"active": False}},  # Okta
        {"op": "replace", "value": {"active": "false", "id": "x", "groups": []}},
        {"op": "add", "path": f"{USER}:active", "value": False},
    ],
)
def test_disabling_ends_sessions_and_reaches_the_proxies(world: ScimWorld, operation: dict[str, Any]) -> None:
    ada = world.hr.user()
    sign_in(world, ada["id"])
    assert world.hr.patch(f"/Users/{ada['id']}", operation)["active"] is False
    assert not signed_in(world, ada["id"])
    assert account(world, ada["id"]).disabled == world.clock.now()
    assert acts(world, ada["id"])[-1] == ("account-disabled", "hr")

    async def revoked() -> bool:
        revocations = (await world.context.storage.database()).revocations
        return await revocations.find("account", ada["id"], now=world.clock.now()) is not None

    assert asyncio.run(revoked())
    told = world.hr.ask("PUT", f"/Users/{ada['id']}", {"schemas": [USER], "userName": "ada"}).json()
    assert told["active"] is False  # a PUT that does not say so enables nobody
    assert world.hr.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "active", "value": "True"})["active"]
    assert acts(world, ada["id"])[-1] == ("account-enabled", "hr")


def test_losing_a_role_signs_out_and_a_put_without_roles_keeps_them(world: ScimWorld) -> None:
    ada = world.hr.user(roles=[{"value": "nurse"}, {"value": "clinician"}])
    sign_in(world, ada["id"])
    told = world.hr.ask("PUT", f"/Users/{ada['id']}", {"schemas": [USER], "userName": "ada", "title": "Dr"}).json()
    assert (told["roles"], told["title"]) == ([{"value": "clinician"}, {"value": "nurse"}], "Dr")
    assert signed_in(world, ada["id"])
    remove = {"op": "remove", "path": 'roles[value eq "clinician"]'}
    assert world.hr.patch(f"/Users/{ada['id']}", remove)["roles"] == [{"value": "nurse"}]
    assert not signed_in(world, ada["id"])


def test_a_password_obeys_the_rules_and_is_never_told(world: ScimWorld) -> None:
    ada = world.hr.user(password=PASSWORD)
    for weak in ("password", "ada", "12345678", "x" * 300):
        replace = {"op": "replace", "path": "password", "value": weak}
        assert world.hr.patch(f"/Users/{ada['id']}", replace, status=400)["scimType"] == "invalidValue"
        body = {"schemas": [USER], "userName": "eve", "password": weak}
        assert world.hr.refused("POST", "/Users", body) == "invalidValue"
    assert world.hr.names('userName eq "eve"') == []  # nobody was made without a password
    sign_in(world, ada["id"])
    told = world.hr.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "password", "value": PASSWORD + "!"})
    assert "password" not in told
    assert not signed_in(world, ada["id"])
    for filtered in ("password pr", f'password eq "{PASSWORD}"'):
        assert world.hr.refused("GET", f"/Users?filter={filtered}") == "invalidFilter"
    shown = world.hr.ask("GET", f"/Users/{ada['id']}?attributes=password,userName").json()
    assert set(shown) == {"schemas", "id", "userName"}


def test_what_only_the_server_sets_is_refused_by_path_and_passed_over_elsewhere(world: ScimWorld) -> None:
    ada = world.hr.user(id="chosen", meta={"created": "1970-01-01T00:00:00Z"}, groups=[{"value": "x"}])
    assert ada["id"] != "chosen"
    for path in ("id", "meta", "meta.version", "groups", 'groups[value eq "x"]', "groups.display", f"{USER}:id"):
        for op in ("add", "replace", "remove"):
            operation = {"op": op, "path": path, "value": "x"}
            assert world.hr.patch(f"/Users/{ada['id']}", operation, status=400)["scimType"] == "mutability", path
    assert world.hr.patch(f"/Users/{ada['id']}", {"op": "remove", "path": "userName"}, status=400)["scimType"]
    for path in ("nonsense", "name.nonsense", "emails[nonsense eq 1]", "urn:x:y", "a b", "emails[", "[]", "schemas.x"):
        operation = {"op": "replace", "path": path, "value": "x"}
        assert world.hr.patch(f"/Users/{ada['id']}", operation, status=400)["scimType"] == "invalidPath", path
    assert world.hr.ask("GET", f"/Users/{ada['id']}").json() == ada


def test_patches_of_many_dialects(world: ScimWorld) -> None:
    ada = world.hr.user(emails=[{"value": "a@example.org", "type": "work", "primary": True}])
    path = f"/Users/{ada['id']}"
    told = world.hr.patch(
        path,
        {"op": "Add", "path": 'emails[type eq "home"].value', "value": "b@example.org"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "c@example.org"},
        {"op": "Add", "path": "name.familyName", "value": "Lovelace"},
        {"op": "Add", "value": {"name.givenName": "Ada", f"{ENTERPRISE}:department": "er", "displayName": "Ada"}},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": "passed over"},
        {"op": "Add", "path": f"{ENTERPRISE}:employeeNumber", "value": "7"},
    )
    assert told["emails"] == [
        {"value": "c@example.org", "type": "work", "primary": True},
        {"type": "home", "value": "b@example.org"},
    ]
    assert (told["name"], told["displayName"]) == ({"familyName": "Lovelace", "givenName": "Ada"}, "Ada")
    assert told[ENTERPRISE] == {"department": "er", "employeeNumber": "7"}
    told = world.hr.patch(
        path, {"op": "replace", "path": 'emails[value sw "b@"]', "value": {"value": "b@example.org", "primary": True}}
    )
    assert [each.get("primary", False) for each in told["emails"]] == [False, True]
    assert account(world, ada["id"]).email == "b@example.org"
    told = world.hr.patch(path, {"op": "remove", "path": "emails", "value": [{"value": "b@example.org"}]})
    assert [each["value"] for each in told["emails"]] == ["c@example.org"]
    missing = {"op": "replace", "path": 'emails[type eq "other"].value', "value": "d@example.org"}
    assert world.hr.patch(path, missing, status=400)["scimType"] == "noTarget"
    told = world.hr.patch(path, {"op": "remove", "path": ENTERPRISE}, {"op": "remove", "path": "name.givenName"})
    assert ENTERPRISE not in told
    assert told["name"] == {"familyName": "Lovelace"}


def test_of_several_operations_all_take_effect_or_none(world: ScimWorld) -> None:
    ada = world.hr.user()
    world.hr.patch(
        f"/Users/{ada['id']}",
        {"op": "add", "path": "title", "value": "Dr"},
        {"op": "add", "path": "emails", "value": [{"value": "no address"}]},
        status=400,
    )
    assert world.hr.ask("GET", f"/Users/{ada['id']}").json() == ada


def test_a_change_is_made_to_the_version_that_was_read(world: ScimWorld) -> None:
    ada = world.hr.user()
    path, tag = f"/Users/{ada['id']}", ada["meta"]["version"]
    told = world.hr.patch(path, {"op": "add", "path": "title", "value": "Dr"}, if_match=tag)
    body = {"schemas": [USER], "userName": "ada2"}
    world.hr.ask("PUT", path, body, status=412, if_match=tag)
    world.hr.patch(path, {"op": "add", "path": "title", "value": "Prof"}, status=412, if_match=tag)
    world.hr.ask("DELETE", path, status=412, if_match=f'"x", {tag}')
    assert world.hr.ask("GET", path).json() == told
    world.hr.ask("DELETE", path, status=204, if_match=f'W/"other", {told["meta"]["version"]}')
    for method in ("GET", "DELETE"):
        world.hr.ask(method, path, status=404)


def test_external_ids_are_each_clients_own(world: ScimWorld) -> None:
    ada = world.hr.user(externalId="e-1")
    assert world.hr.names('externalId eq "e-1"') == ["ada"]
    assert world.crm.names('externalId eq "e-1"') == []
    assert "externalId" not in world.crm.ask("GET", f"/Users/{ada['id']}").json()
    world.crm.patch(f"/Users/{ada['id']}", {"op": "add", "path": "externalId", "value": "c-1"}, status=403)
    world.crm.user("bob", externalId="e-1")
    assert world.hr.names('externalId eq "e-1"') == ["ada"]
    assert world.crm.names('externalId eq "e-1"') == ["bob"]
    told = world.hr.patch(f"/Users/{ada['id']}", {"op": "remove", "path": "externalId"})
    assert "externalId" not in told
    assert world.hr.refused("POST", "/Users", {"schemas": [USER], "userName": "eve", "externalId": "x" * 257})


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"{}", {}, 400),
        (b'{"userName": "a", "userName": "b"}', {}, 400),
        (b'{"userName": "a", "username": "b"}', {}, 400),
        (b'{"schemas": ["urn:other"], "userName": "a"}', {}, 400),
        (b'{"userName": "\\ud800"}', {}, 400),
        (b'{"userName": "ada"}', {"content_type": "text/plain"}, 415),
        (b'{"userName": "ada", "title": "' + b"x" * 600_000 + b'"}', {}, 413),
        (b'{"userName": "ada", "title": "' + b"x" * 2000 + b'"}', {}, 400),
        (b'{"userName": "ada", "title": "a\\u0000"}', {}, 400),
        (b'{"userName": "ada", "emails": [' + b'{"value": "a@b.c"},' * 40 + b'{"value": "a@b.c"}]}', {}, 400),
        (b'{"userName": "ada", "name": ' + b'{"a":' * 50 + b"1" + b"}" * 50 + b"}", {}, 400),
        (
            b'{"userName": "ada", "emails": [{"value":"a@b.c","primary":true},{"value":"d@b.c","primary":true}]}',
            {},
            400,
        ),
    ],
)
def test_bad_bodies_are_refused_in_scims_own_form(
    world: ScimWorld, body: bytes, headers: dict[str, str], status: int
) -> None:
    world.hr.ask("POST", "/Users", body, status=status, **headers)
    assert world.hr.names("userName pr") == []
