"""Signing in at a SAML provider, by the issuer's pages."""

import asyncio
import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from lxml import etree
from tests.support.issuer_browser import RelyingParty, browser, redeem, sent_back
from tests.support.issuer_plan import write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.saml_provider import SamlAnswer, asked, provider
from tests.support.upstream_world import ROLES, refused, upstream_plan

from ringwall.plan.upstream import Upstream

CALLBACK = "/auth/upstream/adfs/callback"
RETURN_TO = f"https://localhost:8443{CALLBACK}"
AUDIENCE = "https://localhost:8443/auth/upstream/adfs/metadata"


def adfs(**changes: Any) -> Upstream:
    fields = {"create": True, "roles": ROLES, "user_name": ("name_id",), **changes}
    return Upstream(name="adfs", title="ADFS", saml=provider(), **fields)


@dataclass
class SamlWorld:
    world: IssuerWorld
    party: RelyingParty = field(default_factory=RelyingParty)

    async def leave(self, page: httpx.AsyncClient, **changes: str | None) -> tuple[str, str]:
        """Go to the provider; return the request's ID and the state."""
        left = await page.get(f"/auth/upstream/adfs?{urlencode(self.party.parameters(**changes))}")
        request, state = asked(left.headers["location"])
        return request.get("ID"), state

    def answer(self, request: str, **changes: Any) -> str:
        now = self.world.clock.now()
        return SamlAnswer(request=request, return_to=RETURN_TO, audience=AUDIENCE, now=now, **changes).text()

    async def claims(self, page: httpx.AsyncClient, back: httpx.Response) -> dict[str, Any]:
        code = sent_back(back, self.party.callback)["code"]
        secret = self.world.new_secret("portal")
        body = (await redeem(page, self.party.redemption(code), ("portal", secret))).json()
        return dict(self.world.verify(body["access_token"]).claims)


@pytest.fixture
def here(tmp_path: Path) -> SamlWorld:
    world = IssuerWorld(tmp_path / "state")
    write_plan(world.settings.state, upstream_plan(adfs()))
    return SamlWorld(world)


async def post_from_there(page: httpx.AsyncClient, form: dict[str, str]) -> httpx.Response:
    """Post as a browser does from another site: without the cookies, which are `SameSite`."""
    async with httpx.AsyncClient(transport=page._transport, base_url=page.base_url) as bare:  # the app
        return await bare.post(CALLBACK, data=form, headers={"origin": "https://idp.example"})


def fields_of(page: httpx.Response) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return {unescape(name): unescape(value) for name, value in found}


def test_somebody_signs_in_and_gets_roles_by_the_plan(here: SamlWorld) -> None:
    """The provider's form comes without cookies; our own page sends it once more, with them."""

    async def run() -> None:
        async with browser(here.world.app) as page:
            request, state = await here.leave(page)
            text = here.answer(request, attributes={"groups": ("doctors", "others")})
            shown = await post_from_there(page, {"SAMLResponse": text, "RelayState": state, "other": "x"})
            assert shown.status_code == 200
            assert "script-src 'self'" in shown.headers["content-security-policy"]
            fields = fields_of(shown)
            assert fields == {"SAMLResponse": text, "RelayState": state, "sent_once_more": "1"}
            back = await page.post(CALLBACK, data=fields)
            claims = await here.claims(page, back)
            assert sorted(claims["roles"]) == ["clinician", "guest"]
            assert claims["acr"] == "pwd"

    asyncio.run(run())


def test_an_answer_counts_once(here: SamlWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            request, state = await here.leave(page)
            form = {"SAMLResponse": here.answer(request), "RelayState": state}
            assert "code" in sent_back(await page.post(CALLBACK, data=form))
            assert refused(await page.post(CALLBACK, data=form)), "the same answer again"
            _, other = await here.leave(page)
            assert refused(await page.post(CALLBACK, data={**form, "RelayState": other})), "for another sign-in"

    asyncio.run(run())


def test_an_answer_is_good_in_the_browser_that_asked_alone(here: SamlWorld) -> None:
    """Cross-site login: nobody is signed in as somebody else by a form that an attacker sends."""

    async def run() -> None:
        async with browser(here.world.app) as attacker, browser(here.world.app) as victim:
            request, state = await here.leave(attacker)
            form = {"SAMLResponse": here.answer(request), "RelayState": state, "sent_once_more": "1"}
            assert refused(await victim.post(CALLBACK, data=form))
            await here.leave(victim)
            assert refused(await victim.post(CALLBACK, data=form))
            assert "code" in sent_back(await attacker.post(CALLBACK, data=form)), "and it is not used up by that"

    asyncio.run(run())


def test_a_wrong_answer_signs_nobody_in_and_says_little(here: SamlWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            for changes in ({"sign": ()}, {"audience": "https://other.example"}, {"confirmed_until": -100}):
                request, state = await here.leave(page)
                now = here.world.clock.now()
                fields: dict[str, Any] = {"audience": AUDIENCE, **changes}
                text = SamlAnswer(request=request, return_to=RETURN_TO, now=now, **fields).text()
                shown = await page.post(CALLBACK, data={"SAMLResponse": text, "RelayState": state})
                assert refused(shown)
                assert "did not work" in shown.text
                assert "audience" not in shown.text.lower()

    asyncio.run(run())


def test_an_answer_that_took_too_long_and_one_that_nobody_asked_for_are_refused(here: SamlWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            request, state = await here.leave(page)
            here.world.clock.advance(901)
            assert refused(await page.post(CALLBACK, data={"SAMLResponse": here.answer(request), "RelayState": state}))
            assert refused(await page.post(CALLBACK, data={"SAMLResponse": here.answer("_x")}))
            assert refused(await page.get(CALLBACK))
            huge = {"SAMLResponse": "A" * 300_000, "RelayState": state}
            assert (await page.post(CALLBACK, data=huge)).status_code == 413

    asyncio.run(run())


def test_who_signed_in_surely_enough_is_believed_by_the_plan(here: SamlWorld) -> None:
    context = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"
    write_plan(here.world.settings.state, upstream_plan(adfs(acr=((context, "mfa"),))))

    async def run() -> None:
        async with browser(here.world.app) as page:
            for said, outcome in ((context, "code"), ("urn:other", "error")):
                request, state = await here.leave(page, acr_values="mfa", prompt="login")
                text = here.answer(request, context=said)
                back = await page.post(CALLBACK, data={"SAMLResponse": text, "RelayState": state})
                assert outcome in sent_back(back)

    asyncio.run(run())


def test_the_provider_is_told_about_us(here: SamlWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            about = await page.get("/auth/upstream/adfs/metadata")
            assert about.headers["content-type"].startswith("application/samlmetadata+xml")
            root = etree.fromstring(about.content)
            assert root.get("entityID") == AUDIENCE
            assert next(root.iter("{*}AssertionConsumerService")).get("Location") == RETURN_TO
            assert next(root.iter("{*}SPSSODescriptor")).get("WantAssertionsSigned") == "true"
            assert (await page.get("/auth/upstream/nobody/metadata")).status_code == 404

    asyncio.run(run())
