"""The authorization code flow, from the first request to tokens, and what may go wrong with codes."""

import asyncio
from pathlib import Path

import pytest
from tests.support.issuer_browser import RelyingParty, browser, redeem, sent_back, sign_in
from tests.support.issuer_plan import AUDIENCE, ISSUER, login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.tokens.claims import Expected, verify_token


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


def test_a_person_signs_in_and_the_client_gets_tokens(world: IssuerWorld) -> None:
    secret = world.new_secret("portal")
    party = RelyingParty(scope="openid profile orders:read")

    async def run() -> None:
        async with browser(world.app) as page:
            code = await sign_in(page, party)
            response = await redeem(page, party.redemption(code), ("portal", secret))
            assert response.status_code == 200, response.text
            body = response.json()
            assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope"}
            access = world.verify(body["access_token"]).claims
            assert (access["sub"], access["client_id"], access["aud"]) == ("alice", "portal", AUDIENCE)
            assert (access["roles"], access["scope"]) == (["patient"], "openid profile orders:read")
            expected = Expected(issuer=ISSUER, audiences=frozenset({"portal"}), types=frozenset({"jwt"}))
            identity = verify_token(
                body["id_token"], keys=world.published(), expected=expected, clock=world.clock
            ).claims
            assert (identity["sub"], identity["nonce"], identity["acr"]) == ("alice", party.nonce, "0")
            assert identity["auth_time"] == int(world.clock.now())
            assert identity["sid"] == access["sid"]

    asyncio.run(run())


def test_the_next_client_is_served_by_the_same_sign_in(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await sign_in(page, RelyingParty())
            party = RelyingParty(client="spa", callback="https://spa.example/callback")
            back = sent_back(await page.get(party.url()), party.callback)
            assert (back["state"], back["iss"]) == (party.state, ISSUER)
            response = await redeem(page, party.redemption(back["code"], client_id="spa"), None)
            assert response.status_code == 200, response.text

    asyncio.run(run())
