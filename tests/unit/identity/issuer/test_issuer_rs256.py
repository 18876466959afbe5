"""RS256 for ID tokens, beside ES256 for everything else: what signs when, and what is never taken for what."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.conformance import Suite, conformance_world, play
from tests.support.issuer_plan import AUDIENCE, BUILTIN, ISSUER
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key, public_jwk

from ringwall.enforce.tokens import pinned
from ringwall.identity.federation.key_filter import usable_keys
from ringwall.identity.issuer.clients.metadata import read_metadata
from ringwall.identity.issuer.clients.metadata_errors import MetadataRefusedError
from ringwall.identity.issuer.logout_tokens import make_logout_token
from ringwall.identity.issuer.ring import KeyRingError
from ringwall.identity.issuer.rings import BEGINNING, KeyNotReadyError, Rings
from ringwall.identity.store.logouts import Logout
from ringwall.identity.tokens.claims import ACCESS_TOKEN
from ringwall.identity.tokens.encoding import decode_base64url, decode_json_object
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.model.secret import Secret
from ringwall.plan.client import Client, ClientKind, Profile
from ringwall.plan.identity import Registration


def id_token(world: IssuerWorld) -> str:
    return world.keys.sign({"exp": int(world.clock.now() + 1500)}, typ="JWT", algorithm="RS256")


def algorithms(jwks: bytes) -> list[str]:
    return [key["alg"] for key in json.loads(jwks)["keys"]]


def without_rs256(world: IssuerWorld) -> None:
    """Make the store what a version without RS256 left."""
    stored = json.loads(world.store.read("ring.json").reveal())
    stored.pop("rs256", None)
    world.store.write("ring.json", Secret(json.dumps(stored)))


def test_a_new_system_signs_with_it_at_once_and_tells_clients_but_not_proxies(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    token = id_token(world)
    assert verify_signature(UnverifiedToken.parse(token), world.keys.id_token_key_set)
    assert algorithms(world.keys.jwks) == ["ES256", "ES256", "RS256", "RS256"]
    assert algorithms(world.settings.bindings.jwks.read_bytes()) == ["ES256", "ES256"]


def test_a_store_of_a_former_version_gets_a_key_that_signs_after_the_overlap(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    without_rs256(world)
    world.clock.advance(BEGINNING + 1)
    world.keys = world.open_keys()
    asyncio.run(world.keys.complete())
    assert algorithms(world.keys.jwks).count("RS256") == 2
    announced = {key.kid for key in world.keys.id_token_key_set.keys}
    world.clock.advance(world.schedule.overlap - 1)
    with pytest.raises(KeyNotReadyError):
        id_token(world)
    assert world.keys.sign({"exp": world.clock.now()}, typ="x")  # nothing else waits for it
    world.clock.advance(1)
    assert UnverifiedToken.parse(id_token(world)).kid in announced


def test_its_keys_change_with_the_others(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    first = id_token(world)
    before = {key.kid for key in world.keys.id_token_key_set.keys}
    world.clock.advance(1000)
    second = id_token(world)
    assert UnverifiedToken.parse(second).kid in before - {UnverifiedToken.parse(first).kid}
    assert verify_signature(UnverifiedToken.parse(first), world.keys.id_token_key_set)
    world.keys.replace_compromised()
    after = {key.kid for key in world.keys.id_token_key_set.keys}
    assert len(after) == 4
    assert not after & before
    assert UnverifiedToken.parse(id_token(world)).kid in after


def test_processes_that_share_the_keys_make_one_set(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    keepers = [world.keys, world.open_keys()]

    async def all_at_once() -> None:
        await asyncio.gather(*(keeper.complete() for keeper in keepers * 3))

    asyncio.run(all_at_once())
    assert len({UnverifiedToken.parse(each.sign({}, typ="x", algorithm="RS256")).kid for each in keepers}) == 1
    assert keepers[0].jwks == keepers[1].jwks
    assert world.open_keys().jwks == keepers[0].jwks


def test_a_key_of_the_other_kind_in_its_place_is_refused(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    stored = Rings.begin(world.clock.now()).to_json()
    with pytest.raises(KeyRingError):
        Rings.from_json({**stored, "rs256": {**stored, "rs256": None}})
    with pytest.raises(KeyRingError):
        Rings.from_json(stored["rs256"])


def test_what_it_signs_is_no_access_token_whatever_it_says(tmp_path: Path) -> None:
    """Not even with the type, audience and claims of one (RFC 8725, section 3.1): at no proxy, nor at the issuer."""
    world = conformance_world(tmp_path)

    async def module(suite: Suite) -> None:
        given = await suite.tokens()
        claims = decode_json_object(decode_base64url(given["access_token"].split(".")[1]))
        assert claims["aud"] == AUDIENCE
        forged = world.keys.sign(claims, typ=ACCESS_TOKEN, algorithm="RS256")
        for token, good in ((given["access_token"], True), (forged, False), (given["id_token"], False)):
            told = await ask(world.app, "POST", "/introspect", data={"token": token}, auth=suite.auth)
            assert told.json()["active"] is good
            about = await suite.page.get(f"{ISSUER}/userinfo", headers={"authorization": f"Bearer {token}"})
            assert about.status_code == (200 if good else 401)

    play(world, module)
    assert algorithms(world.keys.jwks).count("RS256") == 2
    assert set(algorithms(world.settings.bindings.jwks.read_bytes())) == {"ES256"}
    # Were it in the file, or in what proxies are given, it would still be left out.
    usable = usable_keys(world.keys.jwks, BUILTIN.algorithms).jwks
    assert set(algorithms(usable.encode())) == {"ES256"}
    assert {key["alg"] for key in pinned(world.keys.jwks.decode(), BUILTIN.algorithms)} == {"ES256"}


def test_a_logout_token_is_signed_as_id_tokens_are(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    for algorithm in ("ES256", "RS256"):
        client = Client(name="portal", kind=ClientKind.WEB, id_token_signed_response_alg=algorithm)
        logout = Logout(client="portal", session="s", account="a", since=0.0, attempts=1)
        token = make_logout_token(
            logout,
            client,
            subject="a",
            directory=world.directory.current(),
            now=world.clock.now(),
            sign=world.keys.sign,
        )
        assert decode_json_object(decode_base64url(token.split(".")[0]))["alg"] == algorithm


@pytest.mark.parametrize(
    ("asked", "profile", "taken"),
    [
        (None, None, "RS256"),
        ("RS256", None, "RS256"),
        ("ES256", None, "ES256"),
        ("PS256", None, ""),
        ("none", None, ""),
        (None, Profile.FAPI2, "ES256"),
        ("RS256", Profile.FAPI2, ""),
    ],
)
def test_registration_takes_what_there_is(asked: str | None, profile: Profile | None, taken: str) -> None:
    """OpenID Connect Dynamic Client Registration 1.0, section 2; FAPI 2.0 Security Profile, section 5.4.1."""
    metadata = {
        "redirect_uris": ["https://app.example/back"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [public_jwk(make_key("ES256", "k"))]},
        "id_token_signed_response_alg": asked,
    }
    policy = Registration(open=True, kinds=(ClientKind.WEB,))
    if taken:
        accepted = read_metadata(metadata, policy, profile, taken=lambda _: False)
        assert accepted["id_token_signed_response_alg"] == taken
    else:
        with pytest.raises(MetadataRefusedError, match="id_token_signed_response_alg"):
            read_metadata(metadata, policy, profile, taken=lambda _: False)


def test_the_metadata_list_it(tmp_path: Path) -> None:
    told = IssuerWorld(tmp_path).ask("GET", "/.well-known/openid-configuration").json()
    assert told["id_token_signing_alg_values_supported"] == ["ES256", "RS256"]
