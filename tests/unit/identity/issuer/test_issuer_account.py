"""The pages on which people look after their account: who may do what, and how lately they must have signed in."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path

import httpx
import pyotp
import pytest
from tests.support.issuer_browser import ORIGIN, Form, RelyingParty, browser, forms_of, pick, send, sent_back
from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.soft_authenticator import SoftAuthenticator

from ringwall.identity.issuer.account.door import FORM_SECONDS, FRESH_SECONDS
from ringwall.identity.people.profile import Profile

BASE = f"{ORIGIN}/auth"
ACCOUNT = f"{BASE}/account"
PASSWORD = "correct horse battery staple"
OTHER = "violet otter tramway seven"
Scenario = Callable[[IssuerWorld, httpx.AsyncClient], Awaitable[None]]
Visit = Callable[[Scenario], None]


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """Run a scenario in a fresh browser; Ann has a password."""

    def run(scenario: Scenario) -> None:
        async def body() -> None:
            world = IssuerWorld(tmp_path, plan=login_plan())
            await world.new_account("Ann", PASSWORD)
            async with browser(world.app) as page:
                try:
                    await scenario(world, page)
                finally:
                    world.context.people.close()
                    await world.context.storage.close()

        asyncio.run(body())

    return run


async def go(page: httpx.AsyncClient, url: str) -> httpx.Response:
    """Fetch a page as a browser does, whatever redirects there are within the issuer."""
    shown = await page.get(url)
    while shown.status_code == 303:
        assert shown.headers["location"].startswith(BASE), shown.headers["location"]
        shown = await page.get(shown.headers["location"])
    return shown


async def submit(page: httpx.AsyncClient, shown: httpx.Response, action: str, **values: str) -> httpx.Response:
    """Send the first form that leads to an action, and follow where it leads."""
    sent = await send(page, form_for(shown, action), values)
    return await go(page, sent.headers["location"]) if sent.status_code == 303 else sent


def form_for(shown: httpx.Response, action: str) -> Form:
    return next(form for form in forms_of(shown) if form.action.partition("?")[0] == f"{BASE}{action}")


async def sign_in(
    page: httpx.AsyncClient, url: str = ACCOUNT, name: str = "ann", password: str = PASSWORD
) -> httpx.Response:
    """Open a page and sign in on the way."""
    shown = await go(page, url)
    form = next(form for form in forms_of(shown) if "password" in form.fields)
    sent = await send(page, form, {"user_name": name, "password": password})
    return await go(page, sent.headers["location"]) if sent.status_code == 303 else sent


async def sessions_of(world: IssuerWorld, name: str = "ann") -> list[str]:
    services = await world.context.people.services()
    account = (await services.accounts.named(name)).id
    return [each.id for each in await services.database.sessions.of_account(account, now=world.clock.now())]


def test_who_is_signed_in_sees_their_account_and_nobody_else_does(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        assert "Sign in" in (await go(page, ACCOUNT)).text
        shown = await sign_in(page)
        assert "Your account" in shown.text
        assert "this browser" in shown.text
        assert shown.headers["cache-control"] == "no-store"
        assert not shown.url.query, "no code is left in the address"

    visit(scenario)


def test_a_person_of_the_blueprint_has_nothing_to_change(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        sent = await pick(page, await go(page, ACCOUNT), "alice")
        shown = await go(page, sent.headers["location"])
        assert "person of the blueprint" in shown.text
        for place in ("password", "passkeys", "app"):
            assert (await go(page, f"{ACCOUNT}/{place}")).status_code == 404
        out = await submit(page, shown, "/account/sign-out-everywhere")
        assert "signed out" in out.text
        assert "Sign in" in (await go(page, ACCOUNT)).text

    visit(scenario)


def test_a_new_password_needs_a_fresh_sign_in_and_ends_other_sessions(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        async with browser(world.app) as other:
            await sign_in(other)
            await sign_in(page)
            world.clock.advance(FRESH_SECONDS + 1)
            asked = await go(page, f"{ACCOUNT}/password")
            assert "Sign in" in asked.text
            assert 'value="Ann"' in asked.text
            shown = await sign_in(page, f"{ACCOUNT}/password")
            assert "Change your password" in shown.text
            wrong = await submit(page, shown, "/account/password", password=OTHER, again=PASSWORD)
            assert (wrong.status_code, "not the same" in wrong.text) == (400, True)
            weak = await submit(page, shown, "/account/password", password="password1", again="password1")
            assert (weak.status_code, 'aria-describedby="password-hint message"' in weak.text) == (400, True)
            assert len(await sessions_of(world)) == 2
            done = await submit(page, shown, "/account/password", password=OTHER, again=OTHER)
            assert "Your password is set" in done.text
            assert len(await sessions_of(world)) == 1
            assert "Sign in" in (await go(other, ACCOUNT)).text
            assert (await sign_in(other)).status_code == 403
            assert "Your account" in (await sign_in(other, password=OTHER)).text

    visit(scenario)


def test_a_form_that_was_open_for_too_long_changes_nothing(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        shown = await sign_in(page, f"{ACCOUNT}/password")
        world.clock.advance(FORM_SECONDS + 1)
        asked = await submit(page, shown, "/account/password", password=OTHER, again=OTHER)
        assert "Sign in" in asked.text
        async with browser(world.app) as other:
            assert "Your account" in (await sign_in(other)).text, "the password is the former one"

    visit(scenario)


@pytest.mark.parametrize(
    "action",
    [
        "/account/password",
        "/account/password/remove",
        "/account/passkeys",
        "/account/passkeys/remove",
        "/account/app",
        "/account/app/remove",
        "/account/recovery-codes",
        "/account/sessions/end",
        "/account/clients/end",
        "/account/consents/withdraw",
        "/account/sign-out-everywhere",
    ],
)
def test_no_other_site_and_no_other_form_makes_anybody_do_anything(visit: Visit, action: str) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        shown = await sign_in(page)
        token = form_for(shown, "/account/sign-out-everywhere" if action.endswith("end") else "/account/sessions/end")
        for fields, origin in (
            ({"form": "none"}, ORIGIN),
            ({"form_token": "x"}, ORIGIN),
            (token.fields, ORIGIN),
            (token.fields, "https://evil.example"),
        ):
            refused = await page.post(BASE + action, data=fields, headers={"origin": origin})
            assert refused.status_code == 403, action
        assert "text/html" in refused.headers["content-type"]
        assert len(await sessions_of(world)) == 1

    visit(scenario)


def test_a_passkey_is_added_used_and_removed_but_never_the_last_way(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        device = SoftAuthenticator(origin=ORIGIN)
        shown = await sign_in(page, f"{ACCOUNT}/passkeys")
        made = device.make(options_of(shown)).decode()
        form = form_for(shown, "/account/passkeys")
        done = await submit(page, shown, "/account/passkeys", passkey=made, name='<b>"key"</b>')
        assert "Your passkey is added" in done.text
        assert "&lt;b&gt;&#34;key&#34;&lt;/b&gt;" in done.text
        again = await send(page, form, {"passkey": made})
        assert again.status_code == 400, "a challenge works once"
        assert "Your password is removed" in (await submit(page, done, "/account/password/remove")).text
        left = await go(page, ACCOUNT)
        assert "/account/password/remove" not in left.text
        assert "only way" in (await submit(page, left, "/account/passkeys/remove")).text
        assert "had ended already" in (await submit(page, left, "/account/passkeys/remove", passkey="AAAA")).text
        assert "had ended already" in (await submit(page, left, "/account/passkeys/remove", passkey="\u2603")).text
        world.clock.advance(FORM_SECONDS + 1)
        asked = await submit(page, left, "/account/passkeys/remove")
        assert "Sign in" in asked.text

    visit(scenario)


def test_a_passkey_that_another_browser_was_asked_for_is_not_taken(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        async with browser(world.app) as other:
            theirs = await sign_in(other, f"{ACCOUNT}/passkeys")
            made = SoftAuthenticator(origin=ORIGIN).make(options_of(theirs)).decode()
        shown = await sign_in(page, f"{ACCOUNT}/passkeys")
        refused = await submit(page, shown, "/account/passkeys", passkey=made)
        assert (refused.status_code, "not taken" in refused.text) == (400, True)

    visit(scenario)


def test_an_authenticator_app_is_set_up_and_its_recovery_codes_work_once(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        shown = await sign_in(page, f"{ACCOUNT}/app")
        assert "<svg" in shown.text
        key = re.search(r'class="key">([A-Z2-7 ]+)<', shown.text)
        assert key is not None
        wrong = await submit(page, shown, "/account/app", code="000000")
        assert wrong.status_code == 400
        assert key[1] in wrong.text, "the app need not be set up again"
        right = pyotp.TOTP(key[1].replace(" ", "")).at(int(world.clock.now()))
        nonsense = await submit(page, shown, "/account/app", code=right, pending="AAAA")
        assert "Set up" in nonsense.text
        done = await submit(page, wrong, "/account/app", code=right)
        codes = re.findall(r"<li><code>([0-9a-z-]{14})</code>", done.text)
        assert len(codes) == 10
        assert codes[9] in unescape(done.text[done.text.index("data:text/plain") :])
        assert codes[0] not in (await go(page, ACCOUNT)).text
        async with browser(world.app) as other:
            asked = await sign_in(other)
            assert "One thing more" in asked.text
            form = next(form for form in forms_of(asked) if form.fields.get("way") == "recovery-code")
            sent = await send(other, form, {"code": codes[0]})
            overview = await go(other, sent.headers["location"])
            assert "9 left" in overview.text
            fresh = await submit(other, overview, "/account/recovery-codes")
            assert "work no more" in fresh.text
            gone = await submit(other, await go(other, ACCOUNT), "/account/app/remove")
            assert "recovery codes are removed" in gone.text
            world.clock.advance(FORM_SECONDS)
            assert "Change your password" in (await sign_in(other, f"{ACCOUNT}/password")).text, "asked for no code"

    visit(scenario)


def test_sessions_are_listed_and_ended_but_only_ones_own(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        await world.new_account("Bob", PASSWORD)
        async with browser(world.app) as bobs, browser(world.app) as other:
            await sign_in(bobs, name="bob")
            other.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
            await sign_in(other)
            shown = await sign_in(page)
            assert "Firefox on Linux" in shown.text
            (bob,) = await sessions_of(world, "bob")
            assert bob not in shown.text
            assert "had ended already" in (await submit(page, shown, "/account/sessions/end", session=bob)).text
            assert await sessions_of(world, "bob") == [bob]
            (theirs,) = [
                each for each in await sessions_of(world) if "Firefox" in item_with(shown.text, f'value="{each}"')
            ]
            assert "session is ended" in (await submit(page, shown, "/account/sessions/end", session=theirs)).text
            assert "Sign in" in (await go(other, ACCOUNT)).text
            (own,) = await sessions_of(world)
            assert "signed out" in (await submit(page, shown, "/account/sessions/end", session=own)).text
            assert "Sign in" in (await go(page, ACCOUNT)).text

    visit(scenario)


def test_withdrawing_a_consent_and_disconnecting_end_refresh_tokens(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        await sign_in(page)
        services = await world.context.people.services()
        database, now = services.database, world.clock.now()
        ann, bob = (await services.accounts.named("ann")).id, await world.new_account("Bob", PASSWORD)
        for account in (ann, bob):
            await database.consents.grant(account=account, client="partner", scopes=["orders:read"], now=now)
        families = {}
        for name, account, client in (("a", ann, "partner"), ("b", ann, "portal"), ("c", bob, "partner")):
            begun = await database.families.start(
                client=client,
                account=account,
                session="",
                payload={"scopes": ["openid"]},
                now=now,
                idle_seconds=3600,
                final_seconds=3600,
            )
            families[name] = begun.family.id
        shown = await go(page, ACCOUNT)
        assert families["c"] not in shown.text
        stolen = await submit(page, shown, "/account/clients/end", family=families["c"])
        assert "had ended already" in stolen.text
        assert "disconnected" in (await submit(page, shown, "/account/clients/end", family=families["b"])).text
        assert "withdrawn" in (await submit(page, shown, "/account/consents/withdraw", client="partner")).text
        assert "had ended already" in (await submit(page, shown, "/account/consents/withdraw", client="partner")).text
        assert not await database.families.of_account(ann, now=now)
        assert len(await database.families.of_account(bob, now=now)) == 1
        assert await database.consents.of_account(bob)
        for name in ("a", "b"):
            assert await database.revocations.find("family", families[name], now=now) is not None
        assert await database.revocations.find("family", families["c"], now=now) is None

    visit(scenario)


def test_an_invitation_leads_to_a_passkey_and_to_nothing_before_it(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        services = await world.context.people.services()
        invited = await services.invitations.invite(Profile.checked(user_name="Zoe"), by="operator")
        shown = await go(page, invited.link.reveal().decode())
        form = next(form for form in forms_of(shown) if form.fields.get("way") == "passkey")
        sent = await send(page, form, {})
        assert sent.headers["location"] == f"{ACCOUNT}/set-up"
        for place in ("", "/password", "/passkeys", "/app"):
            assert "Set up how you sign in" in (await go(page, ACCOUNT + place)).text
        party = RelyingParty()
        waiting = await go(page, party.url())
        assert "Set up how you sign in" in waiting.text
        device = SoftAuthenticator(origin=ORIGIN)
        refused = await submit(page, waiting, "/account/set-up", passkey="{}")
        assert (refused.status_code, "not taken" in refused.text) == (400, True)
        form = next(form for form in forms_of(waiting) if "passkey" in form.fields)
        done = await send(page, form, {"passkey": device.make(options_of(waiting)).decode(), "name": "phone"})
        assert "Now sign in with it" in done.text
        onwards = re.search(r'class="button" href="([^"]+)"', done.text)
        assert onwards is not None
        login = await go(page, unescape(onwards[1]))
        assert "Sign in" in login.text, "making a passkey proves nothing yet"
        form = next(form for form in forms_of(login) if "passkey" in form.fields)
        back = sent_back(await send(page, form, {"passkey": device.use(options_of(login)).decode()}))
        assert "code" in back
        assert "Your account" in (await go(page, f"{ACCOUNT}/set-up")).text

    visit(scenario)


def test_an_invitation_may_lead_to_a_password(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient) -> None:
        services = await world.context.people.services()
        invited = await services.invitations.invite(Profile.checked(user_name="Zoe"), by="operator")
        shown = await go(page, invited.link.reveal().decode())
        form = next(form for form in forms_of(shown) if form.fields.get("way") == "passkey")
        sent = await send(page, form, {})
        before = page.cookies["__Host-ringwall-issuer"]
        set_up = await go(page, sent.headers["location"])
        form = next(form for form in forms_of(set_up) if "password" in form.fields)
        weak = await send(page, form, {"password": "password1", "again": "password1"})
        assert weak.status_code == 400
        done = await send(page, form, {"password": OTHER, "again": OTHER})
        assert "Your account" in (await go(page, done.headers["location"])).text
        assert page.cookies["__Host-ringwall-issuer"] != before

    visit(scenario)


def options_of(shown: httpx.Response) -> dict[str, object]:
    options = re.search(r'data-options="([^"]*)"', shown.text)
    assert options is not None, shown.text
    found: dict[str, object] = json.loads(unescape(options[1]))
    return found


def item_with(text: str, holding: str) -> str:
    return next(item[0] for item in re.finditer(r"<li>.*?</li>", text, re.DOTALL) if holding in item[0])
