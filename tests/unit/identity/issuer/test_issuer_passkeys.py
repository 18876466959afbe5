"""Signing in with a passkey on the issuer's pages, by an authenticator in software that can misbehave."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from tests.support.issuer_browser import Form, RelyingParty, browser, forms_of, send, sent_back
from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.soft_authenticator import PRESENT, SoftAuthenticator

PASSWORD = "correct horse battery staple"
ORIGIN = "https://localhost:8443"
PARTY = RelyingParty()
Scenario = Callable[[IssuerWorld, httpx.AsyncClient, SoftAuthenticator], Awaitable[None]]


@pytest.fixture
def visit(tmp_path: Path) -> Callable[[Scenario], None]:
    """Run a scenario with Ann, who has a password and a passkey."""

    def run(scenario: Scenario) -> None:
        async def body() -> None:
            world = IssuerWorld(tmp_path, plan=login_plan())
            account = await world.new_account("Ann", PASSWORD)
            device = SoftAuthenticator(origin=ORIGIN)
            await _register(world, account, device)
            async with browser(world.app) as page:
                try:
                    await scenario(world, page, device)
                finally:
                    world.context.people.close()
                    await world.context.storage.close()

        asyncio.run(body())

    return run


async def _register(world: IssuerWorld, account: str, device: SoftAuthenticator) -> None:
    credentials = (await world.context.people.services()).credentials
    made = device.make(await credentials.begin_passkey(account, binding="b"))
    await credentials.add_passkey(account, made, binding="b", name="key", by=account)


def _asked(shown: httpx.Response) -> tuple[Form, dict[str, Any]]:
    """Return the form for passkeys and the options in it."""
    options = re.search(r'data-options="([^"]*)"', shown.text)
    assert options is not None, shown.text
    return next(form for form in forms_of(shown) if "passkey" in form.fields), json.loads(unescape(options[1]))


async def _use(page: httpx.AsyncClient, shown: httpx.Response, device: SoftAuthenticator) -> httpx.Response:
    form, options = _asked(shown)
    return await send(page, form, {"passkey": device.use(options).decode()})


def test_a_passkey_alone_signs_in_as_surely_as_can_be(visit: Callable[[Scenario], None]) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient, device: SoftAuthenticator) -> None:
        shown = await page.get(PARTY.url(acr_values="phr"))
        assert 'name="password"' not in shown.text, "a password would not do"
        assert "code" in sent_back(await _use(page, shown, device))
        assert "code" in sent_back(await page.get(PARTY.url(acr_values="phr", prompt="none")))

    visit(scenario)


def test_the_page_tells_nothing_of_who_has_passkeys(visit: Callable[[Scenario], None]) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient, device: SoftAuthenticator) -> None:
        _, options = _asked(await page.get(PARTY.url(login_hint="Ann")))
        assert options["allowCredentials"] == []
        assert options["userVerification"] == "required"
        assert options["rpId"] == "localhost"

    visit(scenario)


def test_a_challenge_is_one_browsers_and_works_once(visit: Callable[[Scenario], None]) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient, device: SoftAuthenticator) -> None:
        form, options = _asked(await page.get(PARTY.url()))
        stolen = device.use(options).decode()
        async with browser(world.app) as other:
            theirs, _ = _asked(await other.get(PARTY.url()))
            assert (await send(other, theirs, {"passkey": stolen})).status_code == 403
        assert "code" in sent_back(await send(page, form, {"passkey": stolen}))
        async with browser(world.app) as later:
            form, options = _asked(await later.get(PARTY.url()))
            answer = device.use(options).decode()
            cookies = dict(later.cookies)
            assert "code" in sent_back(await send(later, form, {"passkey": answer}))
            later.cookies.clear()
            later.cookies.update(cookies)
            assert (await send(later, form, {"passkey": answer})).status_code == 403

    visit(scenario)


@pytest.mark.parametrize(
    "change",
    [{"flags": PRESENT}, {"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"credential": b"x" * 32}],
)
def test_what_a_passkey_must_prove_is_asked_for(visit: Callable[[Scenario], None], change: dict[str, Any]) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient, device: SoftAuthenticator) -> None:
        for name, value in change.items():
            setattr(device, name, value)
        refused = await _use(page, await page.get(PARTY.url()), device)
        assert refused.status_code == 403
        assert "not known here" in refused.text
        assert "__Host-ringwall-issuer" not in refused.headers.get("set-cookie", "")

    visit(scenario)


def test_a_copy_is_told_apart_by_its_count(visit: Callable[[Scenario], None]) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient, device: SoftAuthenticator) -> None:
        device.count = 10
        assert "code" in sent_back(await _use(page, await page.get(PARTY.url()), device))
        device.count = 3
        async with browser(world.app) as other:
            refused = await _use(other, await other.get(PARTY.url()), device)
            assert refused.status_code == 403
            assert "copy" in refused.text

    visit(scenario)


@pytest.mark.parametrize("answer", ["", "{", "[]", "null", '{"response": {}}', "\u2603", "x" * 5000, '{"a":' * 500])
def test_nonsense_is_a_refusal(visit: Callable[[Scenario], None], answer: str) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient, device: SoftAuthenticator) -> None:
        form, _ = _asked(await page.get(PARTY.url()))
        assert (await send(page, form, {"passkey": answer})).status_code == 403

    visit(scenario)


def test_the_second_factor_may_be_a_passkey_but_not_somebody_elses(visit: Callable[[Scenario], None]) -> None:
    async def scenario(world: IssuerWorld, page: httpx.AsyncClient, device: SoftAuthenticator) -> None:
        services = await world.context.people.services()
        account = (await services.accounts.named("ann")).id
        app = await services.credentials.begin_totp(account)
        code = pyotp.TOTP(app.typed).at(int(world.clock.now()))
        await services.credentials.confirm_totp(account, app.pending, code, by=account)
        bob = await world.new_account("Bob", PASSWORD)
        bobs = SoftAuthenticator(origin=ORIGIN)
        await _register(world, bob, bobs)
        form = next(form for form in forms_of(await page.get(PARTY.url())) if "password" in form.fields)
        asked = await send(page, form, {"user_name": "ann", "password": PASSWORD})
        assert "One thing more" in asked.text
        refused = await _use(page, asked, bobs)
        assert refused.status_code == 403
        assert "not of the account" in refused.text
        assert "code" in sent_back(await _use(page, refused, device))

    visit(scenario)
