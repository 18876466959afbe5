"""One Ringwall is the provider of another: two whole systems, and a browser between them."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.accessible import assert_accessible
from tests.support.chromium import Chromium, chromium
from tests.support.echo_service import PAGE, SERVICE
from tests.support.system import System

HUB = """
ringwall: 1
system: hub
edge:
  listen: 127.0.0.1:8443
  domains: [127.0.0.1]
roles: {staff: }
people:
  alice: {roles: [staff]}
  bob: {roles: [staff]}
clients:
  shop:
    kind: web
    redirect_uris: ["https://localhost:SHOP/auth/upstream/hub/callback"]
    post_logout_redirect_uris: ["https://localhost:SHOP/auth/upstream/hub/signed-out"]
services:
  web:
    run: python service.py
    expose: /
    operations: [home: GET /home]
    allow: [{operations: [home], users: any}]
"""
SHOP = """
ringwall: 1
system: shop
edge:
  listen: 127.0.0.1:8443
roles: {customer: }
issuers:
  local:
    upstreams:
      hub:
        issuer: https://127.0.0.1:HUB/auth
        client_id: shop
        secret: {file: secret}
        algorithms: [ES256]
        accounts: create
        logout: true
        default_roles: [customer]
        acr: {pwd: pwd, mfa: mfa}
services:
  web:
    run: python service.py
    expose: /
    login: true
    operations: [home: GET /home]
    allow: [{operations: [home], roles: [customer]}]
"""


@dataclass
class Two:
    hub: System
    shop: System

    def browser(self) -> httpx.Client:
        trust = self.shop.trust
        trust.load_verify_locations(str(self.hub.state / "dev-ca.pem"))
        origin = f"https://localhost:{self.shop.port}"
        return httpx.Client(base_url=origin, verify=trust, follow_redirects=True, headers=PAGE, timeout=60)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    made = {}
    for name, text in (("hub", HUB), ("shop", SHOP)):
        folder = tmp_path_factory.mktemp(name)
        (folder / "ringwall.yaml").write_text(text)
        (folder / "service.py").write_text(SERVICE)
        made[name] = folder
    environ = {"SSL_CERT_FILE": str(made["hub"] / ".ringwall" / "dev-ca.pem")}
    hub, shop = System(made["hub"]), System(made["shop"], environ=environ)
    hub.blueprint.write_text(hub.blueprint.read_text().replace(":SHOP/", f":{shop.port}/"))
    shop.blueprint.write_text(shop.blueprint.read_text().replace(":HUB/", f":{hub.port}/"))
    with hub:
        (made["shop"] / "secret").write_text(hub.ringwall("client", "shop"))
        with shop:
            yield Two(hub, shop)


def send(browser: httpx.Client, page: httpx.Response, holding: str, **fields: str) -> httpx.Response:
    form = next(found for found in re.findall(r"<form.*?</form>", page.text, re.DOTALL) if holding in found)
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    action = re.search(r'action="([^"]*)"', form)
    assert action is not None
    origin = f"https://{page.url.netloc.decode()}"
    data = {**{name: html.unescape(value) for name, value in hidden}, **fields}
    return browser.post(html.unescape(action[1]), data=data, headers={"origin": origin})


def leave(browser: httpx.Client) -> httpx.Response:
    """Open a page, and choose to sign in at the hub."""
    page = browser.get("/home")
    link = re.search(r'class="button" href="([^"]*)"', page.text)
    assert link is not None, page.text
    return browser.get(html.unescape(link[1]))


def test_somebody_signs_in_at_the_hub_and_out_of_both(two: Two) -> None:
    with two.browser() as browser:
        there = leave(browser)
        assert there.url.netloc.decode() == f"127.0.0.1:{two.hub.port}", there.text
        back = send(browser, there, "alice", person="alice")
        assert back.status_code == 200, back.text
        assert str(back.url) == f"https://localhost:{two.shop.port}/home"
        headers = back.json()
        assert headers["x-ringwall-issuer"] == f"https://localhost:{two.shop.port}/auth", "tokens are the shop's own"
        assert headers["x-ringwall-roles"] == '["customer"]'
        account = two.shop.ringwall_json("users")["users"][0]
        assert (account["user_name"], account["id"]) == ("alice", headers["x-ringwall-subject"])
        assert account["roles"] == ["customer"], "`staff` is a role of the hub, and none of the shop"

        asked = browser.get("/auth/end_session")
        done = send(browser, asked, "form_token")
        assert (done.url.path, "You are signed out" in done.text) == ("/auth/upstream/hub/signed-out", True), done.text
        assert "alice" in leave(browser).text, "the hub asks who is there"


def test_a_real_browser_goes_there_and_back_and_is_held_up_by_no_policy_of_a_page(two: Two) -> None:
    """Chromium checks every redirect that answers a form (CSP Level 3, section 6.4.2.1)."""
    with chromium(two.shop.port, others=(two.hub.port,)) as page:
        page.get(f"https://localhost:{two.shop.port}/home")
        assert_accessible(page)
        page.set_window_size(800, 1300)
        page.save_screenshot(str(two.shop.folder / "sign-in.png"))
        page.follow("hub")
        assert urlsplit(page.current_url).netloc == f"127.0.0.1:{two.hub.port}"
        page.press("alice")
        assert page.current_url == f"https://localhost:{two.shop.port}/home"
        page.get(f"https://localhost:{two.shop.port}/auth/end_session")
        page.press("Sign out")
        assert urlsplit(page.current_url).path == "/auth/upstream/hub/signed-out"
        assert page.heading == "You are signed out"


def test_somebody_connects_their_account_with_who_they_are_at_the_hub(two: Two) -> None:
    """With a real browser: no policy of a page holds up the way to the provider and back."""
    link = re.search(r"https://\S+", two.shop.ringwall("users", "invite", "bea"))
    assert link is not None
    account = f"https://localhost:{two.shop.port}/auth/account"
    with chromium(two.shop.port, others=(two.hub.port,)) as page:
        page.get(link[0])
        page.fill(password="correct horse battery staple", again="correct horse battery staple")
        page.press("Set password")
        page.get(account)
        assert "Not connected" in page.body
        assert_accessible(page)
        picture(page, two.shop.folder / "account-providers")
        page.follow("Connect")
        assert page.heading == "Connect hub"
        assert_accessible(page)
        page.follow("Go to hub")
        assert urlsplit(page.current_url).netloc == f"127.0.0.1:{two.hub.port}"
        page.press("bob")
        assert page.heading == "Is that you?"
        assert_accessible(page)
        picture(page, two.shop.folder / "connect-confirm")
        page.press("Yes, connect")
        assert page.current_url == f"{account}?done=provider"
        assert "Connected: you can sign in there" in page.body
        assert_accessible(page)
        picture(page, two.shop.folder / "account-connected")
        page.press("Disconnect")
        assert "Not connected" in page.body


def picture(page: Chromium, path: Path) -> None:
    """Keep what the page looks like: wide and light, and as narrow as a phone and dark."""
    for name, width, scheme in (("light", 900, "light"), ("dark-320", 320, "dark")):
        page.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        page.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 1500, "deviceScaleFactor": 1, "mobile": False},
        )
        page.save_screenshot(f"{path}-{name}.png")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_who_is_disabled_here_stays_out_however_they_sign_in_there(two: Two) -> None:
    with two.browser() as browser:
        send(browser, leave(browser), "alice", person="alice")
        two.shop.ringwall("users", "disable", "alice")
        try:
            browser.cookies.clear()
            refused = send(browser, leave(browser), "alice", person="alice")
            assert refused.status_code == 403
            assert "there is no account for you here" in refused.text
        finally:
            two.shop.ringwall("users", "enable", "alice")


def test_the_check_finds_the_hub_good(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(two.hub.state / "dev-ca.pem"))
    assert two.shop.ringwall_json("upstreams", "check")["good"]
    monkeypatch.delenv("SSL_CERT_FILE")
    assert not two.shop.ringwall_json("upstreams", "check", code=1)["good"], (
        "whose authority this machine does not know"
    )


def test_a_dry_run_says_whose_account_it_would_be(two: Two, tmp_path: Path) -> None:
    claims = tmp_path / "claims.json"
    claims.write_text('{"sub": "nobody-yet", "preferred_username": "new"}')
    tried = two.shop.ringwall_json("upstreams", "try", "hub", "--claims", str(claims))
    assert tried["account"] == {"how": "a new account"}
    assert [each["role"] for each in tried["roles"]] == ["customer"]
