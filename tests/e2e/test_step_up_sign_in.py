"""A service asks for a surer sign-in, and people give one: a passkey or an app's code, in Chromium, at the real edge.

Browsers and programs alike go the whole way of RFC 9470: refused with what to ask for, asked, signed in, let through.
"""

import contextlib
import json
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from tests.e2e.test_browser_login import SERVICE
from tests.e2e.test_browser_pages import PASSWORD, at, leaving_for_the_client, sign_in
from tests.support.accessible import assert_accessible
from tests.support.chromium import Chromium, chromium
from tests.support.system import Reply, System

from ringwall.identity.issuer.grants.pkce import challenge_of

CALLBACK = "https://app.example/callback"
BLUEPRINT = f"""
ringwall: 1
system: shop
edge:
  listen: 127.0.0.1:8443
roles: {{customer: }}
clients:
  app: {{kind: native, title: The App, redirect_uris: ["{CALLBACK}"]}}
services:
  web:
    run: python echo.py
    expose: /
    login: true
    operations: [home: GET /home, sure: GET /sure, surest: GET /surest]
    step_up: [{{operations: [sure], acr: mfa}}, {{operations: [surest], acr: phr}}]
    allow: [{{operations: [home, sure, surest], roles: [customer]}}]
  api:
    run: python echo.py
    expose: /api
    operations: [read: GET /read, pay: GET /pay, sign: GET /sign]
    step_up: [{{operations: [pay], acr: mfa}}, {{operations: [sign], acr: phr, max_age: 60s}}]
    allow: [{{operations: [read, pay, sign], roles: [customer]}}]
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("step-up")
    (folder / "ringwall.yaml").write_text(BLUEPRINT)
    (folder / "echo.py").write_text(SERVICE)
    with System(folder) as started:
        yield started


@pytest.fixture
def page(system: System) -> Iterator[Chromium]:
    with chromium(system.port) as opened:
        opened.give_authenticator()
        yield opened
        assert opened.complaints() == []


def home(system: System, path: str) -> str:
    return f"https://localhost:{system.port}{path}"


def become(system: System, page: Chromium, name: str) -> None:
    """Take an invitation by a password."""
    found = re.search(r"https://\S+", system.ringwall("users", "invite", name, "--role", "customer"))
    assert found is not None
    page.get(found[0])
    page.fill(password=PASSWORD, again=PASSWORD)
    page.press("Set password")
    page.follow("Look after your account")


def add_passkey(page: Chromium) -> None:
    page.follow("Add a passkey")
    page.press("Make a passkey")


def add_app(page: Chromium) -> pyotp.TOTP:
    page.follow("Set up an authenticator app")
    app = pyotp.TOTP(page.find_element(By.CSS_SELECTOR, "code.key").text.replace(" ", ""))
    page.fill(code=app.now())
    page.press("Set up")
    page.follow("I have kept them")
    return app


def begin_with_a_password(system: System, page: Chromium, name: str) -> None:
    """Be signed in at the service by a password, and by nothing more."""
    page.set_user_verified(False)  # or the browser would offer the passkey at once
    page.delete_all_cookies()
    page.get(home(system, "/home"))
    sign_in(page, name)
    assert seen(page)["path"] == "/home"


def seen(page: Chromium) -> Any:
    """Return what the service has seen of the request whose answer the browser shows."""
    return json.loads(page.body)


def asked_by_script(page: Chromium, path: str) -> list[Any]:
    """Return what a page's own script is answered with, and the challenge."""
    script = """
    const done = arguments[1];
    fetch(arguments[0]).then((answer) => done([answer.status, answer.headers.get("www-authenticate")]));
    """
    return list(page.execute_async_script(script, path))


def test_a_browser_steps_up_with_a_passkey_and_goes_on(system: System, page: Chromium) -> None:
    become(system, page, "ann")
    add_passkey(page)
    begin_with_a_password(system, page, "ann")
    status, challenge = asked_by_script(page, "/surest")
    assert status == 401
    assert 'error="insufficient_user_authentication", acr_values="phr"' in challenge
    page.get(home(system, "/surest?a=b&c=%2F"))
    assert page.heading == "Sign in"
    assert "This needs a passkey." in page.body
    assert not page.find_elements(By.NAME, "password")
    assert_accessible(page)
    page.set_user_verified(True)
    page.press("Sign in with a passkey")
    assert seen(page)["path"] == "/surest?a=b&c=%2F"
    assert "cookie" not in seen(page)["headers"]
    for path in ("/surest", "/sure", "/home"):
        assert asked_by_script(page, path)[0] == 200, "what is surest is sure enough"


def test_a_browser_steps_up_with_a_code_and_a_passkey_is_still_asked_for(system: System, page: Chromium) -> None:
    become(system, page, "bea")
    app = add_app(page)
    page.set_user_verified(False)
    page.delete_all_cookies()
    page.get(home(system, "/sure"))
    assert "your password and a code of your authenticator app" in page.body
    assert_accessible(page)
    sign_in(page, "bea")
    assert page.heading == "One thing more"
    page.fill(code=app.at(int(time.time()) + 30))  # this step's code is used up
    page.press("Sign in")
    assert seen(page)["path"] == "/sure"
    status, challenge = asked_by_script(page, "/surest")
    assert (status, 'acr_values="phr"' in challenge) == (401, True)
    page.get(home(system, "/surest"))
    assert "This needs a passkey." in page.body


def test_who_has_nothing_surer_is_told_what_to_do_and_can(system: System, page: Chromium) -> None:
    become(system, page, "cleo")
    begin_with_a_password(system, page, "cleo")
    page.get(home(system, "/sure"))
    sign_in(page, "cleo")
    assert "This page needs a surer sign-in than a password." in page.body
    assert_accessible(page)
    page.follow("Go to your account")
    page.set_user_verified(True)
    add_passkey(page)
    assert "Your passkey is added." in page.body
    page.get(home(system, "/sure"))
    page.until(lambda: page.current_url.endswith("/sure") and page.body.startswith("{"))  # the browser offers it


class App:
    """A program without a secret, whose person signs in in a browser."""

    def __init__(self, system: System, page: Chromium) -> None:
        self._system = system
        self._page = page
        self._verifier = ""
        self.token: dict[str, Any] = {}

    def send(self, **demands: str) -> None:
        """Send the person to the issuer."""
        self._verifier = secrets.token_urlsafe(48)
        asked = {
            "client_id": "app",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid",
            "code_challenge": challenge_of(self._verifier),
            "code_challenge_method": "S256",
            **demands,
        }
        with contextlib.suppress(WebDriverException):  # there is nobody at the client's address
            self._page.get(at(self._system, f"/authorize?{urlencode(asked)}"))

    def take(self) -> None:
        """Take the answer back, and redeem it."""
        self._page.until_address(CALLBACK)
        self._page.complaints()
        answer = parse_qs(urlsplit(self._page.current_url).query)
        assert "code" in answer, answer
        form = {
            "grant_type": "authorization_code",
            "client_id": "app",
            "code": answer["code"][0],
            "redirect_uri": CALLBACK,
            "code_verifier": self._verifier,
        }
        told = self._system.ask(
            "POST",
            "/auth/token",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )
        assert told.status == 200, told.body
        self.token = told.json()

    def ask(self, path: str) -> Reply:
        return self._system.ask("GET", path, headers={"authorization": f"Bearer {self.token['access_token']}"})


def demands_of(reply: Reply) -> dict[str, str]:
    """Return what a challenge says to ask for (RFC 9470, section 3)."""
    assert reply.status == 401
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    assert told["error"] == "insufficient_user_authentication"
    return {name: told[name] for name in ("acr_values", "max_age") if name in told}


def test_a_program_asks_for_what_it_was_told_and_its_token_is_good(system: System, page: Chromium) -> None:
    become(system, page, "dora")
    add_passkey(page)
    page.set_user_verified(False)
    page.delete_all_cookies()
    app = App(system, page)
    app.send()
    with leaving_for_the_client(page):
        page.fill(user_name="dora", password=PASSWORD)
        page.button("Sign in").click()
        app.take()
    assert app.ask("/api/read").status == 200
    weak = app.token["access_token"]
    assert demands_of(app.ask("/api/pay")) == {"acr_values": "mfa phr"}
    demands = demands_of(app.ask("/api/sign"))
    assert demands == {"acr_values": "phr", "max_age": "60"}

    app.send(**demands)
    assert "This needs a passkey." in page.body
    page.set_user_verified(True)
    with leaving_for_the_client(page):
        page.button("Sign in with a passkey").click()
        app.take()
    for path in ("/api/read", "/api/pay", "/api/sign"):
        assert app.ask(path).status == 200, path
    app.token["access_token"] = weak
    assert app.ask("/api/sign").status == 401, "the token of before is no better for it"
    with leaving_for_the_client(page):
        app.send(acr_values="mfa phr", prompt="none")
        app.take()
    assert app.ask("/api/pay").status == 200, "and the next one asks for nothing"
