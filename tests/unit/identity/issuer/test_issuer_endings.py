"""What has ended stays ended: for as long as a proxy takes its tokens, whatever fails, and whoever is faster."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.administered import BLUEPRINT, admin_plan
from tests.support.issuer_browser import RelyingParty, browser, forms_of, redeem, send, sign_in
from tests.support.issuer_plan import SPA, login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.enforce.tokens import CLOCK_SKEW_SECONDS
from ringwall.identity.issuer.access_tokens import new_jti
from ringwall.identity.issuer.standing import issued_before
from ringwall.identity.store import endings, revocations
from ringwall.identity.store.endings import SINGLY
from ringwall.identity.store.errors import StoreUnwritableError
from ringwall.identity.store.families import GRACE_SECONDS, Families
from ringwall.identity.store.handles import new_id

PARTY = RelyingParty(client="spa", callback=SPA.redirect_uris[0], scope="openid")


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


async def _tokens(page: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    code = await sign_in(page, PARTY, prompt="login")
    response = await redeem(page, PARTY.redemption(code, client_id="spa"), None)
    assert response.status_code == 200, response.text
    return code, dict(response.json())


async def _sign_out(page: httpx.AsyncClient) -> httpx.Response:
    [form] = forms_of(await page.get("/auth/end_session"))
    return await send(page, form, {})


async def _refresh(page: httpx.AsyncClient, token: str) -> httpx.Response:
    return await redeem(page, {"grant_type": "refresh_token", "client_id": "spa", "refresh_token": token}, None)


async def _signed_out(_: IssuerWorld, page: httpx.AsyncClient, __: str, ___: dict[str, Any]) -> None:
    assert (await _sign_out(page)).status_code == 200


async def _code_used_again(_: IssuerWorld, page: httpx.AsyncClient, code: str, __: dict[str, Any]) -> None:
    assert (await redeem(page, PARTY.redemption(code, client_id="spa"), None)).status_code == 400


async def _revoked(_: IssuerWorld, page: httpx.AsyncClient, __: str, tokens: dict[str, Any]) -> None:
    form = {"client_id": "spa", "token": tokens["refresh_token"]}
    assert (await page.post("/auth/revoke", data=form)).status_code == 200


async def _refreshed_again(world: IssuerWorld, page: httpx.AsyncClient, _: str, tokens: dict[str, Any]) -> None:
    assert (await _refresh(page, tokens["refresh_token"])).status_code == 200
    world.clock.advance(GRACE_SECONDS + 1)
    assert (await _refresh(page, tokens["refresh_token"])).status_code == 400


@pytest.mark.parametrize("end", [_signed_out, _code_used_again, _revoked, _refreshed_again])
def test_the_end_is_remembered_until_no_proxy_takes_the_token_any_more(
    world: IssuerWorld, end: Callable[[IssuerWorld, httpx.AsyncClient, str, dict[str, Any]], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            code, tokens = await _tokens(page)
            expires = world.verify(tokens["access_token"]).expires
            await end(world, page, code, tokens)
            database = await world.context.storage.database()
            (told,) = await database.revocations.since(0, now=world.clock.now())
            assert told.expires > expires + CLOCK_SKEW_SECONDS

    asyncio.run(run())


def _fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the last step of an ending fail, as on a full disk, and work afterwards."""
    works = revocations.add_within

    async def fails(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(endings, "add_within", works)
        raise StoreUnwritableError("the disk is full")

    monkeypatch.setattr(endings, "add_within", fails)


def test_signing_out_can_be_tried_again_where_it_has_failed(
    world: IssuerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            _, tokens = await _tokens(page)
            _fails_once(monkeypatch)
            assert (await _sign_out(page)).status_code == 503
            assert (await _sign_out(page)).status_code == 200
            assert (await _refresh(page, tokens["refresh_token"])).status_code == 400
            about = await page.get("/auth/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
            assert about.status_code == 401

    asyncio.run(run())


def test_revoking_can_be_tried_again_where_it_has_failed(world: IssuerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            _, tokens = await _tokens(page)
            _fails_once(monkeypatch)
            form = {"client_id": "spa", "token": tokens["refresh_token"]}
            assert (await page.post("/auth/revoke", data=form)).status_code == 503
            assert (await page.post("/auth/revoke", data=form)).status_code == 200
            about = await page.get("/auth/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
            assert about.status_code == 401

    asyncio.run(run())


def test_a_code_that_is_redeemed_while_its_session_ends_gives_nothing(
    world: IssuerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who keeps redeeming codes while an administrator signs them out would keep a refresh token."""
    start = Families.start

    async def run() -> None:
        async with browser(world.app) as page:
            code = await sign_in(page, PARTY)
            database = await world.context.storage.database()
            begun: list[str] = []

            async def slow(families: Families, **said: Any) -> Any:
                await database.endings.session(
                    said["session"], reason="r", now=world.clock.now(), expires=world.clock.now() + 1
                )
                started = await start(families, **said)
                begun.append(started.family.id)
                return started

            monkeypatch.setattr(Families, "start", slow)
            assert (await redeem(page, PARTY.redemption(code, client_id="spa"), None)).status_code == 400
            (family,) = begun
            kept = await database.families.get(family)
            assert kept is not None
            assert kept.ended is not None

    asyncio.run(run())


def test_an_administrator_who_deletes_a_client_ends_what_it_got_in_that_very_second(tmp_path: Path) -> None:
    """A client's own tokens name no grant, so only the date says which are meant."""
    registering = BLUEPRINT.replace("  local:\n", "  local:\n    registration: {open: true, kinds: [machine]}\n")
    world = IssuerWorld(tmp_path, plan=admin_plan(blueprint=registering))
    made = world.ask("POST", "/register", json={"grant_types": ["client_credentials"], "redirect_uris": []})
    assert made.status_code == 201, made.text
    client = made.json()
    token = world.token(client["client_secret"], client["client_id"]).json()["access_token"]
    assert world.ask_admin("DELETE", f"/admin/clients/{client['client_id']}").status_code == 200
    claims = world.verify(token).claims

    async def listed() -> list[Any]:
        revocations = (await world.context.storage.database()).revocations
        return list(await revocations.since(0, now=world.clock.now()))

    (revoked,) = asyncio.run(listed())
    assert int(revoked.revoked) > claims["iat"]


def test_whoever_ends_thing_after_thing_fills_no_list(world: IssuerWorld) -> None:
    """Proxies take so many revocations at once; one person's must not keep others' from reaching them."""

    async def run() -> None:
        async with browser(world.app) as page:
            database = await world.context.storage.database()
            for _ in range(2 * SINGLY):
                _, tokens = await _tokens(page)
                form = {"client_id": "spa", "token": tokens["refresh_token"]}
                assert (await page.post("/auth/revoke", data=form)).status_code == 200
            told = await database.revocations.since(0, now=world.clock.now())
            assert [each.kind for each in told] == ["family"] * SINGLY + ["account"]
            assert issued_before(told[-1].revoked) > world.verify(tokens["access_token"]).claims["iat"]

    asyncio.run(run())


def test_a_client_that_revokes_token_after_token_of_a_person_ends_its_own_grant(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            _, tokens = await _tokens(page)
            for _ in range(SINGLY + 1):
                last, form = tokens["refresh_token"], {"client_id": "spa", "token": tokens["access_token"]}
                assert (await page.post("/auth/revoke", data=form)).status_code == 200
                tokens = (await _refresh(page, last)).json()
            assert tokens["error"] == "invalid_grant"
            database = await world.context.storage.database()
            told = await database.revocations.since(0, now=world.clock.now())
            assert [each.kind for each in told] == ["token"] * SINGLY + ["family"]

    asyncio.run(run())


def test_a_client_that_revokes_token_after_token_fills_no_list(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    secret = world.new_secret()
    for _ in range(SINGLY + 5):
        token = world.token(secret).json()["access_token"]
        assert world.ask("POST", "/revoke", data={"token": token}, auth=("batch", secret)).status_code == 200

    async def listed() -> list[tuple[str, str]]:
        revocations = (await world.context.storage.database()).revocations
        return [(each.kind, each.subject) for each in await revocations.since(0, now=world.clock.now())]

    told = asyncio.run(listed())
    assert [kind for kind, _ in told] == ["token"] * SINGLY + ["client"]
    assert told[-1] == ("client", "batch")


@pytest.mark.parametrize("make", [new_id, new_jti])
def test_no_command_takes_the_name_of_anything_for_an_option(make: Callable[[], str]) -> None:
    assert not any(make().startswith("-") for _ in range(2000))
