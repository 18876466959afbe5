"""Providers and attackers that do everything wrong: whatever they do, nobody is signed in, and nothing answers 500."""

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from tests.support import misbehaving_issuer as misbehaving
from tests.support.issuer_browser import browser, sent_back
from tests.support.joserfc_keys import make_key, public_jwk
from tests.support.misbehaving_issuer import Answer, send
from tests.support.scripted_provider import scripted_provider
from tests.support.upstream_world import UpstreamWorld, refused, upstream_of, upstream_world

from ringwall.identity.federation import fetch
from ringwall.identity.upstream.oidc import provider as providers


@pytest.fixture
def here(tmp_path: Path) -> Iterator[UpstreamWorld]:
    with upstream_world(tmp_path) as made:
        made.provider.people["ines"] = {"groups": ["doctors"]}
        yield made


def _key(kid: str) -> ECKey:
    key = make_key("ES256", kid)
    assert isinstance(key, ECKey)
    return key


def nobody_signs_in(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            assert refused(await here.sign_in(page))
        assert await (await here.world.context.storage.database()).accounts.count() == 0

    asyncio.run(run())


NOW = 1_700_000_000


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": 7},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": ["ringwall-here", "another"]},
        {"aud": ["another", "ringwall-here"], "azp": "ringwall-here"},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["x"]},
        {"nonce": ""},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 4_000_000_000},
        {"iat": 1},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"iat": True},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 256},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"at_hash": 7},
        {"deep": [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]},
        {"big": "x" * 16_384},
    ],
    ids=lambda changes: repr(changes)[:60],
)
def test_an_id_token_that_says_the_wrong_thing_is_refused(here: UpstreamWorld, changes: dict[str, Any]) -> None:
    here.provider.changes = changes
    nobody_signs_in(here)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"kid": "k2"},
        {"kid": "../k1"},
        {"crit": ["b64"], "b64": False},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://evil.example/keys"},
    ],
    ids=repr,
)
def test_an_id_token_with_such_a_header_is_refused(here: UpstreamWorld, header: dict[str, Any]) -> None:
    here.provider.header = header
    nobody_signs_in(here)


def test_a_key_that_is_not_published_signs_nobody_in(here: UpstreamWorld) -> None:
    """Another key under the same name: the token is not what was published."""
    here.provider.signer = _key("k1")
    nobody_signs_in(here)


def test_a_key_that_was_replaced_a_moment_ago_is_found(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await here.sign_in(page)
            here.provider.publish(_key("k2"))
            here.world.clock.advance(providers.MIN_SECONDS)
            assert "code" in sent_back(await here.sign_in(page, prompt="login"))
            asked = len(here.provider.asked)
            here.provider.header = {"kid": "made-up"}
            for _ in range(3):
                assert refused(await here.sign_in(page, prompt="login"))
            assert here.provider.asked[asked:].count("GET /keys") == 0, "made-up key names cost the provider nothing"

    asyncio.run(run())


def test_a_former_key_signs_nobody_in_once_it_is_not_published_any_more(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            await here.sign_in(page)
        former, here.provider.keys = here.provider.signer, [public_jwk(_key("k2"))]
        here.world.clock.advance(providers.FRESH_SECONDS)
        assert former.as_dict()["kid"] == "k1"
        async with browser(here.world.app) as page:
            assert refused(await here.sign_in(page))

    asyncio.run(run())


@pytest.mark.parametrize("key", [{"kty": "oct", "k": "AAAA", "kid": "k1"}, {"kty": "EC", "crv": "P-256", "kid": "k1"}])
def test_a_provider_without_a_usable_key_is_not_gone_to(here: UpstreamWorld, key: dict[str, Any]) -> None:
    here.provider.keys = [key]

    async def run() -> None:
        async with browser(here.world.app) as page:
            shown = await page.get(here.party.url().replace("/authorize?", "/upstream/hospital?"))
            assert refused(shown)
            assert "cannot be reached" in shown.text

    asyncio.run(run())


# What comes back through the browser


@pytest.mark.parametrize("iss", ["https://evil.example", "", "http://127.0.0.1:1", "HTTP"])
def test_an_answer_that_names_another_issuer_sends_no_code_anywhere(here: UpstreamWorld, iss: str) -> None:
    """Mix-up (RFC 9207): the code of one provider would be sent to another."""

    async def run() -> None:
        async with browser(here.world.app) as page:
            begun = await here.leave(page)
            named = here.provider.issuer.upper() if iss == "HTTP" else iss
            assert refused(await here.come_back(page, here.provider.answer(begun, iss=named) | {"iss": named or "x"}))
            assert not here.provider.forms

    asyncio.run(run())


def test_a_provider_that_promises_to_name_itself_must(here: UpstreamWorld) -> None:
    here.provider.document["authorization_response_iss_parameter_supported"] = True

    async def run() -> None:
        async with browser(here.world.app) as page:
            begun = await here.leave(page)
            assert refused(await here.come_back(page, here.provider.answer(begun)))
            assert not here.provider.forms
            begun = await here.leave(page)
            back = await here.come_back(page, here.provider.answer(begun, iss=here.provider.issuer))
            assert "code" in sent_back(back)

    asyncio.run(run())


def test_an_answer_to_another_providers_address_is_refused(here: UpstreamWorld) -> None:
    """Mix-up without `iss`: each provider has an address of its own (RFC 9700, section 4.4.2.2)."""
    with scripted_provider(here.world.clock) as evil:
        here.put(upstream_of(here.provider), upstream_of(evil, "evil"))

        async def run() -> None:
            async with browser(here.world.app) as page:
                answer = here.provider.answer(await here.leave(page))
                assert refused(await here.come_back(page, answer, "evil"))
                assert not evil.forms, "the honest provider's code does not reach the other"
                assert "code" in sent_back(await here.come_back(page, answer)), "and is still good"

        asyncio.run(run())


def test_a_code_that_was_made_for_another_sign_in_is_worth_nothing(here: UpstreamWorld) -> None:
    """Code injection: PKCE and nonce hold a code to the sign-in that it was made for (RFC 9700, section 4.5)."""

    async def run() -> None:
        async with browser(here.world.app) as attacker, browser(here.world.app) as victim:
            stolen = here.provider.answer(await here.leave(victim), "victim")["code"]
            own = await here.leave(attacker)
            assert refused(await here.come_back(attacker, {"code": stolen, "state": own["state"]}))
            assert here.provider.forms[-1]["code"] == stolen
            assert "access_token" not in here.provider.id_token

    asyncio.run(run())


def test_nonce_holds_a_code_where_the_provider_forgets_pkce(here: UpstreamWorld) -> None:
    async def run() -> None:
        async with browser(here.world.app) as attacker, browser(here.world.app) as victim:
            begun = await here.leave(victim)
            stolen = here.provider.answer(begun, "victim")["code"]
            own = await here.leave(attacker)
            begun.parameters["code_challenge"] = own["code_challenge"]
            assert refused(await here.come_back(attacker, {"code": stolen, "state": own["state"]}))
            assert here.provider.id_token, "the provider did redeem it"

    asyncio.run(run())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["code", "state", "iss", "error", "error_description", "x"]), st.text()))
def test_whatever_comes_back_is_answered(here: UpstreamWorld, answer: dict[str, str]) -> None:
    async def run() -> None:
        async with browser(here.world.app) as page:
            begun = await here.leave(page)
            sent = {"state": begun["state"], **answer}
            query = urlencode({name: value.encode(errors="replace") for name, value in sent.items()})
            assert (await page.get(f"/auth/upstream/hospital/callback?{query}")).status_code in {400, 403}

    asyncio.run(run())


# What the provider answers by itself


def _json(body: bytes, status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, body, status)

    return answer


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
@pytest.mark.parametrize(
    "answer",
    [
        misbehaving.html,
        misbehaving.failing,
        misbehaving.huge,
        misbehaving.endless,
        misbehaving.dripping,
        misbehaving.dripping_headers,
        misbehaving.silent,
        misbehaving.short,
        misbehaving.compressed,
        misbehaving.garbage,
        misbehaving.redirecting("http://127.0.0.1:1/"),
        _json(b"[]"),
        _json(b'{"issuer": 1, "keys": 2, "id_token": 3, "access_token": 4}'),
        _json(b'{"id_token": "a.b.c", "access_token": "x"}'),
        _json(b'{"id_token": "", "access_token": ""}'),
        _json(b'{"error": {"a": 1}}', 400),
        _json(b'{"error": "invalid_client"}', 401),
        _json(b"\xff\xfe", 401),
    ],
    ids=lambda answer: getattr(answer, "__qualname__", str(answer))[:30],
)
def test_whatever_a_provider_answers_nobody_is_signed_in(
    here: UpstreamWorld, monkeypatch: pytest.MonkeyPatch, path: str, answer: Answer
) -> None:
    monkeypatch.setattr(fetch, "MAX_SECONDS", 0.3)
    monkeypatch.setattr(fetch.Fetcher.__init__, "__kwdefaults__", {"tls": None, "seconds": 0.3})
    here.provider.answers[path] = answer

    async def run() -> None:
        async with browser(here.world.app) as page:
            if path == "/token":
                assert refused(await here.sign_in(page))
            else:
                left = await page.get(here.party.url().replace("/authorize?", "/upstream/hospital?"))
                assert refused(left)
                assert left.status_code == 503

    asyncio.run(run())


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "https://evil.example\r\nset-cookie: a=b"},
        {"authorization_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "http://169.254.169.254/latest"},
        {"token_endpoint": 7},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
    ids=repr,
)
def test_metadata_that_leads_astray_is_not_followed(here: UpstreamWorld, changes: dict[str, Any]) -> None:
    here.provider.document |= changes

    async def run() -> None:
        async with browser(here.world.app) as page:
            left = await page.get(here.party.url().replace("/authorize?", "/upstream/hospital?"))
            assert refused(left)
            assert left.status_code == 503

    asyncio.run(run())


def test_the_userinfo_of_somebody_else_is_not_taken(here: UpstreamWorld) -> None:
    here.put(upstream_of(here.provider, oidc={"userinfo": True}))
    here.provider.userinfo = {"sub": "victim", "groups": ["staff"]}
    nobody_signs_in(here)


def test_userinfo_adds_to_the_id_token_and_takes_nothings_place(here: UpstreamWorld) -> None:
    here.put(upstream_of(here.provider, oidc={"userinfo": True}))
    here.provider.userinfo = {"groups": ["staff"], "ward": {"level": 3}, "iss": "https://evil.example"}
    claims = asyncio.run(here.claims())
    assert claims["roles"] == ["clinician", "guest"], "`groups` is the ID token's"
    assert claims["realm_access"] == {"level": 3}


def test_a_missing_secret_says_so_to_the_operator_alone(
    here: UpstreamWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "secrets" / "hospital").unlink()
    nobody_signs_in(here)
    assert "secrets/hospital cannot be read" in caplog.text


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_ringwall_proves_who_it_is(here: UpstreamWorld, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGWALL_SECRET_HOSPITAL", "s3cret+/: &")
    changes = {"authentication": method, "secret_file": "", "secret_env": "RINGWALL_SECRET_HOSPITAL"}
    here.put(upstream_of(here.provider, oidc=changes))
    assert asyncio.run(here.claims())["roles"]
    form, authorization = here.provider.forms[-1], here.provider.authorizations[-1]
    assert ("client_secret" in form, "client_assertion" in form, authorization.startswith("Basic ")) == {
        "client_secret_basic": (False, False, True),
        "client_secret_post": (True, False, False),
        "private_key_jwt": (False, True, False),
    }[method]
