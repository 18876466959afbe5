"""Pushed authorization requests (RFC 9126): from the client to the issuer, past the browser."""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.dpop_client import DpopClient
from tests.support.issuer_browser import ORIGIN, RelyingParty, browser, forms_of, pick, redeem, send, sent_back, sign_in
from tests.support.issuer_plan import BATCH, ISSUER, PARTNER, PORTAL, SPA, login_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key

from ringwall.identity.issuer.oauth.kept_requests import PREFIX, PUSHED_SECONDS, TICKET_SECONDS

PAR = f"{ISSUER}/par"
STRICT = PORTAL.model_copy(update={"name": "strict", "pushed_requests": True, "bound_tokens": True})


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan(clients=(BATCH, PORTAL, PARTNER, SPA, STRICT)))


async def push(page: httpx.AsyncClient, form: dict[str, str], secret: str | None, **headers: str) -> httpx.Response:
    auth = httpx.BasicAuth(form["client_id"], secret) if secret else None
    async with httpx.AsyncClient(transport=page._transport, base_url=ORIGIN, auth=auth) as client:
        return await client.post(PAR, data=form, headers=headers)


async def pushed(page: httpx.AsyncClient, party: RelyingParty, secret: str | None, **changes: str) -> str:
    response = await push(page, party.parameters(**changes), secret)
    assert response.status_code == 201, response.text
    assert response.json()["expires_in"] == PUSHED_SECONDS
    return str(response.json()["request_uri"])


async def bring(page: httpx.AsyncClient, uri: str, client: str = "portal", **more: str) -> httpx.Response:
    query = urlencode({"client_id": client, "request_uri": uri, **more})
    response = await page.get(f"{ISSUER}/authorize?{query}")
    if response.status_code == 303 and response.headers["location"].startswith(ISSUER):
        response = await page.get(response.headers["location"])
    return response


def test_a_browser_brings_a_reference_and_nothing_else(world: IssuerWorld) -> None:
    secret, party = world.new_secret("portal"), RelyingParty()

    async def run() -> None:
        async with browser(world.app) as page:
            uri = await pushed(page, party, secret)
            assert uri.startswith(PREFIX)
            shown = await bring(page, uri, redirect_uri="https://evil.example/", scope="openid offline_access")
            assert party.state not in shown.text
            back = sent_back(await pick(page, shown))
            assert back["state"] == party.state
            body = (await redeem(page, party.redemption(back["code"]), ("portal", secret))).json()
            assert body["scope"] == party.scope  # what stood beside the reference counts for nothing

    asyncio.run(run())


def test_a_reference_is_answered_once_for_its_client_and_not_for_long(world: IssuerWorld) -> None:
    secret, party = world.new_secret("portal"), RelyingParty()

    async def run() -> None:
        async with browser(world.app) as page:
            uri = await pushed(page, party, secret)
            assert (await bring(page, uri, client="spa")).status_code == 400
            first, second = await bring(page, uri), await bring(page, uri)  # somebody loads the page again
            assert "code" in sent_back(await pick(page, first))
            assert sent_back(await pick(page, second))["error"] == "invalid_request"
            assert sent_back(await bring(page, uri))["error"] == "invalid_request"
            late = await pushed(page, party, secret)
            world.clock.advance(PUSHED_SECONDS)
            assert (await bring(page, late)).status_code == 400
            assert (await bring(page, f"{PREFIX}made-up")).status_code == 400

    asyncio.run(run())


def test_one_request_is_answered_with_one_code(world: IssuerWorld) -> None:
    secret, party = world.new_secret("portal"), RelyingParty()

    async def run() -> None:
        async with browser(world.app) as page:
            shown = await bring(page, await pushed(page, party, secret))
            form = next(form for form in forms_of(shown) if ("person", "alice") in form.buttons)
            assert "code" in sent_back(await pick(page, shown))
            location = f"{ISSUER}/authorize?{form.action.partition('?')[2]}"
            again = await page.get(location)
            assert again.status_code == 400
            assert "answered already" in again.text

    asyncio.run(run())


def test_a_person_may_take_their_time_but_not_forever(world: IssuerWorld) -> None:
    secret, party = world.new_secret("portal"), RelyingParty()

    async def run() -> None:
        async with browser(world.app) as page:
            shown = await bring(page, await pushed(page, party, secret))
            world.clock.advance(TICKET_SECONDS - 1)
            assert "code" in sent_back(await pick(page, shown))
        async with browser(world.app) as page:
            shown = await bring(page, await pushed(page, party, secret))
            world.clock.advance(TICKET_SECONDS)
            assert (await pick(page, shown)).status_code == 400

    asyncio.run(run())


def test_a_ticket_is_its_clients(world: IssuerWorld) -> None:
    secret, party = world.new_secret("portal"), RelyingParty()

    async def run() -> None:
        async with browser(world.app) as page:
            shown = await bring(page, await pushed(page, party, secret))
            found = re.search(r"ticket=([\w-]+)", shown.text)
            assert found
            for client in ("spa", "begun portal", "nobody"):
                query = urlencode({"client_id": client, "ticket": found.group(1)})
                assert (await page.get(f"{ISSUER}/authorize?{query}")).status_code == 400

    asyncio.run(run())


def test_consent_is_asked_for_pushed_requests_too(world: IssuerWorld) -> None:
    party = RelyingParty(client="partner", callback="https://partner.example/callback")
    secret = world.new_secret("partner")

    async def run() -> None:
        async with browser(world.app) as page:
            consent = await pick(page, await bring(page, await pushed(page, party, secret), client="partner"))
            form = forms_of(consent)[0]
            back = sent_back(await send(page, form, {"decision": "allow"}), party.callback)
            assert "code" in back

    asyncio.run(run())


def test_a_client_that_must_push_is_not_heard_otherwise(world: IssuerWorld) -> None:
    secret = world.new_secret("strict")
    party, holder = RelyingParty(client="strict"), DpopClient(world.clock)

    async def run() -> None:
        async with browser(world.app) as page:
            assert (await page.get(party.url())).status_code == 400
            back = sent_back(await pick(page, await bring(page, await pushed(page, party, secret), client="strict")))
            async with httpx.AsyncClient(transport=page._transport, auth=("strict", secret)) as client:
                form = party.redemption(back["code"])
                plain = await client.post(f"{ISSUER}/token", data=form)
                assert plain.json()["error"] == "invalid_request"  # `bound_tokens`; the code is not used up
                for _ in range(2):
                    proof = holder.proof("POST", f"{ISSUER}/token")
                    bound = await client.post(f"{ISSUER}/token", data=form, headers={"dpop": proof})
                    holder.nonce = bound.headers["dpop-nonce"]
                assert bound.json()["token_type"] == "DPoP"

    asyncio.run(run())


def test_a_proof_binds_the_code(world: IssuerWorld) -> None:
    holder = DpopClient(world.clock)
    party = RelyingParty(client="spa", callback="https://spa.example/callback")

    async def run() -> None:
        async with browser(world.app) as page:
            first = await push(page, party.parameters(), None, dpop=holder.proof("POST", PAR))
            assert first.json()["error"] == "use_dpop_nonce"
            holder.nonce = first.headers["dpop-nonce"]
            other = DpopClient(world.clock, key=make_key("ES256"), nonce=holder.nonce)
            clash = await push(page, party.parameters(dpop_jkt=other.jkt), None, dpop=holder.proof("POST", PAR))
            assert clash.json()["error"] == "invalid_dpop_proof"
            made = await push(page, party.parameters(), None, dpop=holder.proof("POST", PAR))
            assert made.status_code == 201
            shown = await bring(page, made.json()["request_uri"], client="spa")
            code = sent_back(await pick(page, shown), party.callback)["code"]
            stolen = await redeem(page, {**party.redemption(code), "client_id": "spa"}, None)
            assert stolen.json()["error"] == "invalid_grant"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"request_uri": f"{PREFIX}x"}, "invalid_request"),
        ({"request_uri": "http://169.254.169.254/"}, "invalid_request"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
def test_what_would_be_refused_later_is_refused_now(
    world: IssuerWorld, changes: dict[str, str | None], error: str
) -> None:
    secret = world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            response = await push(page, RelyingParty().parameters(**changes), secret)
            assert (response.status_code, response.json()["error"]) == (400, error)

    asyncio.run(run())


def test_only_the_client_itself_pushes(world: IssuerWorld) -> None:
    world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            for secret in (None, "wrong"):
                response = await push(page, RelyingParty().parameters(), secret)
                assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
            machine = await push(page, RelyingParty(client="batch").parameters(), world.new_secret("batch"))
            assert machine.json()["error"] == "unauthorized_client"

    asyncio.run(run())


def test_what_authenticates_the_client_is_not_kept(world: IssuerWorld) -> None:
    secret = world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            form = RelyingParty().parameters(client_secret=secret)
            assert (await push(page, form, None)).status_code == 201
        for file in world.settings.folder.glob("issuer.db*"):
            assert secret.encode() not in file.read_bytes()

    asyncio.run(run())


def test_nothing_is_fetched_from_an_address(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await sign_in(page, RelyingParty())
            for uri in ("https://evil.example/request", "file:///etc/passwd", "urn:x"):
                back = sent_back(await page.get(RelyingParty().url(request_uri=uri)))
                assert back["error"] == "request_uri_not_supported"

    asyncio.run(run())


VALUES = st.dictionaries(
    st.sampled_from(["client_id", "request_uri", "ticket", "redirect_uri", "scope", "request", "x"]),
    st.sampled_from(["portal", "strict", PREFIX, f"{PREFIX}x", "\x00", "begun portal"]) | st.text(max_size=20),
    max_size=5,
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_whatever_is_sent(fuzzed: tuple[IssuerWorld, str], form: dict[str, Any]) -> None:
    world, secret = fuzzed
    query = urlencode(form, errors="replace")
    assert world.ask("GET", f"/authorize?{query}").status_code == 400
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = world.ask("POST", "/par", content=query, headers=headers, auth=("portal", secret))
    assert response.status_code in {400, 401}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> tuple[IssuerWorld, str]:
    world = IssuerWorld(tmp_path_factory.mktemp("par"), plan=login_plan(clients=(PORTAL, STRICT)))
    return world, world.new_secret("portal")
