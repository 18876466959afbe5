"""A provider ends sessions that began there (OpenID Connect Back-Channel Logout 1.0, as relying party)."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.issuer_browser import browser, redeem, sent_back
from tests.support.issuer_plan import PORTAL
from tests.support.joserfc_keys import make_key, sign
from tests.support.upstream_world import UpstreamWorld, upstream_of, upstream_world

from ringwall.model.secret import Secret

EVENT = "http://schemas.openid.net/event/backchannel-logout"
PATH = "/auth/upstream/hospital/backchannel_logout"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[UpstreamWorld]:
    with upstream_world(tmp_path) as made:
        yield made


def logout_token(here: UpstreamWorld, header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(here.world.clock.now())
    made = {
        "iss": here.provider.issuer,
        "aud": "ringwall-here",
        "iat": now,
        "exp": now + 120,
        "jti": "t1",
        "events": {EVENT: {}},
        "sub": "ines",
        "sid": "there-1",
        **changes,
    }
    head = {"alg": "ES256", "typ": "logout+jwt", "kid": here.provider.signer.as_dict()["kid"], **(header or {})}
    claims = {name: value for name, value in made.items() if value is not None}
    return sign(head, json.dumps(claims), here.provider.signer)


async def tell(here: UpstreamWorld, token: str, path: str = PATH) -> httpx.Response:
    """Ask as the provider does: with no cookies."""
    async with browser(here.world.app) as provider:
        return await provider.post(path, data={"logout_token": token})


async def sign_in(here: UpstreamWorld, page: httpx.AsyncClient, subject: str, sid: str | None) -> None:
    here.provider.changes["sid"] = sid
    assert "code" in sent_back(await here.sign_in(page, subject))


async def is_signed_in(here: UpstreamWorld, page: httpx.AsyncClient) -> bool:
    return "code" in sent_back(await page.get(here.party.url(prompt="none")))


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ({"sub": None}, ["ines", "stan"]),
        ({}, ["ines", "stan"]),
        ({"sid": None}, ["stan"]),
        ({"sid": "there-3"}, ["ines", "ines", "stan"]),
        ({"sid": "there-2", "sub": None}, ["ines", "stan"]),
        ({"sub": "nobody", "sid": None}, ["ines", "ines", "stan"]),
    ],
)
def test_exactly_the_sessions_end_that_came_from_there(
    here: UpstreamWorld, named: dict[str, Any], left: list[str]
) -> None:
    async def run() -> None:
        async with browser(here.world.app) as one, browser(here.world.app) as two, browser(here.world.app) as three:
            people = [(one, "ines", "there-1"), (two, "ines", "there-2"), (three, "stan", "there-3")]
            for page, subject, sid in people:
                await sign_in(here, page, subject, sid)
            told = await tell(here, logout_token(here, **named))
            assert (told.status_code, told.headers["cache-control"]) == (200, "no-store"), told.text
            assert [subject for page, subject, _ in people if await is_signed_in(here, page)] == left

    asyncio.run(run())


def test_another_providers_session_of_the_same_name_goes_on(here: UpstreamWorld) -> None:
    """Names of people and sessions are each provider's own."""
    there = {"issuer": f"{here.provider.url}/other"}
    here.put(upstream_of(here.provider), upstream_of(here.provider, "ward", oidc=there))

    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page, "ines", "there-1")
            here.provider.document["issuer"] = there["issuer"]
            ward = PATH.replace("hospital", "ward")
            other = logout_token(here, iss=there["issuer"])
            assert (await tell(here, other, ward)).status_code == 200
            assert await is_signed_in(here, page)
            assert (await tell(here, other)).status_code == 400, "at another provider's address"

    asyncio.run(run())


def test_tokens_of_the_session_are_refused_and_clients_told(here: UpstreamWorld) -> None:
    portal = PORTAL.model_copy(update={"backchannel_logout_uri": "https://portal.example/ended"})
    here.put(upstream_of(here.provider), clients=(portal,))

    async def run() -> None:
        async with browser(here.world.app) as page:
            here.provider.changes["sid"] = "there-1"
            back = await here.sign_in(page)
            secret = here.world.new_secret("portal")
            body = await redeem(
                page, here.party.redemption(sent_back(back, here.party.callback)["code"]), ("portal", secret)
            )
            sid = here.world.verify(body.json()["access_token"]).claims["sid"]
            assert (await tell(here, logout_token(here))).status_code == 200
            database = await here.world.context.storage.database()
            now = here.world.clock.now()
            assert await database.revocations.find("session", sid, now=now) is not None
            assert await database.logouts.waiting(now=now) == ("portal",), "it is told as of any other sign-out"
            ended = await database.sessions.get(sid)
            assert ended is not None
            assert ended.reason == "upstream-signed-out"
            events = await database.events.page(limit=5)
            assert ("upstream-signed-out", ended.account) in [(each.act, each.subject) for each in events]

    asyncio.run(run())


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"iat": None},
        {"iat": 1},
        {"iat": 4_000_000_000},
        {"exp": None},
        {"exp": 1},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"events": None},
        {"events": {}},
        {"events": [EVENT]},
        {"events": {EVENT: True}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"nonce": "x"},
        {"sub": None, "sid": None},
        {"sub": "", "sid": None},
        {"sid": 7},
        {"sid": "x" * 256},
    ],
    ids=str,
)
def test_a_wrong_token_ends_nothing(here: UpstreamWorld, changes: dict[str, Any]) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page, "ines", "there-1")
            told = await tell(here, logout_token(here, **changes))
            assert (told.status_code, told.json()["error"]) == (400, "invalid_request")
            assert await is_signed_in(here, page)

    asyncio.run(run())


def test_who_cannot_sign_ends_nothing(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page, "ines", "there-1")
            right = logout_token(here)
            forged = sign({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}, "{}", make_key("ES256", "k1"))
            wrong = [
                "",
                "x",
                "a.b.c",
                right[:-4] + "AAAA",
                forged.rpartition(".")[0] + "." + right.rpartition(".")[2],
                right.rpartition(".")[0] + "." + forged.rpartition(".")[2],
                logout_token(here, {"typ": "at+jwt"}),
                here.provider.id_token,
            ]
            for token in wrong:
                assert (await tell(here, token)).status_code == 400, token
            async with browser(here.world.app) as stranger:
                assert (await stranger.post(PATH)).status_code == 400
                assert (await stranger.get(PATH)).status_code == 405
                assert (await stranger.post(PATH.replace("hospital", "nobody"), data={"a": "b"})).status_code == 404
            assert await is_signed_in(here, page)

    asyncio.run(run())


def test_a_token_counts_once(here: UpstreamWorld) -> None:
    """Else whoever has seen one could end the next session, too (section 2.6, step 8)."""

    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page, "ines", "there-1")
            token = logout_token(here, sid=None)
            assert (await tell(here, token)).status_code == 200
            assert not await is_signed_in(here, page)
            await sign_in(here, page, "ines", "there-2")
            assert (await tell(here, token)).status_code == 400
            assert await is_signed_in(here, page)
            assert (await tell(here, logout_token(here, jti="t2", sid=None))).status_code == 200
            assert not await is_signed_in(here, page)

    asyncio.run(run())


def test_a_session_that_went_on_by_a_password_here_still_ends(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page, "ines", "there-1")
            database = await here.world.context.storage.database()
            handle = Secret(page.cookies["__Host-ringwall-issuer"])
            now = here.world.clock.now()
            renewed = await database.sessions.renew(handle, payload={}, now=now, idle_seconds=60)
            assert renewed is not None
            assert (await tell(here, logout_token(here))).status_code == 200
            ended = await database.sessions.get(renewed[1].id)
            assert ended is not None
            assert ended.ended == now

    asyncio.run(run())


def test_a_session_that_went_on_by_another_sign_in_there_is_named_by_that_one(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await sign_in(here, page, "ines", "there-1")
            await sign_in(here, page, "ines", "there-2")
            assert (await tell(here, logout_token(here))).status_code == 200
            assert await is_signed_in(here, page)
            assert (await tell(here, logout_token(here, jti="t2", sid="there-2"))).status_code == 200
            assert not await is_signed_in(here, page)

    asyncio.run(run())
