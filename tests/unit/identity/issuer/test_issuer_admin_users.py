import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from tests.support.issuer_plan import ISSUER, issuer_plan
from tests.support.issuer_world import IssuerWorld, ask

from ringwall.identity.people.invitations import PATH
from ringwall.identity.people.sign_in import Visitor
from ringwall.model.secret import Secret
from ringwall.plan.model import Role

PASSWORD = "correct horse battery staple"
VISITOR = Visitor(source="192.0.2.1", binding="b")


class Desk:
    """The operator, asking."""

    def __init__(self, world: IssuerWorld) -> None:
        self.world = world

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> dict[str, Any]:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body)
        response = await ask(self.world.admin, method, path, content=content)
        assert response.status_code == status, response.text
        assert response.headers["cache-control"] == "no-store"
        return dict(response.json())

    async def account(self, name: str = "ann", **more: Any) -> str:
        return await self.world.new_account(name, PASSWORD, **more)

    async def acts(self, name: str) -> list[str]:
        events = (await self.ask("GET", f"/users/{name}/events"))["events"]
        assert {event["by"] for event in events} <= {"operator", "test"}
        return [event["act"] for event in reversed(events)]


@pytest.fixture
def operate(tmp_path: Path) -> Callable[[Callable[[Desk], Awaitable[None]]], None]:
    def run(scenario: Callable[[Desk], Awaitable[None]]) -> None:
        async def body() -> None:
            world = IssuerWorld(tmp_path, plan=issuer_plan(roles=(Role(name="clerk"), Role(name="admin"))))
            try:
                await scenario(Desk(world))
            finally:
                world.context.people.close()
                await world.context.storage.close()

        asyncio.run(body())

    return run


Operate = Callable[[Callable[[Desk], Awaitable[None]]], None]


def test_the_first_administrator_is_invited_and_comes_in(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.ask("GET", "/users") == {"users": [], "next": None}
        made = await desk.ask("POST", "/users", {"user_name": "Ann", "roles": ["admin"], "hours": 1})
        assert made["link"].startswith(ISSUER + PATH)
        assert made["expires"] == desk.world.clock.now() + 3600
        (waiting,) = (await desk.ask("GET", "/invitations"))["invitations"]
        assert (waiting["id"], waiting["user_name"], waiting["roles"], waiting["anew"]) == (
            made["id"],
            "Ann",
            ["admin"],
            False,
        )
        assert made["link"].removeprefix(ISSUER + PATH) not in json.dumps(waiting)
        services = await desk.world.context.people.services()
        handle = Secret(made["link"].removeprefix(ISSUER + PATH))
        done = await services.invitations.accept(handle, VISITOR, password=Secret(PASSWORD))
        shown = await desk.ask("GET", "/users/ANN")
        assert (shown["id"], shown["user_name"], shown["roles"]) == (done.account, "Ann", ["admin"])
        assert shown["password_changed"] == desk.world.clock.now()
        assert (shown["totp"], shown["recovery_codes"], shown["passkeys"], shown["sessions"]) == (False, 0, [], [])

    operate(scenario)


def test_an_invitation_is_withdrawn(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        made = await desk.ask("POST", "/users", {"user_name": "ann"})
        await desk.ask("DELETE", f"/invitations/{made['id']}")
        assert (await desk.ask("GET", "/invitations"))["invitations"] == []
        assert "hint" in await desk.ask("DELETE", f"/invitations/{made['id']}", status=400)

    operate(scenario)


def test_a_role_that_the_plan_has_not_is_refused_with_those_it_has(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.account()
        for method, path, body in (
            ("POST", "/users", {"user_name": "bea", "roles": ["root"]}),
            ("PATCH", "/users/ann", {"give_roles": ["root"]}),
        ):
            told = await desk.ask(method, path, body, status=400)
            assert "'root'" in told["error_description"]
            assert "admin, clerk" in told["error_description"]

    operate(scenario)


def test_an_account_is_changed(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.account(roles=("clerk",), attributes={"ward": "7", "level": 3})
        await desk.ask("POST", "/groups", {"name": "staff", "roles": []})
        changes = {
            "user_name": "Anna",
            "display_name": "Anna B.",
            "email": "anna@example.org",
            "give_roles": ["admin"],
            "take_roles": ["clerk"],
            "give_groups": ["staff"],
            "set_attributes": {"ward": "8"},
            "remove_attributes": ["level"],
        }
        told = await desk.ask("PATCH", "/users/ann", changes)
        assert (told["user_name"], told["display_name"], told["email"]) == ("Anna", "Anna B.", "anna@example.org")
        assert (told["roles"], told["groups"], told["attributes"]) == (["admin"], ["staff"], {"ward": "8"})
        await desk.ask("GET", "/users/ann", status=400)
        assert (await desk.acts("anna"))[-2:] == ["account-changed", "group-joined"]

    operate(scenario)


def test_an_account_is_disabled_enabled_and_deleted(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        account = await desk.account()
        database = await desk.world.context.storage.database()
        now = desk.world.clock.now()
        for _ in range(2):
            await database.sessions.start(account=account, payload={}, now=now, idle_seconds=60, final_seconds=60)
        assert len((await desk.ask("GET", "/users/ann"))["sessions"]) == 2
        assert await desk.ask("POST", "/users/ann/disable", {"reason": "left"}) == {"sessions": 2, "clients": 0}
        assert (await desk.ask("GET", "/users/ann"))["disabled"] == now
        await desk.ask("POST", "/users/ann/enable")
        assert (await desk.ask("GET", "/users/ann"))["disabled"] is None
        assert await desk.ask("DELETE", "/users/ann/sessions") == {"sessions": 0, "clients": 0}
        assert (await desk.acts("ann"))[-3:] == ["account-disabled", "account-enabled", "sessions-ended"]
        await desk.ask("DELETE", "/users/ann")
        await desk.ask("GET", "/users/ann", status=400)

    operate(scenario)


def test_somebody_begins_anew(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.account()
        made = await desk.ask("POST", "/users/ann/invite", {"hours": 2})
        assert made["link"].startswith(ISSUER + PATH)
        (waiting,) = (await desk.ask("GET", "/invitations"))["invitations"]
        assert waiting["anew"] is True

    operate(scenario)


def test_users_come_in_pages(operate: Operate) -> None:
    async def scenario(desk: Desk) -> None:
        services = await desk.world.context.people.services()
        from ringwall.identity.people.profile import Profile  # noqa: PLC0415

        for name in ("bea", "Ann", "cyd"):
            await services.accounts.create(Profile.checked(user_name=name), by="test")
        first = await desk.ask("GET", "/users?limit=2")
        assert [user["user_name"] for user in first["users"]] == ["Ann", "bea"]
        rest = await desk.ask("GET", f"/users?limit=2&after={first['next']}")
        assert ([user["user_name"] for user in rest["users"]], rest["next"]) == (["cyd"], None)

    operate(scenario)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/users/nobody", None),
        ("GET", "/users/%D0%B0nn", None),
        ("GET", "/users/%00", None),
        ("GET", "/users?limit=0", None),
        ("GET", "/users?limit=9999", None),
        ("GET", "/users?limit=x", None),
        ("GET", "/users?after=%00", None),
        ("POST", "/users", {}),
        ("POST", "/users", {"user_name": 7}),
        ("POST", "/users", {"user_name": "ann"}),
        ("POST", "/users", {"user_name": "\u0430nn"}),
        ("POST", "/users", {"user_name": "bea", "roles": [7]}),
        ("POST", "/users", {"user_name": "bea", "email": "x"}),
        ("POST", "/users", {"user_name": "bea", "display_name": "\u202e"}),
        ("POST", "/users", {"user_name": "bea", "attributes": {"a": None}}),
        ("POST", "/users", {"user_name": "bea", "hours": 0}),
        ("POST", "/users", {"user_name": "bea", "hours": 10**9}),
        ("POST", "/users", {"user_name": "bea", "password": "x"}),
        ("POST", "/users", b"["),
        ("PATCH", "/users/ann", {"roles": ["admin"]}),
        ("PATCH", "/users/ann", {"user_name": "bob"}),
        ("PATCH", "/users/ann", {"user_name": ""}),
        ("PATCH", "/users/ann", {"set_attributes": {"a": 1.5}}),
        ("PATCH", "/users/nobody", {}),
        ("POST", "/users/ann/disable", {"reason": 7}),
        ("POST", "/users/nobody/disable", {}),
        ("POST", "/users/nobody/enable", {}),
        ("POST", "/users/ann/invite", {"hours": "1"}),
        ("DELETE", "/users/nobody", None),
        ("DELETE", "/users/nobody/sessions", None),
        ("GET", "/users/ann/events?limit=-1", None),
        ("DELETE", "/invitations/x", None),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(operate: Operate, method: str, path: str, body: Any) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.account()
        await desk.account("bob")
        before = await desk.ask("GET", "/users")
        acts = await desk.acts("ann")
        told = await desk.ask(method, path, body, status=400)
        assert told["error"]
        assert told["error_description"]
        assert await desk.ask("GET", "/users") == before
        assert await desk.acts("ann") == acts

    operate(scenario)


def test_nothing_of_this_is_to_be_had_from_the_public_application(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    public = {route.path for route in world.app.routes if isinstance(route, Route)}
    private = {route.path for route in world.admin.routes if isinstance(route, Route)}
    assert not public & private
    for path in ("/users", "/users/ann", "/invitations"):
        assert world.ask("GET", path).status_code == 404
