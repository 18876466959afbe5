import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from tests.support.issuer_plan import issuer_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.invitation import PATH
from ringwall.identity.people import invitations
from ringwall.identity.people.profile import Profile

PASSWORD = "correct horse battery staple"
ORIGIN = "https://localhost:8443"
Scenario = Callable[[IssuerWorld, httpx.AsyncClient, str], Awaitable[None]]
Visit = Callable[[Scenario], None]


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """Run a scenario in a browser that was given a link."""

    def run(scenario: Scenario) -> None:
        async def body() -> None:
            world = IssuerWorld(tmp_path, plan=issuer_plan())
            services = await world.context.people.services()
            invited = await services.invitations.invite(Profile.checked(user_name="Ann"), by="operator")
            path = invited.link.reveal().decode().removeprefix("https://localhost:8443/auth")
            transport = httpx.ASGITransport(app=world.app)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser:
                try:
                    await scenario(world, browser, path)
                finally:
                    world.context.people.close()
                    await world.context.storage.close()

        asyncio.run(body())

    return run


async def fill_in(browser: httpx.AsyncClient, path: str, password: str, *, origin: str = ORIGIN) -> httpx.Response:
    page = await browser.get(path)
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    form = {"form_token": token[1] if token else "", "user_name": "Ann", "password": password, "again": password}
    return await browser.post(path, data=form, headers={"origin": origin})


def test_whoever_has_the_link_sets_a_password_and_is_signed_in(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, browser: httpx.AsyncClient, path: str) -> None:
        shown = await browser.get(path)
        assert shown.status_code == 200
        assert "Ann" in shown.text
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        done = await fill_in(browser, path, PASSWORD)
        assert done.status_code == 200, done.text
        assert "Welcome" in done.text
        assert any("__Host-" in cookie and "HttpOnly" in cookie for cookie in done.headers.get_list("set-cookie"))
        services = await world.context.people.services()
        account = await services.accounts.named("ann")
        database = await world.context.storage.database()
        assert len(await database.sessions.of_account(account.id, now=world.clock.now())) == 1
        assert (await browser.get(path)).status_code == 400
        assert (await fill_in(browser, path, PASSWORD)).status_code == 403

    visit(scenario)


def test_a_password_that_is_refused_leaves_the_invitation_there(visit: Visit) -> None:
    async def scenario(_: IssuerWorld, browser: httpx.AsyncClient, path: str) -> None:
        refused = await fill_in(browser, path, "password1")
        assert refused.status_code == 400
        assert "tried first" in refused.text
        assert "password1" not in refused.text
        page = await browser.get(path)
        token = re.search(r'name="form_token" value="([^"]+)"', page.text)
        assert token
        form = {"form_token": token[1], "password": PASSWORD, "again": PASSWORD + "x"}
        different = await browser.post(path, data=form, headers={"origin": ORIGIN})
        assert (different.status_code, "not the same" in different.text) == (400, True)
        assert (await fill_in(browser, path, PASSWORD)).status_code == 200

    visit(scenario)


def test_another_site_cannot_send_the_form(visit: Visit) -> None:
    async def scenario(world: IssuerWorld, browser: httpx.AsyncClient, path: str) -> None:
        assert (await fill_in(browser, path, PASSWORD, origin="https://evil.example")).status_code == 403
        form = {"password": PASSWORD, "again": PASSWORD}
        assert (await browser.post(path, data=form, headers={"origin": ORIGIN})).status_code == 403
        assert await (await world.context.people.services()).accounts.page() == ()

    visit(scenario)


@pytest.mark.parametrize("handle", ["", "x", "%00", "%F0%9F%98%80", "%ff", "a" * 4000])
def test_a_link_that_is_none_is_refused(visit: Visit, handle: str) -> None:
    async def scenario(_: IssuerWorld, browser: httpx.AsyncClient, __: str) -> None:
        refused = await browser.get(f"/invitation?code={handle}")
        assert refused.status_code == 400
        assert refused.headers["content-type"].startswith("text/html")

    visit(scenario)


def test_the_link_is_one_that_no_log_of_paths_holds() -> None:
    assert PATH == invitations.PATH
    assert PATH.partition("?")[2]
