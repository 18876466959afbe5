"""Signed request objects (RFC 9101): who made the request, and that nobody has changed it on its way."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.issuer_browser import ORIGIN, RelyingParty, browser, pick, redeem, sent_back
from tests.support.issuer_plan import BATCH, ISSUER, PARTNER, SPA, login_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key, sign
from tests.support.signed_requests import KEY, PARTY, SIGNING, asserted, bring, push

from ringwall.identity.issuer.oauth.request_objects import LEEWAY_SECONDS, LONGEST_SECONDS

PUSHING = SIGNING.model_copy(update={"name": "pushing", "pushed_requests": True})


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan(clients=(BATCH, SIGNING, PUSHING, PARTNER, SPA)))


def signed(world: IssuerWorld, *, header: dict[str, Any] | None = None, key: Any = KEY, **changes: Any) -> str:
    """Return a request object; a change to None leaves a claim out."""
    now = int(world.clock.now())
    claims = {"iss": "portal", "aud": ISSUER, "nbf": now, "exp": now + 60, **PARTY.parameters(), **changes}
    head = {"typ": "oauth-authz-req+jwt", "alg": "ES256", "kid": "k1", **(header or {})}
    payload = json.dumps({name: value for name, value in claims.items() if value is not None})
    return sign({name: value for name, value in head.items() if value is not None}, payload, key)


def test_what_the_client_signed_is_done_and_nothing_from_beside_it(world: IssuerWorld) -> None:
    beside = {"redirect_uri": "https://evil.example/", "scope": "openid offline_access", "state": "evil"}

    async def run() -> None:
        async with browser(world.app) as page:
            back = sent_back(await pick(page, await bring(page, signed(world), **beside)))
            assert back["state"] == PARTY.state
            body = (await redeem(page, {**PARTY.redemption(back["code"]), **asserted(world)}, None)).json()
            assert body["scope"] == PARTY.scope
            made = await push(world, page, signed(world), **beside)
            query = urlencode({"client_id": "portal", "request_uri": made.json()["request_uri"]})
            shown = await page.get((await page.get(f"{ISSUER}/authorize?{query}")).headers["location"])
            assert sent_back(shown)["state"] == PARTY.state

    asyncio.run(run())


NOW = 1_700_000_000  # of `ManualClock`
WRONG: dict[str, dict[str, Any]] = {
    "another-issuer": {"iss": "partner"},
    "no-issuer": {"iss": None},
    "another-audience": {"aud": "https://elsewhere.example"},
    "no-audience": {"aud": None},
    "expired": {"exp": NOW - LEEWAY_SECONDS},
    "no-expiry": {"exp": None},
    "too-long": {"exp": NOW + LONGEST_SECONDS + LEEWAY_SECONDS + 1},
    "not-yet": {"nbf": NOW + LEEWAY_SECONDS + 1},
    "too-old": {"nbf": NOW - LONGEST_SECONDS - 1},
    "another-client": {"client_id": "partner"},
    "no-client": {"client_id": None},
    "a-subject": {"sub": "portal"},
    "an-object-inside": {"request": "x"},
    "a-reference-inside": {"request_uri": "https://evil.example/"},
    "an-object-as-value": {"state": {"a": 1}},
    "a-list-as-value": {"state": ["a"]},
    "a-bad-jti": {"jti": 7},
    "too-large": {"state": "é" * 4000},
    "type-of-an-assertion": {"header": {"typ": "JWT"}},
    "no-type": {"header": {"typ": None}},
    "type-of-a-proof": {"header": {"typ": "dpop+jwt"}},
    "another-key": {"key": make_key("ES256")},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_goes_nowhere(world: IssuerWorld, wrong: dict[str, Any]) -> None:

    async def run() -> None:
        async with browser(world.app) as page:
            text = signed(world, **wrong)
            assert (await bring(page, text)).status_code in {400, 414}
            refused = await push(world, page, text)
            assert refused.status_code in {400, 413}
            assert refused.json()["error"] in {"invalid_request_object", "invalid_request"}

    asyncio.run(run())


def test_neither_unsigned_nor_symmetric(world: IssuerWorld) -> None:
    _, payload, signature = signed(world).split(".")

    async def run() -> None:
        async with browser(world.app) as page:
            for head in ("eyJhbGciOiJub25lIiwidHlwIjoib2F1dGgtYXV0aHotcmVxK2p3dCJ9", "eyJhbGciOiJIUzI1NiJ9"):
                for end in (signature, ""):
                    assert (await bring(page, f"{head}.{payload}.{end}")).status_code == 400

    asyncio.run(run())


def test_one_with_a_name_works_once(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            text = signed(world, jti="one")
            assert (await bring(page, text)).status_code == 200
            assert (await bring(page, text)).status_code == 400

    asyncio.run(run())


def test_who_has_no_keys_cannot_sign_and_who_must_push_must_push(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            text = signed(world, iss="pushing", client_id="pushing")
            assert (await bring(page, text, client="pushing")).status_code == 400
            spa = RelyingParty(client="spa", callback="https://spa.example/callback")
            back = sent_back(await page.get(spa.url(request=signed(world))), spa.callback)
            assert back["error"] == "request_not_supported"

    asyncio.run(run())


def test_lists_and_numbers_are_parameters_too(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            text = signed(world, max_age=60, resource=["clinic", f"{ORIGIN}/orders"])
            assert "code" in sent_back(await pick(page, await bring(page, text)))
            elsewhere = signed(world, resource=["clinic", "https://elsewhere.example/"])
            assert sent_back(await bring(page, elsewhere))["error"] == "invalid_target"
            world.clock.advance(61)
            assert (await bring(page, signed(world, max_age=60))).status_code == 200  # signs in again

    asyncio.run(run())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "jti", "client_id", "state", "scope", "resource", "prompt"])


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(NAMES, JSON, min_size=1, max_size=4))
def test_whatever_was_signed(fuzzed: IssuerWorld, claims: dict[str, Any]) -> None:
    query = urlencode({"client_id": "portal", "request": signed(fuzzed, **claims)})
    response = fuzzed.ask("GET", f"/authorize?{query}")
    assert response.status_code in {303, 400, 414}
    if response.status_code == 303:
        place = response.headers["location"].removeprefix(ISSUER)
        assert fuzzed.ask("GET", place).status_code in {200, 303}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> IssuerWorld:
    return IssuerWorld(tmp_path_factory.mktemp("request-objects"), plan=login_plan(clients=(SIGNING,)))
