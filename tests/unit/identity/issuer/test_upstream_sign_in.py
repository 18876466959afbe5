"""People sign in at a provider of others, for a client of ours: the whole way, with a provider on real HTTP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.support.issuer_browser import browser, forms_of, redeem, send, sent_back
from tests.support.scripted_provider import Begun
from tests.support.upstream_world import UpstreamWorld, refused, upstream_of, upstream_world


@pytest.fixture
def here(tmp_path: Path) -> Iterator[UpstreamWorld]:
    with upstream_world(tmp_path) as made:
        made.provider.people["ines"] = {"preferred_username": "ines", "name": "Ines", "groups": ["doctors"]}
        yield made


def test_somebody_signs_in_and_goes_on_to_the_client(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            shown = await page.get(here.party.url())
            assert "The hospital" in shown.text
            back = await here.sign_in(page)
            claims = await here.tokens(page, back)
            assert claims["roles"] == ["clinician", "guest"]
            assert claims["acr"] == "pwd"
            again = await page.get(here.party.url(prompt="none"))
            assert "code" in sent_back(again), "one sign-in serves all clients"

    asyncio.run(run())


def test_the_request_is_protected_in_every_way_that_there_is(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            begun = await here.leave(page, login_hint="ines@hospital.example")
            assert begun["response_type"] == "code"
            assert begun["code_challenge_method"] == "S256"
            assert begun["redirect_uri"] == "https://localhost:8443/auth/upstream/hospital/callback"
            assert begun["login_hint"] == "ines@hospital.example"
            other = await here.leave(page)
            for name in ("state", "nonce", "code_challenge"):
                assert len(begun[name]) >= 43
                assert begun[name] != other[name]

    asyncio.run(run())


def test_an_answer_works_once(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            begun = await here.leave(page)
            answer = here.provider.answer(begun)
            assert "code" in sent_back(await here.come_back(page, answer))
            assert refused(await here.come_back(page, answer))
            assert refused(await here.come_back(page, here.provider.answer(begun))), "a state is used up, too"

    asyncio.run(run())


def test_an_answer_that_another_browser_began_signs_nobody_in(here: UpstreamWorld) -> None:
    """Login CSRF: an attacker would make the victim use the attacker's account (RFC 6749, section 10.12)."""

    async def run() -> None:
        async with browser(here.world.app) as attacker, browser(here.world.app) as victim:
            answer = here.provider.answer(await here.leave(attacker))
            assert refused(await here.come_back(victim, answer)), "a browser without a cookie"
            await here.leave(victim)
            assert refused(await here.come_back(victim, answer)), "a browser with one of its own"
            assert not here.provider.forms, "no code of somebody else's is redeemed"

    asyncio.run(run())


def test_a_made_up_state_and_none_at_all_are_refused(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            answer = here.provider.answer(await here.leave(page))
            for state in ("", "x", answer["state"][:-1]):
                assert refused(await here.come_back(page, {**answer, "state": state}))
            assert refused(await page.get("/auth/upstream/hospital/callback"))
            assert refused(await page.get("/auth/upstream/nobody/callback?code=1&state=2"))
            assert refused(await page.get("/auth/upstream/hospital/callback?a=1&a=2"))
            assert refused(await page.post("/auth/upstream/nobody/callback", data={"code": "1"}))
            assert refused(await page.post("/auth/upstream/hospital/callback", content=b"{}"))

    asyncio.run(run())


def test_an_answer_that_took_too_long_is_refused(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            answer = here.provider.answer(await here.leave(page))
            here.world.clock.advance(901)
            assert refused(await here.come_back(page, answer))

    asyncio.run(run())


def test_a_session_that_the_browser_brings_is_not_taken_over(here: UpstreamWorld) -> None:
    """Session fixation: the handle is a fresh one, and the former opens nothing any more."""

    async def run() -> None:
        async with browser(here.world.app) as page:
            await here.sign_in(page)
            first = page.cookies["__Host-ringwall-issuer"]
            await here.sign_in(page, prompt="login")
            assert page.cookies["__Host-ringwall-issuer"] != first
            async with browser(here.world.app) as thief:
                thief.cookies.set("__Host-ringwall-issuer", first)
                assert sent_back(await thief.get(here.party.url(prompt="none")))["error"] == "login_required"

    asyncio.run(run())


def test_an_answer_by_form_comes_back_as_a_get(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            answer = here.provider.answer(await here.leave(page))
            by_form = await page.post("/auth/upstream/hospital/callback", data=answer)
            assert by_form.status_code == 303
            location = by_form.headers["location"]
            assert location.startswith("https://localhost:8443/auth/upstream/hospital/callback?")
            assert "code" in sent_back(await page.get(location))

    asyncio.run(run())


def test_who_declines_is_told_so_and_may_sign_in_otherwise(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            begun = await here.leave(page)
            answer = {"error": "access_denied", "error_description": "<script>no</script>", "state": begun["state"]}
            shown = await here.come_back(page, answer)
            assert refused(shown)
            assert "did not sign you in" in shown.text
            assert "<script>no" not in shown.text
            assert any(("person", "alice") in form.buttons for form in forms_of(shown))

    asyncio.run(run())


def test_a_client_that_may_not_ask_sends_nobody_anywhere(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            wrong = await page.get("/auth/upstream/hospital?client_id=evil&redirect_uri=https://evil.example/")
            assert refused(wrong)
            silent = await page.get(here.party.url(prompt="none").replace("/authorize?", "/upstream/hospital?"))
            assert sent_back(silent)["error"] == "login_required", "nobody is shown a page who must not be"
            assert not here.provider.asked

    asyncio.run(run())


def test_step_up_is_passed_on_and_held_to(here: UpstreamWorld) -> None:
    acr = (("silver", "pwd"), ("gold", "mfa"), ("platinum", "phr"))
    here.put(upstream_of(here.provider, acr=acr))

    async def run() -> None:
        async with browser(here.world.app) as page:
            begun = await here.leave(page, acr_values="mfa", prompt="login", max_age="60")
            assert begun["acr_values"] == "gold platinum"
            assert (begun["prompt"], begun["max_age"]) == ("login", "60")
            here.provider.changes["acr"] = "silver"
            back = await here.sign_in(page, acr_values="mfa")
            assert sent_back(back)["error"] == "unmet_authentication_requirements"
            here.provider.changes["acr"] = "gold"
            assert (await here.tokens(page, await here.sign_in(page, acr_values="mfa")))["acr"] == "mfa"
            here.provider.changes["acr"] = "diamond"
            assert (await here.tokens(page, await here.sign_in(page, prompt="login")))["acr"] == "pwd"

    asyncio.run(run())


@pytest.mark.parametrize("auth_time", [None, -120, "now", True])
def test_who_must_sign_in_anew_has(here: UpstreamWorld, auth_time: object) -> None:
    """The browser carries `prompt` and `max_age` to the provider, so its user can take them out."""
    now = int(here.world.clock.now())
    here.provider.changes["auth_time"] = now - 120 if auth_time == -120 else auth_time

    async def run() -> None:
        for asked in ({"prompt": "login"}, {"max_age": "30"}):
            async with browser(here.world.app) as page:
                assert refused(await here.sign_in(page, **asked))

    asyncio.run(run())


def test_how_long_ago_somebody_signed_in_there_is_not_forgotten(here: UpstreamWorld) -> None:
    """Else a session of yesterday's at the provider would count as a sign-in of this moment here."""
    began = int(here.world.clock.now())
    here.provider.changes["auth_time"] = began - 7200

    async def run() -> None:
        async with browser(here.world.app) as page:
            assert (await here.tokens(page, await here.sign_in(page)))["auth_time"] == began - 7200
            back = await page.get(here.party.url(prompt="none", max_age="3600"))
            assert sent_back(back)["error"] == "login_required"

    asyncio.run(run())


def test_the_button_of_who_has_the_say_over_the_hinted_domain_is_first(here: UpstreamWorld) -> None:
    here.put(
        upstream_of(here.provider, "a", authoritative_for=("a.example",)),
        upstream_of(here.provider, "b", authoritative_for=("b.example",)),
    )

    async def run() -> None:
        async with browser(here.world.app) as page:
            for hint, first, second in (("x@a.example", "a", "b"), ("x@B.example", "b", "a"), ("x", "a", "b")):
                text = (await page.get(here.party.url(login_hint=hint))).text
                assert text.index(f"/upstream/{first}?") < text.index(f"/upstream/{second}?")

    asyncio.run(run())


def test_a_link_of_the_page_leads_to_the_provider(here: UpstreamWorld) -> None:
    """The link carries the client's request as it came, and nothing of it becomes markup."""

    async def run() -> None:
        async with browser(here.world.app) as page:
            shown = await page.get(here.party.url(state='"><script>'))
            assert "<script>" not in shown.text.replace("<script src=", "")
            link = shown.text.partition('class="button" href="')[2].partition('"')[0].replace("&amp;", "&")
            left = await page.get(link)
            assert left.status_code == 303
            begun = parse_qs(urlsplit(left.headers["location"]).query)["state"][0]
            back = await here.come_back(page, {"error": "access_denied", "state": begun})
            assert back.status_code == 403

    asyncio.run(run())


def test_signing_out_here_signs_out_there_where_the_plan_says_so(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await here.sign_in(page)
            out = "/auth/end_session?client_id=portal&post_logout_redirect_uri=https://portal.example/&state=s"
            asked = await page.get(out)
            done = await send(page, forms_of(asked)[0], {})
            assert done.headers["location"] == "https://portal.example/?state=s", "not asked for: signed out here alone"

            here.put(upstream_of(here.provider, oidc={"logout": True}))
            await here.sign_in(page)
            asked = await page.get(out)
            assert (
                f"form-action 'self' https://portal.example {here.provider.url}"
                in (asked.headers["content-security-policy"])
            )
            done = await send(page, forms_of(asked)[0], {})
            there = Begun.of(done.headers["location"])
            assert done.headers["location"].startswith(f"{here.provider.url}/logout?")
            assert there["id_token_hint"] == here.provider.id_token
            assert there["post_logout_redirect_uri"] == "https://localhost:8443/auth/upstream/hospital/signed-out"
            assert sent_back(await page.get(here.party.url(prompt="none")))["error"] == "login_required", "at once"

            back = f"/auth/upstream/hospital/signed-out?state={there['state']}"
            wrong = await page.get(back.replace("hospital", "other"))
            assert (wrong.status_code, "location" in wrong.headers) == (200, False)
            assert (await page.get(back)).headers["location"] == "https://portal.example/?state=s"
            for again in (
                back,
                "/auth/upstream/hospital/signed-out",
                "/auth/upstream/hospital/signed-out?state=//evil",
            ):
                ended = await page.get(again)
                assert (ended.status_code, "location" in ended.headers) == (200, False)

    asyncio.run(run())


def test_a_provider_that_is_away_keeps_nobody_signed_in(here: UpstreamWorld) -> None:
    here.put(upstream_of(here.provider, oidc={"logout": True}))

    async def run() -> None:
        async with browser(here.world.app) as page:
            await here.sign_in(page)
            here.put(upstream_of(here.provider, oidc={"logout": True, "discovery": f"{here.provider.url}/nothing"}))
            done = await send(page, forms_of(await page.get("/auth/end_session"))[0], {})
            assert (done.status_code, "You are signed out" in done.text) == (200, True)
            assert sent_back(await page.get(here.party.url(prompt="none")))["error"] == "login_required"

    asyncio.run(run())


async def _refreshed(here: UpstreamWorld, page: httpx.AsyncClient, token: str, secret: str) -> httpx.Response:
    return await redeem(page, {"grant_type": "refresh_token", "refresh_token": token}, ("portal", secret))


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
def test_a_sign_in_is_good_for_as_long_as_the_plan_says(here: UpstreamWorld, scope: str) -> None:
    """Who is disabled there has nothing here any more after that, whatever was used meanwhile."""
    here.put(upstream_of(here.provider, session_seconds=3600))

    async def run() -> None:
        async with browser(here.world.app) as page:
            back = await here.sign_in(page, scope=scope)
            secret = here.world.new_secret("portal")
            form = here.party.redemption(sent_back(back, here.party.callback)["code"])
            token = (await redeem(page, form, ("portal", secret))).json()["refresh_token"]
            for _ in range(3):
                here.world.clock.advance(1000)
                assert "code" in sent_back(await page.get(here.party.url(prompt="none")))
                refreshed = await _refreshed(here, page, token, secret)
                assert refreshed.status_code == 200, refreshed.text
                token = refreshed.json()["refresh_token"]
            here.world.clock.advance(601)
            assert sent_back(await page.get(here.party.url(prompt="none")))["error"] == "login_required"
            assert (await _refreshed(here, page, token, secret)).json()["error"] == "invalid_grant"
            begun = await here.leave(page)
            assert "code" in sent_back(await here.come_back(page, here.provider.answer(begun)))

    asyncio.run(run())
