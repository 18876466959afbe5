"""Somebody is always left to administer, whatever is provisioned, and however many do it at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.administered import admin_plan
from tests.support.desk import Desk
from tests.support.issuer_plan import AUDIENCE
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.scim_world import GROUP, PATCH, USER

from ringwall.identity.issuer.scim.provisioning import PREFIX

PASSWORD = "quiet-harbour-lantern-42"
BLUEPRINT = f"""
ringwall: 1
system: {AUDIENCE}
roles: {{admin: {{includes: [nurse]}}, nurse: }}
claims: {{department: string}}
clients:
  hr: {{roles: [admin]}}
issuers: {{local: {{administration: [{{roles: [admin]}}]}}}}
services:
  web: {{run: python web.py, operations: [home: GET /], expose: /, allow: [{{public: true}}]}}
"""
Operation = dict[str, Any]
OFF: Operation = {"op": "replace", "path": "active", "value": False}


class Office:
    """Administrators, and a client that manages their accounts."""

    def __init__(self, world: IssuerWorld) -> None:
        self.world = world
        self.operator = Desk(world)
        response = world.token(world.new_secret("hr"), "hr")
        self.headers = {"content-type": "application/scim+json"}
        self.client = self.headers | {"authorization": f"Bearer {response.json()['access_token']}"}

    async def hire(self, name: str, *roles: str) -> str:
        account = await self.world.new_account(name, PASSWORD, roles=roles)
        await self.operator.ask("PATCH", f"/admin/users/{account}", {"managed_by": "hr"})
        return account

    def person(self, account: str, *roles: str) -> dict[str, str]:
        return self.headers | Desk(self.world, account, roles=roles).headers

    async def send(
        self, method: str, path: str, body: Any = None, *, by: dict[str, str] | None = None
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        return await ask(self.world.app, method, PREFIX + path, content=content, headers=by or self.client)

    async def patch(self, path: str, *operations: Operation, by: dict[str, str] | None = None) -> httpx.Response:
        return await self.send("PATCH", path, {"schemas": [PATCH], "Operations": operations}, by=by)

    async def standing(self) -> set[str]:
        """Names of those who can administer now."""
        users = (await self.operator.ask("GET", "/admin/users"))["users"]
        return {u["user_name"] for u in users if "admin" in u["effective_roles"] and u["disabled"] is None}


Scenario = Callable[[Office], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def start(scenario: Scenario) -> None:
        world = IssuerWorld(tmp_path, plan=admin_plan(blueprint=BLUEPRINT))
        office = Office(world)

        async def body() -> None:
            try:
                await scenario(office)
            finally:
                world.context.people.close()
                await world.context.storage.close()

        asyncio.run(body())

    return start


def check_refused(answer: httpx.Response) -> None:
    """Fail unless an answer says, in SCIM's form, that nobody would be left, and what to do."""
    assert answer.status_code == 409, answer.text
    told = answer.json()
    assert told["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert told["status"] == "409"
    assert "invite another administrator first" in told["detail"]


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("DELETE", None),
        ("PATCH", {"schemas": [PATCH], "Operations": [OFF]}),
        ("PATCH", {"schemas": [PATCH], "Operations": [{"op": "remove", "path": "roles"}]}),
        ("PATCH", {"schemas": [PATCH], "Operations": [{"op": "remove", "path": 'roles[value eq "admin"]'}]}),
        ("PATCH", {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"roles": [{"value": "nurse"}]}}]}),
        ("PUT", {"schemas": [USER], "userName": "ann", "active": False}),
        ("PUT", {"schemas": [USER], "userName": "ann", "roles": []}),
    ],
)
def test_the_last_administrator_stays(run: Run, method: str, body: Any) -> None:
    async def scenario(office: Office) -> None:
        ann = await office.hire("ann", "admin")
        zoe = await office.hire("zoe", "admin")
        await office.operator.ask("POST", f"/admin/users/{zoe}/disable")
        for by in (office.client, office.person(ann, "admin")):
            check_refused(await office.send(method, f"/Users/{ann}", body, by=by))
        assert await office.standing() == {"ann"}
        # What takes nothing away is done, and so is anything once there is another.
        assert (await office.patch(f"/Users/{ann}", {"op": "add", "path": "title", "value": "Dr"})).status_code == 200
        await office.operator.ask("POST", f"/admin/users/{zoe}/enable")
        assert (await office.send(method, f"/Users/{ann}", body)).status_code in {200, 204}
        assert await office.standing() == {"zoe"}
        assert (await office.send("DELETE", f"/Users/{zoe}")).status_code == 409

    run(scenario)


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("DELETE", None),
        ("PATCH", {"schemas": [PATCH], "Operations": [{"op": "remove", "path": "members"}]}),
        ("PATCH", {"schemas": [PATCH], "Operations": [{"op": "remove", "path": 'members[value eq "ANN"]'}]}),
        ("PATCH", {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "members", "value": []}]}),
        ("PUT", {"schemas": [GROUP], "displayName": "bosses"}),
    ],
)
def test_a_group_that_makes_the_last_administrator_stays(run: Run, method: str, body: Any) -> None:
    async def scenario(office: Office) -> None:
        ann = await office.hire("ann")
        made = {"name": "bosses", "roles": ["admin"], "managed_by": "hr"}
        group = (await office.operator.ask("POST", "/admin/groups", made))["id"]
        await office.operator.ask("PUT", f"/admin/users/{ann}/groups/{group}")
        wanted = json.loads(json.dumps(body).replace("ANN", ann))
        check_refused(await office.send(method, f"/Groups/{group}", wanted))
        assert await office.standing() == {"ann"}
        members = (await office.send("GET", f"/Groups/{group}")).json()["members"]
        assert [each["value"] for each in members] == [ann]
        renamed = await office.patch(f"/Groups/{group}", {"op": "replace", "path": "displayName", "value": "chiefs"})
        assert renamed.status_code == 200
        await office.hire("zoe", "admin")
        assert (await office.send(method, f"/Groups/{group}", wanted)).status_code in {200, 204}
        assert await office.standing() == {"zoe"}

    run(scenario)


@pytest.mark.parametrize("half", ["scim", "administration"])
@pytest.mark.parametrize("way", ["disable", "demote", "delete"])
def test_of_two_who_are_taken_away_at_once_one_stays(run: Run, way: str, half: str) -> None:
    async def scenario(office: Office) -> None:
        ann, zoe = await office.hire("ann", "admin"), await office.hire("zoe", "admin")

        def over_scim(account: str) -> Awaitable[httpx.Response]:
            if way == "delete":
                return office.send("DELETE", f"/Users/{account}")
            return office.patch(f"/Users/{account}", OFF if way == "disable" else {"op": "remove", "path": "roles"})

        desk = Desk(office.world, ann, roles=("admin",))
        other = over_scim(zoe) if half == "scim" else desk.send("POST", f"/admin/users/{zoe}/disable", {})
        answers = [answer.status_code for answer in await asyncio.gather(over_scim(ann), other)]
        assert len(await office.standing()) == 1, answers
        assert {409, 401, 403} & set(answers), answers

    run(scenario)


def test_many_at_once_leave_one(run: Run) -> None:
    async def scenario(office: Office) -> None:
        everybody = [await office.hire(f"boss{number}", "admin") for number in range(6)]
        body = {"name": "bosses", "roles": ["admin"], "managed_by": "hr"}
        group = (await office.operator.ask("POST", "/admin/groups", body))["id"]
        by_group = [await office.hire(f"chief{number}") for number in range(3)]
        for each in by_group:
            await office.operator.ask("PUT", f"/admin/users/{each}/groups/{group}")
        leave = [{"op": "remove", "path": f'members[value eq "{each}"]'} for each in by_group]
        asked = [
            *(office.patch(f"/Users/{each}", OFF) for each in everybody),
            *(office.patch(f"/Groups/{group}", each) for each in leave),
        ]
        answers = sorted(answer.status_code for answer in await asyncio.gather(*asked))
        assert answers == [200] * 8 + [409]
        assert len(await office.standing()) == 1

    run(scenario)


@pytest.mark.parametrize("way", ["disable", "leave"])
def test_in_another_process_the_other_half_may_go_and_what_was_done_is_undone(run: Run, way: str) -> None:
    async def scenario(office: Office) -> None:
        ann = await office.hire("ann", "admin")
        zoe = await office.hire("zoe")
        body = {"name": "bosses", "roles": ["admin"], "managed_by": "hr"}
        group = (await office.operator.ask("POST", "/admin/groups", body))["id"]
        await office.operator.ask("PUT", f"/admin/users/{zoe}/groups/{group}")
        services = await office.world.context.people.services()
        of, name = (services.accounts, "change") if way == "disable" else (services.groups, "change_members")
        real = getattr(of, name)

        async def at_the_same_moment(*arguments: Any, **more: Any) -> Any:
            await services.database.accounts.disable(ann, now=office.world.clock.now())  # by another process
            return await real(*arguments, **more)

        object.__setattr__(of, name, at_the_same_moment)
        if way == "disable":
            answer = await office.patch(f"/Users/{zoe}", OFF)
        else:
            answer = await office.patch(
                f"/Groups/{group}", {"op": "remove", "path": "members", "value": [{"value": zoe}]}
            )
        check_refused(answer)
        assert await office.standing() == {"zoe"}

    run(scenario)


def test_who_becomes_an_administrator_while_they_are_disabled_is_looked_at_anew(run: Run) -> None:
    async def scenario(office: Office) -> None:
        ann = await office.hire("ann")
        services = await office.world.context.people.services()
        real = services.accounts.change
        told: list[str] = []

        async def first_they_rise(*arguments: Any, **more: Any) -> Any:
            if not told:
                told.append("risen")
                await office.operator.ask("PUT", f"/admin/users/{ann}/roles/admin")
            return await real(*arguments, **more)

        object.__setattr__(services.accounts, "change", first_they_rise)
        check_refused(await office.patch(f"/Users/{ann}", OFF))
        assert await office.standing() == {"ann"}

    run(scenario)


def test_who_joins_while_a_group_is_emptied_is_looked_at_too(run: Run) -> None:
    async def scenario(office: Office) -> None:
        ann = await office.hire("ann")
        body = {"name": "bosses", "roles": ["admin"], "managed_by": "hr"}
        group = (await office.operator.ask("POST", "/admin/groups", body))["id"]
        services = await office.world.context.people.services()
        real = services.groups.set_members
        told: list[str] = []

        async def first_they_join(*arguments: Any, **more: Any) -> Any:
            if not told:
                told.append("joined")
                await office.operator.ask("PUT", f"/admin/users/{ann}/groups/{group}")
            return await real(*arguments, **more)

        object.__setattr__(services.groups, "set_members", first_they_join)
        check_refused(await office.send("PUT", f"/Groups/{group}", {"schemas": [GROUP], "displayName": "bosses"}))
        assert await office.standing() == {"ann"}

    run(scenario)


def test_a_token_that_was_exchanged_provisions_nothing(run: Run) -> None:
    async def scenario(office: Office) -> None:
        ann = await office.hire("ann", "admin")
        await office.hire("zoe", "admin")
        acting = Desk(office.world, ann, roles=("admin",), act={"sub": "web"}).headers
        answer = await office.patch(f"/Users/{ann}", OFF, by=office.headers | acting)
        assert answer.status_code == 401
        assert await office.standing() == {"ann", "zoe"}

    run(scenario)
