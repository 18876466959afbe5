"""Cookies that somebody else has put beside the issuer's, from another path, host or page: they never win.

`__Host-` keeps browsers from taking such ones. Here it is as if they did.
"""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from tests.support.issuer_browser import ORIGIN, RelyingParty, browser, forms_of, pick, sent_back
from tests.support.issuer_plan import login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.host_cookies import BROWSER, DEVICES, SESSION, START, UPSTREAM, read_cookie

Headers = list[tuple[str, str]]


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


def beside(name: str, *values: str) -> list[Headers]:
    """Return every way in which cookies of one name can come: in one header, in several, either first."""
    pairs = [f"{name}={value}" for value in values]
    return [
        [("cookie", "; ".join(pairs))],
        [("cookie", "; ".join(reversed(pairs)))],
        [("cookie", pair) for pair in pairs],
        [("cookie", pair) for pair in reversed(pairs)],
        [("cookie", f"a=1; {pairs[0]}; b=2"), ("cookie", pairs[1])],
        [("cookie", ";".join(pairs))],
    ]


def read(name: str, headers: Headers) -> str | None:
    raw = [(key.encode(), value.encode("latin-1")) for key, value in headers]
    return read_cookie(Request({"type": "http", "headers": raw}), name)


@pytest.mark.parametrize("name", [SESSION, BROWSER, DEVICES, START, UPSTREAM])
def test_of_two_cookies_neither_is_taken(name: str) -> None:
    assert name.startswith("__Host-")
    for headers in beside(name, "mine", "theirs") + beside(name, "mine", "mine") + beside(name, "mine", ""):
        assert read(name, headers) is None, headers
    assert read(name, [("cookie", f"x=1; {name}=mine; y=2")]) == "mine"


@pytest.mark.parametrize(
    "theirs",
    [
        "__host-ringwall-issuer=theirs",
        "__HOST-RINGWALL-ISSUER=theirs",
        "ringwall-issuer=theirs",
        "__Secure-ringwall-issuer=theirs",
        "__Host-ringwall-issuer =theirs",
        "=__Host-ringwall-issuer=theirs",
        '"__Host-ringwall-issuer"=theirs',
        "__Host-ringwall-issuer",
        "$Version=1",
    ],
)
def test_what_only_looks_like_ours_is_none_and_does_no_harm(theirs: str) -> None:
    assert read(SESSION, [("cookie", theirs)]) is None
    for headers in ([("cookie", f"{theirs}; {SESSION}=mine")], [("cookie", f"{SESSION}=mine; {theirs}")]):
        assert read(SESSION, headers) == "mine"


def handle_of(page: httpx.AsyncClient, name: str = SESSION) -> str:
    return page.cookies[name]


def test_somebody_elses_session_beside_ones_own_signs_in_neither(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as attacker, browser(world.app) as page:
            await pick(attacker, await attacker.get(RelyingParty().url()), "bob")
            await pick(page, await page.get(RelyingParty().url()), "alice")
            mine, theirs = handle_of(page), handle_of(attacker)
            page.cookies.clear()
            asked = RelyingParty().url(prompt="none")
            for headers in beside(SESSION, mine, theirs):
                assert sent_back(await page.get(asked, headers=headers))["error"] == "login_required"
            # And whoever signs in then gets a fresh session, not one that anybody knows.
            both = {"cookie": f"{SESSION}={theirs}; {SESSION}={mine}; {BROWSER}=known"}
            done = await pick(page, await page.get(RelyingParty().url(), headers=both), "alice", **both)
            assert "code" in sent_back(done)
            assert handle_of(page) not in {mine, theirs}
            page.cookies.clear()
            kept = sent_back(await page.get(asked, headers={"cookie": f"{SESSION}={theirs}"}))
            assert "code" in kept, "theirs is still theirs, and nobody else's"

    asyncio.run(run())


def test_a_form_of_the_attackers_browser_is_not_taken_beside_the_attackers_cookie(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as attacker, browser(world.app) as page:
            party = RelyingParty()
            theirs = forms_of(await attacker.get(party.url()))[0]
            mine = forms_of(await page.get(party.url()))[0]
            held, tossed = handle_of(page, BROWSER), handle_of(attacker, BROWSER)
            page.cookies.clear()
            for headers in beside(BROWSER, held, tossed):
                for form in (theirs, mine):
                    answer = await page.post(
                        form.action,
                        data={**form.fields, "person": "bob"},
                        headers=[("origin", ORIGIN), *headers],
                    )
                    assert answer.status_code == 403
                    assert SESSION not in answer.headers.get("set-cookie", "")

    asyncio.run(run())
