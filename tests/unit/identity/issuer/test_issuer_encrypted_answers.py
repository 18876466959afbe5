"""What clients are told is encrypted where they want it, and read by a library that we did not write."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey
from tests.support.issuer_browser import RelyingParty, browser, redeem, sign_in
from tests.support.issuer_plan import ISSUER, PORTAL, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key, public_jwk

from ringwall.identity.tokens.claims import Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.encoding import decode_base64url
from ringwall.identity.tokens.encryption import CONTENT, KEY_MANAGEMENT
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.plan.client import Client

PARTY = RelyingParty()
RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
SIGNING = public_jwk(make_key("ES256", "signs"))


def reader(algorithm: str) -> RSAKey | ECKey:
    return RSA if algorithm.startswith("RSA") else EC


def public(algorithm: str, **members: Any) -> dict[str, Any]:
    return {**reader(algorithm).as_dict(private=False), "use": "enc", "kid": "reads", **members}


def wanting(algorithm: str, content: str, *keys: dict[str, Any]) -> Client:
    return PORTAL.model_copy(
        update={
            "jwks": json.dumps({"keys": list(keys) or [SIGNING, public(algorithm)]}),
            "id_token_encrypted_response_alg": algorithm,
            "id_token_encrypted_response_enc": content,
            "userinfo_encrypted_response_alg": algorithm,
            "userinfo_encrypted_response_enc": content,
        }
    )


def world_of(tmp_path: Path, client: Client) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan(clients=(client,)))


def opened(text: str, algorithm: str, content: str) -> str:
    found = jwe.decrypt_compact(text, reader(algorithm), algorithms=[algorithm, content])
    header = found.headers()
    assert (header["alg"], header["enc"], header["cty"], header["kid"]) == (algorithm, content, "JWT", "reads")
    assert "zip" not in header
    assert found.plaintext is not None
    return found.plaintext.decode()


def believed(world: IssuerWorld, signed: str) -> VerifiedClaims:
    expected = Expected(issuer=ISSUER, audiences=frozenset({"portal"}), types=frozenset({"jwt"}))
    return verify_token(signed, keys=world.published(), expected=expected, clock=world.clock)


async def tokens_of(world: IssuerWorld, page: httpx.AsyncClient, secret: str) -> httpx.Response:
    code = await sign_in(page, PARTY, prompt="login")
    return await redeem(page, PARTY.redemption(code), ("portal", secret))


@pytest.mark.parametrize(
    ("algorithm", "content"),
    [
        *((algorithm, CONTENT[0]) for algorithm in KEY_MANAGEMENT),
        *((KEY_MANAGEMENT[1], content) for content in CONTENT),
    ],
)
def test_only_the_client_reads_what_it_is_told(tmp_path: Path, algorithm: str, content: str) -> None:
    world = world_of(tmp_path, wanting(algorithm, content))
    secret = world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            tokens = (await tokens_of(world, page, secret)).json()
            signed = opened(tokens["id_token"], algorithm, content)
            claims = believed(world, signed)
            assert (claims.subject, claims.claims["nonce"]) == ("alice", PARTY.nonce)
            world.verify(tokens["access_token"])  # proxies read it, so it is signed and no more
            told = await page.get(f"{ISSUER}/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
            assert (told.status_code, told.headers["content-type"]) == (200, "application/jwt")
            assert told.headers["cache-control"] == "no-store"
            about = opened(told.text, algorithm, content)
            form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            again = (await redeem(page, form, ("portal", secret))).json()
            assert believed(world, opened(again["id_token"], algorithm, content)).subject == "alice"
            hint = await page.get(f"{ISSUER}/end_session", params={"id_token_hint": about})
            assert hint.status_code == 400  # what is told about somebody is no ID token
            assert (await page.get(f"{ISSUER}/end_session", params={"id_token_hint": signed})).status_code == 200

    asyncio.run(run())


def test_the_token_inside_is_signed_as_the_client_wants(tmp_path: Path) -> None:
    client = wanting("ECDH-ES", "A128GCM").model_copy(update={"id_token_signed_response_alg": "RS256"})
    world = world_of(tmp_path, client)
    secret = world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            tokens = (await tokens_of(world, page, secret)).json()
            world.verify(tokens["access_token"])  # with ES256, by what proxies have
            signed = opened(tokens["id_token"], "ECDH-ES", "A128GCM")
            found = verify_signature(UnverifiedToken.parse(signed), world.keys.id_token_key_set)
            assert json.loads(found)["sub"] == "alice"
            assert json.loads(decode_base64url(signed.split(".")[0]))["alg"] == "RS256"
            assert (await page.get(f"{ISSUER}/end_session", params={"id_token_hint": signed})).status_code == 200

    asyncio.run(run())


@pytest.mark.parametrize(
    "keys",
    [
        [SIGNING],
        [public("ECDH-ES", use="sig")],
        [{name: value for name, value in public("ECDH-ES").items() if name != "use"}],
        [public("ECDH-ES", alg="ECDH-ES+A128KW")],
        [public("RSA-OAEP-256")],
        [public("ECDH-ES", x=public("ECDH-ES")["y"])],
        [public("ECDH-ES", crv="P-384")],
        [public("ECDH-ES", kty="RSA")],
        [{**EC.as_dict(private=True), "use": "enc"}],
        [{"kty": "oct", "k": "AAAA", "use": "enc"}],
        [],
    ],
)
def test_nothing_is_told_in_the_clear_for_want_of_a_good_key(
    tmp_path: Path, keys: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    client = wanting("ECDH-ES", CONTENT[0]).model_copy(update={"jwks": json.dumps({"keys": keys})})
    world = world_of(tmp_path, client)
    secret = world.new_secret("portal")

    async def run() -> None:
        async with browser(world.app) as page:
            answered = await tokens_of(world, page, secret)
            assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")
            write_plan(tmp_path, login_plan(clients=(PORTAL,)))
            token = (await tokens_of(world, page, secret)).json()["access_token"]
            write_plan(tmp_path, login_plan(clients=(client,)))
            told = await page.get(f"{ISSUER}/userinfo", headers={"authorization": f"Bearer {token}"})
            assert told.status_code == 400
            assert "alice" not in told.text

    asyncio.run(run())
    assert "no good key" in caplog.text


def test_a_weak_key_is_not_encrypted_for(tmp_path: Path) -> None:
    weak = RSAKey.generate_key(2048).as_dict(private=False) | {"use": "enc", "e": "AQ"}
    client = wanting("RSA-OAEP-256", CONTENT[0], weak)
    world = world_of(tmp_path, client)
    secret = world.new_secret("portal")

    async def run() -> int:
        async with browser(world.app) as page:
            return (await tokens_of(world, page, secret)).status_code

    assert asyncio.run(run()) == 400


def test_weak_algorithms_do_not_exist(tmp_path: Path) -> None:
    document = world_of(tmp_path, PORTAL).ask("GET", "/.well-known/openid-configuration").json()
    for what in ("id_token", "userinfo"):
        assert document[f"{what}_encryption_alg_values_supported"] == list(KEY_MANAGEMENT)
        assert document[f"{what}_encryption_enc_values_supported"] == list(CONTENT)
    assert not {"RSA1_5", "RSA-OAEP", "dir", "A128KW", "A256KW", "PBES2-HS256+A128KW"} & set(KEY_MANAGEMENT)
