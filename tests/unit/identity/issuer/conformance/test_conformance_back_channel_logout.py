"""oidcc-backchannel-rp-initiated-logout-certification-test-plan: one test for each module, by its name."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from tests.support.conformance import AFTER, Suite, conformance_world, play
from tests.support.document_server import DocumentServer, document_server
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_world import IssuerWorld, ask

from ringwall.identity.issuer.backchannel_logout import BackChannelLogout
from ringwall.identity.issuer.client_servers import ClientServers
from ringwall.identity.issuer.logout_delivery import LogoutDelivery
from ringwall.plan.client import Profile

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture(params=[None, Profile.OIDC_CERTIFICATION], ids=["pkce", "without-pkce"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> IssuerWorld:
    return conformance_world(tmp_path, profile=request.param)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DocumentServer]:
    with document_server(tmp_path / "dev-ca.pem") as found:
        yield found


def test_oidcc_backchannel_logout_discovery_endpoint_verification(world: IssuerWorld) -> None:
    told = world.ask("GET", "/.well-known/openid-configuration").json()
    assert told["backchannel_logout_supported"] is True
    assert told["backchannel_logout_session_supported"] is True
    assert told["end_session_endpoint"].startswith("https://")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_oidcc_backchannel_rp_initiated_logout(world: IssuerWorld, server: DocumentServer, algorithm: str) -> None:
    delivery = LogoutDelivery(ClientServers(world.settings.development_root))
    sender = BackChannelLogout(world.context, delivery.deliver, begun=True)

    async def module(suite: Suite) -> None:
        given = await suite.tokens()
        asked = {"id_token_hint": given["id_token"], "post_logout_redirect_uri": AFTER, "state": "x y"}
        response = await suite.end_session(**asked)
        assert (response.status_code, response.headers["location"]) == (303, f"{AFTER}?state=x%20y")
        await sender.look()
        await sender.settle()
        (body,) = server.posted
        (token,) = parse_qs(body.decode())["logout_token"]
        keys = KeySet.import_key_set((await ask(world.app, "GET", "/jwks")).json())
        decoded = jwt.decode(token, keys, algorithms=[algorithm])
        claims, now = decoded.claims, world.clock.now()
        assert decoded.header["kid"]
        assert (claims["iss"], claims["aud"]) == (ISSUER, suite.client["client_id"])
        assert (claims["sub"], claims["sid"]) == (given["claims"]["sub"], given["claims"]["sid"])
        assert claims["iat"] <= now < claims["exp"] <= now + 120
        assert claims["events"] == {EVENT: {}}
        assert claims["jti"]
        assert "nonce" not in claims
        assert (await suite.authorize(prompt="none"))["error"] == "login_required"

    metadata = {"backchannel_logout_uri": f"{server.url}/signed-out", "backchannel_logout_session_required": True}
    play(world, module, id_token_signed_response_alg=algorithm, **metadata)
