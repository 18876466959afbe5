"""What is seen, put or decided once: replay keys, tickets, devices."""

import asyncio

import pytest

from ringwall.identity.store.database import Database
from ringwall.identity.store.devices import ALPHABET, Device, Poll
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


def test_a_key_is_new_once_until_it_no_longer_matters(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            replay = database.replay
            assert await replay.once("dpop", "k", until=NOW + 60, now=NOW) is True
            assert await replay.once("dpop", "k", until=NOW + 90, now=NOW + 59) is False
            assert await replay.once("jar", "k", until=NOW + 60, now=NOW) is True
            assert await replay.once("dpo", "pk", until=NOW + 60, now=NOW) is True
            assert await replay.once("dpop", "\0\ud800" + "x" * 100_000, until=NOW + 60, now=NOW) is True
            # The refused second use has not put off the end of the first.
            assert await replay.once("dpop", "k", until=NOW + 120, now=NOW + 60) is True
            assert await replay.once("dpop", "k", until=NOW + 120, now=NOW + 61) is False
            assert await replay.sweep(now=NOW + 60) == 3

    asyncio.run(body())


def test_one_of_many_tasks_is_first(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            tries = [database.replay.once("dpop", "k", until=NOW + 60, now=NOW) for _ in range(50)]
            assert sum(await asyncio.gather(*tries)) == 1

    asyncio.run(body())


def test_a_ticket_is_read_at_will_and_taken_once(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle = await database.pushed.put(owner="shop", payload={"state": "x"}, now=NOW, seconds=60)
            ticket = await database.pushed.read(handle, owner="shop", now=NOW + 59)
            assert (ticket.payload, ticket.expires) == ({"state": "x"}, NOW + 60)
            for tickets, owner, now in (
                (database.pushed, "other", NOW),
                (database.pushed, "shop", NOW + 60),
                (database.challenges, "shop", NOW),
            ):
                with pytest.raises(HandleRefusedError):
                    await tickets.read(handle, owner=owner, now=now)
                with pytest.raises(HandleRefusedError):
                    await tickets.take(handle, owner=owner, now=now)
            changed = await database.pushed.replace(handle, owner="shop", payload={"state": "y"}, now=NOW)
            assert changed.payload == {"state": "y"}
            assert await database.pushed.take(handle, owner="shop", now=NOW) == changed
            with pytest.raises(HandleRefusedError):
                await database.pushed.take(handle, owner="shop", now=NOW)
            await database.interactions.put(owner="", payload={}, now=NOW, seconds=60)
            assert await database.sweep(now=NOW + 60) == 1

    asyncio.run(body())


def test_a_device_waits_is_approved_and_gets_its_grant_once(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            devices = database.devices
            handle, user_code = await devices.start(client="tv", payload={"scope": ["a"]}, now=NOW, seconds=600)
            assert len(user_code) == 8
            assert set(user_code) <= set(ALPHABET)
            assert await devices.poll(handle, client="tv", now=NOW) is Poll.PENDING
            found = await devices.find(f" {user_code[:4].lower()}-{user_code[4:]}", now=NOW)
            assert found is not None
            assert (found.client, found.state, found.payload) == ("tv", "waiting", {"scope": ["a"]})
            await devices.approve(user_code, account="a1", session="s1", decision={"scope": ["a"]}, now=NOW)
            for decided in (devices.deny(user_code, now=NOW), devices.deny("BCDFGHJK", now=NOW)):
                with pytest.raises(HandleRefusedError):
                    await decided
            assert await devices.find(user_code, now=NOW) is None
            with pytest.raises(HandleRefusedError):
                await devices.poll(handle, client="other", now=NOW)
            device = await devices.poll(handle, client="tv", now=NOW + 1)
            assert isinstance(device, Device)
            assert (device.account, device.session, device.decision) == ("a1", "s1", {"scope": ["a"]})
            assert device.family == found.family
            with pytest.raises(HandleRefusedError):
                await devices.poll(handle, client="tv", now=NOW + 10)

    asyncio.run(body())


def test_a_device_that_polls_too_often_must_wait_longer_from_then_on(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            devices = database.devices
            handle, _ = await devices.start(client="tv", payload={}, now=NOW, seconds=600, interval=5)
            said = [await devices.poll(handle, client="tv", now=NOW + at) for at in (0, 5, 9, 18, 28)]
            assert said == [Poll.PENDING, Poll.PENDING, Poll.SLOW_DOWN, Poll.SLOW_DOWN, Poll.SLOW_DOWN]
            assert await devices.poll(handle, client="tv", now=NOW + 48) is Poll.PENDING

    asyncio.run(body())


def test_denied_expired_and_unknown_devices(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            devices = database.devices
            handle, user_code = await devices.start(client="tv", payload={}, now=NOW, seconds=600)
            await devices.deny(user_code, now=NOW)
            assert await devices.poll(handle, client="tv", now=NOW) is Poll.DENIED
            late, late_code = await devices.start(client="tv", payload={}, now=NOW, seconds=600)
            assert await devices.find(late_code, now=NOW + 600) is None
            with pytest.raises(HandleRefusedError):
                await devices.approve(late_code, account="a", session="s", decision={}, now=NOW + 600)
            assert await devices.poll(late, client="tv", now=NOW + 600) is Poll.EXPIRED
            with pytest.raises(HandleRefusedError):
                await devices.poll(Secret("unknown"), client="tv", now=NOW)
            assert await devices.sweep(now=NOW + 600 + 3600) == 2

    asyncio.run(body())
