"""Encrypted request objects (RFC 9101, section 6.1), made by libraries of others: signed, then encrypted."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from authlib.jose import JsonWebEncryption
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import KeySet
from tests.support.issuer_browser import RelyingParty, browser, pick, redeem, sent_back
from tests.support.issuer_plan import ISSUER, SPA, login_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key, sign
from tests.support.signed_requests import KEY, PARTY, SIGNING, asserted, bring, push

from ringwall.identity.issuer.encryption_ring import ALGORITHMS, LONGEST_SECONDS
from ringwall.identity.issuer.oauth import request_objects
from ringwall.identity.tokens.encoding import decode_base64url
from ringwall.identity.tokens.encryption import CONTENT


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=login_plan(clients=(SIGNING, SPA)))


def signed(world: IssuerWorld, *, key: Any = KEY, typ: str = "oauth-authz-req+jwt", **changes: Any) -> str:
    now = int(world.clock.now())
    claims = {"iss": "portal", "aud": ISSUER, "nbf": now, "exp": now + 600, **PARTY.parameters(), **changes}
    return sign({"typ": typ, "alg": "ES256", "kid": "k1"}, json.dumps(claims), key)


def encrypted(
    world: IssuerWorld, text: str, algorithm: str = "ECDH-ES", content: str = "A256GCM", **header: Any
) -> str:
    """Encrypt as a client does: with the key of the published set that is for that."""
    keys = KeySet.import_key_set(world.ask("GET", "/jwks").json())
    key = next(key for key in keys if key.get("use") == "enc" and key.get("alg") == algorithm)
    head = {"alg": algorithm, "enc": content, "kid": key.kid, "cty": "JWT", **header}
    told = {name: value for name, value in head.items() if value is not None}
    return jwe.encrypt_compact(told, text, key, algorithms=[algorithm, content, "DEF"])


def encrypted_by_authlib(world: IssuerWorld, text: str, algorithm: str, content: str) -> str:
    """The same by Authlib, which leaves out zeros that a coordinate begins with (against RFC 7518, section 6.2.1.2)."""
    keys = world.ask("GET", "/jwks").json()["keys"]
    key = next(key for key in keys if key["use"] == "enc" and key["alg"] == algorithm)
    head = {"alg": algorithm, "enc": content, "kid": key["kid"]}
    while True:
        made: str = JsonWebEncryption().serialize_compact(head, text, key).decode()
        epk = json.loads(decode_base64url(made.partition(".")[0])).get("epk", {})
        if {len(decode_base64url(epk[name])) for name in ("x", "y") if name in epk} <= {32}:
            return made


@pytest.mark.parametrize("maker", [encrypted, encrypted_by_authlib], ids=["joserfc", "authlib"])
@pytest.mark.parametrize(
    ("algorithm", "content"),
    [*((algorithm, "A256GCM") for algorithm in ALGORITHMS), *(("ECDH-ES+A256KW", content) for content in CONTENT)],
)
def test_what_the_client_signed_and_encrypted_is_done(
    world: IssuerWorld, maker: Any, algorithm: str, content: str
) -> None:
    brought = maker(world, signed(world), algorithm, content)
    pushed = maker(world, signed(world), algorithm, content)
    assert PARTY.state not in brought

    async def run() -> None:
        async with browser(world.app) as page:
            back = sent_back(await pick(page, await bring(page, brought)))
            assert back["state"] == PARTY.state
            body = (await redeem(page, {**PARTY.redemption(back["code"]), **asserted(world)}, None)).json()
            assert body["scope"] == PARTY.scope
            made = await push(world, page, pushed)
            assert made.status_code == 201
            query = urlencode({"client_id": "portal", "request_uri": made.json()["request_uri"]})
            shown = await page.get((await page.get(f"{ISSUER}/authorize?{query}")).headers["location"])
            assert sent_back(shown)["state"] == PARTY.state

    asyncio.run(run())


def refused_alike(world: IssuerWorld, *texts: str) -> None:
    """Everything that is wrong with one gets one answer, in the browser and when it is pushed."""

    async def run() -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
        async with browser(world.app) as page:
            shown = [await bring(page, text) for text in texts]
            pushed = [await push(world, page, text) for text in texts]
        return (
            {(answer.status_code, answer.text) for answer in shown},
            {(answer.status_code, answer.text) for answer in pushed},
        )

    shown, pushed = asyncio.run(run())
    assert [status for status, _ in shown] == [400]
    ((status, body),) = pushed
    assert (status, json.loads(body)["error"]) == (400, "invalid_request_object")


def test_encryption_is_never_taken_for_a_signature(world: IssuerWorld) -> None:
    now = int(world.clock.now())
    claims = json.dumps({"iss": "portal", "aud": ISSUER, "exp": now + 60, **PARTY.parameters()})
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoib2F1dGgtYXV0aHotcmVxK2p3dCJ9"
    _, payload, _ = signed(world).split(".")
    refused_alike(
        world,
        encrypted(world, claims),
        encrypted(world, f"{unsigned}.{payload}."),
        encrypted(world, f"{unsigned}.{payload}.AAAA"),
        encrypted(world, signed(world, key=make_key("ES256"))),
        encrypted(world, signed(world, typ="JWT")),
        encrypted(world, signed(world, iss="spa")),
        encrypted(world, "x"),
    )


def test_why_it_is_not_read_is_not_told(world: IssuerWorld) -> None:
    good = encrypted(world, signed(world), "RSA-OAEP-256")
    header, key, iv, ciphertext, tag = good.split(".")
    cbc = encrypted(world, signed(world), "ECDH-ES", "A128CBC-HS256").split(".")
    refused_alike(
        world,
        f"{header}.{'A' * len(key)}.{iv}.{ciphertext}.{tag}",
        f"{header}.{key}.{iv}.{ciphertext}.{'A' * len(tag)}",
        f"{header}.{key}.{iv}.{'A' * len(ciphertext)}.{tag}",
        f"{header}..{iv}.{ciphertext}.{tag}",
        ".".join([*cbc[:3], cbc[3][:-22] + "A" * 22, cbc[4]]),
        encrypted(world, signed(world), kid="another"),
        encrypted(world, signed(world), zip="DEF"),
        "a.b.c.d.e",
        "....",
        signed(world, iss="spa"),
    )


def test_one_within_another_is_not_looked_into(world: IssuerWorld) -> None:
    refused_alike(world, encrypted(world, encrypted(world, signed(world))))


def test_who_has_no_keys_cannot_encrypt_either(world: IssuerWorld) -> None:
    text = encrypted(world, signed(world, iss="spa", client_id="spa"))

    async def run() -> None:
        async with browser(world.app) as page:
            spa = RelyingParty(client="spa", callback="https://spa.example/callback")
            back = sent_back(await page.get(spa.url(request=text)), spa.callback)
            assert back["error"] == "request_not_supported"

    asyncio.run(run())


def test_what_was_encrypted_before_a_rotation_is_read_until_nobody_can_have_meant_it(world: IssuerWorld) -> None:
    def brought(text: str) -> int:
        async def run() -> int:
            async with browser(world.app) as page:
                return (await bring(page, text)).status_code

        return asyncio.run(run())

    before = encrypted(world, signed(world, exp=int(world.clock.now()) + 3000))
    world.keys.rotate()
    assert brought(before) == 200
    world.keys.replace_compromised()
    assert brought(before) == 400
    assert LONGEST_SECONDS == request_objects.LONGEST_SECONDS


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALGORITHMS), st.sampled_from(CONTENT), st.text(max_size=40) | st.binary(max_size=40))
def test_whatever_was_encrypted(fuzzed: IssuerWorld, algorithm: str, content: str, inside: str | bytes) -> None:
    text = encrypted(fuzzed, inside if isinstance(inside, str) else inside.decode("latin-1"), algorithm, content)
    assert fuzzed.ask("GET", f"/authorize?{urlencode({'client_id': 'portal', 'request': text})}").status_code == 400


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> IssuerWorld:
    return IssuerWorld(tmp_path_factory.mktemp("encrypted-requests"), plan=login_plan(clients=(SIGNING,)))
