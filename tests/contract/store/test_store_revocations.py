"""The feed of revocations."""

import asyncio

from ringwall.identity.store.database import Database

NOW = 1_700_000_000.0


def test_the_feed_is_read_from_any_place_on(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            revocations = database.revocations
            assert await revocations.latest() == 0
            one = await revocations.add("token", "t1", reason="r", now=NOW, expires=NOW + 60)
            two = await revocations.add("session", "t1", reason="r", now=NOW, expires=NOW + 120)
            assert (one.sequence, two.sequence, await revocations.latest()) == (1, 2, 2)
            assert await revocations.since(0, now=NOW) == (one, two)
            assert await revocations.since(0, now=NOW, limit=1) == (one,)
            assert await revocations.since(1, now=NOW) == (two,)
            assert await revocations.since(0, now=NOW + 60) == (two,)
            assert await revocations.find("token", "t1", now=NOW) == one
            assert await revocations.find("token", "t1", now=NOW + 60) is None
            assert await revocations.find("token", "t2", now=NOW) is None
            assert await revocations.sweep(now=NOW + 60) == 1

    asyncio.run(body())


def test_a_second_revocation_moves_to_the_feeds_end_and_never_ends_earlier(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            revocations = database.revocations
            await revocations.add("account", "a1", reason="first", now=NOW, expires=NOW + 100)
            again = await revocations.add("account", "a1", reason="second", now=NOW + 10, expires=NOW + 50)
            assert (again.sequence, again.revoked, again.expires) == (2, NOW + 10, NOW + 100)
            late = await revocations.add("account", "a1", reason="clock behind", now=NOW - 10, expires=NOW + 200)
            assert (late.sequence, late.revoked, late.expires) == (3, NOW + 10, NOW + 200)
            assert await revocations.since(0, now=NOW) == (late,)

    asyncio.run(body())


def test_numbers_have_no_gap_when_many_revoke_at_once(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            adding = [
                database.revocations.add("token", f"t{n}", reason="", now=NOW, expires=NOW + 9) for n in range(40)
            ]
            assert sorted(added.sequence for added in await asyncio.gather(*adding)) == list(range(1, 41))

    asyncio.run(body())
