"""Clients of different sectors know a person by different names, and everything that takes a name back goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.conformance import AFTER, CALLBACK, Suite, conformance_world, play
from tests.support.document_server import document_server
from tests.support.issuer_browser import RelyingParty, browser, redeem, sign_in
from tests.support.issuer_plan import BUILTIN, ISSUER, PORTAL, login_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.logout_receiver import logout_receiver

from ringwall.identity.issuer.backchannel_logout import BackChannelLogout
from ringwall.identity.issuer.client_servers import ClientServers
from ringwall.identity.issuer.logout_delivery import LogoutDelivery
from ringwall.identity.issuer.subjects import KEY_NAME, Subjects
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.tokens.encoding import decode_base64url, decode_json_object
from ringwall.plan.client import ClientKind
from ringwall.plan.identity import Registration

PAIRWISE = {"subject_type": "pairwise"}


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return conformance_world(tmp_path)


def read(token: str) -> dict[str, Any]:
    return decode_json_object(decode_base64url(token.split(".")[1]))


async def tokens(suite: Suite) -> dict[str, Any]:
    """Sign Carol in for the suite's client; return what it is told."""
    code = (await suite.authorize())["code"]
    return dict((await redeem(suite.page, suite.redemption(code), suite.auth)).json())


def test_a_name_is_of_one_sector_and_one_account() -> None:
    store = MemoryKeyStore()
    subjects, again, elsewhere = Subjects(store), Subjects(store), Subjects(MemoryKeyStore())
    here, there = (PORTAL.model_copy(update={"sector": sector}) for sector in ("a.example", "b.example"))
    assert subjects.of(PORTAL, "carol") == "carol"
    names = [subjects.of(here, "carol"), subjects.of(there, "carol"), subjects.of(here, "dave")]
    assert len({*names, elsewhere.of(here, "carol")}) == 4
    assert again.of(here, "carol") == names[0]
    assert len(names[0]) == 43
    assert store.get_json(KEY_NAME)


def test_what_a_client_reads_says_its_own_name_and_access_tokens_the_systems(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await tokens(suite)
        name = read(given["id_token"])["sub"]
        assert len(name) == 43
        assert suite.subject not in given["id_token"]
        assert suite.subject not in str(read(given["id_token"]))
        bearer = {"authorization": f"Bearer {given['access_token']}"}
        assert (await suite.page.get(f"{ISSUER}/userinfo", headers=bearer)).json()["sub"] == name
        assert read(given["access_token"])["sub"] == suite.subject
        for token in (given["access_token"], given["refresh_token"]):
            about = await suite.page.post(f"{ISSUER}/introspect", data={"token": token}, auth=suite.auth)
            assert about.json()["active"] is True
            assert about.json()["sub"] == name

    play(world, module, **PAIRWISE)


def test_refreshed_tokens_say_the_same_name(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await tokens(suite)
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        fresh = (await redeem(suite.page, form, suite.auth)).json()
        assert read(fresh["id_token"])["sub"] == read(given["id_token"])["sub"]

    play(world, module, **PAIRWISE)


def test_clients_of_one_host_share_names(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        first = read((await tokens(suite))["id_token"])["sub"]
        suite.client = (await suite.register(**PAIRWISE)).json()
        assert read((await tokens(suite))["id_token"])["sub"] == first

    play(world, module, **PAIRWISE)


def test_a_sector_is_one_for_who_is_listed_in_its_document(world: IssuerWorld, tmp_path: Path) -> None:
    with document_server(tmp_path / "dev-ca.pem") as server:
        uri = server.put("/sector.json", [CALLBACK, "https://b.example/"])

        async def module(suite: Suite) -> None:
            host_alone = read((await tokens(suite))["id_token"])["sub"]
            more: dict[str, Any] = {"redirect_uris": [CALLBACK, "https://b.example/"], "sector_identifier_uri": uri}
            suite.client = (await suite.register(**PAIRWISE, **more)).json()
            assert read((await tokens(suite))["id_token"])["sub"] != host_alone

        play(world, module, **PAIRWISE)


def test_nobody_enters_a_sector_without_an_address_in_it(tmp_path: Path) -> None:
    """A device could ask for tokens, and would be told the names of the sector without being of it."""
    policy = Registration(
        open=True, kinds=(ClientKind.WEB,), device_flow=True, document_hosts=("127.0.0.1",), private_documents=True
    )
    issuer = BUILTIN.model_copy(update={"registration": policy})
    world = IssuerWorld(tmp_path, plan=login_plan(issuers=(issuer,), development=True))
    with document_server(tmp_path / "dev-ca.pem") as server:
        uri = server.put("/sector.json", [CALLBACK])
        device = {"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"]}
        for asked in (device, {**device, "redirect_uris": ["https://b.example/"]}):
            refused = world.ask("POST", "/register", json={**asked, **PAIRWISE, "sector_identifier_uri": uri})
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
        assert world.ask("POST", "/register", json=device).status_code == 201


def test_an_id_token_hint_means_the_person_and_no_other(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await tokens(suite)
        assert "code" in await suite.authorize(prompt="none", id_token_hint=given["id_token"])
        suite.world.context.subjects._key = None
        suite.world.store.put_json(KEY_NAME, {"key": "00" * 32})
        refused = await suite.authorize(prompt="none", id_token_hint=given["id_token"])
        assert refused["error"] == "login_required", "the name is not one of hers any more"

    play(world, module, **PAIRWISE)


def test_signing_out_takes_the_hint(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await tokens(suite)
        response = await suite.end_session(id_token_hint=given["id_token"], post_logout_redirect_uri=AFTER)
        assert (response.status_code, response.headers["location"]) == (303, AFTER)
        assert (await suite.authorize(prompt="none"))["error"] == "login_required"

    play(world, module, **PAIRWISE)


def test_revoking_the_account_ends_what_a_pairwise_client_has(world: IssuerWorld) -> None:
    async def module(suite: Suite) -> None:
        given = await tokens(suite)
        response = await suite.page.post(f"{ISSUER}/revoke", data={"token": given["refresh_token"]}, auth=suite.auth)
        assert response.status_code == 200
        bearer = {"authorization": f"Bearer {given['access_token']}"}
        assert (await suite.page.get(f"{ISSUER}/userinfo", headers=bearer)).status_code == 401
        about = await suite.page.post(f"{ISSUER}/introspect", data={"token": given["access_token"]}, auth=suite.auth)
        assert about.json() == {"active": False}

    play(world, module, **PAIRWISE)


def test_a_client_of_the_blueprint_is_told_of_a_sign_out_by_the_name_that_it_knows(tmp_path: Path) -> None:
    with logout_receiver() as receiver:
        changed = {"sector": "portal.example", "backchannel_logout_uri": receiver.uri}
        portal = PORTAL.model_copy(update=changed)
        world = IssuerWorld(tmp_path, plan=login_plan(clients=(portal,), development=True))

        party = RelyingParty(scope="openid")
        delivery = LogoutDelivery(ClientServers(world.settings.development_root))
        sender = BackChannelLogout(world.context, delivery.deliver, begun=True)

        async def run() -> None:
            async with browser(world.app) as page:
                code = await sign_in(page, party)
                secret = ("portal", world.new_secret("portal"))
                given = (await redeem(page, party.redemption(code), secret)).json()
                await page.get(f"{ISSUER}/end_session", params={"id_token_hint": given["id_token"]})
                await sender.look()
                await sender.settle()
                (token,) = receiver.tokens
                assert read(token)["sub"] == read(given["id_token"])["sub"] != "alice"
                assert read(token)["sid"] == read(given["id_token"])["sid"]

        asyncio.run(run())
