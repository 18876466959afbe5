"""oidcc-basic-certification-test-plan: one test for each module, by its name.

Each runs twice: with PKCE as this issuer always wants it, and without, as the suite does, under the profile
`oidc_certification`.

Left out are `oidcc-scope-address`, `-phone` and `-all`, which the suite skips where the metadata do not list the
scopes.
"""

from pathlib import Path

import httpx
import pytest
from tests.support.conformance import CALLBACK, Suite, conformance_world, encoded, play, unsigned
from tests.support.issuer_browser import forms_of, redeem
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_world import IssuerWorld, ask

from ringwall.identity.tokens.encoding import decode_base64url, decode_json_object
from ringwall.plan.client import Profile


@pytest.fixture(params=[None, Profile.OIDC_CERTIFICATION], ids=["pkce", "without-pkce"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> IssuerWorld:
    """An issuer as it always is, which is sent PKCE, and one as for the certification, which is sent none."""
    return conformance_world(tmp_path, profile=request.param)


def error_page(response: httpx.Response) -> None:
    assert response.status_code == 400
    assert "location" not in response.headers
    assert "text/html" in response.headers["content-type"]


def test_oidcc_server(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await suite.tokens()
        assert given["expires_in"] > 0
        await suite.userinfo(given["access_token"])

    play(world, module)


def test_oidcc_response_type_missing(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        assert (await suite.authorize(response_type=None))["error"] == "invalid_request"

    play(world, module)


def test_oidcc_idtoken_unsigned(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        refused = await suite.register(id_token_signed_response_alg="none")
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")

    play(world, module)


def test_oidcc_idtoken_signature(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        head = decode_json_object(decode_base64url((await suite.tokens())["id_token"].split(".")[0]))
        keys = {key["kid"]: key for key in (await ask(world.app, "GET", "/jwks")).json()["keys"]}
        assert (head["alg"], keys[head["kid"]]["kty"]) == ("RS256", "RSA")

    play(world, module)


def test_oidcc_userinfo_get(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        await suite.userinfo((await suite.tokens())["access_token"])

    play(world, module)


def test_oidcc_userinfo_post_header(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        await suite.userinfo((await suite.tokens())["access_token"], "POST")

    play(world, module)


def test_oidcc_userinfo_post_body(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        form = {"access_token": (await suite.tokens())["access_token"]}
        response = await suite.page.post(f"{ISSUER}/userinfo", data=form)
        assert (response.status_code, response.json()["sub"]) == (200, suite.subject)

    play(world, module)


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        assert "nonce" not in (await suite.tokens(nonce=None))["claims"]

    play(world, module)


def test_oidcc_scope_profile(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        about = await suite.userinfo((await suite.tokens(scope="openid profile"))["access_token"])
        assert (about["name"], about["preferred_username"]) == ("Carol", "carol")

    play(world, module)


def test_oidcc_scope_email(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        about = await suite.userinfo((await suite.tokens(scope="openid email"))["access_token"])
        assert about["email"] == "carol@clinic.example"

    play(world, module)


def test_oidcc_scopes_that_are_not_listed_are_skipped(world: IssuerWorld) -> None:
    listed = world.ask("GET", "/.well-known/openid-configuration").json()["scopes_supported"]
    assert not {"address", "phone"} & set(listed)


def test_oidcc_ensure_other_scope_order_succeeds(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        about = await suite.userinfo((await suite.tokens(scope="email openid"))["access_token"])
        assert about["email"]

    play(world, module)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"display": "page"}, id="oidcc-display-page"),
        pytest.param({"display": "popup"}, id="oidcc-display-popup"),
        pytest.param({"login_hint": "carol@clinic.example"}, id="oidcc-login-hint"),
        pytest.param({"ui_locales": "se"}, id="oidcc-ui-locales"),
        pytest.param({"claims_locales": "se"}, id="oidcc-claims-locales"),
        pytest.param({"extra": "foobar"}, id="oidcc-ensure-request-with-unknown-parameter-succeeds"),
        pytest.param({"acr_values": "1 2"}, id="oidcc-ensure-request-with-acr-values-succeeds"),
        pytest.param({"claims": '{"userinfo":{"name":{"essential":true}}}'}, id="oidcc-claims-essential"),
    ],
)
def test_requests_that_succeed(world: IssuerWorld, more: dict[str, str]) -> None:
    async def module(suite: Suite) -> None:
        await suite.userinfo((await suite.tokens(**more))["access_token"])

    play(world, module)


def test_oidcc_ensure_request_with_valid_pkce_succeeds(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        suite.pkce = True
        await suite.userinfo((await suite.tokens())["access_token"])

    play(world, module)


def test_oidcc_prompt_login(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = (await suite.tokens())["claims"]
        world.clock.advance(5)
        second = (await suite.tokens(prompt="login"))["claims"]
        assert second["auth_time"] > first["auth_time"]

    play(world, module)


def test_oidcc_prompt_none_not_logged_in(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        assert (await suite.authorize(prompt="none"))["error"] == "login_required"

    play(world, module)


def test_oidcc_prompt_none_logged_in(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = (await suite.tokens())["claims"]
        world.clock.advance(1)
        second = (await suite.tokens(prompt="none"))["claims"]
        assert (second["sub"], second["auth_time"]) == (first["sub"], first["auth_time"])

    play(world, module)


def test_oidcc_max_age_1(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = (await suite.tokens())["claims"]
        world.clock.advance(2)
        second = (await suite.tokens(max_age="1"))["claims"]
        assert second["auth_time"] > first["auth_time"]

    play(world, module)


def test_oidcc_max_age_10000(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = (await suite.tokens())["claims"]
        world.clock.advance(2)
        response = await suite.ask(max_age="10000")
        assert response.status_code == 303, "nobody is asked again"
        assert (await suite.tokens(max_age="10000"))["claims"]["auth_time"] == first["auth_time"]

    play(world, module)


def test_oidcc_id_token_hint(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = await suite.tokens()
        second = await suite.tokens(prompt="none", id_token_hint=first["id_token"])
        assert second["claims"]["sub"] == first["claims"]["sub"]

    play(world, module)


@pytest.mark.parametrize("seconds", [0, 30], ids=["oidcc-codereuse", "oidcc-codereuse-30seconds"])
def test_code_reuse(world: IssuerWorld, seconds: int) -> None:
    async def module(suite: Suite) -> None:
        code = (await suite.authorize())["code"]
        given = (await redeem(suite.page, suite.redemption(code), suite.auth)).json()
        world.clock.advance(seconds)
        again = await redeem(suite.page, suite.redemption(code), suite.auth)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
        bearer = {"authorization": f"Bearer {given['access_token']}"}
        assert (await suite.page.get(f"{ISSUER}/userinfo", headers=bearer)).status_code == 401

    play(world, module)


def test_oidcc_ensure_registered_redirect_uri(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        error_page(await suite.ask(redirect_uri=f"{CALLBACK}/unregistered"))

    play(world, module)


def test_oidcc_ensure_post_request_succeeds(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        await suite.userinfo((await suite.tokens(method="POST"))["access_token"])

    play(world, module)


def test_oidcc_server_client_secret_post(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        code = (await suite.authorize())["code"]
        name, secret = suite.auth
        form = suite.redemption(code, client_id=name, client_secret=secret)
        assert (await redeem(suite.page, form, None)).status_code == 200

    play(world, module, token_endpoint_auth_method="client_secret_post")


def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        back = await suite.authorize(request_uri="https://suite.example/requests/1#x")
        assert back["error"] == "request_uri_not_supported"

    play(world, module)


def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        back = await suite.authorize(request=unsigned(f".{encoded({'nonce': 'x'})}."))
        assert back["error"] == "request_not_supported"

    play(world, module)


def test_oidcc_ensure_request_object_with_redirect_uri(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        other = unsigned(f".{encoded({'redirect_uri': 'https://evil.example/'})}.")
        assert (await suite.authorize(request=other))["error"] == "request_not_supported"

    play(world, module)


def test_oidcc_refresh_token(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await suite.tokens(scope="openid offline_access", prompt="consent")
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        fresh = (await redeem(suite.page, form, suite.auth)).json()
        claims = await suite.check(fresh["id_token"], None)
        assert claims["auth_time"] == given["claims"]["auth_time"]
        await suite.userinfo(fresh["access_token"])
        await suite.begin()  # another client cannot use it
        form["refresh_token"] = fresh["refresh_token"]
        assert (await redeem(suite.page, form, suite.auth)).json()["error"] == "invalid_grant"

    play(world, module)


def test_the_person_may_refuse(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        await suite.tokens()
        shown = await suite.ask(prompt="consent")
        form = next(form for form in forms_of(shown) if ("decision", "allow") in form.buttons)
        response = await suite.page.post(
            form.action, data={**form.fields, "decision": "deny"}, headers={"origin": "https://localhost:8443"}
        )
        assert "error=access_denied" in response.headers["location"]

    play(world, module)
