"""Nobody rises above themselves, and somebody is always left to administer."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.administered import BLUEPRINT, admin_plan
from tests.support.desk import Desk
from tests.support.issuer_world import IssuerWorld

PASSWORD = "correct horse battery staple"
Scenario = Callable[["Office"], Awaitable[None]]
Operate = Callable[..., None]
NO_PEOPLE = BLUEPRINT.replace("  ann: {roles: [admin]}\n", "")


class Office:
    """People with accounts who administer, each as what their account makes them."""

    def __init__(self, world: IssuerWorld) -> None:
        self.world = world
        self.operator = Desk(world)

    async def hire(self, name: str, *roles: str, **more: Any) -> "tuple[str, Desk]":
        account = await self.world.new_account(name, PASSWORD, roles=roles, **more)
        return account, Desk(self.world, account, roles=roles)


@pytest.fixture
def operate(tmp_path: Path) -> Operate:
    def run(scenario: Scenario, *, policies: str = "", blueprint: str = NO_PEOPLE) -> None:
        async def body() -> None:
            world = IssuerWorld(tmp_path, plan=admin_plan(policies=policies, blueprint=blueprint))
            try:
                await scenario(Office(world))
            finally:
                world.context.people.close()
                await world.context.storage.close()

        asyncio.run(body())

    return run


def test_a_role_is_given_by_who_holds_it_and_not_by_who_does_not(operate: Operate) -> None:
    async def scenario(office: Office) -> None:
        hank, helpdesk = await office.hire("hank", "helpdesk")
        bea, _ = await office.hire("bea")
        for user in (hank, bea):
            await helpdesk.ask("PUT", f"/admin/users/{user}/roles/admin", status=403)
            await helpdesk.ask("PUT", f"/admin/users/{user}/any-role/admin", status=403)
            await helpdesk.ask("DELETE", f"/admin/users/{user}/roles/helpdesk", status=403)
        assert (await helpdesk.ask("PUT", f"/admin/users/{bea}/roles/helpdesk"))["roles"] == ["helpdesk"]
        _, nurse = await office.hire("nina", "helpdesk", "clinician")
        assert (await nurse.ask("PUT", f"/admin/users/{bea}/roles/nurse"))["roles"] == ["helpdesk", "nurse"]
        _, admin = await office.hire("ann", "admin")
        assert "auditor" in (await admin.ask("PUT", f"/admin/users/{bea}/roles/auditor"))["roles"]  # by roles.grant

    operate(scenario)


def test_no_invitation_import_or_group_is_a_way_round(operate: Operate) -> None:
    policy = """permit (principal in Role::"helpdesk", action in [Action::"ringwall-issuer/users.import",
      Action::"ringwall-issuer/groups.join", Action::"ringwall-issuer/groups.create",
      Action::"ringwall-issuer/groups.give-role", Action::"ringwall-issuer/groups.change"], resource);"""

    async def scenario(office: Office) -> None:
        hank, helpdesk = await office.hire("hank", "helpdesk")
        bosses = (await office.operator.ask("POST", "/admin/groups", {"name": "bosses", "roles": ["admin"]}))["id"]
        staff = (await office.operator.ask("POST", "/admin/groups", {"name": "staff"}))["id"]
        for profile in ({"roles": ["admin"]}, {"groups": ["bosses"]}, {"attributes": {"ward": "x"}}):
            for path in ("/admin/invitations", "/admin/users"):
                await helpdesk.ask("POST", path, {"user_name": "mole", **profile}, status=403)
        await helpdesk.ask("PUT", f"/admin/users/{hank}/groups/{bosses}", status=403)
        await helpdesk.ask("PUT", f"/admin/groups/{staff}/roles/admin", status=403)
        await helpdesk.ask("POST", "/admin/groups", {"name": "new", "roles": ["admin"]}, status=403)
        await helpdesk.ask("PATCH", f"/admin/users/{hank}/attributes", {"set": {"ward": "x"}}, status=403)
        assert (await office.operator.ask("GET", f"/admin/users/{hank}"))["effective_roles"] == ["helpdesk"]
        assert (await office.operator.ask("GET", "/admin/invitations"))["invitations"] == []
        await helpdesk.ask("PUT", f"/admin/users/{hank}/groups/{staff}")
        await helpdesk.ask(
            "POST", "/admin/invitations", {"user_name": "new", "roles": ["helpdesk"], "groups": ["staff"]}
        )

    operate(scenario, policies=policy)


def test_nobody_becomes_somebody_else_with_more(operate: Operate) -> None:
    async def scenario(office: Office) -> None:
        _, helpdesk = await office.hire("hank", "helpdesk")
        ann, admin = await office.hire("ann", "admin")
        bob, _ = await office.hire("bob", "clinician")
        bea, _ = await office.hire("bea")
        await helpdesk.ask("POST", f"/admin/users/{ann}/invitation", status=403)
        await helpdesk.ask("POST", f"/admin/users/{bob}/invitation", status=403)  # would be a clinician
        await helpdesk.ask("POST", f"/admin/users/{bea}/invitation")
        for path in (f"/admin/users/{ann}/disable", f"/admin/users/{ann}/invitation"):
            await helpdesk.ask("POST", path, status=403)
        await helpdesk.ask("PATCH", f"/admin/users/{ann}", {"user_name": "x"}, status=403)
        await helpdesk.ask("DELETE", f"/admin/users/{ann}/sessions", status=403)
        await helpdesk.ask("POST", f"/admin/users/{bob}/disable")
        await admin.ask("POST", f"/admin/users/{bob}/invitation")

    operate(scenario)


def test_a_secret_of_a_client_with_more_is_not_made(operate: Operate) -> None:
    policy = 'permit (principal in Role::"helpdesk", action in [Action::"ringwall-issuer/secrets.make", Action::"ringwall-issuer/secrets.end", Action::"ringwall-issuer/secrets.list"], resource);'  # noqa: E501  # one policy

    async def scenario(office: Office) -> None:
        _, helpdesk = await office.hire("hank", "helpdesk")
        for client in ("provisioner", "batch"):
            await helpdesk.ask("POST", f"/admin/clients/{client}/secrets", status=403)
        await helpdesk.ask("POST", "/admin/clients/portal/secrets")
        await helpdesk.ask("DELETE", "/admin/clients/provisioner/secrets", status=403)
        _, admin = await office.hire("ann", "admin")
        await admin.ask("POST", "/admin/clients/provisioner/secrets")

    operate(scenario, policies=policy)


def test_who_may_only_list_may_do_nothing_else(operate: Operate) -> None:
    blueprint = NO_PEOPLE.replace("operations: [events.list]", "operations: [users.list]")

    async def scenario(office: Office) -> None:
        from ringwall.model.administration import OPERATIONS  # noqa: PLC0415

        victim, _ = await office.hire("ann", "admin")
        _, auditor = await office.hire("otto", "auditor")
        for operation in OPERATIONS:
            if operation.template.startswith("/admin/"):
                path = operation.template.replace("{user}", victim).replace("{", "").replace("}", "")
                status = 200 if operation.name == "users.list" else 403
                await auditor.ask(operation.method, path, status=status)

    operate(scenario, blueprint=blueprint)


@pytest.mark.parametrize(
    ("method", "place", "body"),
    [
        ("POST", "/disable", {}),
        ("DELETE", "", None),
        ("DELETE", "/roles/admin", None),
    ],
)
def test_the_last_administrator_stays(operate: Operate, method: str, place: str, body: Any) -> None:
    async def scenario(office: Office) -> None:
        ann, admin = await office.hire("ann", "admin")
        told = await admin.ask(method, f"/admin/users/{ann}{place}", body, status=409)
        assert told["type"].endswith("last-administrator")
        zoe, _ = await office.hire("zoe", "admin")
        await office.operator.ask("POST", f"/admin/users/{zoe}/disable")
        await admin.ask(method, f"/admin/users/{ann}{place}", body, status=409)
        await office.operator.ask("POST", f"/admin/users/{zoe}/enable")
        await admin.ask(method, f"/admin/users/{ann}{place}", body)
        await office.operator.ask(method, f"/admin/users/{zoe}{place}", body)

    operate(scenario)


def test_a_group_that_makes_the_last_administrator_stays(operate: Operate) -> None:
    async def scenario(office: Office) -> None:
        group = (await office.operator.ask("POST", "/admin/groups", {"name": "bosses", "roles": ["admin"]}))["id"]
        ann = await office.world.new_account("ann", PASSWORD)
        await office.operator.ask("PUT", f"/admin/users/{ann}/groups/{group}")
        admin = Desk(office.world, ann, roles=("admin",))
        for path in (
            f"/admin/groups/{group}",
            f"/admin/groups/{group}/roles/admin",
            f"/admin/users/{ann}/groups/{group}",
        ):
            await admin.ask("DELETE", path, status=409)
        await office.hire("zoe", "admin")
        await admin.ask("DELETE", f"/admin/groups/{group}")

    operate(scenario)


def test_of_two_administrators_who_disable_each_other_one_stays(operate: Operate) -> None:
    async def scenario(office: Office) -> None:
        ann, first = await office.hire("ann", "admin")
        zoe, second = await office.hire("zoe", "admin")
        answers = await asyncio.gather(
            first.send("POST", f"/admin/users/{zoe}/disable"), second.send("POST", f"/admin/users/{ann}/disable")
        )
        assert min(answer.status_code for answer in answers) == 200
        assert max(answer.status_code for answer in answers) in {401, 409}
        users = (await office.operator.ask("GET", "/admin/users"))["users"]
        assert [user["disabled"] is None for user in users].count(True) == 1

    operate(scenario)


def test_in_another_process_the_other_half_may_go_and_what_was_done_is_undone(operate: Operate) -> None:
    async def scenario(office: Office) -> None:
        ann, admin = await office.hire("ann", "admin")
        zoe, _ = await office.hire("zoe", "admin")
        services = await office.world.context.people.services()
        disable = services.accounts.disable

        async def at_the_same_moment(account: str, **more: Any) -> Any:
            accounts = services.database.accounts
            await accounts.disable(ann, now=office.world.clock.now())  # by another process
            return await disable(account, **more)

        object.__setattr__(services.accounts, "disable", at_the_same_moment)
        await admin.ask("POST", f"/admin/users/{zoe}/disable", status=409)
        assert (await office.operator.ask("GET", f"/admin/users/{zoe}"))["disabled"] is None

    operate(scenario)


def test_the_operator_is_under_the_policies_too(operate: Operate) -> None:
    policy = """forbid (principal == Workload::"ringwall-operator", action == Action::"ringwall-issuer/users.delete",
      resource);
    forbid (principal, action == Action::"ringwall-issuer/roles.give", resource)
      when { context.path.role == "admin" };
    forbid (principal, action == Action::"ringwall-issuer/roles.grant", resource)
      when { context.path.role == "admin" };"""

    async def scenario(office: Office) -> None:
        bea, _ = await office.hire("bea")
        told = await office.operator.ask("DELETE", f"/admin/users/{bea}", status=403)
        assert "policies/a.cedar:1" in told["hint"]
        await office.operator.ask("PUT", f"/admin/users/{bea}/roles/admin", status=403)
        await office.operator.ask("POST", "/admin/invitations", {"user_name": "mole", "roles": ["admin"]}, status=403)
        await office.operator.ask("PUT", f"/admin/users/{bea}/roles/nurse")

    operate(scenario, policies=policy)


def test_a_session_or_grant_of_somebody_higher_is_not_revoked_by_its_name(operate: Operate) -> None:
    """`sessions.end` and `grants.end` look whose they are; revoking them in the proxies must, too."""
    policy = """permit (principal in Role::"helpdesk", action in [Action::"ringwall-issuer/revocations.add",
      Action::"ringwall-issuer/revocations.lift"], resource);"""

    async def scenario(office: Office) -> None:
        ann, _ = await office.hire("ann", "admin")
        bea, _ = await office.hire("bea")
        _, helpdesk = await office.hire("hank", "helpdesk")
        database, now = await office.world.context.storage.database(), office.world.clock.now()
        for account, status in ((ann, 403), (bea, 503)):  # 503: there is no control plane here to carry it out
            payload = {"acr": "pwd", "amr": []}
            _, session = await database.sessions.start(
                account=account, payload=payload, now=now, idle_seconds=99, final_seconds=99
            )
            family = await database.families.start(
                client="portal", account=account, session="", payload={}, now=now, idle_seconds=99, final_seconds=99
            )
            for name in (f"session/{session.id}", f"grant/{family.family.id}"):
                await helpdesk.ask("PUT", f"/admin/revocations/{name}", {"seconds": 9}, status=status)
                await helpdesk.ask("DELETE", f"/admin/revocations/{name}", status=status)

    operate(scenario, policies=policy)
