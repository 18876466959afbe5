"""FAPI 2.0 Security Profile (final) with mutual TLS in place of DPoP, clause by clause (see test_issuer_fapi2.py).

Tokens are bound to the client's certificate. Who the client is, its key says, or the certificate itself: one that the
plan names, or one that an authority vouches for.
"""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from tests.support.certificate_authority import Certified, authority, sans
from tests.support.enforce_plans import plan as edge_plan
from tests.support.fapi_client import CALLBACK, FapiClient, Play, fapi_plan_client, player, refused, uses_a_code_twice
from tests.support.issuer_browser import browser, sent_back
from tests.support.issuer_plan import BATCH, BUILTIN, ISSUER, PORTAL, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key

from ringwall.model.clock import ManualClock
from ringwall.plan.certificate import CertificateSubject, SubjectKind
from ringwall.plan.client import Profile
from ringwall.plan.model import Plan

KEY = make_key("ES256", "ES256")
ROOT = authority(at=ManualClock().now())
MINE, OTHER = (
    ROOT.sign("bank", sans(x509.DNSName(f"{host}.example")), at=ManualClock().now()) for host in ("bank", "b")
)
SUBJECT = CertificateSubject(kind=SubjectKind.DNS, value="bank.example")
ALIAS = "https://mtls.localhost:8443/auth"
WAYS: dict[str, dict[str, Any]] = {
    "private_key_jwt": {"jwks_of": (KEY,)},
    "self_signed_tls_client_auth": {"certificates": (MINE.thumbprint,)},
    "tls_client_auth": {"certificate_subject": SUBJECT},
}


def plan(way: str, **changes: Any) -> Plan:
    fields: dict[str, Any] = {**WAYS[way], **changes}
    keys = fields.pop("jwks_of", ())
    bank = fapi_plan_client(*keys, **({} if keys else {"jwks": ""}), **fields)
    edge = edge_plan().edge
    assert edge is not None
    domains = ("localhost", "mtls.localhost")
    more = {"domains": domains, "client_certificates": domains[1:], "client_authorities": (ROOT.der,)}
    issuer = BUILTIN.model_copy(update={"profile": Profile.FAPI2})
    return login_plan(issuers=(issuer,), clients=(BATCH, PORTAL, bank), edge=edge.model_copy(update=more))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path, way: str) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=plan(way))


@pytest.fixture
def play(world: IssuerWorld, way: str) -> Play:
    return player(world, KEY, certificate=MINE, keyless=way != "private_key_jwt")


# 5.3.2.1 General requirements for authorization servers


def test_5_3_2_1_1_metadata_say_how(world: IssuerWorld, way: str) -> None:
    told = world.ask("GET", "/.well-known/oauth-authorization-server").json()
    known = {"private_key_jwt", "self_signed_tls_client_auth"} | ({way} & {"tls_client_auth"})
    assert set(told["token_endpoint_auth_methods_supported"]) == known
    assert told["tls_client_certificate_bound_access_tokens"] is True
    for name in ("token", "pushed_authorization_request", "revocation", "introspection", "userinfo"):
        assert told["mtls_endpoint_aliases"][f"{name}_endpoint"].startswith(f"{ALIAS}/")


def test_5_3_2_1_4_and_5_tokens_are_bound_to_the_certificate(play: Play, world: IssuerWorld, way: str) -> None:
    async def scene(client: FapiClient) -> None:
        given = await client.tokens()
        assert given["token_type"] == "Bearer"
        assert world.verify(given["access_token"]).claims["cnf"] == {"x5t#S256": MINE.thumbprint}
        client.begin()
        code = (await client.answered())["code"]
        client.certificate = None
        bare = await client.redeem(code, proof=False)
        if way == "private_key_jwt":
            refused(bare, "invalid_request")
        else:
            refused(bare, "invalid_client", 401)

    play(scene)


def test_5_3_2_1_5_a_proof_binds_to_its_key_instead(play: Play, world: IssuerWorld) -> None:
    async def scene(client: FapiClient) -> None:
        given = (await client.redeem((await client.answered())["code"], proof=True)).json()
        assert given["token_type"] == "DPoP"
        assert world.verify(given["access_token"]).claims["cnf"] == {"jkt": client.holder.jkt}

    play(scene)


def test_5_3_2_1_6_nothing_but_keys_and_certificates_authenticates(play: Play, world: IssuerWorld, way: str) -> None:
    secret = world.new_secret("bank")

    async def scene(client: FapiClient) -> None:
        for shown in ({"client_id": "bank", "client_secret": secret}, {"client_id": "bank", "client_secret": ""}):
            client.certificate = MINE if shown["client_secret"] else None
            refused(await client.push(shown=shown), "invalid_client", 401)
        client.certificate = OTHER
        if way != "private_key_jwt":
            refused(await client.push(), "invalid_client", 401)
        client.certificate = MINE
        both = {**client.assertion(), "client_id": "bank"}
        if way != "private_key_jwt":
            refused(await client.push(shown=both), "invalid_client", 401)
        assert (await client.push()).status_code == 201

    play(scene)


def test_5_3_2_1_9_refresh_tokens_stay_the_same_and_outlive_a_certificate(
    play: Play, world: IssuerWorld, way: str
) -> None:
    """RFC 8705, section 4: they are the authenticated client's, whose certificate may be another one by now."""
    renewed = ROOT.sign("bank", sans(x509.DNSName("bank.example")), at=world.clock.now())

    async def scene(client: FapiClient) -> None:
        token = (await client.tokens())["refresh_token"]
        if way == "self_signed_tls_client_auth":
            write_plan(world.settings.state, plan(way, certificates=(MINE.thumbprint, renewed.thumbprint)))
        for certificate in (MINE, renewed, renewed):
            client.certificate = certificate
            fresh = await client.refresh(token)
            assert fresh.status_code == 200, fresh.text
            assert "refresh_token" not in fresh.json()
            bound = world.verify(fresh.json()["access_token"]).claims["cnf"]
            assert bound == {"x5t#S256": certificate.thumbprint}
        form = {"token": token, **client.credentials()}
        assert (await ask(world.app, "POST", "/revoke", data=form, headers=client.on_connection())).status_code == 200
        refused(await client.refresh(token), "invalid_grant")

    play(scene)


def test_5_3_2_1_9_a_certificate_that_left_the_plan_refreshes_nothing(tmp_path: Path) -> None:
    way = "self_signed_tls_client_auth"
    world = IssuerWorld(tmp_path, plan=plan(way))

    async def scene(client: FapiClient) -> None:
        token = (await client.tokens())["refresh_token"]
        write_plan(world.settings.state, plan(way, certificates=(OTHER.thumbprint,)))
        refused(await client.refresh(token), "invalid_client", 401)

    player(world, KEY, certificate=MINE, keyless=True)(scene)


def test_5_3_2_1_11_a_code_lasts_a_minute_at_most(play: Play, world: IssuerWorld) -> None:
    async def scene(client: FapiClient) -> None:
        code = (await client.answered())["code"]
        world.clock.advance(61)
        refused(await client.redeem(code), "invalid_grant")

    play(scene)


# 5.3.2.2 Authorization code flow


def test_5_3_2_2_1_the_code_flow_works_from_end_to_end(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        token = (await client.tokens())["access_token"]
        headers = {"authorization": f"Bearer {token}", **client.on_connection()}
        about = await client.page.get(f"{ISSUER}/userinfo", headers=headers)
        assert (about.status_code, about.json()["sub"]) == (200, "alice")

    play(scene)


def test_5_3_2_2_2_and_4_requests_are_pushed_by_authenticated_clients(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        shown = client.certificate
        client.certificate = None
        refused(await client.push(shown={"client_id": "bank"}), "invalid_client", 401)
        client.certificate = shown
        assert (await client.push()).status_code == 201

    play(scene)


def test_5_3_2_2_3_a_request_that_was_not_pushed_is_refused(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        response = await client.page.get(client.party.url(), headers=client.on_connection())
        assert (response.status_code, response.headers.get("location")) == (400, None)

    play(scene)


def test_5_3_2_2_5_the_verifier_must_fit(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        refused(await client.push(code_challenge=None), "invalid_request")
        code = (await client.answered())["code"]
        client.party.verifier = "x" * 43
        refused(await client.redeem(code), "invalid_grant")

    play(scene)


def test_5_3_2_2_7_answers_name_the_issuer_and_never_the_alias(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        assert (await client.answered())["iss"] == ISSUER
        back = await client.bring((await client.push(prompt="none", max_age="0")).json()["request_uri"])
        assert sent_back(back, CALLBACK)["iss"] == ISSUER

    play(scene)


def test_5_3_2_2_9_a_code_works_once_and_a_second_use_ends_what_came_of_it(play: Play) -> None:
    play(uses_a_code_twice)


# 5.3.4 Requirements for resource servers: the issuer's userinfo endpoint is one (RFC 8705, section 3)


def test_5_3_4_a_token_is_taken_on_connections_with_its_certificate_alone(play: Play) -> None:
    async def scene(client: FapiClient) -> None:
        token = (await client.tokens())["access_token"]
        url = f"{ISSUER}/userinfo"
        right = client.on_connection()
        proof = client.holder.proof("GET", url, access_token=token)
        for headers, where in (
            ({"authorization": f"Bearer {token}"}, url),
            ({"authorization": f"Bearer {token}", **_with(client, OTHER).on_connection()}, url),
            ({"authorization": f"DPoP {token}", "dpop": proof, **right}, url),
            ({"authorization": f"Bearer {token}", "dpop": proof, **right}, url),
            (right, f"{url}?{urlencode({'access_token': token})}"),
        ):
            answer = await client.page.get(where, headers=headers)
            assert answer.status_code == 401, headers
            assert "invalid_token" in answer.headers["www-authenticate"] or "authorization" not in headers

    play(scene)


def test_who_asks_about_a_token_is_told_what_it_is_bound_to(play: Play, world: IssuerWorld) -> None:
    """RFC 8705, section 3.2."""

    async def scene(client: FapiClient) -> None:
        form = {"token": (await client.tokens())["access_token"], **client.credentials()}
        said = await ask(world.app, "POST", "/introspect", data=form, headers=client.on_connection())
        assert said.json()["cnf"] == {"x5t#S256": MINE.thumbprint}

    play(scene)


def test_a_certificate_of_another_client_is_none_of_its(tmp_path: Path) -> None:
    way = "tls_client_auth"
    made = plan(way)
    rival = next(each for each in made.clients if each.name == "bank").model_copy(
        update={"name": "rival", "certificate_subject": SUBJECT.model_copy(update={"value": "b.example"})}
    )
    world = IssuerWorld(tmp_path, plan=made.model_copy(update={"clients": (*made.clients, rival)}))

    async def main() -> None:
        async with browser(world.app) as page:
            bank = FapiClient(world, page, KEY, certificate=MINE, keyless=True)
            code = (await bank.answered())["code"]
            thief = FapiClient(world, page, KEY, name="rival", certificate=OTHER, keyless=True)
            thief.party = bank.party
            refused(await thief.redeem(code), "invalid_grant")
            thief.name = "bank"
            refused(await thief.redeem(code), "invalid_client", 401)

    asyncio.run(main())


def _with(client: FapiClient, certificate: Certified) -> FapiClient:
    return FapiClient(client.world, client.page, client.key, certificate=certificate)
