"""oidcc-rp-initiated-logout-certification-test-plan: one test for each module, by its name."""

from pathlib import Path

import httpx
import pytest
from tests.support.conformance import AFTER, Suite, conformance_world, play, unsigned
from tests.support.issuer_browser import forms_of
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.tokens.signing import SigningKey


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return conformance_world(tmp_path)


def error_page(response: httpx.Response) -> None:
    assert (response.status_code, response.headers.get("location")) == (400, None)


async def signed_out(suite: Suite) -> bool:
    return "login_required" in str((await suite.authorize(prompt="none")).get("error"))


async def confirmed(suite: Suite, shown: httpx.Response) -> httpx.Response:
    """Say yes where the person is asked."""
    (form,) = forms_of(shown)
    return await suite.page.post(form.action, data=form.fields, headers={"origin": "https://localhost:8443"})


def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(world: IssuerWorld) -> None:
    told = world.ask("GET", "/.well-known/openid-configuration").json()
    assert told["end_session_endpoint"] == f"{ISSUER}/end_session"


def test_oidcc_rp_initiated_logout(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        id_token = (await suite.tokens())["id_token"]
        back = await suite.end_session(id_token_hint=id_token, post_logout_redirect_uri=AFTER, state="x y")
        assert (back.status_code, back.headers["location"]) == (303, f"{AFTER}?state=x%20y")
        assert await signed_out(suite)

    play(world, module)


def test_oidcc_rp_initiated_logout_no_state(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        id_token = (await suite.tokens())["id_token"]
        back = await suite.end_session(id_token_hint=id_token, post_logout_redirect_uri=AFTER)
        assert back.headers["location"] == AFTER

    play(world, module)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(f"{AFTER}/other", id="oidcc-rp-initiated-logout-bad-post-logout-redirect-uri"),
        pytest.param(f"{AFTER}?foo=bar", id="oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri"),
    ],
)
def test_other_addresses(world: IssuerWorld, uri: str) -> None:
    async def module(suite: Suite) -> None:
        id_token = (await suite.tokens())["id_token"]
        error_page(await suite.end_session(id_token_hint=id_token, post_logout_redirect_uri=uri, state="x"))
        assert not await signed_out(suite)

    play(world, module)


def test_oidcc_rp_initiated_logout_bad_id_token_hint(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        claims = (await suite.tokens())["claims"]
        forged = SigningKey.generate().sign(claims, typ="JWT")
        error_page(await suite.end_session(id_token_hint=forged, post_logout_redirect_uri=AFTER, state="x"))

    play(world, module)


def test_oidcc_rp_initiated_logout_modified_id_token_hint(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        changed = unsigned((await suite.tokens())["id_token"])
        error_page(await suite.end_session(id_token_hint=changed, post_logout_redirect_uri=AFTER, state="x"))

    play(world, module)


def test_oidcc_rp_initiated_logout_no_id_token_hint(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        await suite.tokens()
        error_page(await suite.end_session(post_logout_redirect_uri=AFTER, state="x"))

    play(world, module)


def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        id_token = (await suite.tokens())["id_token"]
        shown = await suite.end_session(id_token_hint=id_token, state="x")
        assert (shown.status_code, shown.headers.get("location")) == (200, None)
        assert await signed_out(suite)

    play(world, module)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="oidcc-rp-initiated-logout-no-params"),
        pytest.param({"state": "x"}, id="oidcc-rp-initiated-logout-only-state"),
    ],
)
def test_the_person_is_asked_and_then_signed_out(world: IssuerWorld, asked: dict[str, str]) -> None:
    async def module(suite: Suite) -> None:
        await suite.tokens()
        shown = await suite.end_session(**asked)
        assert (shown.status_code, await signed_out(suite)) == (200, False)
        done = await confirmed(suite, shown)
        assert (done.status_code, done.headers.get("location")) == (200, None)
        assert await signed_out(suite)

    play(world, module)
