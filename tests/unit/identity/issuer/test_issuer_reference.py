"""docs/reference/issuer.md says what the code does."""

import re
from pathlib import Path

import pytest
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.dpop import nonces, proof
from ringwall.identity.federation import discovery, fetch, remote
from ringwall.identity.issuer import (
    access_tokens,
    browser_sessions,
    client_secrets,
    host_cookies,
    request,
    ring,
    throttle,
)
from ringwall.identity.issuer.oauth import device_authorization, device_page, kept_requests, register
from ringwall.identity.issuer.settings import DAY, IssuerSettings
from ringwall.identity.store import families
from ringwall.identity.tokens import encoding, jws, keys
from ringwall.identity.tokens.algorithms import ALGORITHMS
from ringwall.model.administration import CLOSED

TEXT = (Path(__file__).resolve().parents[4] / "docs" / "reference" / "issuer.md").read_text()
ONE_LINE = " ".join(TEXT.split())


def test_the_endpoints_are_those_that_are_served(tmp_path: Path) -> None:
    routes = IssuerWorld(tmp_path).app.routes
    served = {f"{method} {route.path}" for route in routes for method in route.methods if method != "HEAD"}  # type: ignore[attr-defined]  # all are Route
    served = {endpoint for endpoint in served if not endpoint.split()[1].startswith(CLOSED)}
    rows = re.findall(r"^\| (`(?:GET|POST|PUT|DELETE) .*?) \|", TEXT, re.MULTILINE)
    assert {endpoint for row in rows for endpoint in re.findall(r"`((?:GET|POST|PUT|DELETE) \S+)`", row)} == served


SETTINGS = IssuerSettings(state=Path("/nowhere"))
CLAIMS = [
    f"a body of more than {request.MAX_BODY} bytes",
    f"more than {throttle.BURST:g} wrong secrets at once, or one every {throttle.SECONDS:g} seconds",
    f"begin with `{client_secrets.PREFIX}`",
    f"It lasts {access_tokens.DEVELOPMENT_SECONDS} seconds; at most {access_tokens.MAX_DEVELOPMENT_SECONDS}",
    f"`{access_tokens.DEVELOPMENT_CLIENT}`",
    f"{SETTINGS.token_seconds} seconds for a client",
    f"A code lives for {SETTINGS.code_seconds:g} seconds",
    f"the same answer for {families.GRACE_SECONDS:g} seconds",
    f"after {SETTINGS.refresh_idle_seconds / DAY:g} days without use",
    f"after {SETTINGS.refresh_final_seconds / DAY:g} days, or with",
    f"{browser_sessions.IDLE_SECONDS / 3600:g} hours without use and {browser_sessions.FINAL_SECONDS / 3600:g} at most",
    f"`{host_cookies.SESSION}`",
    f"within {kept_requests.PUSHED_SECONDS:g} seconds; then the person has {kept_requests.TICKET_SECONDS / 60:g} min",
    f"{register.BURST} at once from one address, and then one every {register.PAUSE_SECONDS:g} seconds",
    f"at first every {device_authorization.INTERVAL_SECONDS} seconds",
    f"for at most {device_authorization.DEVICE_SECONDS:g} seconds",
    f"try {device_page.GUESSES} codes at once, and then one every {device_page.GUESS_SECONDS:g} seconds",
    f"at most {proof.PROOF_SECONDS:g} seconds old and at most {proof.AHEAD_SECONDS:g} ahead",
    f"Nonces change every {nonces.PERIOD_SECONDS:g} seconds",
    f"A token of more than {access_tokens.MAX_BYTES} bytes",
    f"plus {ring.CLOCK_SKEW:g} seconds",
    f"every {SETTINGS.key_seconds / DAY:g} days",
    f"{discovery.MAX_DOCUMENT // 1024} KiB of metadata, {keys.MAX_SET_BYTES // 1024} KiB of keys",
    f"{fetch.MAX_SECONDS:g} seconds each",
    f"every {remote.REFRESH_SECONDS / 60:g} minutes",
    f"every {remote.MIN_SECONDS:g} seconds",
    f"after {remote.RETRY_SECONDS:g} seconds",
    f"for {remote.MAX_AGE_SECONDS / DAY:g} days",
    f"below {keys.RSA_BITS.start} or above {keys.RSA_BITS.stop - 1} bits",
    f"more than {jws.MAX_TOKEN_BYTES} bytes, nesting of more than {encoding.MAX_DEPTH} levels",
    f"({SETTINGS.development_overlap_seconds:g} seconds in development mode)",
    ".ringwall/run/" + SETTINGS.admin_socket.name,
]


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_figure_is_the_codes(claim: str) -> None:
    assert claim in ONE_LINE


def test_some_figures_are_words() -> None:
    assert SETTINGS.overlap_seconds == 3600
    assert "published for an hour" in ONE_LINE
    assert client_secrets.MAX_SECRETS == 2
    assert "The two newest of a client" in ONE_LINE


def test_every_algorithm_is_named() -> None:
    assert all(re.search(rf"\b{name}\b", TEXT) for name in ALGORITHMS)
