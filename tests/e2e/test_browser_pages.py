"""The issuer's pages in a real Chromium, through the real edge."""

from collections.abc import Iterator

import pytest
from tests.support.chromium import Chromium, chromium
from tests.support.system import System, copy_example

DEFINITION = """
clients:
  portal: {kind: web, title: The Portal, redirect_uris: [https://localhost/callback]}
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("pages"))
    blueprint = folder / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    with System(folder) as running:
        yield running


@pytest.fixture
def page(system: System) -> Iterator[Chromium]:
    with chromium(system.port) as opened:
        yield opened


def test_somebody_signs_in_and_out(system: System, page: Chromium) -> None:
    issuer = f"https://localhost:{system.port}/auth"
    page.get(f"{issuer}/device")
    assert page.heading == "Sign in"
    assert page.button("Sign in with a passkey").is_displayed()
    page.press("tess")
    assert page.heading == "Connect a device"
    page.fill(user_code="BCDF-GHJK")
    page.press("Go on")
    assert "No device waits" in page.body
    page.get(f"{issuer}/end_session")
    assert page.heading == "Sign out?"
    page.press("Sign out")
    assert page.heading == "You are signed out"
    page.get(f"{issuer}/device")
    assert page.heading == "Sign in"
