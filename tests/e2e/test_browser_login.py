"""A browser at a service with `login`: it is sent to sign in, comes back, and may do what its person may."""

import html
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.support.system import System

from ringwall.model import cookies

PAGE = {"accept": "text/html"}
BLUEPRINT = """
ringwall: 1
system: shop
edge:
  listen: 127.0.0.1:8443
roles: {customer: , clerk: }
people:
  alice: {roles: [customer]}
  bert: {roles: [clerk]}
services:
  web:
    run: python echo.py
    expose: /
    login: true
    operations: [home: GET /home, buy: POST /home, secret: GET /secret, fresh: GET /fresh, sure: GET /sure]
    step_up: [{operations: [fresh], max_age: 4s}, {operations: [sure], acr: mfa}]
    allow: [{operations: [home, buy, fresh, sure], roles: [customer]}, {operations: [secret], roles: [clerk]}]
  api:
    run: python echo.py
    expose: /api
    operations: [get: GET /x]
    allow: [{operations: [get], public: true}]
"""
SERVICE = """
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        seen = {"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Browser(httpx.Client):
    """Follows redirects and sends forms, as a browser does."""

    def __init__(self, system: System) -> None:
        self.origin = f"https://localhost:{system.port}"
        self._trust = system.trust
        super().__init__(base_url=self.origin, verify=system.trust)

    def without_jar(self, path: str, cookie: str) -> httpx.Response:
        """Send exactly this cookie header."""
        return httpx.get(f"{self.origin}{path}", headers={"cookie": cookie}, verify=self._trust)

    def page(self, url: str) -> httpx.Response:
        return self.get(url, headers=PAGE, follow_redirects=True)

    def send_form(self, page: httpx.Response, holding: str, **fields: str) -> httpx.Response:
        form = next(found for found in re.findall(r"<form.*?</form>", page.text, re.DOTALL) if holding in found)
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
        action = re.search(r'action="([^"]*)"', form)
        assert action is not None
        return self.post(
            html.unescape(action[1]),
            data={**{name: html.unescape(value) for name, value in hidden}, **fields},
            headers={**PAGE, "origin": self.origin, "sec-fetch-site": "same-origin"},
            follow_redirects=True,
        )

    def sign_in(self, person: str, at: str = "/home") -> httpx.Response:
        return self.send_form(self.page(at), person, person=person)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("login")
    (folder / "ringwall.yaml").write_text(BLUEPRINT)
    (folder / "echo.py").write_text(SERVICE)
    with System(folder) as started:
        yield started


@pytest.fixture
def browser(system: System) -> Iterator[Browser]:
    with Browser(system) as opened:
        yield opened


def _seen(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def test_a_browser_signs_in_and_comes_back_to_where_it_was(browser: Browser) -> None:
    seen = _seen(browser.sign_in("alice", "/home?a=1&b=%2F"))
    assert seen["path"] == "/home?a=1&b=%2F"
    assert seen["headers"]["x-ringwall-subject"] == "alice"
    assert browser.get("/secret").status_code == 403, "a session may do what its person may"


def test_programs_get_401_and_no_redirect(browser: Browser) -> None:
    assert browser.get("/home").status_code == 401
    assert browser.post("/home", headers=PAGE).status_code == 401
    assert browser.get("/home", headers={**PAGE, "authorization": "Bearer a.b.c"}).status_code == 401


def test_no_service_sees_a_cookie_of_ringwall_or_the_token(browser: Browser) -> None:
    browser.sign_in("alice")
    held = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert cookies.TOKEN in held
    assert held.count(cookies.PREFIX) >= 3
    for path in ("/home", "/api/x"):
        sent = _seen(browser.without_jar(path, f"a=1; {held}; b=2"))
        assert sent["headers"]["cookie"] == "a=1; b=2"
        assert "authorization" not in sent["headers"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "ORIGIN"}, 200),
        ({"origin": "ORIGIN", "sec-fetch-site": "same-origin"}, 200),
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, 403),
        ({"origin": "ORIGIN", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://evil.example", "x-ringwall-cross-site": ""}, 403),
    ],
)
def test_only_a_page_of_this_host_changes_anything(browser: Browser, headers: dict[str, str], status: int) -> None:
    browser.sign_in("alice")
    headers = {name: value.replace("ORIGIN", browser.origin) for name, value in headers.items()}
    assert browser.post("/home", headers=headers).status_code == status


def test_two_sessions_at_once_are_none(browser: Browser) -> None:
    """Somebody has put one beside the other, and nobody can tell which is which."""
    browser.sign_in("alice")
    token = browser.cookies[cookies.TOKEN]
    assert browser.without_jar("/home", f"{cookies.TOKEN}={token}").status_code == 200
    assert browser.without_jar("/home", f"{cookies.TOKEN}={token}; {cookies.TOKEN}={token}").status_code == 401
    assert browser.without_jar("/home", f"{cookies.TOKEN}=x").status_code == 401


def test_who_is_signed_in_is_asked_nothing_again(browser: Browser) -> None:
    """The session at the edge ends, the sign-in does not: the next page renews it."""
    browser.sign_in("alice")
    browser.cookies.delete(cookies.TOKEN)
    assert _seen(browser.page("/home"))["headers"]["x-ringwall-subject"] == "alice"


def test_signing_out_takes_both_cookies(browser: Browser) -> None:
    browser.sign_in("alice")
    asked = browser.page("/auth/end_session")
    assert browser.send_form(asked, "form_token").status_code == 200
    assert cookies.TOKEN not in browser.cookies
    assert "alice" in browser.page("/home").text, "the page for signing in"


def test_signing_out_ends_the_session_at_the_edge_for_whoever_has_kept_the_cookie(browser: Browser) -> None:
    """Taking the cookie from the browser would leave a copy of it good until it expires."""
    browser.sign_in("alice")
    kept = f"{cookies.TOKEN}={browser.cookies[cookies.TOKEN]}"
    assert browser.without_jar("/home", kept).status_code == 200
    assert browser.send_form(browser.page("/auth/end_session"), "form_token").status_code == 200
    end = time.monotonic() + 10
    while browser.without_jar("/home", kept).status_code != 401:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_operation_that_asks_for_a_fresh_sign_in_gets_one(browser: Browser) -> None:
    _seen(browser.sign_in("alice"))
    signed_in = time.monotonic()
    while browser.get("/fresh").status_code == 200:
        assert time.monotonic() < signed_in + 30
        time.sleep(0.2)
    refused = browser.get("/fresh")
    assert 'error="insufficient_user_authentication", max_age="4"' in refused.headers["www-authenticate"]
    assert _seen(browser.page("/home"))["path"] == "/home", "everything else goes on"
    asked = browser.page("/fresh?a=b&return_to=/c")
    assert asked.url.path != "/fresh"
    seen = _seen(browser.send_form(asked, "alice", person="alice"))
    assert seen["path"] == "/fresh?a=b&return_to=/c"


def test_whoever_cannot_sign_in_as_surely_as_asked_is_told_so_and_not_sent_around(browser: Browser) -> None:
    _seen(browser.sign_in("alice"))
    assert 'acr_values="mfa phr"' in browser.get("/sure").headers["www-authenticate"]
    asked = browser.page("/sure")
    assert asked.status_code == 200
    told = browser.send_form(asked, "alice", person="alice")
    assert (told.status_code, told.url.path) == (400, "/auth/session")


@pytest.mark.parametrize(
    "to", ["//evil.example/", "/\\evil.example", "https://evil.example/", "evil", "", "/" + "a" * 3000]
)
def test_nobody_is_sent_to_another_host(browser: Browser, to: str) -> None:
    page = browser.get("/auth/session", headers=PAGE)
    assert page.status_code == 400
    begun = browser.get(f"/auth/session?return_to={to}", headers=PAGE, follow_redirects=True)
    back = browser.send_form(begun, "alice", person="alice")
    assert str(back.url).startswith(browser.origin + "/")
    assert back.url.path == "/"


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(browser: Browser, system: System) -> None:
    """Somebody else's code would sign people in as them (RFC 6749, section 10.12)."""
    assert browser.page("/home").status_code == 200
    with Browser(system) as attacker:
        login = attacker.page("/home")
        action = re.search(r'action="([^"]*)"', login.text)
        assert action is not None
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', login.text))
        sent = attacker.post(
            html.unescape(action[1]),
            data={**hidden, "person": "bert"},
            headers={**PAGE, "origin": attacker.origin},
        )
        answer = sent.headers["location"]
    assert "code=" in answer
    assert browser.get(answer, headers=PAGE).status_code == 400
    assert cookies.TOKEN not in browser.cookies


def test_the_answer_of_another_issuer_is_refused(browser: Browser) -> None:
    """Who mixes issuers up would have a code of the one shown to the other (RFC 9207, section 2.4)."""
    browser.sign_in("alice")
    browser.cookies.delete(cookies.TOKEN)
    answer = browser.get("/auth/session?return_to=/home", headers=PAGE)
    answer = browser.get(answer.headers["location"], headers=PAGE)
    right = answer.headers["location"]
    for wrong in (re.sub(r"iss=[^&]*", "iss=https%3A%2F%2Fevil.example", right), re.sub(r"&?iss=[^&]*", "", right)):
        assert wrong != right
        assert browser.get(wrong, headers=PAGE).status_code == 400
        assert cookies.TOKEN not in browser.cookies
    assert browser.get(right, headers=PAGE).status_code == 303
    assert cookies.TOKEN in browser.cookies
