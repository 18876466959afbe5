"""Who is let in to the administration, and who is not: the issuer asks by itself, whatever came through the edge."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.administered import BLUEPRINT, admin_plan
from tests.support.issuer_plan import AUDIENCE, ISSUER, write_plan
from tests.support.issuer_world import IssuerWorld, ask

from ringwall.identity.issuer.administration.actor import Actor
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.model.administration import BY_NAME
from ringwall.plan.store import PlanStore


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path, plan=admin_plan())
    yield made
    made.context.people.close()


def get(world: IssuerWorld, token: str | None, path: str = "/admin/roles", **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return world.ask(more.pop("method", "GET"), path, headers={**headers, **more.pop("headers", {})}, **more)


def forged(world: IssuerWorld, **claims: Any) -> str:
    """A token signed with the issuer's own key, as no honest part of it would make one."""
    now = int(world.clock.now())
    honest = {
        "iss": ISSUER,
        "sub": "ann",
        "aud": AUDIENCE,
        "exp": now + 900,
        "iat": now,
        "jti": "1",
        "client_id": "ringwall-cli",
        "roles": ["admin"],
    }
    made = {name: value for name, value in {**honest, **claims}.items() if value is not None}
    return world.keys.sign(made, typ=made.pop("typ", "at+jwt"))


def test_somebody_with_the_role_is_let_in(world: IssuerWorld) -> None:
    answered = get(world, world.development_token("ann"))
    assert answered.status_code == 200, answered.text
    assert {"name": "admin", "includes": []} in answered.json()["roles"]
    assert get(world, forged(world)).status_code == 200


@pytest.mark.parametrize("person", ["bob", "nemo"])
def test_somebody_without_it_is_not(world: IssuerWorld, person: str) -> None:
    answered = get(world, world.development_token(person), "/admin/roles")
    assert answered.status_code == 403
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.json()["type"] == "urn:ringwall:problem:not-permitted"
    assert "hint" not in answered.json()


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": "spiffe://clinic/service/portal"},
        {"iss": "https://evil.example"},
        {"act": {"sub": "spiffe://clinic/service/portal"}},
        {"exp": 1},
        {"typ": "JWT"},
        {"sub": None},
        {"sub": "nobody"},
        {"sub": "batch"},
        {"cnf": {"jkt": "A" * 43}},
        {"cnf": {"x5t#S256": "A" * 43}},
    ],
)
def test_a_token_that_is_not_for_this_is_refused(world: IssuerWorld, claims: dict[str, Any]) -> None:
    answered = get(world, forged(world, **claims))
    assert answered.status_code == 401, answered.text
    assert answered.headers["www-authenticate"].startswith("Bearer ")
    assert answered.headers["content-type"] == "application/problem+json"


def test_a_token_of_another_key_or_none_is_refused(world: IssuerWorld) -> None:
    token = forged(world)
    head, body, signature = token.split(".")
    for bad in ("", "x", f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", f"{head}.{body[:-4]}AAAA.{signature}"):
        assert get(world, bad).status_code in {400, 401}
    assert get(world, None).status_code == 401
    assert world.ask("GET", f"/admin/roles?access_token={token}").status_code == 401
    assert world.ask("GET", "/admin/roles", auth=("batch", "secret")).status_code in {400, 401}


@pytest.mark.parametrize("name", ["__Host-ringwall-session", "__Host-ringwall-issuer", "__Host-ringwall-token"])
def test_cookies_let_nobody_in(world: IssuerWorld, name: str) -> None:
    answered = get(world, None, headers={"cookie": f"{name}={forged(world)}", "origin": "https://localhost:8443"})
    assert answered.status_code == 401


def test_a_machine_client_is_let_in_by_its_own_roles_alone(world: IssuerWorld) -> None:
    token = world.token(world.new_secret("provisioner"), "provisioner").json()["access_token"]
    assert get(world, token).status_code == 200
    token = world.token(world.new_secret("batch"), "batch").json()["access_token"]
    assert get(world, token).status_code == 403


def test_a_name_that_has_become_a_persons_as_well_is_nobodys(world: IssuerWorld) -> None:
    """Events name who did something by it, and nobody could tell which of the two it was."""
    token = world.token(world.new_secret("provisioner"), "provisioner").json()["access_token"]
    assert get(world, token).status_code == 200
    both = BLUEPRINT.replace("people:\n", "people:\n  provisioner: {roles: [admin]}\n")
    write_plan(world.settings.state, admin_plan(blueprint=both))
    assert get(world, token).status_code == 401


def test_a_role_that_is_in_the_token_and_was_taken_meanwhile_does_not_count(world: IssuerWorld) -> None:
    assert get(world, forged(world, sub="bob", roles=["admin"])).status_code == 403
    assert get(world, forged(world, sub="ann", roles=[])).status_code == 403
    assert get(world, forged(world, sub="ann", roles="admin")).status_code == 403


def test_somebody_whose_account_is_disabled_or_gone_is_not_let_in(world: IssuerWorld) -> None:
    async def run() -> None:
        account = await world.new_account("dora", "quiet-harbour-lantern-42", roles=("admin",))
        token = forged(world, sub=account)
        headers = {"authorization": f"Bearer {token}"}
        assert (await ask(world.app, "GET", "/admin/roles", headers=headers)).status_code == 200
        accounts = (await world.context.storage.database()).accounts
        await accounts.disable(account, now=world.clock.now())
        assert (await ask(world.app, "GET", "/admin/roles", headers=headers)).status_code == 401

    asyncio.run(run())


@pytest.mark.parametrize(
    "path",
    ["/admin/roles/", "/admin//roles", "/admin/role%73", "/admin/roles%2F", "/admin/ROLES", "/Admin/roles"],
)
def test_another_spelling_of_a_path_is_another_path(world: IssuerWorld, path: str) -> None:
    assert get(world, world.development_token("ann"), path).status_code == 404
    assert get(world, world.development_token("ann"), "/admin").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS"])
def test_another_method_is_not_there(world: IssuerWorld, method: str) -> None:
    assert get(world, world.development_token("ann"), method=method).status_code in {404, 405}


def test_policies_of_a_new_plan_count_at_once(world: IssuerWorld) -> None:
    token = world.development_token("ann")
    assert get(world, token).status_code == 200
    PlanStore(world.settings.plan_folder).write(admin_plan(policies="forbid (principal, action, resource);"))
    assert get(world, token).status_code == 403


def test_a_policy_about_the_address_sees_the_one_that_the_edge_saw(tmp_path: Path) -> None:
    policy = 'forbid (principal, action, resource) unless { context has source && context.source == ip("10.0.0.1") };'
    world = IssuerWorld(tmp_path, plan=admin_plan(policies=policy))
    token = world.development_token("ann")
    assert get(world, token, headers={"x-forwarded-for": "10.0.0.1"}).status_code == 200
    assert get(world, token, headers={"x-forwarded-for": "10.0.0.2"}).status_code == 403
    assert get(world, token).status_code == 403


def test_without_a_plan_nobody_is_let_in(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=admin_plan())
    token = world.development_token("ann")
    world.settings.plan_folder.joinpath("current.json").unlink()
    assert get(world, token).status_code == 503


def test_the_operator_hears_why_and_others_do_not(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=admin_plan(policies="forbid (principal, action, resource);"))
    authority = Authority(world.context)
    with pytest.raises(ProblemError) as refused:
        authority.require(Actor(name="operator"), "roles.list", BY_NAME["roles.list"].template)
    assert "policies/a.cedar:1" in refused.value.hint
    with pytest.raises(ProblemError) as refused:
        authority.require(Actor(name="ann", claims={}), "roles.list", BY_NAME["roles.list"].template)
    assert refused.value.hint == ""
