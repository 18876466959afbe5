"""Other sites against the issuer's pages, in a real Chromium: frames, forms, redirects, planted cookies, names."""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from html import escape
from urllib.parse import quote, urlencode

import httpx
import pytest
from selenium.webdriver.common.by import By
from tests.support.chromium import Chromium, chromium
from tests.support.issuer_browser import forms_of
from tests.support.system import System, copy_example

ATTACK = "<img src=x onerror=alert(1)><script>alert(2)</script>"
DEFINITION = f"""
clients:
  portal:
    kind: web
    title: {json.dumps(ATTACK)}
    third_party: true
    redirect_uris: [https://portal.example/callback]
"""
PASSWORD = "violet otter tramway seven"
SESSION = "__Host-ringwall-issuer"


class Evil:
    """A site of somebody else, which shows whatever page it is told to."""

    def __init__(self) -> None:
        self.page = ""
        evil = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = evil.page.encode()
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("attacks"))
    blueprint = folder / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    with System(folder) as running:
        yield running


@pytest.fixture
def page(system: System) -> Iterator[Chromium]:
    with chromium(system.port) as opened:
        yield opened


@pytest.fixture
def evil() -> Iterator[Evil]:
    site = Evil()
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def at(system: System, path: str) -> str:
    return f"https://localhost:{system.port}/auth{path}"


def become(page: Chromium, system: System, person: str = "tess", path: str = "/account") -> None:
    page.get(at(system, path))
    page.press(person)


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


def test_no_page_can_be_framed(system: System, page: Chromium, evil: Evil) -> None:
    become(page, system)
    for path in ("/account", "/device", "/end_session", "/nowhere", "/account/password"):
        evil.page = f"<iframe src='{at(system, path)}' onload='document.title=`loaded {path}`'></iframe>"
        page.get(evil.url)
        page.until(lambda path=path: page.title == f"loaded {path}")  # type: ignore[misc]  # bound early
        assert any("frame-ancestors" in complaint for complaint in page.complaints()), path
        page.switch_to.frame(page.find_element(By.TAG_NAME, "iframe"))
        assert "signed in" not in page.body
        assert not page.find_elements(By.TAG_NAME, "main")
        page.switch_to.default_content()


def test_another_site_signs_nobody_in_and_changes_nothing(system: System, page: Chromium, evil: Evil) -> None:
    """Somebody else's sign-in, in this browser, would make its person work under a foreign account."""
    with httpx.Client(verify=system.trust, follow_redirects=True) as attacker:
        shown = attacker.get(at(system, "/device"))
    login = next(form for form in forms_of(shown) if ("person", "sam") in form.buttons)
    fields = {**login.fields, "person": "sam"}
    own = "".join(f'<input name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items())
    post = '<form id="f" method="post" action="{}">{}</form><script>document.getElementById("f").submit()</script>'
    evil.page = post.format(escape(login.action), own)
    page.get(evil.url)
    page.until_text("came from another site")
    assert page.get_cookies() == []

    become(page, system)
    for action in ("/account/sign-out-everywhere", "/account/sessions/end", "/sign-out", "/device", "/consent"):
        evil.page = post.format(at(system, action), '<input name="form_token" value="x">')
        page.get(evil.url)
        page.until(lambda: page.current_url.startswith(at(system, "")))
        assert page.heading in {"Something is wrong", "Your account", "Connect a device"}, "no cookie comes along"
    page.get(at(system, "/account"))
    assert page.body.count("this browser") == 1, "still signed in"


def test_nobody_is_sent_to_a_foreign_site(system: System, page: Chromium, evil: Evil) -> None:
    become(page, system)
    for path in (
        f"/session?return_to={quote(evil.url)}",
        f"/session?return_to=//127.0.0.1:{evil.server.server_port}/",
        f"/account?code=x&state={quote(evil.url)}",
        f"/account?done={quote(evil.url)}",
        f"/account/set-up?{evil.url}",
        f"/end_session?post_logout_redirect_uri={quote(evil.url)}&client_id=portal",
        f"/device?user_code={quote(evil.url)}",
    ):
        page.get(at(system, path))
        assert page.current_url.startswith(f"https://localhost:{system.port}/"), path
    page.get(request(system, redirect_uri=evil.url))
    assert page.heading == "Something is wrong"


def test_a_planted_session_is_not_taken_over(system: System, page: Chromium) -> None:
    page.get(at(system, "/device"))
    page.add_cookie({"name": SESSION, "value": "A" * 43, "path": "/", "secure": True, "httpOnly": True})
    become(page, system)
    held = page.get_cookie(SESSION)
    assert held is not None
    assert held["value"] != "A" * 43
    assert (held["httpOnly"], held["secure"], held["sameSite"]) == (True, True, "Lax")
    page.get(request(system, prompt="login"))
    page.press("tess")
    renewed = page.get_cookie(SESSION)
    assert renewed is not None
    assert renewed["value"] != held["value"], "every sign-in gives a fresh one"
    page.delete_cookie(SESSION)
    page.add_cookie({"name": SESSION, "value": held["value"], "path": "/", "secure": True})
    page.get(at(system, "/account"))
    assert page.heading == "Sign in", "the former one opens nothing"


def test_another_port_of_the_host_cannot_toss_a_cookie(system: System, page: Chromium, evil: Evil) -> None:
    """Ports share cookies, and paths and letters differ; what begins with `__Host-` is the issuer's all the same."""
    become(page, system)
    held = page.get_cookie(SESSION)
    tossed = [
        f"{name}=tossed; path={path}{more}"
        for name in (SESSION, SESSION.lower(), SESSION.upper(), f"={SESSION}", f" {SESSION}", "__Host-ringwall-browser")
        for path in ("/", "/auth", "/auth/account")
        for more in ("", "; secure", "; domain=localhost")
    ]
    evil.page = f"<script>for (const each of {json.dumps(tossed)}) document.cookie = each;</script>"
    page.get(evil.url.replace("127.0.0.1", "localhost"))
    page.get(at(system, "/account"))
    assert page.heading == "Your account"
    assert page.get_cookie(SESSION) == held
    page.delete_cookie(SESSION)
    page.get(evil.url.replace("127.0.0.1", "localhost"))
    page.get(at(system, "/account"))
    page.press("tess")
    fresh = page.get_cookie(SESSION)
    assert fresh is not None
    assert "tossed" not in fresh["value"]
    assert page.heading == "Your account"


def test_going_back_after_signing_out_shows_nothing(system: System, page: Chromium) -> None:
    become(page, system)
    assert "tess" in page.body
    page.get(at(system, "/end_session"))
    page.press("Sign out")
    for _ in range(2):
        page.back()
        page.until(lambda: page.execute_script("return document.readyState") == "complete")
        assert page.heading != "Your account"
        assert "You are signed in" not in page.body


def test_names_run_nothing(system: System, page: Chromium) -> None:
    found = re.search(r"https://\S+", system.ringwall("users", "invite", "mallory", "--display-name", ATTACK))
    assert found is not None
    page.get(found[0])
    page.fill(password=PASSWORD, again=PASSWORD)
    page.press("Set password")
    hint = quote(ATTACK)
    for url in (
        at(system, "/account"),
        at(system, f"/account?done={hint}"),
        at(system, f"/device?user_code={hint}"),
        at(system, "/end_session"),
        request(system, state=ATTACK),
        request(system, login_hint=ATTACK, prompt="login"),
        request(system, redirect_uri=ATTACK),
        at(system, f"/authorize?{hint}"),
        at(system, f"/{hint}"),
        f"https://localhost:{system.port}/{hint}",
    ):
        page.get(url)
        assert page.heading
        assert not page.find_elements(By.TAG_NAME, "img")
        scripts = [each.get_attribute("src") or "inline" for each in page.find_elements(By.TAG_NAME, "script")]
        assert all(script.startswith(at(system, "/assets/")) for script in scripts), scripts
    assert not [complaint for complaint in page.complaints() if "Content Security Policy" in complaint]


def test_a_script_that_got_in_would_not_run(system: System, page: Chromium) -> None:
    """The policy of each page, apart from that nothing gets in."""
    become(page, system)
    page.execute_script(
        "const made = document.createElement('script'); made.textContent = \"document.title='pwned'\";"
        "document.body.append(made); document.body.insertAdjacentHTML('beforeend', arguments[0]);",
        "<img src=x onerror=\"document.title='pwned'\"><style>body{color:red}</style><form action='https://evil.example/'>",
    )
    assert page.title.startswith("Your account")
    complaints = " ".join(page.complaints())
    for directive in ("script-src", "img-src", "style-src"):
        assert directive in complaints, complaints
