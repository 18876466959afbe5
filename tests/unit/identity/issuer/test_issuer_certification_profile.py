"""The profile for certification makes PKCE optional for those who can do without, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.conformance import Suite, conformance_world, play
from tests.support.issuer_browser import RelyingParty, redeem
from tests.support.issuer_plan import BUILTIN, ISSUER, PHONE, PORTAL, SPA, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.plan.client import Profile

CERTIFICATION = Profile.OIDC_CERTIFICATION
WITHOUT: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return conformance_world(tmp_path, profile=CERTIFICATION)


def test_without_the_profile_nobody_goes_without(tmp_path: Path) -> None:
    async def module(suite: Suite) -> None:
        suite.pkce = False
        assert (await suite.authorize())["error"] == "invalid_request"

    play(conformance_world(tmp_path), module)


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge": "short"},
    ],
)
def test_half_a_challenge_is_refused(world: IssuerWorld, changes: dict[str, Any]) -> None:
    async def module(suite: Suite) -> None:
        suite.pkce = True
        assert (await suite.authorize(**changes))["error"] == "invalid_request"

    play(world, module)


@pytest.mark.parametrize("verifier", [None, "x" * 43])
def test_who_began_with_a_challenge_ends_with_its_verifier(world: IssuerWorld, verifier: str | None) -> None:
    async def module(suite: Suite) -> None:
        suite.pkce = True
        code = (await suite.authorize())["code"]
        form = suite.party.redemption(code, code_verifier=verifier)
        assert (await redeem(suite.page, form, suite.auth)).json()["error"] == "invalid_grant"

    play(world, module)


def test_who_began_without_a_challenge_has_no_verifier(world: IssuerWorld) -> None:
    """Else somebody could strip the challenge of a client that sends one (RFC 9700, section 2.1.1)."""

    async def module(suite: Suite) -> None:
        code = (await suite.authorize())["code"]
        form = suite.party.redemption(code)
        assert form["code_verifier"]
        assert (await redeem(suite.page, form, suite.auth)).json()["error"] == "invalid_grant"

    play(world, module)


def test_a_code_without_a_challenge_is_good_no_more_when_the_profile_has_gone(
    world: IssuerWorld, tmp_path: Path
) -> None:
    async def module(suite: Suite) -> None:
        code = (await suite.authorize())["code"]
        plan = login_plan(issuers=(BUILTIN.model_copy(update={"registration": _policy(world)}),), development=True)
        write_plan(tmp_path, plan)
        for form in (suite.redemption(code), suite.party.redemption(code)):
            assert (await redeem(suite.page, form, suite.auth)).status_code == 400

    play(world, module)


def _policy(world: IssuerWorld) -> Any:
    return world.directory.current().registration


@pytest.mark.parametrize("client", [PHONE, SPA, PORTAL.model_copy(update={"profile": Profile.FAPI2})])
def test_who_cannot_keep_a_secret_and_who_follows_fapi_always_send_it(tmp_path: Path, client: Any) -> None:
    issuer = BUILTIN.model_copy(update={"profile": CERTIFICATION})
    world = IssuerWorld(tmp_path, plan=login_plan(issuers=(issuer,), clients=(client,)))
    party = RelyingParty(client=client.name, callback=client.redirect_uris[0])
    response = world.ask("GET", "/authorize", params=party.parameters(**WITHOUT))
    assert response.status_code == 303
    assert "error=invalid_request" in response.headers["location"]
    assert "PKCE" in response.headers["location"]


def test_the_metadata_say_what_the_issuer_does_as_ever(world: IssuerWorld) -> None:
    told = world.ask("GET", "/.well-known/openid-configuration").json()
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["response_types_supported"] == ["code"]
    assert told["issuer"] == ISSUER
