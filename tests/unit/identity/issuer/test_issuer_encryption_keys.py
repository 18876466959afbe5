"""The keys by which clients encrypt for the issuer: published, replaced while former ones still read, and kept."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.jwe_maker import make_jwe

from ringwall.identity.issuer.encryption_ring import ALGORITHMS, LONGEST_SECONDS, MOST_FORMER, EncryptionRing
from ringwall.identity.issuer.ring import KeyRingError, Schedule
from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jwe import decrypt
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.secret import Secret

SCHEDULE = Schedule(lifetime=1000.0, overlap=100.0)
KEPT = SCHEDULE.overlap + LONGEST_SECONDS


def published(world: IssuerWorld) -> dict[str, dict[str, str]]:
    keys = world.ask("GET", "/jwks").json()["keys"]
    return {key["alg"]: key for key in keys if key["use"] == "enc"}


def reader(world: IssuerWorld, algorithm: str = "ECDH-ES") -> DecryptionKey:
    """Return the current key; encrypting for it needs no more than its public part."""
    kid = published(world)[algorithm]["kid"]
    return next(key for key in world.keys.encryption.readers() if key.kid == kid)


def reads(world: IssuerWorld, text: str) -> bool:
    try:
        return decrypt(text, world.keys.encryption.readers()) == b"x"
    except TokenRefusedError:
        return False


def test_one_key_of_each_algorithm_is_published_for_encryption_only(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    keys = published(world)
    assert tuple(keys) == ALGORITHMS
    for key in keys.values():
        assert "d" not in key
        assert (key["kty"], key.get("crv")) in {("EC", "P-256"), ("RSA", None)}
    assert len({key["kid"] for key in keys.values()}) == len(ALGORITHMS)
    signing = KeySet.of_client(world.ask("GET", "/jwks").content)
    assert {key.kid for key in signing.keys}.isdisjoint(key["kid"] for key in keys.values())
    document = world.ask("GET", "/.well-known/openid-configuration").json()
    assert document["request_object_encryption_alg_values_supported"] == list(ALGORITHMS)


def test_proxies_are_never_given_one(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    published(world)
    world.clock.advance(1000)
    world.keys.tick()
    assert not any(key.get("use") == "enc" for key in json.loads(world.settings.bindings.jwks.read_bytes())["keys"])
    assert not any(key.get("use") == "enc" for key in json.loads(world.keys.jwks)["keys"])


def test_a_former_key_reads_while_somebody_may_still_use_it(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    former = {name: reader(world, name) for name in ALGORITHMS}
    texts = [make_jwe(key, b"x") for key in former.values()]
    world.clock.advance(999)
    world.keys.tick()
    assert reader(world).kid == former["ECDH-ES"].kid
    world.clock.advance(1)
    world.keys.tick()
    assert {key["kid"] for key in published(world).values()}.isdisjoint(key.kid for key in former.values())
    assert all(reads(world, text) for text in texts)
    assert reads(world, make_jwe(reader(world), b"x"))
    nameless = make_jwe(former["ECDH-ES"], b"x", header={"kid": None})
    assert reads(world, nameless)
    world.clock.advance(KEPT - 1)
    world.keys.tick()
    assert all(reads(world, text) for text in texts)
    world.clock.advance(1)
    world.keys.tick()
    assert not any(reads(world, text) for text in [*texts, nameless])
    assert not any(key.kid in world.store.read("encryption.json").reveal().decode() for key in former.values())


def test_they_are_rotated_with_the_signing_keys(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    text, kid = make_jwe(reader(world), b"x"), reader(world).kid
    world.keys.rotate()
    assert reader(world).kid != kid
    assert reads(world, text)


def test_however_often_they_are_rotated_there_are_few(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, store=FolderKeyStore(tmp_path / "keys", passphrase=Secret(b"long enough to pass")))
    texts = []
    for _ in range(12):
        texts.append(make_jwe(reader(world), b"x", header={"kid": None}))
        world.keys.rotate()
    assert len(world.keys.encryption.readers()) == len(ALGORITHMS) * (MOST_FORMER + 1)
    assert [reads(world, text) for text in texts] == [False] * (12 - MOST_FORMER) + [True] * MOST_FORMER


def test_compromised_ones_read_nothing_any_more(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    first = make_jwe(reader(world), b"x")
    world.keys.rotate()
    second = make_jwe(reader(world), b"x")
    world.keys.replace_compromised()
    assert not reads(world, first)
    assert not reads(world, second)
    assert reads(world, make_jwe(reader(world), b"x"))


def test_another_process_reads_with_the_same_keys(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    other = world.open_keys()
    assert other.encryption.readers() == ()
    kid = reader(world).kid
    asyncio.run(other.complete())
    assert [key["kid"] for key in other.encryption.public_jwks()] == [each["kid"] for each in published(world).values()]
    world.keys.rotate()
    assert reader(world).kid != kid
    assert {key.kid for key in other.encryption.readers()} == {key.kid for key in world.keys.encryption.readers()}


def test_a_process_that_made_keys_too_late_takes_those_that_are_there(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    late = world.open_keys().encryption
    there = published(world)
    late._make()
    assert {key["kid"] for key in late.public_jwks()} == {key["kid"] for key in there.values()}
    assert published(world) == there


def test_a_restart_goes_on_and_the_store_keeps_them_as_it_keeps_others(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    world = IssuerWorld(tmp_path, store=FolderKeyStore(folder, passphrase=Secret(b"long enough to pass")))
    text = make_jwe(reader(world), b"x")
    world.keys = world.open_keys()
    assert reads(world, text)
    assert (folder / "encryption.json.sealed").stat().st_mode & 0o077 == 0
    assert b"PRIVATE" not in (folder / "encryption.json.sealed").read_bytes()


def test_however_many_ask_at_first_they_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, made, lock = IssuerWorld(tmp_path), [], threading.Lock()
    begin = EncryptionRing.begin

    def counting(now: float) -> EncryptionRing:
        with lock:
            made.append(now)
        return begin(now)

    monkeypatch.setattr(EncryptionRing, "begin", counting)

    async def run() -> list[Any]:
        return await asyncio.gather(*(ask(world.app, "GET", "/jwks") for _ in range(8)))

    answers = asyncio.run(run())
    assert len({answer.text for answer in answers}) == 1
    assert len(made) == 1


STORED = EncryptionRing.begin(0.0).to_json()
DAMAGED: dict[str, dict[str, Any]] = {
    "empty": {},
    "another version": {**STORED, "format": 2},
    "a key less": {**STORED, "keys": STORED["keys"][1:]},
    "a key twice": {**STORED, "keys": [*STORED["keys"], STORED["keys"][0]]},
    "no key": {**STORED, "keys": [{**STORED["keys"][0], "pem": "x"}, *STORED["keys"][1:]]},
    "a key of another type": {**STORED, "keys": [{**STORED["keys"][0], "pem": STORED["keys"][2]["pem"]}]},
    "not its public part": {
        **STORED,
        "keys": [{**STORED["keys"][0], "jwk": STORED["keys"][1]["jwk"]}, *STORED["keys"][1:]],
    },
}


@pytest.mark.parametrize("stored", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_keys_are_not_begun_with(tmp_path: Path, stored: dict[str, Any]) -> None:
    world = IssuerWorld(tmp_path)
    world.store.put_json("encryption", stored)
    with pytest.raises(KeyRingError):
        world.open_keys()


def test_what_is_stored_is_read_again() -> None:
    ring = EncryptionRing.begin(5.0).replaced(6.0)
    assert EncryptionRing.from_json(json.loads(json.dumps(ring.to_json()))).to_json() == ring.to_json()
    assert ring.advance(7.0, SCHEDULE) is ring
    assert ring.due(SCHEDULE) == 6.0 + SCHEDULE.lifetime
