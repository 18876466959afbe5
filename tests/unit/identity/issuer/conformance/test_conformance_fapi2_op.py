"""fapi2-security-profile-final-test-plan (private_key_jwt, DPoP): what test_issuer_fapi2.py has not by its clauses.

Named as the suite's classes are, without their `FAPI2SPFinal`.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.support.dpop_client import DpopClient
from tests.support.fapi_client import CALLBACK, FapiClient, Play, fapi_plan_client, player, refused
from tests.support.issuer_browser import forms_of, send, sent_back
from tests.support.issuer_plan import ISSUER, login_plan
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key

KEY, OTHER = make_key("ES256", "one"), make_key("ES256", "other")


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    clients = (fapi_plan_client(KEY), fapi_plan_client(OTHER, name="rival"))
    return IssuerWorld(tmp_path, plan=login_plan(clients=clients))


@pytest.fixture
def play(world: IssuerWorld) -> Play:
    return player(world, KEY)


def test_user_rejects_authentication(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        await client.tokens()
        client.begin()
        shown = await client.bring((await client.push(prompt="consent")).json()["request_uri"])
        form = next(form for form in forms_of(shown) if ("decision", "allow") in form.buttons)
        back = sent_back(await send(client.page, form, {"decision": "deny"}), CALLBACK)
        assert (back["error"], back["state"], back["iss"]) == ("access_denied", client.party.state, ISSUER)

    play(scene)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"state": None}, id="EnsureAuthorizationRequestWithoutStateSuccess"),
        pytest.param({"nonce": None}, id="EnsureAuthorizationRequestWithoutNonceSuccess"),
        pytest.param({"nonce": "n" * 64}, id="EnsureAuthorizationRequestWith64CharNonceSuccess"),
        pytest.param({"nonce": "n" * 384}, id="EnsureAuthorizationRequestWithLongNonce"),
        pytest.param({"state": "s" * 384}, id="EnsureAuthorizationRequestWithLongState"),
        pytest.param({"scope": "accounts openid"}, id="EnsureOtherScopeOrderSucceeds"),
        pytest.param({"claims": '{"id_token":{"name":null}}'}, id="TestClaimsParameterIdentityClaims"),
    ],
)
def test_requests_that_succeed(play: Play, changes: dict[str, Any]) -> None:
    async def scene(client: FapiClient) -> None:
        back = await client.answered(**changes)
        assert back.get("state", "") == (client.party.parameters(**changes).get("state", ""))
        assert (await client.redeem(back["code"])).status_code == 200

    play(scene)


def test_access_token_type_header_case_sensitivity(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        token = (await client.tokens())["access_token"]
        for scheme in ("DPoP", "dpop", "DPOP"):
            proof = client.holder.proof("GET", f"{ISSUER}/userinfo", access_token=token)
            headers = {"authorization": f"{scheme} {token}", "dpop": proof}
            assert (await client.page.get(f"{ISSUER}/userinfo", headers=headers)).status_code == 200

    play(scene)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"iat": -10}, 201, id="EnsureDpopProofWithIat10SecondsBeforeSucceeds"),
        pytest.param({"iat": 10}, 201, id="EnsureDpopProofWithIat10SecondsAfterSucceeds"),
        pytest.param({"nbf": 0, "exp": 60}, 201, id="CheckDpopProofNbfExp"),
        pytest.param({"iat": -600}, 400, id="DpopNegativeTests-old"),
        pytest.param({"iat": 600}, 400, id="DpopNegativeTests-early"),
    ],
)
def test_times_of_proofs(play: Play, changes: dict[str, int], status: int) -> None:
    async def scene(client: FapiClient) -> None:
        await client.tokens()  # learns the nonce
        client.begin()
        now = int(client.world.clock.now())
        made: Any = {name: now + offset for name, offset in changes.items()}
        form = {**client.party.parameters(), **client.assertion()}
        headers = {"dpop": client.holder.proof("POST", f"{ISSUER}/par", **made)}
        assert (await ask(client.world.app, "POST", "/par", data=form, headers=headers)).status_code == status

    play(scene)


def test_ensure_mismatched_dpop_jkt_fails(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        other = DpopClient(client.world.clock, key=make_key("ES256"))
        refused(await client.push(proof=True, dpop_jkt=other.jkt), "invalid_dpop_proof")

    play(scene)


def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        other = DpopClient(client.world.clock, key=make_key("ES256"))
        refused(await client.redeem((await client.answered(dpop_jkt=other.jkt))["code"]), "invalid_grant")

    play(scene)


def test_ensure_authorization_code_is_bound_to_client(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        client.name, client.key = "rival", OTHER
        refused(await client.redeem(code), "invalid_grant")

    play(scene)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": -300}, id="EnsureClientAssertionWithExpIs5MinutesInPastFails"),
        pytest.param({"aud": "https://evil.example"}, id="EnsureClientAssertionWithWrongAudFails"),
        pytest.param({"sub": None}, id="EnsureClientAssertionWithNoSubFails"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"jti": None}, id="no-jti"),
    ],
)
def test_assertions_that_fail(play: Play, changes: dict[str, Any]) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        now = int(client.world.clock.now())
        made: Any = {name: now + value if isinstance(value, int) else value for name, value in changes.items()}
        refused(await client.redeem(code, shown=client.assertion(**made)), "invalid_client", 401)

    play(scene)


def test_ensure_client_assertion_in_token_endpoint(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        refused(await client.redeem(code, shown={"client_id": "bank"}), "invalid_client", 401)

    play(scene)


def test_an_assertion_works_once(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        shown = client.assertion()
        assert (await client.push(shown=shown)).status_code == 201
        client.begin()
        refused(await client.push(shown=shown), "invalid_client", 401)

    play(scene)


def test_par_reject_request_uri_in_par_authorization_form_params(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        uri = (await client.push()).json()["request_uri"]
        client.begin()
        refused(await client.push(request_uri=uri), "invalid_request")

    play(scene)


def test_par_reject_invalid_http_verb(world: IssuerWorld) -> None:
    for method in ("GET", "PUT"):
        assert world.ask(method, "/par").status_code == 405


def test_par_without_duplicate_parameters(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        uri = (await client.push()).json()["request_uri"]
        shown = await client.bring(uri)  # nothing but client_id and request_uri
        assert shown.status_code == 200

    play(scene)


def test_par_ensure_pkce_code_verifier_required(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        form = client.party.redemption((await client.answered())["code"], code_verifier=None)
        refused(await client.post("/token", form, proof=True), "invalid_request")

    play(scene)
