"""What the administration does. Every answer is held to the OpenAPI description as it comes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.administered import admin_plan
from tests.support.desk import DESCRIPTION, Desk
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.administration.handlers import handlers
from ringwall.identity.issuer.administration.openapi import SHAPES
from ringwall.identity.people.invitations import PATH
from ringwall.identity.people.sign_in import Visitor
from ringwall.model.administration import BY_NAME
from ringwall.model.secret import Secret

PASSWORD = "correct horse battery staple"
VISITOR = Visitor(source="192.0.2.1", binding="b")
Operate = Callable[[Callable[[Desk], Awaitable[None]]], None]


@pytest.fixture
def operate(tmp_path: Path) -> Operate:
    def run(scenario: Callable[[Desk], Awaitable[None]]) -> None:
        async def body() -> None:
            world = IssuerWorld(tmp_path, plan=admin_plan())
            try:
                await scenario(Desk(world))
            finally:
                world.context.people.close()
                await world.context.storage.close()

        asyncio.run(body())

    return run


def test_every_operation_has_a_handler_and_a_shape(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=admin_plan())
    ours = {name for name, operation in BY_NAME.items() if operation.template.startswith("/admin/")}
    assert set(handlers(world.context, None)) == ours  # type: ignore[arg-type]  # nothing is asked of it
    assert set(SHAPES) | {"api.read"} == ours
    described = {o["operationId"] for path in DESCRIPTION["paths"].values() for o in path.values()}
    assert described == ours


def test_the_description_is_served(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.ask("GET", "/admin/openapi.json") == json.loads(json.dumps(DESCRIPTION))
        assert DESCRIPTION["servers"] == [{"url": ISSUER}]
        assert "securitySchemes" in DESCRIPTION["components"]

    operate(scenario)


def test_the_first_administrator_is_invited_and_comes_in(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.ask("GET", "/admin/users") == {"users": [], "next": None}
        made = await desk.ask("POST", "/admin/invitations", {"user_name": "Ann", "roles": ["admin"], "hours": 1})
        assert made["link"].startswith(ISSUER + PATH)
        assert made["expires"] == desk.world.clock.now() + 3600
        (waiting,) = (await desk.ask("GET", "/admin/invitations"))["invitations"]
        assert (waiting["id"], waiting["roles"], waiting["anew"], waiting["by"]) == (
            made["id"],
            ["admin"],
            False,
            "operator",
        )
        assert made["link"].removeprefix(ISSUER + PATH) not in json.dumps(waiting)
        services = await desk.world.context.people.services()
        handle = Secret(made["link"].removeprefix(ISSUER + PATH))
        done = await services.invitations.accept(handle, VISITOR, password=Secret(PASSWORD))
        (found,) = (await desk.ask("GET", "/admin/users?user_name=ANN"))["users"]
        assert (found["id"], found["roles"]) == (done.account, ["admin"])
        shown = await desk.ask("GET", f"/admin/users/{done.account}")
        assert (shown["totp"], shown["recovery_codes"], shown["passkeys"], shown["sessions"]) == (False, 0, [], [])
        assert PASSWORD not in json.dumps(shown)
        ann = Desk(desk.world, done.account, roles=("admin",))
        assert (await ann.ask("GET", "/admin/users"))["users"][0]["user_name"] == "Ann"
        withdrawn = await ann.ask("POST", "/admin/invitations", {"user_name": "bea"})
        await ann.ask("DELETE", f"/admin/invitations/{withdrawn['id']}")
        await ann.ask("DELETE", f"/admin/invitations/{withdrawn['id']}", status=404)

    operate(scenario)


def test_an_account_is_changed_and_each_act_is_an_event(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        account = await desk.world.new_account("ann", PASSWORD, roles=("nurse",), attributes={"ward": "7", "level": 3})
        admin = Desk(desk.world, "ann", roles=("admin",))
        user = f"/admin/users/{account}"
        told = await admin.ask("PATCH", user, {"user_name": "Anna", "display_name": "Anna B.", "email": "a@b.example"})
        assert (told["user_name"], told["display_name"], told["email"]) == ("Anna", "Anna B.", "a@b.example")
        told = await admin.ask("PATCH", f"{user}/attributes", {"set": {"ward": "8"}, "remove": ["level"]})
        assert told["attributes"] == {"ward": "8"}
        assert (await admin.ask("PUT", f"{user}/any-role/auditor"))["roles"] == ["auditor", "nurse"]
        assert (await admin.ask("DELETE", f"{user}/roles/nurse"))["roles"] == ["auditor"]
        await admin.ask("DELETE", f"{user}/roles/nurse", status=404)
        group = await admin.ask("POST", "/admin/groups", {"name": "Ward 7"})
        told = await admin.ask("PUT", f"{user}/groups/{group['id']}")
        assert told["groups"] == ["Ward 7"]
        assert (await admin.ask("GET", f"/admin/groups/{group['id']}/members"))["members"][0]["id"] == account
        assert (await admin.ask("DELETE", f"{user}/groups/{group['id']}"))["groups"] == []
        await admin.ask("POST", f"{user}/disable", {"reason": "left"})
        await admin.ask("POST", f"{user}/enable")
        await admin.ask("DELETE", f"{user}/sessions")
        await admin.ask("DELETE", user)
        await admin.ask("GET", user, status=404)
        acts = await desk.acts(account)
        assert {by for _, by in acts[3:]} == {"ann"}
        assert [act for act, _ in acts][-3:] == ["account-enabled", "sessions-ended", "account-deleted"]

    operate(scenario)


def test_groups_give_roles(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        account = await desk.world.new_account("ann", PASSWORD)
        group = (await desk.ask("POST", "/admin/groups", {"name": "Staff", "roles": ["nurse"]}))["id"]
        await desk.ask("POST", "/admin/groups", {"name": "staff"}, status=409)
        await desk.ask("PUT", f"/admin/users/{account}/groups/{group}")
        assert [u["id"] for u in (await desk.ask("GET", "/admin/roles/nurse/holders"))["users"]] == [account]
        assert (await desk.ask("GET", "/admin/groups?name=staff"))["groups"][0]["size"] == 1
        told = await desk.ask("DELETE", f"/admin/users/{account}/roles/nurse", status=409)
        assert told["type"].endswith("through-group")
        assert (await desk.ask("PUT", f"/admin/groups/{group}/roles/clinician"))["roles"] == ["clinician", "nurse"]
        assert (await desk.ask("DELETE", f"/admin/groups/{group}/roles/nurse"))["roles"] == ["clinician"]
        assert (await desk.ask("PATCH", f"/admin/groups/{group}", {"name": "Crew"}))["name"] == "Crew"
        await desk.ask("DELETE", f"/admin/groups/{group}")
        await desk.ask("GET", f"/admin/groups/{group}", status=404)
        assert (await desk.ask("GET", "/admin/groups"))["groups"] == []

    operate(scenario)


def test_sessions_grants_and_consents_are_shown_and_ended(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        account = await desk.world.new_account("ann", PASSWORD)
        database, now = await desk.world.context.storage.database(), desk.world.clock.now()
        _, session = await database.sessions.start(
            account=account, payload={"acr": "pwd"}, now=now, idle_seconds=60, final_seconds=60
        )
        for client in ("portal", "phone"):
            await database.families.start(
                client=client,
                account=account,
                session=session.id if client == "portal" else "",
                payload={"scopes": ["openid"]},
                now=now,
                idle_seconds=60,
                final_seconds=60,
            )
            await database.consents.grant(account=account, client=client, scopes=["openid"], now=now)
        (shown,) = (await desk.ask("GET", "/admin/sessions"))["sessions"]
        assert shown == await desk.ask("GET", f"/admin/sessions/{session.id}")
        assert (await desk.ask("GET", f"/admin/sessions?user={account}"))["sessions"] == [shown]
        assert len((await desk.ask("GET", f"/admin/grants?user={account}"))["grants"]) == 2
        (grant,) = (await desk.ask("GET", "/admin/grants?client=phone"))["grants"]
        await desk.ask("GET", "/admin/grants", status=400)
        assert await desk.ask("DELETE", f"/admin/sessions/{session.id}") == {"sessions": 1, "grants": 1}
        await desk.ask("GET", f"/admin/sessions/{session.id}", status=404)
        await desk.ask("DELETE", f"/admin/sessions/{session.id}", status=404)
        assert await desk.ask("DELETE", f"/admin/grants/{grant['id']}") == {"sessions": 0, "grants": 1}
        assert await database.revocations.find("session", session.id, now=now) is not None
        assert await database.revocations.find("family", grant["id"], now=now) is not None
        assert len((await desk.ask("GET", f"/admin/users/{account}/consents"))["consents"]) == 2
        await desk.ask("DELETE", f"/admin/users/{account}/consents/portal")
        await desk.ask("DELETE", f"/admin/users/{account}/consents/portal", status=404)
        assert len((await desk.ask("GET", f"/admin/users/{account}/consents"))["consents"]) == 1
        assert [act for act, _ in await desk.acts(account)][-3:] == [
            "session-ended",
            "grant-ended",
            "consent-withdrawn",
        ]

    operate(scenario)


def test_clients_are_shown_and_their_secrets_never(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        names = [each["name"] for each in (await desk.ask("GET", "/admin/clients"))["clients"]]
        assert names == ["batch", "portal", "provisioner"]
        made = await desk.ask("POST", "/admin/clients/batch/secrets")
        assert made["secret"].startswith("rwcs_")
        for path in ("/admin/clients/batch/secrets", "/admin/clients/batch", "/admin/clients", "/admin/events"):
            assert made["secret"] not in (await desk.send("GET", path)).text
        assert len((await desk.ask("GET", "/admin/clients/batch/secrets"))["secrets"]) == 1
        assert await desk.ask("DELETE", "/admin/clients/batch/secrets") == {"ended": 1}
        assert "batch" in (await desk.ask("POST", "/admin/clients/none/secrets", status=404))["hint"]
        database, now = await desk.world.context.storage.database(), desk.world.clock.now()
        registered = await database.clients.create(
            payload={"client_name": "A", "redirect_uris": ["https://a.example/"], "evil": "x"},
            with_secret=True,
            now=now,
        )
        name = registered.client.id
        shown = await desk.ask("GET", f"/admin/clients/{name}")
        assert (shown["title"], shown["registered"]) == ("A", True)
        assert name in [each["name"] for each in (await desk.ask("GET", "/admin/clients"))["clients"]]
        await desk.ask("DELETE", "/admin/clients/batch", status=409)
        await desk.ask("DELETE", f"/admin/clients/{name}/grants")
        await desk.ask("DELETE", f"/admin/clients/{name}")
        await desk.ask("GET", f"/admin/clients/{name}", status=404)
        assert [act for act, _ in await desk.acts("batch")] == ["secret-made", "secrets-ended"]
        assert [act for act, _ in await desk.acts(name)] == ["client-signed-out", "client-deleted"]

    operate(scenario)


def test_lists_come_in_pages(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        for name in ("bea", "Ann", "cyd"):
            await desk.world.new_account(name, PASSWORD)
            await desk.ask("POST", "/admin/groups", {"name": name})
        for what, member in (("users", "user_name"), ("groups", "name"), ("clients", "name")):
            found, after = [], ""
            while after is not None:
                page = await desk.ask("GET", f"/admin/{what}?limit=2" + (f"&after={after}" if after else ""))
                found += [each[member] for each in page[what]]
                after = page["next"]
            expected = ["batch", "portal", "provisioner"] if what == "clients" else ["Ann", "bea", "cyd"]
            assert found == expected

    operate(scenario)


def test_keys_are_listed_rotated_and_replaced(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        listed = await desk.ask("GET", "/admin/keys")
        told = [(key["algorithm"], key["state"]) for key in listed["keys"]]
        assert told == [(name, state) for name in ("ES256", "RS256") for state in ("active", "next")]
        assert "pem" not in json.dumps(listed)
        assert (await desk.ask("POST", "/admin/keys/rotate"))["next_change"] == desk.world.clock.now() + 100
        desk.world.clock.advance(100)
        assert (await desk.ask("GET", "/admin/keys"))["keys"][0]["kid"] == listed["keys"][1]["kid"]
        replaced = await desk.ask("POST", "/admin/keys/replace")
        assert not {key["kid"] for key in replaced["keys"]} & {key["kid"] for key in listed["keys"]}
        assert [act for act, _ in await desk.acts("")] == ["keys-rotated", "keys-replaced"]

    operate(scenario)


def test_events_are_read_backwards_and_followed(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        for name in ("a", "b", "c"):
            await desk.ask("POST", "/admin/groups", {"name": name})
        assert (await desk.ask("GET", "/admin/events?after=start"))["events"] == []  # too fresh
        desk.world.clock.advance(10)
        backwards = (await desk.ask("GET", "/admin/events"))["events"]
        followed: list[dict[str, Any]] = []
        after = "start"
        while (page := await desk.ask("GET", f"/admin/events?limit=1&after={after}"))["events"]:
            followed += page["events"]
            after = page["next"]
        assert followed == backwards[::-1]
        assert page["next"] == after
        await desk.ask("POST", "/admin/groups", {"name": "d"})
        desk.world.clock.advance(10)
        (new,) = (await desk.ask("GET", f"/admin/events?after={after}"))["events"]
        assert (new["act"], new["by"], new["detail"]["name"]) == ("group-created", "operator", "d")
        assert (await desk.ask("GET", "/admin/events?by=operator&limit=2"))["events"][0] == new
        assert (await desk.ask("GET", f"/admin/events?subject={new['subject']}"))["events"] == [new]
        await desk.ask("GET", "/admin/events?by=a&subject=b", status=400)

    operate(scenario)


def test_somebody_is_imported(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        told = await desk.ask("POST", "/admin/users", {"user_name": "ann", "roles": ["nurse", "x"], "dry_run": True})
        assert told == {"id": "", "unknown_roles": ["x"]}
        told = await desk.ask("POST", "/admin/users", {"user_name": "ann", "roles": ["nurse", "x"]})
        assert (await desk.ask("GET", f"/admin/users/{told['id']}"))["roles"] == ["nurse"]
        await desk.ask("POST", "/admin/users", {"user_name": "Ann"}, status=409)

    operate(scenario)


def test_of_two_who_change_one_account_the_second_is_told(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        account = await desk.world.new_account("ann", PASSWORD)
        user = f"/admin/users/{account}"
        read = await desk.send("GET", user)
        tag = read.headers["etag"]
        first = await desk.send("PATCH", user, {"display_name": "A"}, tag=tag)
        assert first.status_code == 200
        for method, path, body in (
            ("PATCH", user, {"display_name": "B"}),
            ("PATCH", f"{user}/attributes", {"set": {"a": "b"}}),
            ("PUT", f"{user}/roles/nurse", None),
        ):
            told = await desk.ask(method, path, body, status=412, tag=tag)
            assert told["type"].endswith("changed-meanwhile")
        await desk.ask("PATCH", user, {"display_name": "B"}, status=412, tag="W/x")
        again = await desk.ask("PATCH", user, {"display_name": "B"}, tag=first.headers["etag"])
        assert again["display_name"] == "B"
        await desk.ask("PATCH", user, {"display_name": "C"}, tag="*")
        group = await desk.send("POST", "/admin/groups", {"name": "x"})
        path, tag = f"/admin/groups/{group.json()['id']}", group.headers["etag"]
        await desk.ask("PATCH", path, {"name": "y"}, tag=tag)
        await desk.ask("PUT", f"{path}/roles/nurse", status=412, tag=tag)
        await desk.ask("DELETE", path, status=412, tag=tag)

    operate(scenario)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/admin/users/nobody", None, 404),
        ("GET", "/admin/users?user_name=%D0%B0nn", None, 400),
        ("GET", "/admin/users?user_name=%00", None, 400),
        ("GET", "/admin/users?limit=0", None, 400),
        ("GET", "/admin/users?limit=9999", None, 400),
        ("GET", "/admin/users?limit=1&limit=2", None, 400),
        ("GET", "/admin/users?after=%00", None, 400),
        ("GET", "/admin/users?after=x", None, 400),
        ("GET", "/admin/users?after=WzFd", None, 400),
        ("GET", "/admin/users?role=admin", None, 400),
        ("POST", "/admin/invitations", {}, 400),
        ("POST", "/admin/invitations", {"user_name": 7}, 400),
        ("POST", "/admin/invitations", {"user_name": "ann"}, 409),
        ("POST", "/admin/invitations", {"user_name": "\u0430nn"}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "roles": [7]}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "roles": ["root"]}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "groups": ["none"]}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "email": "x"}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "display_name": "\u202e"}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "display_name": "a\nb"}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "attributes": {"a": None}}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "hours": 0}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "hours": 10**9}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "password": "x"}, 400),
        ("POST", "/admin/invitations", {"user_name": "bea", "id": "x"}, 400),
        ("POST", "/admin/invitations", b"[", 400),
        ("POST", "/admin/invitations", b"[" * 8000, 400),
        ("POST", "/admin/invitations", b" " * 9000, 413),
        ("PATCH", "/admin/users/{ann}", {"roles": ["admin"]}, 400),
        ("PATCH", "/admin/users/{ann}", {"attributes": {"a": "b"}}, 400),
        ("PATCH", "/admin/users/{ann}", {"disabled": None}, 400),
        ("PATCH", "/admin/users/{ann}", {"id": "x"}, 400),
        ("PATCH", "/admin/users/{ann}", {"version": 1}, 400),
        ("PATCH", "/admin/users/{ann}", {"user_name": "bob"}, 409),
        ("PATCH", "/admin/users/{ann}", {"user_name": ""}, 400),
        ("PATCH", "/admin/users/{ann}/attributes", {"set": {"a": 1.5}}, 400),
        ("PATCH", "/admin/users/{ann}/attributes", {"set": {"a": 10**30}}, 400),
        ("PATCH", "/admin/users/nobody", {}, 404),
        ("POST", "/admin/users/{ann}/disable", {"reason": 7}, 400),
        ("POST", "/admin/users/nobody/disable", {}, 404),
        ("POST", "/admin/users/nobody/enable", {}, 404),
        ("POST", "/admin/users/{ann}/invitation", {"hours": "1"}, 400),
        ("PUT", "/admin/users/{ann}/roles/root", None, 400),
        ("PUT", "/admin/users/{ann}/groups/none", None, 404),
        ("DELETE", "/admin/users/nobody", None, 404),
        ("DELETE", "/admin/users/nobody/sessions", None, 404),
        ("GET", "/admin/roles/none/holders", None, 404),
        ("GET", "/admin/events?after=WyJ4Il0", None, 400),
        ("GET", "/admin/groups?name=%00", None, 400),
        ("DELETE", "/admin/clients/none", None, 404),
        ("PUT", "/admin/revocations/none/x", {}, 400),
        ("PUT", "/admin/revocations/user/{ann}", {"seconds": -1}, 400),
        ("GET", "/admin/revocations", None, 503),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    operate: Operate, method: str, path: str, body: Any, status: int
) -> None:
    async def scenario(desk: Desk) -> None:
        ann = await desk.world.new_account("ann", PASSWORD)
        await desk.world.new_account("bob", PASSWORD)
        before, acts = await desk.ask("GET", "/admin/users"), await desk.acts(ann)
        told = await desk.ask(method, path.replace("{ann}", ann), body, status=status)
        assert told["detail"]
        assert await desk.ask("GET", "/admin/users") == before
        assert await desk.acts(ann) == acts

    operate(scenario)


def test_a_body_of_another_kind_is_refused(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        body = b'{"name": "x"}'
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            await desk.ask("POST", "/admin/groups", body, status=415, media_type=media_type)
        await desk.ask("POST", "/admin/groups", body, media_type="Application/JSON; charset=utf-8")

    operate(scenario)
