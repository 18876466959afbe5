"""DPoP at the issuer: tokens bound to keys at the token endpoint, and used with proofs at the userinfo endpoint."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.dpop_client import DpopClient
from tests.support.issuer_browser import ORIGIN, RelyingParty, browser, sent_back, sign_in
from tests.support.issuer_plan import ISSUER, login_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key

from ringwall.identity.dpop.nonces import PERIOD_SECONDS

TOKEN = f"{ISSUER}/token"
USERINFO = f"{ISSUER}/userinfo"
SPA = RelyingParty(client="spa", callback="https://spa.example/callback", scope="openid")


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan())


@pytest.fixture
def holder(world: IssuerWorld) -> DpopClient:
    return DpopClient(world.clock)


async def post(
    page: httpx.AsyncClient, form: dict[str, str], proof: str | None = None, secret: tuple[str, str] | None = None
) -> httpx.Response:
    headers = {} if proof is None else {"dpop": proof}
    auth = httpx.BasicAuth(*secret) if secret else None
    async with httpx.AsyncClient(transport=page._transport, base_url=ORIGIN, auth=auth) as client:
        return await client.post(TOKEN, data=form, headers=headers)


async def learn_nonce(page: httpx.AsyncClient, holder: DpopClient) -> None:
    """Ask for a token with a code that nobody has, which tells the nonce and nothing else."""
    response = await post(page, {**SPA.redemption("x"), "client_id": "spa"}, holder.proof("POST", TOKEN))
    assert (response.status_code, response.json()["error"]) == (400, "use_dpop_nonce")
    holder.nonce = response.headers["dpop-nonce"]


async def redeemed(page: httpx.AsyncClient, holder: DpopClient | None, **changes: str) -> httpx.Response:
    """Sign in for the public client and redeem the code."""
    code = await sign_in(page, SPA, **changes) if not page.cookies else await silent(page, **changes)
    proof = holder.proof("POST", TOKEN) if holder else None
    return await post(page, {**SPA.redemption(code), "client_id": "spa"}, proof)


async def silent(page: httpx.AsyncClient, **changes: str) -> str:
    return sent_back(await page.get(SPA.url(**changes)), SPA.callback)["code"]


def test_a_key_is_bound_to_the_tokens_of_a_public_client(world: IssuerWorld, holder: DpopClient) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await learn_nonce(page, holder)
            response = await redeemed(page, holder)
            body = response.json()
            assert (response.status_code, body["token_type"]) == (200, "DPoP")
            assert response.headers["dpop-nonce"] == holder.nonce
            assert world.verify(body["access_token"]).claims["cnf"] == {"jkt": holder.jkt}

            refresh = {"grant_type": "refresh_token", "client_id": "spa", "refresh_token": body["refresh_token"]}
            thief = DpopClient(world.clock, nonce=holder.nonce, key=make_key("ES256"))
            for proof in (None, thief.proof("POST", TOKEN)):
                assert (await post(page, refresh, proof)).json()["error"] == "invalid_grant"
            again = (await post(page, refresh, holder.proof("POST", TOKEN))).json()
            assert again["token_type"] == "DPoP"
            assert world.verify(again["access_token"]).claims["cnf"] == {"jkt": holder.jkt}

    asyncio.run(run())


def test_a_client_that_authenticates_may_change_keys(world: IssuerWorld, holder: DpopClient) -> None:
    secret = ("portal", world.new_secret("portal"))
    party = RelyingParty()

    async def run() -> None:
        async with browser(world.app) as page:
            await learn_nonce(page, holder)
            code = await sign_in(page, party)
            body = (await post(page, party.redemption(code), holder.proof("POST", TOKEN), secret)).json()
            other = DpopClient(world.clock, nonce=holder.nonce, key=make_key("ES256"))
            refresh = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
            fresh = (await post(page, refresh, other.proof("POST", TOKEN), secret)).json()
            assert world.verify(fresh["access_token"]).claims["cnf"] == {"jkt": other.jkt}

    asyncio.run(run())


def test_client_credentials_are_bound_too(world: IssuerWorld, holder: DpopClient) -> None:
    secret = world.new_secret()

    def ask(**headers: str) -> httpx.Response:
        form = {"grant_type": "client_credentials"}
        return world.ask("POST", "/token", data=form, auth=("batch", secret), headers=headers)

    holder.nonce = ask(dpop=holder.proof("POST", TOKEN)).headers["dpop-nonce"]
    body = ask(dpop=holder.proof("POST", TOKEN)).json()
    assert (body["token_type"], world.verify(body["access_token"]).claims["cnf"]) == ("DPoP", {"jkt": holder.jkt})
    assert ask().json()["token_type"] == "Bearer"


def test_each_proof_works_once(world: IssuerWorld, holder: DpopClient) -> None:
    secret = world.new_secret()
    form = {"grant_type": "client_credentials"}

    def ask(proof: str) -> httpx.Response:
        return world.ask("POST", "/token", data=form, auth=("batch", secret), headers={"dpop": proof})

    holder.nonce = ask(holder.proof("POST", TOKEN)).headers["dpop-nonce"]
    proof = holder.proof("POST", TOKEN)
    assert ask(proof).status_code == 200
    refused = ask(proof)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    jti = "again"
    assert ask(holder.proof("POST", TOKEN, jti=jti)).status_code == 200
    assert ask(holder.proof("POST", TOKEN, jti=jti, iat=int(world.clock.now()) - 1)).status_code == 400
    other = DpopClient(world.clock, nonce=holder.nonce, key=make_key("ES256"))
    assert ask(other.proof("POST", TOKEN, jti=jti)).status_code == 200


def test_a_nonce_is_given_and_ends(world: IssuerWorld, holder: DpopClient) -> None:
    secret = world.new_secret()
    form = {"grant_type": "client_credentials"}

    def ask(proof: str) -> httpx.Response:
        return world.ask("POST", "/token", data=form, auth=("batch", secret), headers={"dpop": proof})

    first = ask(holder.proof("POST", TOKEN))
    assert (first.status_code, first.json()["error"]) == (400, "use_dpop_nonce")
    holder.nonce = first.headers["dpop-nonce"]
    world.clock.advance(PERIOD_SECONDS)
    good = ask(holder.proof("POST", TOKEN))
    assert good.status_code == 200
    assert good.headers["dpop-nonce"] != holder.nonce
    world.clock.advance(PERIOD_SECONDS)
    assert ask(holder.proof("POST", TOKEN)).json()["error"] == "use_dpop_nonce"
    # Another process with the same keys knows the same nonces.
    assert IssuerWorld(world.settings.state, plan=login_plan(), store=world.store).context.keystore is world.store


@pytest.mark.parametrize("count", [2, 3])
def test_more_than_one_proof_is_none(world: IssuerWorld, holder: DpopClient, count: int) -> None:
    headers = [("dpop", holder.proof("POST", TOKEN)) for _ in range(count)]
    auth = ("batch", world.new_secret())
    response = world.ask("POST", "/token", data={"grant_type": "client_credentials"}, auth=auth, headers=headers)
    assert response.json()["error"] == "invalid_dpop_proof"


def test_the_host_header_decides_nothing(world: IssuerWorld, holder: DpopClient) -> None:
    proof = holder.proof("POST", "https://evil.example/token")
    headers = {"dpop": proof, "host": "evil.example"}
    auth = ("batch", world.new_secret())
    response = world.ask("POST", "/token", data={"grant_type": "client_credentials"}, auth=auth, headers=headers)
    assert response.json()["error"] == "invalid_dpop_proof"


def test_a_code_is_for_the_key_that_the_request_named(world: IssuerWorld, holder: DpopClient) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await learn_nonce(page, holder)
            other = DpopClient(world.clock, nonce=holder.nonce, key=make_key("ES256"))
            assert (await redeemed(page, None, dpop_jkt=holder.jkt)).json()["error"] == "invalid_grant"
            assert (await redeemed(page, other, dpop_jkt=holder.jkt)).json()["error"] == "invalid_grant"
            assert (await redeemed(page, holder, dpop_jkt=holder.jkt)).status_code == 200
            back = sent_back(await page.get(SPA.url(dpop_jkt="short")), SPA.callback)
            assert back["error"] == "invalid_request"

    asyncio.run(run())


def test_userinfo_takes_a_bound_token_with_a_proof_for_it_alone(world: IssuerWorld, holder: DpopClient) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            await learn_nonce(page, holder)
            token = (await redeemed(page, holder)).json()["access_token"]
            plain = (await redeemed(page, None)).json()["access_token"]

            async def ask(scheme: str, shown: str, **proof: Any) -> httpx.Response:
                headers = {"authorization": f"{scheme} {shown}"}
                if proof:
                    headers["dpop"] = (proof.pop("by", holder)).proof("GET", USERINFO, **proof)
                return await page.get("/auth/userinfo", headers=headers)

            assert (await ask("DPoP", token, access_token=token)).json() == {"sub": "alice"}
            other = DpopClient(world.clock, nonce=holder.nonce, key=make_key("ES256"))
            refused = [
                (await ask("Bearer", token), "invalid_token"),  # stolen, without the key
                (await ask("Bearer", token, access_token=token), "invalid_token"),  # downgraded
                (await ask("DPoP", token), "invalid_dpop_proof"),
                (await ask("DPoP", token, access_token=plain), "invalid_dpop_proof"),
                (await ask("DPoP", token, access_token=token, by=other), "invalid_token"),
                (await ask("DPoP", plain, access_token=plain), "invalid_token"),
                (await ask("DPoP", token, access_token=token, nonce="old"), "use_dpop_nonce"),
            ]
            for response, error in refused:
                assert (response.status_code, response.json()["error"]) == (401, error), response.text
                assert f'error="{error}"' in response.headers["www-authenticate"]
            nonce_asked = refused[-1][0]
            assert nonce_asked.headers["www-authenticate"].startswith("DPoP ")
            assert nonce_asked.headers["dpop-nonce"] == holder.nonce
            assert (await ask("Bearer", plain)).status_code == 200

    asyncio.run(run())


def test_the_metadata_say_so(world: IssuerWorld) -> None:
    metadata = world.ask("GET", "/.well-known/openid-configuration").json()
    assert metadata["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "EdDSA"]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80))
def test_whatever_stands_in_the_header(fuzzed: tuple[IssuerWorld, str], text: str) -> None:
    world, secret = fuzzed
    form = {"grant_type": "client_credentials"}
    response = world.ask("POST", "/token", data=form, auth=("batch", secret), headers={"dpop": text})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_dpop_proof")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> tuple[IssuerWorld, str]:
    world = IssuerWorld(tmp_path_factory.mktemp("dpop"), plan=login_plan())
    return world, world.new_secret()
