"""A revocation that the operator lifts is forgotten by the issuer too."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.revocation_feed import KINDS


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


def active(world: IssuerWorld, secret: str, token: str) -> bool:
    answered = world.ask("POST", "/introspect", data={"token": token}, auth=("batch", secret))
    return bool(answered.json()["active"])


def test_a_token_that_its_client_had_revoked_is_good_again(world: IssuerWorld) -> None:
    secret = world.new_secret("batch")
    token = str(world.token(secret).json()["access_token"])
    assert world.ask("POST", "/revoke", data={"token": token}, auth=("batch", secret)).status_code == 200
    assert not active(world, secret, token)
    about = {"kind": "token", "value": world.verify(token).claims["jti"]}
    lifted = world.ask_admin("POST", "/revocations/lift", content=json.dumps(about))
    assert lifted.json() == {"lifted": True}
    assert active(world, secret, token)
    assert world.ask_admin("POST", "/revocations/lift", content=json.dumps(about)).json() == {"lifted": False}


@pytest.mark.parametrize("own", KINDS)
def test_what_was_lifted_is_not_told_again(world: IssuerWorld, own: str) -> None:
    async def revoke() -> None:
        database = await world.context.storage.database()
        await database.revocations.add(own, "x", reason="test", now=world.clock.now(), expires=world.clock.now() + 900)
        await database.revocations.add(own, "y", reason="test", now=world.clock.now(), expires=world.clock.now() + 900)

    async def told() -> list[str]:
        database = await world.context.storage.database()
        return [each.subject for each in await database.revocations.since(0, now=world.clock.now())]

    asyncio.run(revoke())
    world.ask_admin("POST", "/revocations/lift", content=json.dumps({"kind": KINDS[own].value, "value": "x"}))
    assert asyncio.run(told()) == ["y"]


@pytest.mark.parametrize(
    "body", ["", "{}", '{"kind":"token"}', '{"value":"x"}', '{"kind":"family","value":"x"}', '{"kind":1,"value":"x"}']
)
def test_requests_that_are_not_right_are_refused(world: IssuerWorld, body: str) -> None:
    assert world.ask_admin("POST", "/revocations/lift", content=body).status_code == 400
