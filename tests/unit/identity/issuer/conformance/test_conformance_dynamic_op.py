"""oidcc-config- and oidcc-dynamic-certification-test-plan: one test for each module, by its name.

What stands in docs/limits.md is told by tests here too: what cannot be registered.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.conformance import CALLBACK, Suite, conformance_world, play
from tests.support.issuer_browser import redeem
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key, public_jwk, sign

KEY = make_key("ES256", "first")
WITH_KEY = {
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": {"keys": [public_jwk(KEY)]},
}


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return conformance_world(tmp_path)


def test_oidcc_discovery_endpoint_verification(world: IssuerWorld) -> None:
    response = world.ask("GET", "/.well-known/openid-configuration")
    told = response.json()
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert told["issuer"] == ISSUER
    assert "code" in told["response_types_supported"]
    assert told["subject_types_supported"] == ["public"]
    assert "openid" in told["scopes_supported"]
    assert "authorization_code" in told["grant_types_supported"]
    assert told["claims_supported"]
    assert isinstance(told["code_challenge_methods_supported"], list)
    assert "RS256" in told["request_object_signing_alg_values_supported"]
    assert all(value.startswith("https://") for name, value in told.items() if name.endswith(("_endpoint", "_uri")))
    keys = world.ask("GET", "/jwks").json()["keys"]
    assert all(key["kid"] and not {"d", "p", "q", "k"} & set(key) for key in keys)
    assert "RS256" in told["id_token_signing_alg_values_supported"]
    assert "RS256" in {key["alg"] for key in keys}


async def redeemed(suite: Suite, key: Any = KEY) -> dict[str, Any]:
    code = (await suite.authorize())["code"]
    name, now = suite.client["client_id"], int(suite.world.clock.now())
    claims = {"iss": name, "sub": name, "aud": ISSUER, "jti": code, "iat": now, "exp": now + 60}
    form = suite.party.redemption(
        code,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=sign({"alg": "ES256", "kid": public_jwk(key)["kid"]}, json.dumps(claims), key),
    )
    return dict((await redeem(suite.page, form, None)).json())


def test_oidcc_server_and_oidcc_ensure_client_assertion_with_iss_aud_succeeds(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await redeemed(suite)
        await suite.check(given["id_token"], suite.party.nonce)
        await suite.userinfo(given["access_token"])

    play(world, module, **WITH_KEY)


def test_oidcc_refresh_token_rp_key_rotation(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        await redeemed(suite)
        other = make_key("ES256", "second")
        path = suite.client["registration_client_uri"].removeprefix(ISSUER)
        bearer = {"authorization": f"Bearer {suite.client['registration_access_token']}"}
        kept = ("redirect_uris", "token_endpoint_auth_method", "client_name")
        asked = {name: suite.client[name] for name in kept}
        asked |= {"client_id": suite.client["client_id"], "jwks": {"keys": [public_jwk(other)]}}
        changed = await ask(world.app, "PUT", path, json=asked, headers=bearer)
        assert changed.status_code == 200, changed.text
        assert (await redeemed(suite))["error"] == "invalid_client"
        assert "id_token" in await redeemed(suite, other)

    play(world, module, **WITH_KEY)


def test_oidcc_server_rotate_keys(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = await suite.tokens()
        before = {key["kid"] for key in (await ask(world.app, "GET", "/jwks")).json()["keys"]}
        world.keys.rotate()
        world.clock.advance(200)
        world.keys.tick()
        after = {key["kid"] for key in (await ask(world.app, "GET", "/jwks")).json()["keys"]}
        assert after - before
        assert (await suite.tokens())["id_token"].split(".")[0] != first["id_token"].split(".")[0]

    play(world, module)


def test_oidcc_ensure_redirect_uri_in_authorization_request(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        response = await suite.ask(redirect_uri=None)
        assert (response.status_code, response.headers.get("location")) == (400, None)

    play(world, module)


def test_oidcc_redirect_uri_query_ok(world: IssuerWorld) -> None:
    registered = f"{CALLBACK}?foo=bar"

    async def module(suite: Suite) -> None:
        response = await suite.ask(redirect_uri=registered, prompt="none")
        assert response.headers["location"].startswith(f"{registered}&error=login_required")

    play(world, module, redirect_uris=[registered])


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(f"{CALLBACK}?foo=other", id="oidcc-redirect-uri-query-mismatch"),
        pytest.param(f"{CALLBACK}?foo=bar&more=1", id="oidcc-redirect-uri-query-added"),
    ],
)
def test_other_queries(world: IssuerWorld, asked: str) -> None:
    async def module(suite: Suite) -> None:
        response = await suite.ask(redirect_uri=asked)
        assert (response.status_code, response.headers.get("location")) == (400, None)

    play(world, module, redirect_uris=[f"{CALLBACK}?foo=bar"])


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        pytest.param({"redirect_uris": [f"{CALLBACK}#x"]}, "invalid_redirect_uri", id="oidcc-redirect-uri-regfrag"),
        pytest.param(
            {"sector_identifier_uri": "https://suite.example/bad"},
            "invalid_client_metadata",
            id="oidcc-registration-sector-bad",
        ),
        pytest.param({"id_token_signed_response_alg": "none"}, "invalid_client_metadata", id="oidcc-idtoken-unsigned"),
        # This the suite wants to succeed; see docs/limits.md.
        pytest.param({"userinfo_signed_response_alg": "RS256"}, "invalid_client_metadata", id="oidcc-userinfo-rs256"),
    ],
)
def test_registrations_that_are_refused(world: IssuerWorld, metadata: dict[str, Any], error: str) -> None:
    async def module(suite: Suite) -> None:
        response = await suite.register(**metadata)
        assert (response.status_code, response.json()["error"]) == (400, error)

    play(world, module)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_oidcc_idtoken_rs256(world: IssuerWorld, algorithm: str) -> None:
    async def module(suite: Suite) -> None:
        assert suite.client["id_token_signed_response_alg"] == algorithm
        await suite.tokens()

    play(world, module, id_token_signed_response_alg=algorithm)


@pytest.mark.parametrize("name", ["logo_uri", "policy_uri", "tos_uri"])
def test_oidcc_registration_uris_that_only_decorate_are_left_out(world: IssuerWorld, name: str) -> None:
    async def module(suite: Suite) -> None:
        assert name not in suite.client
        shown = await suite.ask()
        assert "suite.example/decoration" not in shown.text

    play(world, module, **{name: "https://suite.example/decoration"})
