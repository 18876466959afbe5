"""The issuer's pages in a real Chromium, through the real edge: passkeys, second factors, the account, no script."""

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pyotp
import pytest
from selenium.webdriver.common.by import By
from tests.support.accessible import assert_accessible, assert_keyboard_order
from tests.support.chromium import Chromium, chromium
from tests.support.system import System, copy_example

DEFINITION = """
issuers:
  local:
    pages: {title: Example Clinic, colour: "#0a6b62", logo: logo.svg}
clients:
  portal: {kind: web, title: The Portal, third_party: true, redirect_uris: [https://portal.example/callback]}
  tv: {kind: native, title: The TV, device_flow: true, redirect_uris: ["http://127.0.0.1/callback"]}
"""
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><circle r="36" fill="teal"/></svg>'
PASSWORD = "violet otter tramway seven"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("pages"))
    blueprint = folder / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    (folder / "logo.svg").write_text(LOGO)
    with System(folder) as running:
        yield running


@pytest.fixture
def page(system: System) -> Iterator[Chromium]:
    with chromium(system.port) as opened:
        yield opened
        assert opened.complaints() == []


def at(system: System, path: str) -> str:
    return f"https://localhost:{system.port}/auth{path}"


def invitation(system: System, name: str) -> str:
    found = re.search(r"https://\S+", system.ringwall("users", "invite", name))
    assert found is not None
    return found[0]


def with_password(system: System, page: Chromium, name: str) -> None:
    """Take an invitation by a password, and see the account."""
    page.get(invitation(system, name))
    page.fill(password=PASSWORD, again=PASSWORD)
    page.press("Set password")
    page.follow("Look after your account")
    assert page.heading == "Your account"


def sign_in(page: Chromium, name: str) -> None:
    page.fill(user_name=name, password=PASSWORD)
    page.press("Sign in")


def request(system: System, **more: str) -> str:
    asked = {
        "client_id": "portal",
        "redirect_uri": "https://portal.example/callback",
        "response_type": "code",
        "scope": "openid",
        "code_challenge": "A" * 43,
        "code_challenge_method": "S256",
        **more,
    }
    return at(system, f"/authorize?{urlencode(asked)}")


def sent_back(page: Chromium) -> dict[str, list[str]]:
    """Return with what the client gets its person back; there is nothing behind its address."""
    assert page.current_url.startswith("https://portal.example/callback?"), page.current_url
    return parse_qs(urlsplit(page.current_url).query)


@contextlib.contextmanager
def leaving_for_the_client(page: Chromium) -> Iterator[None]:
    """Let the browser go to the client, whose address leads nowhere."""
    yield
    page.complaints()


def test_somebody_signs_in_and_out(system: System, page: Chromium) -> None:
    page.get(at(system, "/device"))
    assert page.heading == "Sign in"
    assert page.button("Sign in with a passkey").is_displayed()
    assert_accessible(page)
    assert_keyboard_order(page)
    page.press("tess")
    assert page.heading == "Connect a device"
    page.fill(user_code="BCDF-GHJK")
    page.press("Go on")
    assert "No device waits" in page.body
    assert_accessible(page)
    page.get(at(system, "/end_session"))
    assert page.heading == "Sign out?"
    assert_accessible(page)
    page.press("Sign out")
    assert page.heading == "You are signed out"
    assert_accessible(page)
    page.get(at(system, "/device"))
    assert page.heading == "Sign in"


def test_a_device_is_let_in(system: System, page: Chromium) -> None:
    form = {"client_id": "tv", "scope": "openid profile"}
    waiting = httpx.post(at(system, "/device_authorization"), data=form, verify=system.trust).json()
    page.get(waiting["verification_uri_complete"])
    page.press("tess")
    page.press("Go on")
    assert page.heading == "Connect The TV?"
    assert waiting["user_code"] in page.body
    assert_accessible(page)
    assert_keyboard_order(page)
    page.press("Connect")
    assert page.heading == "The device is connected"
    assert_accessible(page)


def test_an_invitation_leads_to_a_passkey_that_signs_in_without_a_name(system: System, page: Chromium) -> None:
    page.give_authenticator()
    page.get(invitation(system, "ann"))
    assert_accessible(page)
    page.press("Go on with a passkey")
    assert page.heading == "Set up how you sign in"
    assert_accessible(page)
    page.get(at(system, "/device"))
    assert page.heading == "Set up how you sign in", "nothing can be done before"
    page.get(at(system, "/account/set-up"))
    page.fill(name="My phone")
    page.press("Make a passkey")
    assert page.heading == "Your passkey is made"
    assert_accessible(page)
    assert page.get_credentials()[0].is_resident_credential
    page.follow("Go on")
    page.until_heading("Your account")  # the browser offers the passkey by itself, and this authenticator takes it
    assert "My phone" in page.body
    assert "this browser" in page.body
    assert_accessible(page)
    assert_keyboard_order(page)

    page.get(at(system, "/account/passkeys"))
    assert_accessible(page)
    page.button("Make a passkey").click()
    page.until_text("holds a passkey for this account already")

    page.get(request(system, acr_values="phr"))
    assert page.heading == "Allow The Portal?", "signed in as surely as can be"
    assert_accessible(page)

    # A copy of it was used a hundred times elsewhere, so this one counts less than what was counted before.
    with contextlib.closing(sqlite3.connect(system.state / "issuer" / "issuer.db")) as database, database:
        database.execute("UPDATE passkeys SET sign_count = 100")
    page.delete_all_cookies()
    page.get(at(system, "/account"))
    page.until_text("There is a copy of this passkey")
    assert_accessible(page)

    # An authenticator that does not verify its user gives nothing.
    page.remove_virtual_authenticator()
    page.give_authenticator(is_user_verified=False)
    page.get(at(system, "/account"))
    page.button("Sign in with a passkey").click()
    page.until_text("Your device gave no passkey")
    assert_accessible(page)


def set_up_app(system: System, page: Chromium) -> list[str]:
    """Become somebody with a password and an authenticator app; return the recovery codes."""
    with_password(system, page, "bea")
    page.follow("Change password")
    assert_accessible(page)
    page.fill(password="password1", again="password1")
    page.press("Change password")
    assert page.heading == "Change your password"
    assert_accessible(page)
    page.get(at(system, "/account/app"))
    assert_accessible(page)
    key = page.find_element(By.CSS_SELECTOR, "code.key").text
    page.fill(code="000000")
    page.press("Set up")
    assert_accessible(page)
    app = pyotp.TOTP(key.replace(" ", ""))
    page.fill(code=app.now())
    page.press("Set up")
    assert page.heading == "Your recovery codes"
    assert_accessible(page)
    codes = [each.text for each in page.find_elements(By.CSS_SELECTOR, ".codes code")]
    assert len(codes) == 10
    page.follow("I have kept them")
    return codes


def test_second_factors(system: System, page: Chromium) -> None:
    codes = set_up_app(system, page)
    page.delete_all_cookies()
    page.get(at(system, "/account"))
    sign_in(page, "bea")
    assert page.heading == "One thing more"
    page.fill(code="000000")
    page.press("Sign in")
    assert "not right" in page.body
    page.find_element(By.TAG_NAME, "summary").click()
    assert_accessible(page)
    page.fill(recovery=codes[3].upper().replace("-", " "))
    page.press("Sign in with it")
    assert "9 left" in page.body

    page.give_authenticator()
    page.follow("Add a passkey")
    page.press("Make a passkey")
    assert "Your passkey is added" in page.body
    page.delete_all_cookies()
    page.set_user_verified(False)  # or the browser would offer the passkey at once
    page.get(at(system, "/account"))
    sign_in(page, "bea")
    page.set_user_verified(True)
    page.press("Use a passkey")
    assert page.heading == "Your account"
    page.press_of("Remove", "authenticator app")
    assert "recovery codes are removed" in page.body

    page.set_user_verified(False)
    page.delete_all_cookies()
    page.get(at(system, "/account"))
    sign_in(page, "bea")
    assert page.heading == "Your account", "the password alone is enough again"
    page.get(request(system, acr_values="phr"))
    assert "This needs a passkey" in page.body
    assert not page.find_elements(By.NAME, "password")
    assert_accessible(page)
    page.set_user_verified(True)
    page.press("Sign in with a passkey")
    assert page.heading == "Allow The Portal?"


def test_everything_but_passkeys_works_without_a_script(system: System, page: Chromium) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.get(invitation(system, "cleo"))
    assert not page.find_element(By.CSS_SELECTOR, "[data-needs-passkeys]").is_displayed()
    page.fill(password=PASSWORD, again=PASSWORD)
    page.press("Set password")
    page.follow("Look after your account")
    page.follow("Set up an authenticator app")
    app = pyotp.TOTP(page.find_element(By.CSS_SELECTOR, "code.key").text.replace(" ", ""))
    page.fill(code=app.now())
    page.press("Set up")
    page.follow("I have kept them")
    page.press("Sign out everywhere")
    assert page.heading == "You are signed out"
    page.get(request(system))
    assert not page.find_element(By.CSS_SELECTOR, "[data-needs-passkeys]").is_displayed()
    sign_in(page, "cleo")
    page.fill(code=app.at(_next_step()))
    page.press("Sign in")
    assert page.heading == "Allow The Portal?"
    with leaving_for_the_client(page):
        page.button("Do not allow").click()
        page.until_address("https://portal.example/")
        assert sent_back(page)["error"] == ["access_denied"]
    page.get(at(system, "/account"))
    page.press_of("Sign out", "Chrome on Linux")
    assert page.heading == "You are signed out"


def _next_step() -> int:
    """Return a time in the next step of TOTP, whose codes are taken as well: this one's code is used up."""
    return int(time.time()) + 30
