"""Nobody is sent anywhere that a client did not register, and every answer says whose it is."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from tests.support.issuer_browser import CALLBACK, ORIGIN, RelyingParty, browser, forms_of, pick, sent_back
from tests.support.issuer_plan import ISSUER, PHONE, PORTAL, login_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.oauth.redirects import find_after_logout, find_registered


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


def ask(world: IssuerWorld, url: str, **headers: str) -> httpx.Response:
    async def run() -> httpx.Response:
        async with browser(world.app) as page:
            return await page.get(url, headers=headers)

    return asyncio.run(run())


ELSEWHERE = [
    "https://evil.example/callback",
    "https://portal.example/callback/",
    "https://portal.example/callback/../evil",
    "https://portal.example/callback/..%2fevil",
    "https://portal.example/callback?x=1",
    "https://portal.example/callback#x",
    "https://portal.example/callback#",
    "https://portal.example/Callback",
    "https://PORTAL.example/callback",
    "https://portal.example:443/callback",
    "https://portal.example:8443/callback",
    "https://portal.example./callback",
    "https://portal.example@evil.example/callback",
    "https://evil.example\\@portal.example/callback",
    "https://portal.example.evil.example/callback",
    "https://portal.example%2eevil.example/callback",
    "https://portal.example/callback\r\nSet-Cookie: a=b",
    "https://portal.example/callback ",
    " https://portal.example/callback",
    "https:/portal.example/callback",
    "//portal.example/callback",
    "/callback",
    "http://portal.example/callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://portal.example/other",
    "https://portal.example/other?tenant=8",
    "https://portal.example/other?tenant=7&tenant=8",
    "https://portal.example/",
    "https://spa.example/callback",
    "https://portal.example/callback\0",
    "https://portal.example/c\u0430llback",
    "",
]


@pytest.mark.parametrize("uri", ELSEWHERE)
def test_a_redirect_uri_that_is_not_registered_leads_nowhere(world: IssuerWorld, uri: str) -> None:
    response = ask(world, RelyingParty().url(redirect_uri=uri))
    assert response.status_code == 400
    assert "location" not in response.headers
    assert forms_of(response) == []
    assert "evil" not in response.text


def test_every_registered_uri_is_good_as_it_is_written(world: IssuerWorld) -> None:
    for uri in PORTAL.redirect_uris:
        party = RelyingParty(callback=uri)
        response = ask(world, party.url(prompt="none"))
        location = response.headers["location"]
        assert location.startswith(uri + ("&" if "?" in uri else "?"))
        assert parse_qs(urlsplit(location).query)["error"] == ["login_required"]


@pytest.mark.parametrize("client", [None, "", "nobody", "batch", "portal\0", "PORTAL"])
def test_a_client_that_signs_nobody_in_gets_nobody_sent_back(world: IssuerWorld, client: str | None) -> None:
    response = ask(world, RelyingParty().url(client_id=client))
    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize("name", ["redirect_uri", "client_id", "state", "response_type", "code_challenge", "nonce"])
def test_a_parameter_that_is_there_twice_leads_nowhere(world: IssuerWorld, name: str) -> None:
    party = RelyingParty()
    value = party.parameters()[name]
    for added in (value, "other", ""):
        response = ask(world, f"{party.url()}&{urlencode({name: added})}")
        assert response.status_code == 400
        assert "location" not in response.headers


@pytest.mark.parametrize(
    ("uri", "known"),
    [
        ("http://127.0.0.1/callback", True),
        ("http://127.0.0.1:49152/callback", True),
        ("http://[::1]:7/cb", True),
        ("http://127.0.0.1:49152/callback/", False),
        ("http://127.0.0.1:49152/cb", False),
        ("http://localhost:49152/callback", False),
        ("http://127.0.0.1:0/callback", False),
        ("http://127.0.0.1:65536/callback", False),
        ("http://127.0.0.1:/callback", False),
        ("http://127.0.0.1:7@evil.example/callback", False),
        ("http://127.0.0.1:7.evil.example/callback", False),
        ("http://127.0.0.2:7/callback", False),
        ("https://127.0.0.1:7/callback", False),
        ("http://127.0.0.1:\u0667/callback", False),
    ],
)
def test_only_the_port_of_a_native_applications_loopback_uri_is_free(uri: str, known: bool) -> None:  # noqa: FBT001  # a table
    found = find_registered(PHONE, uri)
    assert (found is not None and found.text == uri) is known


def test_the_port_is_free_for_nobody_else() -> None:
    web = PORTAL.model_copy(update={"redirect_uris": ("http://127.0.0.1:3000/callback",)})
    assert find_registered(web, "http://127.0.0.1:3000/callback")
    assert find_registered(web, "http://127.0.0.1:3001/callback") is None


def test_where_people_go_after_signing_out_is_compared_exactly() -> None:
    assert find_after_logout(PORTAL, "https://portal.example/")
    for uri in ("https://portal.example", "https://portal.example/callback", "https://portal.example/?x", ""):
        assert find_after_logout(PORTAL, uri) is None


REFUSED = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "id_token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": "none"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "web_message"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"code_challenge": "a" * 42}, "invalid_request"),
    ({"code_challenge": "a" * 44}, "invalid_request"),
    ({"code_challenge": "a" * 42 + "="}, "invalid_request"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"request_uri": "https://portal.example/request"}, "request_uri_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "create"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"max_age": "1e3"}, "invalid_request"),
    ({"max_age": "\u0661"}, "invalid_request"),
    ({"max_age": "99999999999"}, "invalid_request"),
    ({"scope": 'open"id'}, "invalid_scope"),
    ({"scope": "openid  profile"}, "invalid_scope"),
    ({"resource": "https://evil.example/"}, "invalid_target"),
    ({"resource": "https://localhost:8443@evil.example/"}, "invalid_target"),
    ({"resource": "https://localhost:8443/x#y"}, "invalid_target"),
    ({"resource": "https://[x"}, "invalid_target"),
    ({"id_token_hint": "x"}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSED)
def test_what_is_wrong_is_told_to_the_client_with_state_and_issuer(
    world: IssuerWorld, changes: dict[str, str | None], error: str
) -> None:
    async def run() -> None:
        party = RelyingParty()
        async with browser(world.app) as page:
            if error == "invalid_request" and "id_token_hint" in changes:
                await pick(page, await page.get(party.url()))
            back = sent_back(await page.get(party.url(**changes)))
            assert set(back) == {"error", "error_description", "state", "iss"}
            assert (back["error"], back["state"], back["iss"]) == (error, party.state, ISSUER)

    asyncio.run(run())


def test_a_code_comes_with_state_and_issuer_and_without_state_where_there_was_none(world: IssuerWorld) -> None:
    async def run() -> None:
        party = RelyingParty()
        async with browser(world.app) as page:
            back = sent_back(await pick(page, await page.get(party.url())))
            assert set(back) == {"code", "state", "iss"}
            assert (back["state"], back["iss"]) == (party.state, ISSUER)
            response = await page.get(party.url(state=None))
            assert set(sent_back(response)) == {"code", "iss"}
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["referrer-policy"] == "no-referrer"
            odd = "a&iss=https://evil.example/#?+ \u00fc\"'"
            assert sent_back(await page.get(party.url(state=odd)))["state"] == odd

    asyncio.run(run())


def test_resources_within_the_system_are_taken(world: IssuerWorld) -> None:
    response = ask(
        world, f"{RelyingParty().url()}&resource=https://localhost:8443/api&resource=https://localhost:8443/"
    )
    assert response.status_code == 200


def test_an_answer_can_be_a_form(world: IssuerWorld) -> None:
    async def run() -> None:
        party = RelyingParty()
        async with browser(world.app) as page:
            response = await pick(page, await page.get(party.url(response_mode="form_post")))
            assert response.status_code == 200
            [form] = forms_of(response)
            assert form.action == CALLBACK
            assert set(form.fields) == {"code", "state", "iss"}
            policy = response.headers["content-security-policy"]
            assert "form-action 'self' https://portal.example;" in policy
            assert "script-src 'self'" in policy
            assert (await page.get("/auth/assets/submit.js")).headers["content-type"].startswith("text/javascript")

    asyncio.run(run())


def test_a_request_may_come_as_a_form_and_goes_on_by_get(world: IssuerWorld) -> None:
    async def run() -> None:
        party = RelyingParty()
        async with browser(world.app) as page:
            response = await page.post("/auth/authorize", data=party.parameters(), headers={"host": "evil.example"})
            assert response.status_code == 303
            assert response.headers["location"] == party.url()
            for content in (b"client_id=%zz", b"a=1&a=2"):
                form = {"content-type": "application/x-www-form-urlencoded"}
                assert (await page.post("/auth/authorize", content=content, headers=form)).status_code == 400

    asyncio.run(run())


@pytest.mark.parametrize("name", ["host", "x-forwarded-host", "forwarded", "x-original-host", "x-forwarded-proto"])
def test_no_address_follows_from_what_a_request_says(world: IssuerWorld, name: str) -> None:
    headers = {name: "evil.example"}
    for url in (
        f"{ISSUER}/.well-known/openid-configuration",
        RelyingParty().url(),
        RelyingParty().url(prompt="none"),
        f"{ISSUER}/end_session",
        f"{ISSUER}/authorize",
    ):
        response = ask(world, url, **headers)
        assert "evil" not in response.text
        assert "evil" not in str(response.headers)
    assert ask(world, f"{ISSUER}/.well-known/openid-configuration").json()["issuer"] == f"{ORIGIN}/auth"
