"""People with accounts sign in by password, and with a second factor where they have one."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from tests.support.issuer_browser import RelyingParty, browser, forms_of, redeem, send, sent_back
from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.assurance import LEVELS, NOT_PROVEN, satisfies
from ringwall.identity.people.sign_in import Acr
from ringwall.plan.identity import Claim, ClaimType, Role

PASSWORD = "quiet-harbour-lantern-42"
PLAN = login_plan(
    development=False,
    people=(),
    roles=(Role(name="clinician"),),
    claims=(
        Claim(name="ward", type=ClaimType.STRING, path=("ward",)),
        Claim(name="level", type=ClaimType.LONG, path=("level",)),
        Claim(name="groups", type=ClaimType.STRING_SET, path=("groups",)),
    ),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path, plan=PLAN)
    yield made
    made.context.people.close()


async def enter(
    page: httpx.AsyncClient, party: RelyingParty, user_name: str, password: str, **headers: str
) -> httpx.Response:
    form = forms_of(await page.get(party.url()))[0]
    return await send(page, form, {"user_name": user_name, "password": password}, **headers)


def test_the_levels_are_those_that_signing_in_gives() -> None:
    assert (NOT_PROVEN, *(acr.value for acr in Acr)) == LEVELS
    assert satisfies("phr", ("pwd",))
    assert not satisfies("pwd", ("mfa", "phr"))
    assert satisfies("pwd", ("urn:unknown",))


def test_a_password_signs_somebody_in_with_the_roles_and_claims_of_the_account(world: IssuerWorld) -> None:
    secret = world.new_secret("portal")
    party = RelyingParty(scope="openid profile email")

    async def run() -> None:
        account = await world.new_account(
            "dora",
            PASSWORD,
            display_name="Dora D.",
            email="dora@example.org",
            roles=("clinician", "no-such-role"),
            groups=("night",),
            attributes={"ward": "7b", "level": "not a number", "undeclared": "x"},
        )
        async with browser(world.app) as page:
            back = sent_back(await enter(page, party, "dora", PASSWORD))
            tokens = (await redeem(page, party.redemption(back["code"]), ("portal", secret))).json()
            claims = world.verify(tokens["access_token"]).claims
            assert claims["sub"] == account
            assert (claims["roles"], claims["ward"], claims["groups"]) == (["clinician"], "7b", ["night"])
            assert not {"level", "undeclared"} & set(claims)
            assert (claims["acr"], claims["amr"]) == ("pwd", ["pwd"])
            about = await page.get("/auth/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
            assert about.json() == {
                "sub": account,
                "name": "Dora D.",
                "preferred_username": "dora",
                "email": "dora@example.org",
            }

    asyncio.run(run())


def test_wrong_passwords_and_unknown_names_look_alike_and_nobody_can_be_picked(world: IssuerWorld) -> None:
    async def run() -> None:
        await world.new_account("dora", PASSWORD)
        answers = []
        for user_name, password in (("dora", "wrong"), ("nobody", PASSWORD), ("dora", ""), ("d\u043era", PASSWORD)):
            async with browser(world.app) as page:
                response = await enter(page, RelyingParty(state="s", nonce="n", verifier="v" * 43), user_name, password)
                assert response.status_code == 403
                assert "__Host-ringwall-issuer" not in response.headers.get("set-cookie", "")
                random = r'name="form_token" value="[^"]+"|challenge&#34;:&#34;[^&]+'
                assert f'value="{user_name}"' in response.text, "nobody types their name again"
                answers.append(re.sub(random, "", response.text).replace(f'value="{user_name}"', ""))
        assert len(set(answers)) == 1
        async with browser(world.app) as page:
            form = forms_of(await page.get(RelyingParty().url()))[0]
            for person in ("dora", "alice"):
                assert (await send(page, form, {"person": person})).status_code == 403

    asyncio.run(run())


def test_guessing_is_slowed_down(world: IssuerWorld) -> None:
    async def run() -> None:
        await world.new_account("dora", PASSWORD)
        async with browser(world.app) as page:
            for _ in range(100):
                response = await enter(page, RelyingParty(), "dora", "wrong", **{"x-forwarded-for": "192.0.2.7"})
                if response.status_code == 429:
                    break
            assert response.status_code == 429
            assert "too many attempts" in response.text

    asyncio.run(run())


def test_a_disabled_account_loses_its_sign_in_at_once(world: IssuerWorld) -> None:
    secret = world.new_secret("portal")
    party = RelyingParty(scope="openid offline_access")

    async def run() -> None:
        account = await world.new_account("dora", PASSWORD)
        async with browser(world.app) as page:
            back = sent_back(await enter(page, party, "dora", PASSWORD))
            tokens = (await redeem(page, party.redemption(back["code"]), ("portal", secret))).json()
            await (await world.context.people.services()).accounts.disable(account, by="test")
            assert (await page.get(party.url())).status_code == 200  # asked to sign in again
            refreshing = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            assert (await redeem(page, refreshing, ("portal", secret))).json()["error"] == "invalid_grant"
            about = await page.get("/auth/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
            assert about.status_code == 401

    asyncio.run(run())


def test_a_disabled_account_is_nobody_even_where_its_session_was_left(world: IssuerWorld) -> None:
    async def run() -> None:
        account = await world.new_account("dora", PASSWORD)
        async with browser(world.app) as page:
            sent_back(await enter(page, RelyingParty(), "dora", PASSWORD))
            database = await world.context.storage.database()
            await database.accounts.disable(account, now=world.clock.now())
            assert sent_back(await page.get(RelyingParty().url(prompt="none")))["error"] == "login_required"

    asyncio.run(run())


def test_a_second_factor_is_asked_for_where_there_is_one(world: IssuerWorld) -> None:
    secret = world.new_secret("portal")
    party = RelyingParty()

    async def run() -> None:
        account = await world.new_account("dora", PASSWORD)
        credentials = (await world.context.people.services()).credentials
        app = await credentials.begin_totp(account)
        key = re.search(r"secret=([A-Z2-7]+)", app.uri)
        assert key
        codes = pyotp.TOTP(key[1])
        await credentials.confirm_totp(account, app.pending, codes.at(int(world.clock.now())), by="test")
        world.clock.advance(60.0)
        async with browser(world.app) as page, browser(world.app) as other:
            shown = await enter(page, party, "dora", PASSWORD)
            assert shown.status_code == 200
            form = forms_of(shown)[0]
            assert "__Host-ringwall-issuer" not in shown.headers.get("set-cookie", "")
            code = codes.at(int(world.clock.now()))
            # The step is this browser's alone: elsewhere it opens nothing, with a right form and a right code.
            foreign = forms_of(await other.get(party.url()))[0]
            stolen = {**form.fields, "form_token": foreign.fields["form_token"], "code": code}
            assert (await send(other, foreign, stolen)).status_code == 403
            wrong = await send(page, form, {"code": "000000"})
            assert wrong.status_code == 403
            back = sent_back(await send(page, forms_of(wrong)[0], {"code": code}))
            tokens = (await redeem(page, party.redemption(back["code"]), ("portal", secret))).json()
            claims = world.verify(tokens["access_token"]).claims
            assert (claims["acr"], set(claims["amr"])) == ("mfa", {"pwd", "otp", "mfa"})

    asyncio.run(run())
