"""Signing in: forms of ours alone, fresh sessions, and when somebody is asked (again)."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.issuer_browser import (
    ORIGIN,
    RelyingParty,
    browser,
    forms_of,
    pick,
    redeem,
    send,
    sent_back,
    sign_in,
)
from tests.support.issuer_plan import ALICE, PHONE, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.browser_sessions import FINAL_SECONDS, IDLE_SECONDS
from ringwall.identity.issuer.host_cookies import BROWSER, SESSION
from ringwall.identity.issuer.pages.forms import FIELD

PARTNER = "https://partner.example/callback"


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


def cookies_of(response: httpx.Response) -> dict[str, str]:
    return {value.partition("=")[0]: value.partition("=")[2] for value in response.headers.get_list("set-cookie")}


def handle_of(response: httpx.Response) -> str:
    return cookies_of(response)[SESSION].partition(";")[0]


FOREIGN: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "https://localhost:8443.evil.example"},
    {"origin": "http://localhost:8443"},
    {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
    {"origin": ORIGIN, "sec-fetch-site": "same-site"},
    {"origin": ORIGIN, "sec-fetch-site": "none"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_site_cannot_sign_anybody_in(world: IssuerWorld, headers: dict[str, str]) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            shown = await page.get(RelyingParty().url())
            response = await pick(page, shown, **headers)
            assert response.status_code == 403
            assert SESSION not in cookies_of(response)
            assert (await pick(page, shown)).status_code == 303

    asyncio.run(run())


def test_a_form_without_an_origin_is_refused(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            form = forms_of(await page.get(RelyingParty().url()))[0]
            response = await page.post(form.action, data={**form.fields, "person": "alice"})
            assert response.status_code == 403
            assert "<h1>" in response.text

    asyncio.run(run())


def test_a_form_is_for_one_browser_and_one_request(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page, browser(world.app) as attacker:
            party = RelyingParty()
            mine = forms_of(await page.get(party.url()))[0]
            theirs = forms_of(await attacker.get(party.url()))[0]
            other = forms_of(await page.get(RelyingParty().url()))[0]
            wrong: list[dict[str, str]] = [
                {**mine.fields, FIELD: theirs.fields[FIELD]},  # another browser's
                {**mine.fields, FIELD: other.fields[FIELD]},  # another request's
                {**mine.fields, FIELD: ""},
                {**mine.fields, FIELD: "\u00e9"},
                {},
            ]
            for fields in wrong:
                response = await page.post(mine.action, data={**fields, "person": "alice"}, headers={"origin": ORIGIN})
                assert response.status_code == 403, fields
                assert SESSION not in cookies_of(response)
            page.cookies.delete(BROWSER)
            assert (await send(page, mine, {"person": "alice"})).status_code == 403

    asyncio.run(run())


def test_two_tabs_can_be_signed_in_one_after_the_other(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            first, second = await page.get(RelyingParty().url()), await page.get(RelyingParty().url())
            assert "code" in sent_back(await pick(page, first))
            assert "code" in sent_back(await pick(page, second))

    asyncio.run(run())


def test_the_cookies_are_this_hosts_alone(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            shown = await page.get(RelyingParty().url())
            done = await pick(page, shown)
            for response, name in ((shown, BROWSER), (done, SESSION)):
                assert name.startswith("__Host-")
                attributes = {part.strip() for part in cookies_of(response)[name].split(";")[1:]}
                assert attributes == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}

    asyncio.run(run())


async def silently(page: httpx.AsyncClient, handle: str) -> dict[str, str]:
    """Return what a client is told about whoever has this session, and nothing else."""
    page.cookies.clear()
    url = RelyingParty().url(prompt="none")
    return sent_back(await page.get(url, headers={"cookie": f"{SESSION}={handle}"}))


def test_nobody_can_choose_the_session_that_somebody_else_will_sign_in_with(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as attacker, browser(world.app) as page:
            fixed = handle_of(await pick(attacker, await attacker.get(RelyingParty().url()), "bob"))
            assert "code" in await silently(attacker, fixed)
            for planted in (fixed, "A" * 43):
                page.cookies.clear()
                brought = {"cookie": f"{SESSION}={planted}"}
                shown = await page.get(RelyingParty().url(prompt="login"), headers=brought)
                done = await pick(page, shown, "alice", **brought)
                assert done.status_code == 303
                assert handle_of(done) != planted
                # Whoever planted the session is not signed in as the one who came after, nor as anybody else.
                assert (await silently(attacker, planted))["error"] == "login_required"

    asyncio.run(run())


def test_signing_in_again_makes_a_new_handle_and_voids_the_old_one(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            old = handle_of(await pick(page, await page.get(RelyingParty().url())))
            new = handle_of(await pick(page, await page.get(RelyingParty().url(prompt="login"))))
            assert old != new
            assert "code" in await silently(page, new)
            assert (await silently(page, old))["error"] == "login_required"

    asyncio.run(run())


def test_two_session_cookies_are_as_good_as_none(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            handle = handle_of(await pick(page, await page.get(RelyingParty().url())))
            page.cookies.clear()
            url = RelyingParty().url(prompt="none")
            for value, error in ((f"{SESSION}={handle}", None), (f"{SESSION}=x; {SESSION}={handle}", "login_required")):
                back = sent_back(await page.get(url, headers={"cookie": value}))
                assert back.get("error") == error

    asyncio.run(run())


def test_a_session_ends_by_idleness_by_age_and_with_its_person(world: IssuerWorld) -> None:
    async def run() -> None:
        url = RelyingParty().url(prompt="none")
        async with browser(world.app) as page:
            await pick(page, await page.get(RelyingParty().url()))
            world.clock.advance(IDLE_SECONDS + 1)
            assert sent_back(await page.get(url))["error"] == "login_required"
            await pick(page, await page.get(RelyingParty().url()))
            for _ in range(int(FINAL_SECONDS // (IDLE_SECONDS - 60))):
                world.clock.advance(IDLE_SECONDS - 60)
                assert "code" in sent_back(await page.get(url))
            world.clock.advance(IDLE_SECONDS - 60)
            assert sent_back(await page.get(url))["error"] == "login_required"
            await pick(page, await page.get(RelyingParty().url()), "bob")
            write_plan(world.settings.state, login_plan(people=(ALICE,)))
            assert sent_back(await page.get(url))["error"] == "login_required"
            await pick(page, await page.get(RelyingParty().url()))
            write_plan(world.settings.state, login_plan(development=False))
            assert sent_back(await page.get(url))["error"] == "login_required"

    asyncio.run(run())


async def identity(world: IssuerWorld, page: httpx.AsyncClient, party: RelyingParty, code: str) -> dict[str, Any]:
    response = await redeem(page, party.redemption(code), ("portal", world.new_secret("portal")))
    return dict(world.verify(response.json()["access_token"]).claims)


def test_the_client_decides_when_somebody_has_to_sign_in_again(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            party = RelyingParty()
            await sign_in(page, party)
            began = int(world.clock.now())
            world.clock.advance(100)
            code = sent_back(await page.get(party.url(max_age="100")))["code"]
            assert (await identity(world, page, party, code))["auth_time"] == began
            for changes in ({"max_age": "99"}, {"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}):
                world.clock.advance(100)
                code = await sign_in(page, party, **changes)
                assert (await identity(world, page, party, code))["auth_time"] == int(world.clock.now())
            world.clock.advance(100)
            assert sent_back(await page.get(party.url(max_age="99", prompt="none")))["error"] == "login_required"
            # A level above the session's: asked once more, and refused if that was not enough (RFC 9470, section 5).
            back = sent_back(await pick(page, await page.get(party.url(acr_values="mfa"))))
            assert back["error"] == "unmet_authentication_requirements"

    asyncio.run(run())


def test_somebody_else_than_the_client_means_is_not_let_in(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            party = RelyingParty()
            code = await sign_in(page, party)
            tokens = (await redeem(page, party.redemption(code), ("portal", world.new_secret("portal")))).json()
            hint = tokens["id_token"]
            world.clock.advance(3600)  # the hint has expired, and is as good
            assert "code" in sent_back(await page.get(party.url(prompt="none", id_token_hint=hint)))
            await sign_in(page, party, "bob", prompt="login")
            silent = await page.get(party.url(prompt="none", id_token_hint=hint))
            assert sent_back(silent)["error"] == "login_required"
            shown = await page.get(party.url(id_token_hint=hint))
            assert sent_back(await pick(page, shown, "bob"))["error"] == "access_denied"
            wrong = await page.get(party.url(id_token_hint=tokens["access_token"]))
            assert sent_back(wrong)["error"] == "invalid_request"

    asyncio.run(run())


def test_pages_escape_what_they_are_given_and_let_nothing_run(world: IssuerWorld) -> None:
    async def run() -> None:
        attack = '"><script>alert(1)</script>'
        async with browser(world.app) as page:
            party = RelyingParty(client="partner", callback=PARTNER, scope="openid orders:read")
            pages = [
                await page.get(party.url(login_hint=attack, state=attack)),
                await page.get(party.url(redirect_uri=attack)),
                await page.get("/auth/end_session?id_token_hint=" + attack),
                await page.get("/auth/end_session"),
            ]
            pages.append(await pick(page, pages[0]))
            pages.append(await page.get("/auth/end_session"))
            for shown in pages:
                assert "<script>" not in shown.text
                assert "<b>" not in shown.text
                assert not re.search(r"\son[a-z]+=|style=|<style|javascript:", shown.text)
                assert not re.search(r'(src|href)="(?!https://localhost:8443/auth/(assets/|account"))', shown.text)
                policy = shown.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "base-uri 'none'" in policy
                assert "unsafe" not in policy
                assert re.findall("script-src[^;]*", policy) in ([], ["script-src 'self'"])
                assert shown.headers["x-frame-options"] == "DENY"
                assert shown.headers["x-content-type-options"] == "nosniff"
                assert shown.headers["cache-control"] == "no-store"
                assert '<html lang="en">' in shown.text
                for label in re.findall(r'<input id="([^"]+)"', shown.text):
                    assert f'<label for="{label}">' in shown.text
            assert "Partner &lt;b&gt;&amp;" in pages[0].text
            assert "Development mode" in pages[0].text

    asyncio.run(run())


def test_outside_development_mode_nobody_can_be_picked(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            before = forms_of(await page.get(RelyingParty().url()))[0]
            write_plan(world.settings.state, login_plan(development=False))
            shown = await page.get(RelyingParty().url())
            assert "alice" not in shown.text
            assert "Development mode" not in shown.text
            response = await send(page, before, {"person": "alice"})
            assert response.status_code == 403
            assert SESSION not in cookies_of(response)

    asyncio.run(run())


# Consent


def partner(scope: str = "openid orders:read") -> RelyingParty:
    return RelyingParty(client="partner", callback=PARTNER, scope=scope)


def test_a_third_party_is_asked_for_once_and_again_for_more(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            party = partner()
            await sign_in(page, RelyingParty())
            assert sent_back(await page.get(party.url(prompt="none")), PARTNER)["error"] == "consent_required"
            asked = await page.get(party.url())
            assert "orders:read" in asked.text
            [form] = forms_of(asked)
            assert sent_back(await send(page, form, {"decision": "deny"}), PARTNER)["error"] == "access_denied"
            assert sent_back(await send(page, form, {}), PARTNER)["error"] == "access_denied"
            assert sent_back(await page.get(party.url(prompt="none")), PARTNER)["error"] == "consent_required"
            assert "code" in sent_back(await send(page, form, {"decision": "allow"}), PARTNER)
            assert "code" in sent_back(await page.get(party.url(prompt="none")), PARTNER)
            assert "code" in sent_back(await page.get(partner("openid").url(prompt="none")), PARTNER)
            more = partner("openid orders:read email")
            assert sent_back(await page.get(more.url(prompt="none")), PARTNER)["error"] == "consent_required"
            assert forms_of(await page.get(party.url(prompt="consent")))

    asyncio.run(run())


def test_consent_for_a_loopback_uri_is_not_remembered(tmp_path: Path) -> None:
    phone = PHONE.model_copy(update={"third_party": True})
    world = IssuerWorld(tmp_path, plan=login_plan(clients=(phone,)))

    async def run() -> None:
        async with browser(world.app) as page:
            party = RelyingParty(client="phone", callback="http://127.0.0.1:4711/callback")
            asked = await pick(page, await page.get(party.url()))
            for _ in range(2):
                [form] = forms_of(asked)
                assert "code" in sent_back(await send(page, form, {"decision": "allow"}), party.callback)
                asked = await page.get(party.url())
            assert sent_back(await page.get(party.url(prompt="none")), party.callback)["error"] == "consent_required"

    asyncio.run(run())


def test_nobody_is_made_to_consent(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page, browser(world.app) as attacker:
            party, small = partner(), partner("openid")
            await sign_in(page, RelyingParty())
            await sign_in(attacker, RelyingParty(), "bob")
            [form] = forms_of(await page.get(party.url()))
            [theirs] = forms_of(await attacker.get(party.url()))
            [other] = forms_of(await page.get(small.url()))
            allow = {"decision": "allow"}
            for headers in FOREIGN:
                assert (await send(page, form, allow, **headers)).status_code == 403
            assert (await send(page, form, {**allow, FIELD: theirs.fields[FIELD]})).status_code == 403
            assert (await send(page, form, {**allow, FIELD: other.fields[FIELD]})).status_code == 403
            # Saying that one has just signed in does not make it so.
            assert (await send(page, form, {**allow, "fresh": "yes"})).status_code == 403
            login = forms_of(await page.get(party.url(prompt="login")))[0]
            assert (await send(page, form, {**allow, FIELD: login.fields[FIELD]})).status_code == 403
            assert sent_back(await page.get(party.url(prompt="none")), PARTNER)["error"] == "consent_required"

    asyncio.run(run())


def test_a_form_is_void_once_its_session_has_ended(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await sign_in(page, RelyingParty())
            [form] = forms_of(await page.get(partner().url()))
            world.clock.advance(IDLE_SECONDS + 1)
            shown = await send(page, form, {"decision": "allow"})
            assert shown.status_code == 200
            assert "Sign in" in shown.text

    asyncio.run(run())


def test_signing_in_anew_and_consenting_are_one_way(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            party = partner()
            asked = await pick(page, await page.get(party.url(prompt="login consent")))
            [form] = forms_of(asked)
            assert form.fields["fresh"] == "yes"
            assert "code" in sent_back(await send(page, form, {"decision": "allow"}), PARTNER)

    asyncio.run(run())


def test_reloading_a_page_starts_over(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            for path in ("/auth/login", "/auth/consent"):
                shown = await page.get(f"{path}?{RelyingParty().url().partition('?')[2]}")
                assert forms_of(shown)
                assert (await page.get(path)).status_code == 400

    asyncio.run(run())
