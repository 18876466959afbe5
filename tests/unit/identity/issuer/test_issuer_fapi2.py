"""FAPI 2.0 Security Profile (final), clause by clause: the issuer's part, for clients with `profile: fapi2`.

Named by section and item. Not here: TLS (5.2), which is the edge's and tested there; 5.3.3, which is the client's.
"""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.support.dpop_client import DpopClient
from tests.support.fapi_client import CALLBACK, FapiClient, Play, fapi_plan_client, player, refused, uses_a_code_twice
from tests.support.issuer_browser import ORIGIN, forms_of, pick, sent_back
from tests.support.issuer_plan import BATCH, BUILTIN, ISSUER, PORTAL, login_plan
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key

from ringwall.plan.client import ClientKind, Profile
from ringwall.plan.identity import Registration

KEYS = {algorithm: make_key(algorithm, algorithm) for algorithm in ("ES256", "PS256", "EdDSA", "RS256")}
KEY = KEYS["ES256"]


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    bank = fapi_plan_client(*KEYS.values())
    issuer = BUILTIN.model_copy(update={"profile": Profile.FAPI2})
    return IssuerWorld(tmp_path, plan=login_plan(issuers=(issuer,), clients=(BATCH, PORTAL, bank)))


@pytest.fixture
def play(world: IssuerWorld) -> Play:
    return player(world, KEY)


# 5.3.2.1 General requirements for authorization servers


def test_5_3_2_1_1_metadata_are_published(world: IssuerWorld) -> None:
    told = world.ask("GET", "/.well-known/oauth-authorization-server").json()
    assert told["issuer"] == ISSUER
    assert told["require_pushed_authorization_requests"] is True
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert set(told["token_endpoint_auth_signing_alg_values_supported"]) == {"PS256", "ES256", "EdDSA"}
    assert set(told["dpop_signing_alg_values_supported"]) <= {"PS256", "ES256", "EdDSA", "Ed25519"}
    assert set(told["id_token_signing_alg_values_supported"]) <= {"PS256", "ES256", "EdDSA"}


def test_5_3_2_1_2_there_are_no_passwords_of_owners(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        form = {"grant_type": "password", "username": "alice", "password": "x"}
        refused(await client.post("/token", form, proof=True), "unsupported_grant_type")

    play(scene)


def test_5_3_2_1_3_only_confidential_clients(tmp_path: Path) -> None:
    public = fapi_plan_client(KEY, kind=ClientKind.BROWSER)
    world = IssuerWorld(tmp_path, plan=login_plan(clients=(public,)))
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "bank"}
    refused(world.ask("POST", "/token", data=form), "invalid_client", 401)


def test_5_3_2_1_4_and_5_tokens_are_bound_to_a_key(play: Play, world: IssuerWorld) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        refused(await client.redeem(code, proof=False), "invalid_request")
        given = (await client.redeem(code)).json()
        assert given["token_type"] == "DPoP"
        assert world.verify(given["access_token"]).claims["cnf"] == {"jkt": client.holder.jkt}

    play(scene)


def test_5_3_2_1_6_clients_authenticate_by_their_keys_alone(play: Play, world: IssuerWorld) -> None:
    secret = world.new_secret("bank")  # the operator may have made one before the profile

    async def scene(client: FapiClient) -> None:
        shown = {"client_id": "bank", "client_secret": secret}
        refused(await client.push(shown=shown), "invalid_client", 401)
        assert (await client.push()).status_code == 201

    play(scene)


def test_5_3_2_1_7_nobody_is_sent_where_a_request_says(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        query = urlencode(client.party.parameters(redirect_uri="https://evil.example/", code_challenge="x"))
        response = await client.page.get(f"{ISSUER}/authorize?{query}")
        assert (response.status_code, response.headers.get("location")) == (400, None)

    play(scene)


@pytest.mark.parametrize("audience", [f"{ISSUER}/token", f"{ISSUER}/par", [ISSUER], [ISSUER, f"{ISSUER}/par"], None])
def test_5_3_2_1_8_assertions_are_for_the_issuer_alone(play: Play, audience: Any) -> None:
    async def scene(client: FapiClient) -> None:
        refused(await client.push(shown=client.assertion(aud=audience)), "invalid_client", 401)

    play(scene)


def test_5_3_2_1_9_refresh_tokens_stay_the_same(play: Play, world: IssuerWorld) -> None:
    async def scene(client: FapiClient) -> None:
        token = (await client.tokens())["refresh_token"]
        for _ in range(3):
            fresh = await client.refresh(token)
            assert fresh.status_code == 200, fresh.text
            assert "refresh_token" not in fresh.json()
            world.clock.advance(6 * 86_400)  # each use lets it last for longer
        ended = await ask(world.app, "POST", "/revoke", data={"token": token, **client.assertion()})
        assert ended.status_code == 200
        refused(await client.refresh(token), "invalid_grant")

    play(scene)


def test_5_3_2_1_10_and_proofs_carry_nonces_of_the_server(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        proof = client.holder.proof("POST", f"{ISSUER}/token", nonce=None)
        form = {**client.party.redemption(code), **client.assertion()}
        response = await ask(client.world.app, "POST", "/token", data=form, headers={"dpop": proof})
        refused(response, "use_dpop_nonce")
        assert response.headers["dpop-nonce"]

    play(scene)


def test_5_3_2_1_11_a_code_lasts_a_minute_at_most(play: Play, world: IssuerWorld) -> None:
    assert world.settings.code_seconds <= 60

    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        world.clock.advance(61)
        refused(await client.redeem(code), "invalid_grant")

    play(scene)


def test_5_3_2_1_12_a_code_is_bound_to_the_key_of_the_pushed_request(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered(proof=True))["code"]
        nonce = client.holder.nonce
        client.holder = DpopClient(client.world.clock, key=make_key("ES256"), nonce=nonce)
        refused(await client.redeem(code), "invalid_grant")
        client.begin()
        code = (await client.answered(dpop_jkt=client.holder.jkt))["code"]
        assert (await client.redeem(code)).status_code == 200

    play(scene)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_5_3_2_1_13_clocks_may_differ_by_ten_seconds_and_not_by_sixty(play: Play, claim: str) -> None:
    async def scene(client: FapiClient) -> None:
        now = int(client.world.clock.now())
        for ahead in (0, 10):
            made: Any = {claim: now + ahead}
            assert (await client.push(shown=client.assertion(**made))).status_code == 201
            client.begin()
        made = {claim: now + 61, "exp": now + 120}
        refused(await client.push(shown=client.assertion(**made)), "invalid_client", 401)

    play(scene)


def test_5_3_2_1_13_holds_for_proofs_too(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        await client.tokens()  # learns the nonce
        for ahead, status in ((10, 201), (61, 400)):
            proof = client.holder.proof("POST", f"{ISSUER}/par", iat=int(client.world.clock.now()) + ahead)
            client.begin()
            form = {**client.party.parameters(), **client.assertion()}
            response = await ask(client.world.app, "POST", "/par", data=form, headers={"dpop": proof})
            assert response.status_code == status, response.text

    play(scene)


def test_5_3_2_1_14_a_token_has_what_was_granted_and_no_more(play: Play, world: IssuerWorld) -> None:
    async def scene(client: FapiClient) -> None:
        client.scope = "openid accounts payments"
        given = await client.tokens()
        assert given["scope"] == "openid accounts"
        assert world.verify(given["access_token"]).claims["scope"] == "openid accounts"

    play(scene)


# 5.3.2.2 Authorization code flow


def test_5_3_2_2_1_the_code_flow_works_from_end_to_end(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        given = await client.tokens()
        token = given["access_token"]
        proof = client.holder.proof("GET", f"{ISSUER}/userinfo", access_token=token)
        headers = {"authorization": f"DPoP {token}", "dpop": proof}
        about = await client.page.get(f"{ISSUER}/userinfo", headers=headers)
        assert (about.status_code, about.json()["sub"]) == (200, "alice")

    play(scene)


def test_5_3_2_2_1_no_other_response_type_exists(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        for other in ("token", "id_token", "code id_token", "none"):
            refused(await client.push(response_type=other), "unsupported_response_type")

    play(scene)


def test_5_3_2_2_2_and_4_requests_are_pushed_by_authenticated_clients(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        refused(await client.push(shown={"client_id": "bank"}), "invalid_client", 401)
        assert (await client.push()).status_code == 201

    play(scene)


def test_5_3_2_2_3_a_request_that_was_not_pushed_is_refused(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        response = await client.page.get(client.party.url())
        assert (response.status_code, response.headers.get("location")) == (400, None)

    play(scene)


@pytest.mark.parametrize(
    "changes", [{"code_challenge": None}, {"code_challenge_method": "plain"}, {"code_challenge_method": None}]
)
def test_5_3_2_2_5_pkce_with_s256_is_required(play: Play, changes: dict[str, Any]) -> None:
    async def scene(client: FapiClient) -> None:
        refused(await client.push(**changes), "invalid_request")

    play(scene)


def test_5_3_2_2_5_the_verifier_must_fit(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        client.party.verifier = "x" * 43
        refused(await client.redeem(code), "invalid_grant")

    play(scene)


@pytest.mark.parametrize("uri", [None, "https://bank.example/other", "http://bank.example/callback"])
def test_5_3_2_2_6_and_8_the_redirect_uri_is_pushed_and_one_that_is_registered(play: Play, uri: str | None) -> None:
    async def scene(client: FapiClient) -> None:
        refused(await client.push(redirect_uri=uri), "invalid_request")

    play(scene)


def test_5_3_2_2_7_answers_name_the_issuer(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        assert (await client.answered())["iss"] == ISSUER
        client.begin()
        client.world.clock.advance(10)
        error = await client.bring((await client.push(prompt="none", max_age="0")).json()["request_uri"])
        back = sent_back(error, CALLBACK)
        assert (back["error"], back["iss"]) == ("login_required", ISSUER)

    play(scene)


def test_5_3_2_2_9_a_code_works_once_and_a_second_use_ends_what_came_of_it(play: Play) -> None:
    play(uses_a_code_twice)


def test_5_3_2_2_10_and_11_browsers_are_sent_on_by_303(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        shown = await client.bring((await client.push()).json()["request_uri"])
        form = next(form for form in forms_of(shown) if ("person", "alice") in form.buttons)
        response = await client.page.post(
            form.action, data={**form.fields, "person": "alice"}, headers={"origin": ORIGIN}
        )
        assert response.status_code == 303

    play(scene)


def test_5_3_2_2_12_a_reference_ends_within_ten_minutes_and_works_once(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        pushed = (await client.push()).json()
        assert pushed["expires_in"] < 600
        assert len(pushed["request_uri"].rpartition(":")[2]) >= 22, "128 bits"
        first, second = [await client.bring(pushed["request_uri"]) for _ in range(2)]  # note 3: a page is loaded again
        assert "code" in sent_back(await pick(client.page, first), CALLBACK)
        assert sent_back(await pick(client.page, second), CALLBACK)["error"] == "invalid_request"
        assert sent_back(await client.bring(pushed["request_uri"]), CALLBACK)["error"] == "invalid_request"
        client.begin()
        late = (await client.push()).json()
        client.world.clock.advance(late["expires_in"] + 1)
        assert (await client.bring(late["request_uri"])).status_code == 400

    play(scene)


def test_5_3_2_2_12_a_reference_is_good_for_its_client_alone(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        pushed = (await client.push()).json()
        client.name = "portal"
        assert (await client.bring(pushed["request_uri"])).status_code == 400

    play(scene)


def test_5_3_2_2_13_people_are_told_what_asks(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        shown = await client.bring((await client.push(prompt="consent")).json()["request_uri"])
        consent = await pick(client.page, shown)
        assert "bank" in consent.text
        assert "https://bank.example" in consent.text
        assert "accounts" in consent.text

    play(scene)


# 5.3.4 Requirements for resource servers: the issuer's userinfo endpoint is one


def test_5_3_4_a_token_is_taken_in_the_header_with_a_proof_for_it_alone(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        token = (await client.tokens())["access_token"]
        url = f"{ISSUER}/userinfo"
        for headers, where in (
            ({"authorization": f"Bearer {token}"}, url),
            ({"authorization": f"DPoP {token}"}, url),
            ({"authorization": f"DPoP {token}", "dpop": client.holder.proof("GET", url, access_token="other")}, url),
            ({}, f"{url}?{urlencode({'access_token': token})}"),
        ):
            assert (await client.page.get(where, headers=headers)).status_code == 401
        posted = await client.page.post(url, data={"access_token": token})
        assert posted.status_code == 401

    play(scene)


# 5.4 Cryptography and secrets


@pytest.mark.parametrize(("algorithm", "status"), [("ES256", 201), ("PS256", 201), ("EdDSA", 201), ("RS256", 401)])
def test_5_4_1_1_clients_sign_with_strong_algorithms_alone(play: Play, algorithm: str, status: int) -> None:
    async def scene(client: FapiClient) -> None:
        client.key, client.algorithm = KEYS[algorithm], algorithm
        assert (await client.push()).status_code == status

    play(scene)


def test_5_4_1_2_and_4_nothing_unsigned_and_no_weak_keys(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        unsigned = dict(client.assertion())
        head, body, _ = unsigned["client_assertion"].split(".")
        for text in (f"{head}.{body}.", f"eyJhbGciOiJub25lIn0.{body}."):
            refused(await client.push(shown={**unsigned, "client_assertion": text}), "invalid_client", 401)

    play(scene)


def test_5_4_2_handles_have_128_bits_at_least(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        given = (await client.redeem(code)).json()
        for handle in (code, given["refresh_token"].removeprefix("rwrt_")):
            assert re.fullmatch(r"[A-Za-z0-9_-]{22,}", handle)

    play(scene)


# As one switch


def test_clients_that_register_under_the_profile_follow_it(tmp_path: Path) -> None:
    policy = Registration(open=True, kinds=(ClientKind.WEB,))
    issuer = BUILTIN.model_copy(update={"profile": Profile.FAPI2, "registration": policy})
    world = IssuerWorld(tmp_path, plan=login_plan(issuers=(issuer,)))
    refused(world.ask("POST", "/register", json={"redirect_uris": [CALLBACK]}), "invalid_client_metadata")
    jwks = {"keys": [dict(KEY.as_dict(private=False))]}
    metadata = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks}
    made = world.ask("POST", "/register", json=metadata)
    assert made.status_code == 201, made.text

    async def main() -> None:
        found = await world.context.client(made.json()["client_id"])
        assert found is not None
        assert found.profile is Profile.FAPI2
        assert found.pushed_requests
        assert found.bound_tokens

    asyncio.run(main())
