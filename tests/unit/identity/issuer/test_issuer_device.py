"""Devices without a browser (RFC 8628): a code on the device, a person in a browser elsewhere, tokens on the device."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.dpop_client import DpopClient
from tests.support.issuer_browser import ORIGIN, Form, RelyingParty, browser, forms_of, pick, redeem, send
from tests.support.issuer_plan import BATCH, ISSUER, PHONE, PORTAL, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.oauth.device_authorization import DEVICE_SECONDS, INTERVAL_SECONDS
from ringwall.identity.issuer.oauth.device_page import GUESS_SECONDS, GUESSES
from ringwall.identity.issuer.oauth.own_pages import NAME

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
TV = PHONE.model_copy(
    update={"name": "tv", "title": "TV <b>&", "device_flow": True, "scopes": ("orders:read", "offline_access")}
)
CLIENTS = (BATCH, PORTAL, PHONE, TV)


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan(clients=CLIENTS))


def begin(world: IssuerWorld, client: str = "tv", **form: str) -> dict[str, Any]:
    response = world.ask("POST", "/device_authorization", data={"client_id": client, **form})
    assert response.status_code == 200, response.text
    return dict(response.json())


async def poll(page: httpx.AsyncClient, codes: dict[str, Any], client: str = "tv", proof: str = "") -> httpx.Response:
    form = {"grant_type": GRANT, "device_code": codes["device_code"], "client_id": client}
    async with httpx.AsyncClient(transport=page._transport, base_url=ORIGIN) as device:
        return await device.post(f"{ISSUER}/token", data=form, headers={"dpop": proof} if proof else {})


async def told(page: httpx.AsyncClient, codes: dict[str, Any], client: str = "tv") -> str:
    response = await poll(page, codes, client)
    assert response.status_code == 400
    return str(response.json()["error"])


async def open_page(page: httpx.AsyncClient, address: str, person: str = "alice") -> httpx.Response:
    """Follow an address as a browser does, and sign in where that is asked for."""
    response = await page.get(address)
    for _ in range(5):
        if response.status_code == 303:
            response = await page.get(response.headers["location"])
        elif any(("person", person) in form.buttons for form in forms_of(response)):
            response = await pick(page, response, person)
        else:
            break
    assert response.status_code == 200, response.text
    return response


async def confirmation(page: httpx.AsyncClient, codes: dict[str, Any]) -> httpx.Response:
    """Sign in, type the code, and return the page that asks for a decision."""
    form = forms_of(await open_page(page, codes["verification_uri"]))[0]
    return await send(page, form, {"user_code": codes["user_code"].lower().replace("-", " ")})


async def decide(page: httpx.AsyncClient, codes: dict[str, Any], decision: str = "allow") -> httpx.Response:
    return await send(page, forms_of(await confirmation(page, codes))[0], {"decision": decision})


def test_a_device_gets_tokens_once_somebody_has_let_it_in(world: IssuerWorld) -> None:
    codes = begin(world, scope="openid orders:read admin")
    assert set(codes) == {
        *("device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval")
    }

    async def run() -> None:
        async with browser(world.app) as page:
            assert await told(page, codes) == "authorization_pending"
            shown = await confirmation(page, codes)
            assert "TV &lt;b&gt;&amp;" in shown.text
            assert "orders:read" in shown.text
            assert "admin" not in shown.text
            assert codes["user_code"] in shown.text
            assert "Only go on if you started this yourself" in shown.text
            assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
            assert "script-src" not in shown.headers["content-security-policy"]
            done = await send(page, forms_of(shown)[0], {"decision": "allow"})
            assert "is connected" in done.text
            body = (await poll(page, codes)).json()
            claims = world.verify(body["access_token"]).claims
            assert (claims["sub"], claims["client_id"], claims["scope"]) == ("alice", "tv", "openid orders:read")
            assert (claims["acr"], claims["auth_time"]) == ("0", int(world.clock.now()))
            assert "id_token" in body
            assert await told(page, codes) == "invalid_grant"  # each code once
            refresh = {"grant_type": "refresh_token", "client_id": "tv", "refresh_token": body["refresh_token"]}
            assert (await redeem(page, refresh, None)).status_code == 200

    asyncio.run(run())


def test_who_polls_too_fast_waits_longer(world: IssuerWorld) -> None:
    codes = begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            assert await told(page, codes) == "authorization_pending"
            assert await told(page, codes) == "slow_down"
            world.clock.advance(INTERVAL_SECONDS)
            assert await told(page, codes) == "slow_down"
            world.clock.advance(INTERVAL_SECONDS * 4)
            assert await told(page, codes) == "authorization_pending"

    asyncio.run(run())


def test_what_becomes_of_codes_that_nobody_allows(world: IssuerWorld) -> None:
    denied, late = begin(world), begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            assert "is not connected" in (await decide(page, denied, "deny")).text
            assert await told(page, denied) == "access_denied"
            form = forms_of(await confirmation(page, late))[0]
            assert await told(page, late, client="phone") == "invalid_grant"
            world.clock.advance(DEVICE_SECONDS)
            assert (await send(page, form, {"decision": "allow"})).status_code == 400
            assert await told(page, late) == "expired_token"
            assert await told(page, {"device_code": "made-up"}) == "invalid_grant"

    asyncio.run(run())


def test_a_decision_is_made_once(world: IssuerWorld) -> None:
    codes = begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            form = forms_of(await confirmation(page, codes))[0]
            assert (await send(page, form, {"decision": "deny"})).status_code == 200
            assert (await send(page, form, {"decision": "allow"})).status_code == 400
            assert await told(page, codes) == "access_denied"

    asyncio.run(run())


def test_a_link_fills_in_the_code_and_does_nothing_else(world: IssuerWorld) -> None:
    codes = begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            shown = await open_page(page, codes["verification_uri_complete"])
            form = forms_of(shown)[0]
            assert form.fields["user_code"] == codes["user_code"]
            assert "TV &lt;b" not in shown.text  # nothing was looked up
            # Nor does a link, or a form of another site, decide.
            query = urlencode({"user_code": codes["user_code"], "decision": "allow", **form.fields})
            await page.get(f"{codes['verification_uri']}?{query}")
            for values, headers in (
                ({"decision": "allow"}, {}),  # the form for the code is not one for a decision
                ({}, {"origin": "https://evil.example"}),
                ({"form_token": ""}, {}),
            ):
                refused = await page.post(
                    "/auth/device",
                    data={**form.fields, **values},
                    headers={"origin": ORIGIN, **headers},
                )
                assert refused.status_code == 403
            assert await told(page, codes) == "authorization_pending"

    asyncio.run(run())


def test_the_form_for_one_code_decides_about_no_other(world: IssuerWorld) -> None:
    mine, attackers = begin(world), begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            form = forms_of(await confirmation(page, mine))[0]
            swapped = Form(form.action, {**form.fields, "user_code": attackers["user_code"]})
            assert (await send(page, swapped, {"decision": "allow"})).status_code == 403
            assert await told(page, attackers) == "authorization_pending"

    asyncio.run(run())


def test_codes_are_not_guessed(world: IssuerWorld) -> None:
    codes = begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            form = forms_of(await open_page(page, codes["verification_uri"]))[0]
            for _ in range(GUESSES):
                assert (await send(page, form, {"user_code": "BBBB-BBBB"})).status_code == 400
            assert (await send(page, form, {"user_code": codes["user_code"]})).status_code == 429
            world.clock.advance(GUESS_SECONDS)
            assert (await send(page, form, {"user_code": codes["user_code"]})).status_code == 200

    asyncio.run(run())


def test_only_clients_that_may(world: IssuerWorld) -> None:
    response = world.ask("POST", "/device_authorization", data={"client_id": "phone"})
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")
    assert world.ask("POST", "/device_authorization", data={"client_id": "portal"}).status_code == 401
    assert world.ask("POST", "/device_authorization", data={"client_id": "tv", "resource": "x"}).status_code == 400
    codes, allowed = begin(world), begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            await decide(page, allowed)
            form = forms_of(await confirmation(page, codes))[0]
            without = TV.model_copy(update={"device_flow": False})
            write_plan(world.settings.state, login_plan(clients=(BATCH, PORTAL, PHONE, without)))
            assert (await send(page, form, {"decision": "allow"})).status_code == 400
            assert await told(page, allowed) == "invalid_grant"

    asyncio.run(run())


def test_tokens_end_with_the_session_that_allowed_them(world: IssuerWorld) -> None:
    codes = begin(world)

    async def run() -> None:
        async with browser(world.app) as page:
            await decide(page, codes)
            sign_out = forms_of(await page.get("/auth/end_session"))[0]
            await send(page, sign_out, {})
            assert await told(page, codes) == "invalid_grant"

    asyncio.run(run())


def test_a_key_is_bound_to_the_tokens_of_a_device(world: IssuerWorld) -> None:
    codes, holder = begin(world), DpopClient(world.clock)

    async def run() -> None:
        async with browser(world.app) as page:
            await decide(page, codes)
            first = await poll(page, codes, proof=holder.proof("POST", f"{ISSUER}/token"))
            holder.nonce = first.headers["dpop-nonce"]  # the code is not used up
            body = (await poll(page, codes, proof=holder.proof("POST", f"{ISSUER}/token"))).json()
            assert world.verify(body["access_token"]).claims["cnf"] == {"jkt": holder.jkt}

    asyncio.run(run())


def test_codes_of_the_issuers_own_pages_are_worth_nothing(world: IssuerWorld) -> None:
    party = RelyingParty(client=NAME, callback=f"{ISSUER}/device")

    async def run() -> None:
        async with browser(world.app) as page:
            await open_page(page, f"{ISSUER}/device")
            back = await page.get(party.url())  # an attacker's verifier
            code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
            for secret in (None, (NAME, "")):
                response = await redeem(page, {**party.redemption(code), "client_id": NAME}, secret)
                assert (response.status_code, response.json()["error"]) == (401, "invalid_client")

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=70), st.sampled_from(["allow", "deny", ""]) | st.text(max_size=4))
def test_whatever_is_typed(fuzzed: IssuerWorld, code: str, decision: str) -> None:
    query = urlencode({"user_code": code, "state": decision}, errors="replace")
    assert fuzzed.ask("GET", f"/device?{query}").status_code in {303, 400}
    body = urlencode({"user_code": code, "decision": decision}, errors="replace")
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert fuzzed.ask("POST", "/device", content=body, headers=headers).status_code in {303, 400}
    token = urlencode({"grant_type": GRANT, "client_id": "tv", "device_code": code}, errors="replace")
    assert fuzzed.ask("POST", "/token", content=token, headers=headers).status_code == 400


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> IssuerWorld:
    return IssuerWorld(tmp_path_factory.mktemp("device"), plan=login_plan(clients=CLIENTS))
