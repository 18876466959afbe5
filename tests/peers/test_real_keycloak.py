"""A real Keycloak as the provider at which people sign in, and as an external issuer alone (`make test-peers`)."""

import html
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.echo_service import PAGE, SERVICE
from tests.support.keycloak import Keycloak, keycloak, type_password
from tests.support.system import System

from ringwall.identity.upstream.oidc.provider import MIN_SECONDS

pytestmark = pytest.mark.peers

SIGN_IN = """
ringwall: 1
system: clinic
edge:
  listen: 127.0.0.1:8443
roles: {clinician: , clerk: , guest: }
issuers:
  local:
    upstreams:
      keycloak:
        preset: keycloak
        title: Clinic account
        issuer: ISSUER
        client_id: ringwall
        secret: {env: RINGWALL_SECRET_KEYCLOAK}
        accounts: create
        authoritative_for: [clinic.example]
        logout: true
        roles: {claim: realm_access.roles, map: {doctors: clinician, staff: clerk}}
        default_roles: [guest]
services:
  web:
    run: python service.py
    expose: /
    login: true
    operations: [home: GET /home, rounds: GET /rounds]
    allow: [{operations: [home], roles: [guest]}, {operations: [rounds], roles: [clinician]}]
"""
ALONE = """
ringwall: 1
system: wards
edge:
  listen: 127.0.0.1:8443
roles: {clinician: }
issuers:
  keycloak:
    issuer: ISSUER
    roles: {claim: realm_access.roles, map: {doctors: clinician}}
services:
  web:
    run: python service.py
    expose: /
    operations: [home: GET /home, rounds: GET /rounds]
    allow: [{operations: [home], users: any}, {operations: [rounds], roles: [clinician]}]
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    with keycloak(tmp_path_factory.mktemp("keycloak")) as started:
        started.create_realm()
        yield started


def system(folder: Path, blueprint: str, provider: Keycloak) -> System:
    (folder / "ringwall.yaml").write_text(blueprint.replace("ISSUER", provider.issuer))
    (folder / "service.py").write_text(SERVICE)
    return System(folder, environ={"RINGWALL_SECRET_KEYCLOAK": "s3cret"})


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, provider: Keycloak) -> Iterator[System]:
    made = system(tmp_path_factory.mktemp("clinic"), SIGN_IN, provider)
    client = provider.client()
    base = f"https://localhost:{made.port}/auth/upstream/keycloak"
    client["redirectUris"] = [f"{base}/callback"]
    client["attributes"]["post.logout.redirect.uris"] = f"{base}/signed-out"
    provider.put_client(client)
    with made as running:
        yield running


class Browser(httpx.Client):
    """Follows redirects through both systems, and sends their forms."""

    def __init__(self, system: System) -> None:
        self.origin = f"https://localhost:{system.port}"
        hooks = {"response": [self._take_cookies]}
        super().__init__(
            base_url=self.origin, verify=system.trust, follow_redirects=True, timeout=60, event_hooks=hooks
        )

    def _take_cookies(self, _: httpx.Response) -> None:
        """Keycloak sets `Secure` cookies over http to this machine too, and browsers send them there."""
        for cookie in self.cookies.jar:
            cookie.secure = cookie.secure and cookie.domain != "127.0.0.1"

    def to_provider(self, at: str = "/home") -> httpx.Response:
        page = self.get(at, headers=PAGE)
        link = re.search(r'class="button" href="([^"]*)"', page.text)
        assert link is not None, page.text
        return self.get(html.unescape(link[1]), headers=PAGE)

    def sign_in(self, person: str, at: str = "/home") -> httpx.Response:
        action, fields = type_password(self.to_provider(at), person)
        return self.post(action, data=fields, headers=PAGE)

    def sign_out(self) -> httpx.Response:
        asked = self.get("/auth/end_session", headers=PAGE)
        form = re.search(r'name="form_token" value="([^"]*)"', asked.text)
        action = re.search(r'action="([^"]*)"', asked.text)
        assert form is not None
        assert action is not None
        return self.post(
            html.unescape(action[1]),
            data={"form_token": html.unescape(form[1])},
            headers={**PAGE, "origin": self.origin, "sec-fetch-site": "same-origin"},
        )


def seen(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def test_somebody_signs_in_at_keycloak_and_has_the_roles_of_there(clinic: System, provider: Keycloak) -> None:
    with Browser(clinic) as browser:
        assert json.loads(seen(browser.sign_in("ines"))["x-ringwall-roles"]) == ["clinician", "guest"]
        assert browser.get("/rounds").status_code == 200
    with Browser(clinic) as browser:
        seen(browser.sign_in("stan"))
        assert browser.get("/rounds").status_code == 403
    users = {user["user_name"]: user for user in clinic.ringwall_json("users")["users"]}
    assert users["ines"]["roles"] == ["clinician", "guest"]
    assert users["ines"]["email"] == "ines@clinic.example"
    assert users["stan"]["roles"] == ["clerk", "guest"]


def test_roles_follow_keycloak_at_the_next_sign_in(clinic: System, provider: Keycloak) -> None:
    provider.give_role("stan", "doctors")
    try:
        with Browser(clinic) as browser:
            seen(browser.sign_in("stan", "/rounds"))
    finally:
        provider.give_role("stan", "doctors", take=True)
    with Browser(clinic) as browser:
        browser.sign_in("stan")
        assert browser.get("/rounds").status_code == 403


def test_signing_out_ends_the_session_at_keycloak_too(clinic: System) -> None:
    with Browser(clinic) as browser:
        seen(browser.sign_in("ines"))
        done = browser.sign_out()
        assert "You are signed out" in done.text, done.text
        assert done.url.path == "/auth/upstream/keycloak/signed-out", "Keycloak sent the browser back by itself"
        assert "kc-form-login" in browser.to_provider().text, "Keycloak asks who is there"


def test_keys_that_keycloak_replaces_are_followed(clinic: System, provider: Keycloak) -> None:
    with Browser(clinic) as browser:
        seen(browser.sign_in("ines"))
    provider.rotate_keys()
    time.sleep(MIN_SECONDS)
    with Browser(clinic) as browser:
        assert seen(browser.sign_in("ines"))["x-ringwall-subject"]


def test_the_key_of_the_issuer_does_in_place_of_a_secret(clinic: System, provider: Keycloak) -> None:
    """private_key_jwt: Keycloak reads the issuer's published keys."""
    client = provider.client()
    keys = (clinic.state / "issuer" / "jwks.json").read_text()
    changed = json.loads(json.dumps(client))
    changed["clientAuthenticatorType"] = "client-jwt"
    changed["attributes"] |= {
        "use.jwks.string": "true",
        "jwks.string": keys,
        "token.endpoint.auth.signing.alg": "ES256",
    }
    provider.put_client(changed)
    text = clinic.blueprint.read_text()
    try:
        secret = "secret: {env: RINGWALL_SECRET_KEYCLOAK}"
        clinic.blueprint.write_text(text.replace(secret, "authentication: private_key_jwt"))
        clinic.ringwall("apply")
        with Browser(clinic) as browser:
            assert seen(browser.sign_in("ines"))["x-ringwall-subject"]
    finally:
        clinic.blueprint.write_text(text)
        provider.put_client(client)
        clinic.ringwall("apply")


def test_the_check_finds_keycloak_good_and_a_wrong_realm_wrong(clinic: System) -> None:
    environ = clinic.ringwall_json("upstreams", "check", code=None)
    said = [remark["text"] for remark in environ["upstreams"]["keycloak"] if remark["wrong"]]
    assert said == ["the environment variable RINGWALL_SECRET_KEYCLOAK holds no secret"], "this shell has none"
    text = clinic.blueprint.read_text()
    try:
        clinic.blueprint.write_text(text.replace("/realms/clinic", "/realms/clinik"))
        checked = clinic.ringwall_json("upstreams", "check", code=1)["upstreams"]["keycloak"]
        assert any(remark["wrong"] and "404" in remark["text"] for remark in checked)
    finally:
        clinic.blueprint.write_text(text)


def test_what_would_come_of_a_real_id_token_is_said_before(clinic: System, provider: Keycloak, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(provider.token("stan"))
    tried = clinic.ringwall_json("upstreams", "try", "keycloak", "--claims", str(token))
    assert tried["account"]["user_name"] == "stan"
    assert {(each["role"], each["because"]) for each in tried["roles"]} == {
        ("guest", "everybody who signs in there"),
        ("clerk", "realm_access.roles=staff"),
    }
    assert all(re.fullmatch(r"ringwall\.yaml:\d+", each["rule"]) for each in tried["roles"])


def test_keycloak_alone_is_an_issuer_like_any_other(
    tmp_path_factory: pytest.TempPathFactory, provider: Keycloak
) -> None:
    with system(tmp_path_factory.mktemp("wards"), ALONE, provider) as wards:
        end = time.monotonic() + 60
        ines = {"authorization": f"Bearer {provider.token('ines')}"}
        while wards.ask("GET", "/rounds", headers=ines).status != 200:
            assert time.monotonic() < end, wards.ringwall("status", code=None)
            time.sleep(0.5)
        reply = wards.ask("GET", "/rounds", headers=ines)
        assert reply.json()["x-ringwall-issuer"] == provider.issuer
        stan = {"authorization": f"Bearer {provider.token('stan')}"}
        assert wards.ask("GET", "/rounds", headers=stan).status == 403
        assert wards.ask("GET", "/home", headers=stan).status == 200
        assert wards.ask("GET", "/home").status == 401
        assert wards.ask("GET", "/auth/authorize").status in {401, 404}, "there is no issuer of its own"
        provider.rotate_keys()
        fresh = {"authorization": f"Bearer {provider.token('ines')}"}
        end = time.monotonic() + 120
        while wards.ask("GET", "/rounds", headers=fresh).status != 200:
            assert time.monotonic() < end, wards.ringwall("status", code=None)
            time.sleep(0.5)
