"""Who only followed an administrator's link may set up credentials; no client gets anything for them."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from tests.support.issuer_browser import RelyingParty, browser, forms_of, redeem, sent_back
from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.assurance import LEVELS, SETTING_UP, Proof, admits
from ringwall.identity.issuer.browser_sessions import BrowserSession, BrowserSessions
from ringwall.identity.issuer.host_cookies import SESSION
from ringwall.identity.people.sign_in import Acr

PARTY = RelyingParty()


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


async def follow_invitation(world: IssuerWorld, page: httpx.AsyncClient, acr: str = SETTING_UP) -> BrowserSession:
    """Give the browser the session that an invitation gives where no password was set with it."""
    sessions = BrowserSessions(storage=world.context.storage, clock=world.clock, token_seconds=900)
    session = await sessions.start(
        Request({"type": "http", "headers": []}), Proof(subject="alice", acr=acr, amr=("otp",))
    )
    page.cookies.set(SESSION, session.handle.reveal().decode())
    return session


def test_an_invitation_is_the_only_level_that_admits_nobody() -> None:
    assert Acr.INVITATION.value == SETTING_UP
    assert [level for level in LEVELS if not admits(level)] == [SETTING_UP]


def test_a_client_makes_them_sign_in(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await follow_invitation(world, page)
            shown = await page.get(PARTY.url())
            assert shown.status_code == 200
            assert "/login?" in forms_of(shown)[0].action
            assert sent_back(await page.get(PARTY.url(prompt="none")))["error"] == "login_required"
            await follow_invitation(world, page, "pwd")
            assert "code" in sent_back(await page.get(PARTY.url()))

    asyncio.run(run())


def test_they_connect_no_device(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await follow_invitation(world, page)
            shown = await page.get("https://localhost:8443/auth/device")
            assert shown.status_code == 303
            assert "/authorize?" in shown.headers["location"]
            await follow_invitation(world, page, "pwd")
            assert (await page.get("https://localhost:8443/auth/device")).status_code == 200

    asyncio.run(run())


@pytest.mark.parametrize("acr", [SETTING_UP, "pwd"])
def test_no_code_gives_tokens_for_them(world: IssuerWorld, acr: str) -> None:
    secret = world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            session = await follow_invitation(world, page, acr)
            parameters = PARTY.parameters()
            code = await (await world.context.storage.database()).codes.put(
                client="portal",
                account="alice",
                session=session.id,
                payload={
                    "redirect_uri": PARTY.callback,
                    "challenge": parameters["code_challenge"],
                    "nonce": "",
                    "scopes": ["openid"],
                    "auth_time": int(world.clock.now()),
                    "acr": acr,
                    "amr": ["otp"],
                },
                now=world.clock.now(),
                seconds=60,
            )
            answer = await redeem(page, PARTY.redemption(code.reveal().decode()), ("portal", secret))
            if acr == SETTING_UP:
                assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
            else:
                assert answer.status_code == 200, answer.text

    asyncio.run(run())
