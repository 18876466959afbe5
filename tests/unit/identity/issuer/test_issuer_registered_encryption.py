"""Clients that register themselves get encrypted what they ask for so, and nothing in its place in the clear."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, KeySet, RSAKey
from tests.support.issuer_browser import RelyingParty, browser, forms_of, pick, redeem, send, sent_back
from tests.support.issuer_plan import BUILTIN, ISSUER, PORTAL, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key, public_jwk, sign

from ringwall.identity.tokens.encoding import decode_json_object
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.plan.client import Client, ClientKind
from ringwall.plan.identity import Registration

CALLBACK = "https://app.partner.example/callback"
POLICY = Registration(open=True, kinds=tuple(ClientKind), scopes=("orders:read",))
INTROSPECTION = "application/token-introspection+jwt"
SIGNING = make_key("ES256", "signs")
EC = ECKey.generate_key("P-256", {"use": "enc", "kid": "ec"})
RSA = RSAKey.generate_key(2048, {"use": "enc", "kid": "rsa", "alg": "RSA-OAEP-256"})
KEYS = {"keys": [public_jwk(SIGNING), EC.as_dict(private=False), RSA.as_dict(private=False)]}
WANTED = {
    "id_token_signed_response_alg": "ES256",
    "id_token_encrypted_response_alg": "RSA-OAEP-256",
    "userinfo_encrypted_response_alg": "ECDH-ES+A256KW",
    "userinfo_encrypted_response_enc": "A256GCM",
    "introspection_signed_response_alg": "ES256",
    "introspection_encrypted_response_alg": "ECDH-ES+A256KW",
    "introspection_encrypted_response_enc": "A256CBC-HS512",
    "request_object_encryption_alg": "ECDH-ES",
    "request_object_encryption_enc": "A128GCM",
}


def world_of(folder: Path, *clients: Client) -> IssuerWorld:
    issuer = BUILTIN.model_copy(update={"registration": POLICY})
    return IssuerWorld(folder, plan=login_plan(issuers=(issuer,), clients=clients or (PORTAL,)))


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return world_of(tmp_path)


def register(world: IssuerWorld, **metadata: Any) -> httpx.Response:
    asked = {"redirect_uris": [CALLBACK], "client_name": "Tea shop", "jwks": KEYS, **metadata}
    return world.ask("POST", "/register", json={name: value for name, value in asked.items() if value is not None})


def registered(world: IssuerWorld, **metadata: Any) -> dict[str, Any]:
    response = register(world, **metadata)
    assert response.status_code == 201, response.text
    return dict(response.json())


def opened(text: str, key: ECKey | RSAKey, algorithm: str, content: str) -> str:
    found = jwe.decrypt_compact(text, key, algorithms=[algorithm, content])
    assert (found.headers()["alg"], found.headers()["enc"]) == (algorithm, content)
    assert found.plaintext is not None
    return found.plaintext.decode()


def believed(world: IssuerWorld, text: str) -> dict[str, Any]:
    return decode_json_object(verify_signature(UnverifiedToken.parse(text), world.keys.id_token_key_set))


async def signed_in(
    page: httpx.AsyncClient, client: dict[str, Any], party: RelyingParty, url: str = ""
) -> dict[str, Any]:
    shown = await page.get(url or party.url())
    if shown.status_code == 303:
        shown = await page.get(shown.headers["location"])
    form = next(form for form in forms_of(await pick(page, shown)) if ("decision", "allow") in form.buttons)
    back = sent_back(await send(page, form, {"decision": "allow"}), CALLBACK)
    response = await redeem(page, party.redemption(back["code"]), (client["client_id"], client["client_secret"]))
    assert response.status_code == 200, response.text
    return dict(response.json())


def party_of(client: dict[str, Any]) -> RelyingParty:
    return RelyingParty(client=client["client_id"], callback=CALLBACK)


def test_such_a_client_reads_what_nobody_else_can(world: IssuerWorld) -> None:
    client = registered(world, **WANTED)
    assert WANTED.items() <= client.items()
    assert client["id_token_encrypted_response_enc"] == "A128CBC-HS256"
    assert [key["kid"] for key in client["jwks"]["keys"]] == ["signs", "rsa", "ec"]

    async def run() -> dict[str, Any]:
        async with browser(world.app) as page:
            tokens = await signed_in(page, client, party_of(client))
            told = await page.get(f"{ISSUER}/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
            about = believed(world, opened(told.text, EC, "ECDH-ES+A256KW", "A256GCM"))
            assert (about["sub"], about["aud"]) == ("alice", client["client_id"])
            return tokens

    tokens = asyncio.run(run())
    claims = believed(world, opened(tokens["id_token"], RSA, "RSA-OAEP-256", "A128CBC-HS256"))
    assert (claims["sub"], claims["aud"]) == ("alice", client["client_id"])
    told = introspected(world, tokens["access_token"], (client["client_id"], client["client_secret"]))
    assert told.headers["content-type"] == INTROSPECTION
    answer = believed(world, opened(told.text, EC, "ECDH-ES+A256KW", "A256CBC-HS512"))
    assert (answer["aud"], answer["token_introspection"]["active"]) == (client["client_id"], True)
    assert "sub" not in answer


def introspected(world: IssuerWorld, token: str, auth: tuple[str, str], **headers: str) -> httpx.Response:
    return world.ask("POST", "/introspect", data={"token": token}, auth=auth, headers=headers)


def test_its_requests_may_be_encrypted(world: IssuerWorld) -> None:
    client = registered(world, **WANTED)
    now, party = int(world.clock.now()), party_of(client)
    claims = {"iss": party.client, "aud": ISSUER, "exp": now + 60, **party.parameters()}
    text = sign({"typ": "oauth-authz-req+jwt", "alg": "ES256", "kid": "signs"}, json.dumps(claims), SIGNING)
    keys = KeySet.import_key_set(world.ask("GET", "/jwks").json())
    key = next(each for each in keys if each.get("use") == "enc" and each.get("alg") == "ECDH-ES")
    sealed = jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A128GCM", "kid": key.kid}, text, key)

    async def run() -> dict[str, Any]:
        async with browser(world.app) as page:
            query = urlencode({"client_id": party.client, "request": sealed})
            return await signed_in(page, client, party, f"{ISSUER}/authorize?{query}")

    assert asyncio.run(run())["id_token"].count(".") == 4


def without(kid: str) -> dict[str, Any]:
    return {"keys": [key for key in KEYS["keys"] if key["kid"] != kid]}


def with_ec(**members: Any) -> dict[str, Any]:
    return {"keys": [{**EC.as_dict(private=False), **members}]}


ECDH = {"id_token_encrypted_response_alg": "ECDH-ES"}
REFUSED: dict[str, dict[str, Any]] = {
    "no keys": {**ECDH, "jwks": None},
    "no key for encryption": {**ECDH, "jwks": {"keys": [public_jwk(SIGNING)]}},
    "a key of another type": {**ECDH, "jwks": without("ec")},
    "a key for another algorithm": {**ECDH, "jwks": with_ec(alg="ECDH-ES+A128KW")},
    "a key that is no point": {**ECDH, "jwks": with_ec(x=EC.as_dict(private=False)["y"])},
    "a private key": {**ECDH, "jwks": {"keys": [{**EC.as_dict(private=True), "use": "enc"}]}},
    "a symmetric key": {**ECDH, "jwks": {"keys": [{"kty": "oct", "k": "AAAA", "use": "enc"}]}},
    "a key without use": {
        **ECDH,
        "jwks": {"keys": [{n: v for n, v in EC.as_dict(private=False).items() if n != "use"}]},
    },
    "a name with a line end": {**ECDH, "jwks": with_ec(kid="a\nb")},
    "a number as name": {**ECDH, "jwks": with_ec(kid=7)},
    "keys elsewhere": {**ECDH, "jwks": None, "jwks_uri": "https://app.partner.example/jwks"},
    "a public client": {**ECDH, "token_endpoint_auth_method": "none"},
    "PKCS 1.5": {"id_token_encrypted_response_alg": "RSA1_5"},
    "a secret": {"id_token_encrypted_response_alg": "dir"},
    "a list": {"userinfo_encrypted_response_alg": ["ECDH-ES"]},
    "an object": {"introspection_encrypted_response_alg": {"ECDH-ES": 1}},
    "another signature of answers about tokens": {"introspection_signed_response_alg": "RS256"},
    "no signature of answers about tokens": {"introspection_signed_response_alg": "none"},
    "unknown content": {**ECDH, "id_token_encrypted_response_enc": "A192GCM"},
    "content that is no text": {**ECDH, "id_token_encrypted_response_enc": 1},
    "content alone": {"introspection_encrypted_response_enc": "A128GCM"},
    "requests, for which there is no key": {"request_object_encryption_alg": "ECDH-ES+A128KW"},
    "requests, content alone": {"request_object_encryption_enc": "A128GCM"},
    "answers of another kind": {"authorization_encrypted_response_alg": "ECDH-ES"},
    "signatures of requests for tokens": {"token_endpoint_encryption_alg": "ECDH-ES"},
}


@pytest.mark.parametrize("metadata", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_refused(world: IssuerWorld, metadata: dict[str, Any]) -> None:
    response = register(world, **metadata)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


def test_keys_of_no_use_are_not_kept(world: IssuerWorld) -> None:
    assert [key["kid"] for key in registered(world)["jwks"]["keys"]] == ["signs"]
    assert [key["kid"] for key in registered(world, **ECDH)["jwks"]["keys"]] == ["signs", "ec"]
    assert "jwks" not in registered(world, jwks=without("signs"))
    assert "jwks" not in registered(world, token_endpoint_auth_method="none", application_type="native")


def test_a_client_may_ask_for_it_later_and_for_it_no_more(world: IssuerWorld) -> None:
    client = registered(world)
    path = client["registration_client_uri"].removeprefix(ISSUER)
    headers = {"authorization": f"Bearer {client['registration_access_token']}"}
    asked = {"client_id": client["client_id"], "redirect_uris": [CALLBACK]}

    def put(**more: Any) -> dict[str, Any]:
        response = world.ask("PUT", path, json={**asked, **more}, headers=headers)
        assert response.status_code == 200, response.text
        return dict(response.json())

    assert put(jwks=KEYS, **ECDH)["id_token_encrypted_response_alg"] == "ECDH-ES"
    assert not {"jwks", "id_token_encrypted_response_alg"} & put().keys()


# Introspection (RFC 9701)


def asking(**changes: Any) -> Client:
    wanted = {
        "jwks": json.dumps({"keys": [public_jwk(SIGNING), EC.as_dict(private=False)]}),
        "introspection_encrypted_response_alg": "ECDH-ES",
        "introspection_encrypted_response_enc": "A128GCM",
    }
    return PORTAL.model_copy(update={**wanted, **changes})


@pytest.mark.parametrize("accept", ["application/json", INTROSPECTION, "*/*"])
def test_who_wants_answers_encrypted_is_never_told_in_the_clear(tmp_path: Path, accept: str) -> None:
    world = world_of(tmp_path, asking())
    auth = ("portal", world.new_secret("portal"))
    for token in (world.development_token(), "x"):
        told = introspected(world, token, auth, accept=accept)
        assert (told.status_code, told.headers["content-type"]) == (200, INTROSPECTION)
        assert told.headers["cache-control"] == "no-store"
        signed = opened(told.text, EC, "ECDH-ES", "A128GCM")
        assert UnverifiedToken.parse(signed).typ == "token-introspection+jwt"
        assert believed(world, signed)["token_introspection"]["active"] is (token != "x")


def test_nothing_is_told_for_want_of_a_good_key(tmp_path: Path) -> None:
    world = world_of(tmp_path, asking(jwks=json.dumps({"keys": [public_jwk(SIGNING)]})))
    secret = world.new_secret("portal")
    told = introspected(world, world.development_token(), ("portal", secret))
    assert told.status_code == 400
    assert "alice" not in told.text
    write_plan(tmp_path, login_plan(clients=(PORTAL,)))
    assert introspected(world, world.development_token(), ("portal", secret)).json()["active"] is True


def test_it_is_said_how_answers_can_be_encrypted(world: IssuerWorld) -> None:
    document = world.ask("GET", "/.well-known/openid-configuration").json()
    for name in ("introspection_encryption_alg_values_supported", "introspection_encryption_enc_values_supported"):
        assert document[name] == document[name.replace("introspection", "id_token")]
