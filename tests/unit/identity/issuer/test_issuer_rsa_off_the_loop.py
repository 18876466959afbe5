"""RSA keys take a while to make: whoever changes keys has them made in a thread first."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer import server


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Return the threads that have made RSA keys, as they do."""
    made: list[threading.Thread] = []
    generate = rsa.generate_private_key

    def noted(exponent: int, bits: int) -> rsa.RSAPrivateKey:
        made.append(threading.current_thread())
        return generate(exponent, bits)

    monkeypatch.setattr(rsa, "generate_private_key", noted)
    return made


@pytest.fixture
def world(tmp_path: Path, makers: list[threading.Thread]) -> Iterator[IssuerWorld]:
    world = IssuerWorld(tmp_path)
    asyncio.run(world.keys.complete())
    makers.clear()
    yield world
    assert makers
    assert threading.main_thread() not in makers


def test_the_administration_rotates_keys_that_were_made_in_a_thread(world: IssuerWorld) -> None:
    world.clock.advance(200)
    assert world.ask_admin("POST", "/admin/keys/rotate", json={}).status_code == 200


def test_the_administration_replaces_keys_by_some_that_were_made_in_a_thread(world: IssuerWorld) -> None:
    assert world.ask_admin("POST", "/admin/keys/replace", json={}).status_code == 200


def test_the_schedule_rotates_keys_that_were_made_in_a_thread(
    world: IssuerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TICK_SECONDS", 0.001)
    former = world.keys.published
    world.clock.advance(1000)

    async def body() -> None:
        keeping = asyncio.create_task(server._keep_schedule(world.keys))
        async with asyncio.timeout(30):
            while world.keys.published == former:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.001)
        keeping.cancel()

    asyncio.run(body())
