"""People connect their account with who they are at a provider, and disconnect it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path

import httpx
import pytest
from tests.support.issuer_browser import browser, forms_of, send, sent_back
from tests.support.scripted_provider import Begun
from tests.support.upstream_world import UpstreamWorld, refused, upstream_of, upstream_world
from tests.unit.identity.issuer.test_issuer_account import ACCOUNT, PASSWORD, form_for, go, sign_in, submit

from ringwall.identity.issuer.account.door import FORM_SECONDS, FRESH_SECONDS

PROVIDER = f"{ACCOUNT}/providers/hospital"
Scenario = Callable[[UpstreamWorld, httpx.AsyncClient], Awaitable[None]]
Visit = Callable[[Scenario], None]


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """Run a scenario in a fresh browser; Ann and Bea have passwords, and the provider makes no accounts."""

    def run(scenario: Scenario) -> None:
        with upstream_world(tmp_path, create=False) as here:
            here.provider.people["ines"] = {"preferred_username": "ines@there", "groups": ["doctors"]}

            async def body() -> None:
                for name in ("Ann", "Bea"):
                    await here.world.new_account(name, PASSWORD)
                async with browser(here.world.app) as page:
                    try:
                        await scenario(here, page)
                    finally:
                        here.world.context.people.close()
                        await here.world.context.storage.close()

            asyncio.run(body())

    return run


async def leave(page: httpx.AsyncClient) -> Begun:
    """Go to the provider as the page says."""
    shown = await go(page, PROVIDER)
    link = re.search(r'class="button" href="([^"]*)"', shown.text)
    assert link is not None, shown.text
    return Begun.of(unescape(link[1]))


async def connect(here: UpstreamWorld, page: httpx.AsyncClient, subject: str = "ines") -> httpx.Response:
    """Do all of it; return the page at its end."""
    asked = await here.come_back(page, here.provider.answer(await leave(page), subject))
    assert "Is that you?" in asked.text, asked.text
    return await submit(page, asked, "/account/providers/connect")


async def links(here: UpstreamWorld) -> list[tuple[str, str]]:
    services = await here.world.context.people.services()
    found = []
    for name in ("ann", "bea"):
        account = (await services.accounts.named(name)).id
        found += [(name, link.subject) for link in await services.database.links.of_account(account)]
    return found


async def signs_in_there(here: UpstreamWorld, subject: str = "ines") -> bool:
    async with browser(here.world.app) as other:
        back = await here.sign_in(other, subject)
        return back.status_code == 303 and "code" in sent_back(back)


def test_who_is_connected_signs_in_there(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        assert not await signs_in_there(here)
        shown = await sign_in(page)
        assert "Not connected" in shown.text
        assert f'href="{PROVIDER}"' in shown.text
        begun = await leave(page)
        assert begun["prompt"] == "select_account", "they see who they are there"
        asked = await here.come_back(page, here.provider.answer(begun))
        assert "ines@there" in asked.text
        assert await links(here) == [], "nothing is connected before they say so"
        done = await submit(page, asked, "/account/providers/connect")
        assert "Your account is connected" in done.text
        assert await links(here) == [("ann", "ines")]
        assert await signs_in_there(here)
        services = await here.world.context.people.services()
        events = await services.database.events.page(limit=20)
        account = await services.accounts.named("ann")
        assert ("account-linked", account.id, account.id) in [(e.act, e.actor, e.subject) for e in events]

    visit(scenario)


def test_it_needs_a_fresh_sign_in(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        await sign_in(page)
        begun = await leave(page)
        asked = await here.come_back(page, here.provider.answer(begun))
        late = await leave(page)
        here.world.clock.advance(FRESH_SECONDS + 1)
        assert "Sign in" in (await go(page, PROVIDER)).text
        here.world.clock.advance(FORM_SECONDS)
        assert "Is that you?" not in (await here.come_back(page, here.provider.answer(late))).text
        await submit(page, asked, "/account/providers/connect")
        assert await links(here) == []

    visit(scenario)


def test_nobodys_account_is_connected_with_somebody_elses_sign_in(visit: Visit) -> None:
    """Login CSRF: the attacker's answer in the victim's browser, and the victim's session in the attacker's."""

    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        async with browser(here.world.app) as attacker:
            await sign_in(attacker, name="bea")
            answer = here.provider.answer(await leave(attacker), "mallory")
            await sign_in(page)
            assert refused(await here.come_back(page, answer)), "begun in another browser"
            await leave(page)
            assert refused(await here.come_back(page, answer))

            page_cookie = page.cookies["__Host-ringwall-issuer"]
            answer = here.provider.answer(await leave(attacker), "mallory")
            attacker.cookies.delete("__Host-ringwall-issuer")
            attacker.cookies.set("__Host-ringwall-issuer", page_cookie)
            stolen = await here.come_back(attacker, answer)
            assert (stolen.status_code, "Is that you?" in stolen.text) == (400, False), "begun in another session"
            assert await links(here) == []

    visit(scenario)


def test_what_another_session_was_asked_cannot_be_confirmed(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        async with browser(here.world.app) as attacker:
            await sign_in(attacker, name="bea")
            theirs = await here.come_back(attacker, here.provider.answer(await leave(attacker), "mallory"))
            await sign_in(page)
            mine = await here.come_back(page, here.provider.answer(await leave(page)))
            form, other = form_for(mine, "/account/providers/connect"), form_for(theirs, "/account/providers/connect")
            swapped = await send(page, form, {"connection": other.fields["connection"]})
            assert "done=gone" in swapped.headers["location"]
            forged = await send(page, form, {"form_token": other.fields["form_token"]})
            assert forged.status_code >= 400
            elsewhere = await page.post(form.action, data=form.fields, headers={"origin": "https://evil.example"})
            assert elsewhere.status_code >= 400
            assert await links(here) == []
            assert "connected" in (await submit(page, mine, "/account/providers/connect")).text
            again = await send(page, form, {})
            assert "done=gone" in again.headers["location"], "once"
            assert await links(here) == [("ann", "ines")]

    visit(scenario)


def test_who_is_connected_with_an_account_is_not_taken_from_it(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        async with browser(here.world.app) as other:
            await sign_in(other, name="bea")
            await connect(here, other)
            await sign_in(page)
            assert "connected with an account already" in (await connect(here, page)).text
            assert await links(here) == [("bea", "ines")]

    visit(scenario)


def test_people_of_other_tenants_are_not_connected_and_refusals_are_told(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        here.put(upstream_of(here.provider, create=False, tenants=("clinic",), tenant_claim=("hd",)))
        await sign_in(page)
        shown = await here.come_back(page, here.provider.answer(await leave(page)))
        assert (shown.status_code, "did not say who you are" in shown.text) == (403, True)
        begun = await leave(page)
        shown = await here.come_back(page, {"error": "access_denied", "state": begun["state"]})
        assert shown.status_code == 403
        assert (await go(page, f"{ACCOUNT}/providers/nobody")).status_code == 404
        assert await links(here) == []

    visit(scenario)


def test_a_provider_is_disconnected_and_its_sessions_end(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        await sign_in(page)
        shown = await connect(here, page)
        async with browser(here.world.app) as other:
            assert "code" in sent_back(await here.sign_in(other))
            services = await here.world.context.people.services()
            assert (await services.accounts.named("ann")).roles == ("clinician", "guest")
            shown = await go(page, ACCOUNT)
            done = await submit(page, shown, "/account/providers/disconnect")
            assert "Sign in" in done.text, "who loses a role is signed out"
            assert "Not connected" in (await sign_in(page)).text
            assert (await services.accounts.named("ann")).roles == (), "what the provider gave goes with it"
            silent = await other.get(here.party.url(prompt="none"))
            assert sent_back(silent)["error"] == "login_required"
        assert not await signs_in_there(here)

    visit(scenario)


def test_who_loses_no_role_stays_signed_in_and_reads_what_was_done(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        here.put(upstream_of(here.provider, create=False, roles=()))
        await sign_in(page)
        shown = await connect(here, page)
        async with browser(here.world.app) as other:
            assert "code" in sent_back(await here.sign_in(other))
            done = await submit(page, shown, "/account/providers/disconnect")
            assert "That provider is disconnected" in done.text
            silent = await other.get(here.party.url(prompt="none"))
            assert sent_back(silent)["error"] == "login_required", "the session that began there"

    visit(scenario)


def test_the_last_way_to_sign_in_is_not_disconnected(visit: Visit) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        here.put(upstream_of(here.provider))
        here.provider.people["stan"] = {"preferred_username": "stan"}
        assert "code" in sent_back(await here.sign_in(page, "stan"))
        shown = await go(page, ACCOUNT)
        form = next(form for form in forms_of(shown) if form.action.endswith("/providers/disconnect"))
        done = await send(page, form, {})
        assert "done=only-way" in done.headers["location"]
        assert await signs_in_there(here, "stan")
        wrong = await send(page, form, {"provider": "nobody"})
        assert "done=gone" in wrong.headers["location"]
        forged = await page.post(form.action, data={**form.fields, "form_token": "x"})
        assert forged.status_code >= 400

    visit(scenario)


@pytest.mark.parametrize("action", ["/account/sign-out-everywhere", "/account/sessions/end"])
def test_signing_out_on_the_page_signs_out_there_where_the_plan_says_so(visit: Visit, action: str) -> None:
    async def scenario(here: UpstreamWorld, page: httpx.AsyncClient) -> None:
        here.put(upstream_of(here.provider, oidc={"logout": True}))
        assert "code" in sent_back(await here.sign_in(page, "stan"))
        shown = await go(page, ACCOUNT)
        assert f"form-action 'self' {here.provider.url}" in shown.headers["content-security-policy"]
        left = await send(page, form_for(shown, action), {})
        assert left.headers["location"].startswith(f"{here.provider.url}/logout?")
        assert sent_back(await page.get(here.party.url(prompt="none")))["error"] == "login_required"
        await sign_in(page)
        assert here.provider.url not in (await go(page, ACCOUNT)).headers["content-security-policy"]

    visit(scenario)
