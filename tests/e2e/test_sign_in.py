"""People sign in at the built-in issuer through the real edge, for clients that we did not write."""

import asyncio
import ssl
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.integrations.base_client import OAuthError
from tests.support.issuer_browser import forms_of
from tests.support.relying_party import RelyingParty
from tests.support.system import System, copy_example

CALLBACK = "https://portal.example/callback"
DEFINITION = f"""
clients:
  portal:
    kind: web
    redirect_uris: [{CALLBACK}]
    post_logout_redirect_uris: [https://portal.example/]
  spa: {{kind: browser, redirect_uris: [https://spa.example/callback]}}
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("sign-in"))
    blueprint = folder / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    with System(folder) as running:
        yield running


def browser(system: System) -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=system.trust, base_url=f"https://localhost:{system.port}")


async def become(page: httpx.AsyncClient, url: str, person: str) -> httpx.Response:
    shown = await page.get(url)
    assert shown.status_code == 200, shown.text
    assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
    form = next(form for form in forms_of(shown) if ("person", person) in form.buttons)
    origin = f"https://localhost:{page.base_url.port}"
    return await page.post(form.action, data={**form.fields, "person": person}, headers={"origin": origin})


def party(system: System, client: str, secret: str | None, trust: ssl.SSLContext) -> RelyingParty:
    return RelyingParty(f"https://localhost:{system.port}/auth", client, secret, "openid profile", {"verify": trust})


def test_a_sign_in_gives_what_the_persons_roles_allow(system: System) -> None:
    secret = system.ringwall("client", "portal").strip()

    async def run() -> None:
        portal = party(system, "portal", secret, system.trust)
        async with browser(system) as page:
            back = await become(page, await portal.send_to_issuer(CALLBACK), "tess")
            assert back.status_code == 303, back.text
            tokens = await portal.take_back(back.headers["location"])
            assert tokens["userinfo"]["sub"] == "tess"
            bearer = {"authorization": f"Bearer {tokens['access_token']}"}
            assert system.ask("POST", "/bin/post", headers=bearer, body=b"{}").status == 200
            about = system.ask("GET", "/auth/userinfo", headers=bearer)
            assert (about.status, about.json()) == (
                200,
                {"sub": "tess", "name": "tess", "preferred_username": "tess"},
            )
            fresh = await portal.refresh(tokens["refresh_token"])
            assert fresh["refresh_token"] != tokens["refresh_token"]
            # An ID token is not an access token, at any hop.
            wrong = {"authorization": f"Bearer {tokens['id_token']}"}
            assert system.ask("POST", "/bin/post", headers=wrong, body=b"{}").status == 403  # not its audience

            spa = party(system, "spa", None, system.trust)
            silent = await page.get(await spa.send_to_issuer("https://spa.example/callback", prompt="none"))
            assert (await spa.take_back(silent.headers["location"]))["userinfo"]["sub"] == "tess"

            out = await page.get(await portal.sign_out(tokens["id_token"], "https://portal.example/"))
            assert out.headers["location"].startswith("https://portal.example/?state=")
            silent = await page.get(await spa.send_to_issuer("https://spa.example/callback", prompt="none"))
            assert parse_qs(urlsplit(silent.headers["location"]).query)["error"] == ["login_required"]

    asyncio.run(run())


def test_another_person_gets_what_theirs_allow_and_no_cookie_of_the_issuer_is_needed_for_it(system: System) -> None:
    async def run() -> None:
        spa = party(system, "spa", None, system.trust)
        async with browser(system) as page:
            back = await become(page, await spa.send_to_issuer("https://spa.example/callback"), "sam")
            tokens = await spa.take_back(back.headers["location"])
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        assert system.ask("POST", "/bin/post", headers=bearer, body=b"{}").status == 403

    asyncio.run(run())


def test_a_foreign_host_name_changes_no_address(system: System) -> None:
    reply = system.ask("GET", "/auth/.well-known/openid-configuration", headers={"host": "evil.example"})
    assert reply.status in {404, 421}
    assert system.ask("GET", "/auth/.well-known/openid-configuration").json()["token_endpoint"] == (
        f"https://localhost:{system.port}/auth/token"
    )


def test_pages_of_browser_clients_reach_the_token_endpoint_from_their_origin_alone(system: System) -> None:
    for origin, allowed in (("https://spa.example", "https://spa.example"), ("https://portal.example", None)):
        headers = {"origin": origin, "access-control-request-method": "POST"}
        for method in ("OPTIONS", "POST"):
            reply = system.ask(method, "/auth/token", headers=headers)
            assert reply.headers.get("access-control-allow-origin") == allowed


def test_a_stolen_code_or_a_second_use_gives_nothing_through_the_edge(system: System) -> None:
    async def run() -> None:
        spa = party(system, "spa", None, system.trust)
        async with browser(system) as page:
            back = await become(page, await spa.send_to_issuer("https://spa.example/callback"), "tess")
            code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
            form = {
                "grant_type": "authorization_code",
                "client_id": "spa",
                "code": code,
                "redirect_uri": "https://spa.example/callback",
                "code_verifier": "a" * 43,
            }
            stolen = await page.post("/auth/token", data=form)
            assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
            with pytest.raises(OAuthError, match="invalid_grant"):
                await spa.take_back(back.headers["location"])

    asyncio.run(run())
