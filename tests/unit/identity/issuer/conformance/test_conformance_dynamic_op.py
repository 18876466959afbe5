"""oidcc-config- and oidcc-dynamic-certification-test-plan: one test for each module, by its name.

What stands in docs/limits.md is told by tests here too: implicit response types and unsigned requests do not exist.
"""

import html
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from tests.support.conformance import CALLBACK, PASSWORD, Suite, conformance_world, encoded, play, unsigned
from tests.support.document_server import DocumentServer, document_server
from tests.support.issuer_browser import RelyingParty, forms_of, redeem, send
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key, public_jwk, sign

KEY = make_key("ES256", "first")
OTHER = make_key("ES256", "other")
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
    assert told["subject_types_supported"] == ["public", "pairwise"]
    assert "RS256" in told["userinfo_signing_alg_values_supported"]
    assert told["request_uri_parameter_supported"] is True
    assert told["require_request_uri_registration"] is True
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DocumentServer]:
    with document_server(tmp_path / "dev-ca.pem") as found:
        yield found


def assertion(suite: Suite, key: Any) -> dict[str, str]:
    name, now = suite.client["client_id"], int(suite.world.clock.now())
    claims = {"iss": name, "sub": name, "aud": ISSUER, "jti": secrets.token_hex(), "iat": now, "exp": now + 60}
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": sign({"alg": "ES256", "kid": public_jwk(key)["kid"]}, json.dumps(claims), key),
    }


async def redeemed(suite: Suite, key: Any = KEY, **asked: str) -> dict[str, Any]:
    code = (await suite.authorize(**asked))["code"]
    form = suite.redemption(code, **assertion(suite, key))
    return dict((await redeem(suite.page, form, None)).json())


def test_oidcc_server_and_oidcc_ensure_client_assertion_with_iss_aud_succeeds(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await redeemed(suite)
        await suite.check(given["id_token"], suite.party.nonce)
        await suite.userinfo(given["access_token"])

    play(world, module, **WITH_KEY)


def test_keys_are_rotated_by_changing_the_registration_too(world: IssuerWorld) -> None:
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
        pytest.param({"id_token_signed_response_alg": "none"}, "invalid_client_metadata", id="oidcc-idtoken-unsigned"),
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


@pytest.mark.parametrize("name", ["logo_uri", "policy_uri", "tos_uri", "client_uri"])
@pytest.mark.parametrize("uri", ["https://openid.example", "https://suite.example/policy?a=1&b=2"])
def test_oidcc_registration_logo_uri_policy_uri_tos_uri(world: IssuerWorld, name: str, uri: str) -> None:
    async def module(suite: Suite) -> None:
        assert suite.client[name] == uri
        login = await suite.ask()
        assert f'href="{html.escape(uri)}"' in login.text
        assert "<img" not in login.text
        form = next(form for form in forms_of(login) if "password" in form.fields)
        consent = await send(suite.page, form, {"user_name": "carol", "password": PASSWORD})
        assert f'href="{html.escape(uri)}"' in consent.text
        assert html.escape(httpx.URL(uri).host) in consent.text
        assert "<img" not in consent.text

    play(world, module, **{name: uri})


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "http://suite.example/",
        "http://localhost/",
        "https://localhost/",
        "https://a@suite.example/",
        "data:text/html,x",
        'https://a.b/"x',
    ],
)
def test_links_that_are_none_are_left_out(world: IssuerWorld, uri: str) -> None:
    async def module(suite: Suite) -> None:
        assert "policy_uri" not in suite.client
        assert "privacy" not in (await suite.ask()).text

    play(world, module, policy_uri=uri)


def test_oidcc_registration_jwks_uri(world: IssuerWorld, server: DocumentServer) -> None:
    async def module(suite: Suite) -> None:
        given = await redeemed(suite)
        await suite.check(given["id_token"], suite.party.nonce)
        await suite.userinfo(given["access_token"])

    uri = server.put("/jwks", {"keys": [public_jwk(KEY)]})
    play(world, module, token_endpoint_auth_method="private_key_jwt", jwks_uri=uri)


def test_oidcc_refresh_token_rp_key_rotation(world: IssuerWorld, server: DocumentServer) -> None:
    async def module(suite: Suite) -> None:
        given = await redeemed(suite, scope="openid offline_access", prompt="consent")
        other = make_key("ES256", "second")
        server.put("/jwks", {"keys": [public_jwk(other)]})
        world.clock.advance(60)
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        fresh = (await redeem(suite.page, {**form, **assertion(suite, other)}, None)).json()
        await suite.check(fresh["id_token"], None)
        await suite.userinfo(fresh["access_token"])
        form["refresh_token"] = fresh["refresh_token"]
        refused = (await redeem(suite.page, {**form, **assertion(suite, KEY)}, None)).json()
        assert refused["error"] == "invalid_client"

    uri = server.put("/jwks", {"keys": [public_jwk(KEY)]})
    play(
        world,
        module,
        token_endpoint_auth_method="private_key_jwt",
        jwks_uri=uri,
        grant_types=["authorization_code", "refresh_token"],
    )


def test_oidcc_userinfo_rs256(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await suite.tokens(scope="openid email")
        bearer = {"authorization": f"Bearer {given['access_token']}"}
        response = await suite.page.get(f"{ISSUER}/userinfo", headers=bearer)
        assert (response.status_code, response.headers["content-type"]) == (200, "application/jwt")
        keys = KeySet.import_key_set((await ask(world.app, "GET", "/jwks")).json())
        told = dict(jwt.decode(response.text, keys, algorithms=["RS256"]).claims)
        assert (told["iss"], told["aud"]) == (ISSUER, suite.client["client_id"])
        assert (told["sub"], told["email"]) == (given["claims"]["sub"], "carol@clinic.example")
        assert "nonce" not in told

    play(world, module, userinfo_signed_response_alg="RS256")


def test_oidcc_registration_sector_uri(world: IssuerWorld, server: DocumentServer) -> None:
    async def module(suite: Suite) -> None:
        assert suite.client["subject_type"] == "pairwise"

    uri = server.put("/redirect_uris.json", [CALLBACK])
    play(world, module, subject_type="pairwise", sector_identifier_uri=uri)


@pytest.mark.parametrize(
    "document", [["https://invalid.example/callback"], [], {"redirect_uris": [CALLBACK]}, "x", None]
)
def test_oidcc_registration_sector_bad(world: IssuerWorld, server: DocumentServer, document: Any) -> None:
    uri = f"{server.url}/redirect_uris.json" if document is None else server.put("/redirect_uris.json", document)

    async def module(suite: Suite) -> None:
        for kind in ("pairwise", "public"):
            response = await suite.register(subject_type=kind, sector_identifier_uri=uri)
            assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")

    play(world, module)


def request_object(suite: Suite, key: Any, **changes: Any) -> str:
    suite.party = RelyingParty(client=suite.client["client_id"], callback=CALLBACK, scope="openid")
    now = int(suite.world.clock.now())
    claims = {**suite.party.parameters(), "iss": suite.client["client_id"], "aud": ISSUER, "exp": now + 60, **changes}
    algorithm = public_jwk(key)["alg"]
    return sign({"alg": algorithm, "kid": key.kid, "typ": "oauth-authz-req+jwt"}, json.dumps(claims), key)


@pytest.mark.parametrize("fragment", ["", "#x"])
def test_oidcc_request_uri_signed_rs256(world: IssuerWorld, server: DocumentServer, fragment: str) -> None:
    key = make_key("RS256", "signs-requests")
    uri = server.put("/requests/1", "") + fragment

    async def module(suite: Suite) -> None:
        server.put("/requests/1", request_object(suite, key))
        party = suite.party
        asked = {"client_id": suite.client["client_id"], "request_uri": uri, "scope": "openid"}
        shown = await suite.follow(await suite.page.get(f"{ISSUER}/authorize", params=asked))
        back = await suite.through(shown)
        assert back["state"] == party.state
        response = await redeem(suite.page, party.redemption(back["code"]), suite.auth)
        await suite.check(response.json()["id_token"], party.nonce)

    play(world, module, jwks={"keys": [public_jwk(key)]}, request_uris=[uri], request_object_signing_alg="RS256")


def test_requests_lie_where_the_client_has_registered_and_nowhere_else(
    world: IssuerWorld, server: DocumentServer
) -> None:
    registered = server.put("/requests/1", "")

    async def module(suite: Suite) -> None:
        name = suite.client["client_id"]
        for other in (f"{registered}0", f"{registered}?x", f"{server.url}/requests/2", "https://10.0.0.1/"):
            response = await suite.ask(request_uri=other)
            assert "error=request_uri_not_supported" in response.headers["location"]
        assert server.asked == []
        for unfit in ("", "x", unsigned(f".{encoded({'client_id': name})}."), request_object(suite, OTHER)):
            server.put("/requests/1", unfit)
            response = await suite.page.get(
                f"{ISSUER}/authorize", params={"client_id": name, "request_uri": registered}
            )
            assert (response.status_code, response.headers.get("location")) == (400, None)

    play(world, module, **{**WITH_KEY, "request_uris": [registered]})


def test_defaults_hold_where_a_request_does_not_say(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = (await suite.tokens())["claims"]
        world.clock.advance(100)
        assert (await suite.ask()).status_code == 200, "asked again"
        assert (await suite.tokens(max_age="200"))["claims"]["auth_time"] == first["auth_time"]
        assert (await suite.authorize(prompt="none"))["error"] == "login_required"

    play(world, module, default_max_age=50, require_auth_time=True)


def test_a_level_is_asked_for_where_a_request_does_not_say(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        await suite.tokens(acr_values="pwd")
        assert (await suite.authorize(prompt="none"))["error"] == "login_required"
        assert "code" in await suite.authorize(prompt="none", acr_values="pwd")

    play(world, module, default_acr_values=["mfa"])


@pytest.mark.parametrize(
    "metadata",
    [
        {"default_max_age": -1},
        {"default_max_age": True},
        {"default_max_age": 2**40},
        {"default_acr_values": ["gold"]},
        {"default_acr_values": [["pwd"]]},
        {"subject_type": "both"},
        {"subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://other.example/"]},
        {"userinfo_signed_response_alg": "none"},
        {"request_uris": ["https://127.0.0.1/"] * 21},
    ],
)
def test_metadata_that_cannot_be_honoured(world: IssuerWorld, metadata: dict[str, Any]) -> None:
    async def module(suite: Suite) -> None:
        response = await suite.register(**metadata)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")

    play(world, module)


def test_response_types_that_the_plan_wants_and_that_do_not_exist_here(world: IssuerWorld) -> None:
    told = world.ask("GET", "/.well-known/openid-configuration").json()
    assert told["response_types_supported"] == ["code"]
    assert "implicit" not in told["grant_types_supported"]
    assert "none" not in told["request_object_signing_alg_values_supported"]
