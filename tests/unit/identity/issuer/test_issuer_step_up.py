"""Step-up (RFC 9470): a client asks for a fresher or surer sign-in, because a service told it to."""

import asyncio
from pathlib import Path

import pytest
from tests.support.issuer_browser import RelyingParty, browser, forms_of, pick, redeem, sent_back, sign_in
from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld

PARTY = RelyingParty()


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


@pytest.mark.parametrize("wanted", ["pwd", "mfa", "phr", "phr mfa", "phr other"])
def test_nobody_passes_for_surer_than_they_are(world: IssuerWorld, wanted: str) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            shown = await page.get(PARTY.url(acr_values=wanted))
            back = sent_back(await pick(page, shown))  # a development user, who proves nothing: "0"
            assert back["error"] == "unmet_authentication_requirements"
            assert "code" not in back

    asyncio.run(run())


def test_a_session_that_is_not_sure_enough_does_not_do(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await sign_in(page, PARTY)
            assert forms_of(await page.get(PARTY.url(acr_values="mfa")))
            assert sent_back(await page.get(PARTY.url(acr_values="mfa", prompt="none")))["error"] == "login_required"
            assert "code" in sent_back(await page.get(PARTY.url(acr_values="0", prompt="none")))

    asyncio.run(run())


def test_a_session_that_is_too_old_does_not_do(world: IssuerWorld) -> None:
    secret = world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            await sign_in(page, PARTY)
            world.clock.advance(301)
            asked = PARTY.url(max_age="300", prompt="none")
            assert sent_back(await page.get(asked))["error"] == "login_required"
            code = await sign_in(page, PARTY, max_age="300")
            body = (await redeem(page, PARTY.redemption(code), ("portal", secret))).json()
            claims = world.verify(body["access_token"]).claims
            assert (claims["acr"], claims["auth_time"]) == ("0", int(world.clock.now()))
            assert "code" in sent_back(await page.get(asked))

    asyncio.run(run())
