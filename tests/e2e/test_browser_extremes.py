"""What people do to pages: very much on them, two tabs, the back button, no cookies, links opened twice."""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator

from selenium.webdriver.common.by import By
from tests.e2e.test_browser_pages import PASSWORD, at, invitation, page, request, sign_in, system, with_password
from tests.support.accessible import assert_accessible, assert_keyboard_order
from tests.support.chromium import Chromium
from tests.support.system import System

__all__ = ["page", "system"]
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 3
_TWICE = "for (const wait of [0, 5, 60]) setTimeout(() => arguments[0].click(), wait);"
RIGHT_TO_LEFT = "דוד بن غوريون (7)"


@contextlib.contextmanager
def database(system: System) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(system.state / "issuer" / "issuer.db")) as opened, opened:
        opened.row_factory = sqlite3.Row
        yield opened


def copies(system: System, table: str, account: str, **changes: list[object]) -> None:
    """Put copies of a row of an account beside it, each with other values."""
    with database(system) as opened:
        row = dict(opened.execute(f"SELECT * FROM {table} WHERE account = ?", (account,)).fetchone())  # noqa: S608  # ours
        for values in zip(*changes.values(), strict=True):
            copy = row | dict(zip(changes, values, strict=True))
            places = ", ".join("?" * len(copy))
            opened.execute(f"INSERT INTO {table} ({', '.join(copy)}) VALUES ({places})", list(copy.values()))  # noqa: S608


def account_of(system: System, name: str) -> str:
    with database(system) as opened:
        return str(opened.execute("SELECT id FROM accounts WHERE user_name = ?", (name,)).fetchone()["id"])


def test_an_account_with_very_much_on_it(system: System, page: Chromium) -> None:
    page.give_authenticator()
    with_password(system, page, "max")
    page.follow("Add a passkey")
    page.fill(name="first")
    page.press("Make a passkey")
    account = account_of(system, "max")
    labels: list[object] = [LONG, RIGHT_TO_LEFT, "passkey"] * 10
    keys: list[object] = [secrets.token_bytes(32) for _ in labels]
    created: list[object] = [1_700_000_000.0 + 86_400 * number for number in range(len(labels))]
    copies(system, "passkeys", account, credential=keys, label=labels, created=created)
    many = range(40)
    copies(
        system,
        "sessions",
        account,
        id=[f"s{number}" for number in many],
        digest=[secrets.token_bytes(32) for _ in many],
        seen=[1_700_000_000.0 + 3600 * number for number in many],
    )
    with database(system) as opened:
        names = (f"{LONG} {RIGHT_TO_LEFT}"[:128], account)
        opened.execute("UPDATE accounts SET display_name = ? WHERE id = ?", names)
    page.get(at(system, "/account"))
    assert len(page.find_elements(By.LINK_TEXT, "Rename")) == 31
    shown = [each for each in page.find_elements(By.CSS_SELECTOR, "section[aria-labelledby=where] li") if each.text]
    assert len(shown) == 5
    assert "this browser" in shown[0].text
    assert [each.text for each in page.find_elements(By.TAG_NAME, "h3")].count("Password") == 1
    assert "Password" not in [each.text for each in page.find_elements(By.TAG_NAME, "strong")]
    assert_accessible(page)
    page.execute_script("document.querySelector('details').open = true;")
    assert_accessible(page)
    assert_keyboard_order(page)


def test_a_passkey_is_renamed_without_a_script(system: System, page: Chromium) -> None:
    page.give_authenticator()
    with_password(system, page, "nia")
    page.follow("Add a passkey")
    page.fill(name="old")
    page.press("Make a passkey")
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.follow("Rename")
    assert_accessible(page)
    page.fill(name="x\u202ey")
    page.press("Rename")
    assert "control characters" in page.body
    assert_accessible(page)
    page.fill(name=RIGHT_TO_LEFT)
    page.press("Rename")
    assert "The passkey is renamed." in page.body
    assert RIGHT_TO_LEFT in page.body
    assert system.ringwall_json("users", "events", "nia")["events"][0]["act"] == "passkey-renamed"
    page.get(at(system, "/account/passkeys/rename?passkey=AAAA"))
    assert "had ended already" in page.body


def test_a_page_that_another_tab_has_overtaken_says_so_and_leads_on(system: System, page: Chromium) -> None:
    with_password(system, page, "ola")
    first = page.current_window_handle
    page.switch_to.new_window("tab")
    page.get(at(system, "/end_session"))
    page.press("Sign out")
    page.switch_to.window(first)
    page.press("Sign out everywhere")
    assert page.heading == "Sign in", "who is not signed in signs in first"
    page.switch_to.new_window("tab")
    page.get(request(system))
    second = page.current_window_handle
    page.switch_to.window(first)
    sign_in(page, "ola")
    assert page.heading == "Your account"
    page.switch_to.window(second)
    sign_in(page, "ola")
    assert page.heading == "Allow The Portal?", "a page from before the sign-in is still good"
    page.switch_to.window(first)
    page.press("Sign out everywhere")
    assert "somebody has signed in or out in this browser meanwhile" in page.body
    assert_accessible(page)
    page.follow("Start again")
    assert page.heading == "Your account"


def test_without_cookies_people_are_told_so(system: System, page: Chromium) -> None:
    with_password(system, page, "pia")
    page.get(request(system, prompt="login"))
    page.delete_all_cookies()
    sign_in(page, "pia")
    assert "Signing in needs cookies" in page.body
    assert_accessible(page)
    page.follow("Start again")
    assert page.heading == "Sign in"
    sign_in(page, "pia")
    assert page.heading == "Allow The Portal?"


def test_going_back_after_a_sign_in_asks_for_nothing_again(system: System, page: Chromium) -> None:
    with_password(system, page, "quin")
    page.delete_all_cookies()
    page.get(at(system, "/account"))
    page.fill(user_name="quin", password="wrong")
    page.press("Sign in")
    assert page.find_element(By.ID, "user_name").get_attribute("value") == "quin"
    page.fill(password=PASSWORD)
    page.press("Sign in")
    assert page.heading == "Your account"
    page.back()
    page.refresh()
    page.get(at(system, "/account"))
    assert page.heading == "Your account"


def test_an_invitation_opened_twice(system: System, page: Chromium) -> None:
    link = invitation(system, "rob")
    page.get(link)
    first = page.current_window_handle
    page.switch_to.new_window("tab")
    page.get(link)
    page.fill(password=PASSWORD, again=PASSWORD)
    page.press("Set password")
    assert page.heading == "Welcome"
    page.switch_to.window(first)
    page.fill(password=PASSWORD, again=PASSWORD)
    page.press("Set password")
    assert "open for too long" in page.body, "the page is of before the sign-in"
    page.follow("Start again")
    assert "If it was you who used it, sign in." in page.body
    assert_accessible(page)
    page.follow("Sign in")
    assert page.heading == "Your account"


def test_who_clicks_twice_sends_once(system: System, page: Chromium) -> None:
    page.get(invitation(system, "tom"))
    page.fill(password=PASSWORD, again=PASSWORD)
    page.execute_script(_TWICE, page.button("Set password"))
    page.until_heading("Welcome")
    page.delete_all_cookies()
    page.get(at(system, "/account"))
    page.fill(user_name="tom", password=PASSWORD)
    page.execute_script(_TWICE, page.button("Sign in"))
    page.until_heading("Your account")
    with database(system) as opened:
        of = "account = ? AND ended IS NULL AND reason = ''"
        sessions = opened.execute(f"SELECT count(*) FROM sessions WHERE {of}", (account_of(system, "tom"),))  # noqa: S608
        assert sessions.fetchone()[0] == 2, "of the invitation, and of the sign-in"


def test_who_has_forgotten_the_password_is_told_what_to_do_and_can(system: System, page: Chromium) -> None:
    with_password(system, page, "sue")
    page.delete_all_cookies()
    page.get(at(system, "/account"))
    page.find_element(By.TAG_NAME, "summary").click()
    assert "Ask whoever runs Example Clinic for a link" in page.body
    assert_accessible(page)
    told = system.ringwall("users", "invite", "sue", "--anew")
    page.get(next(word for word in told.split() if word.startswith("https://")))
    assert page.heading == "Begin anew"
    page.fill(password=PASSWORD[::-1], again=PASSWORD[::-1])
    page.press("Set password")
    page.follow("Look after your account")
    assert page.heading == "Your account"
