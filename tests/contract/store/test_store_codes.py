"""Authorization codes: taken once, and a second time is noticed."""

import asyncio

import pytest

from ringwall.identity.store.codes import REMEMBERED_SECONDS, Code
from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


async def _put(database: Database, *, seconds: float = 60.0) -> Secret:
    return await database.codes.put(
        client="shop", account="a1", session="s1", payload={"scope": ["orders"]}, now=NOW, seconds=seconds
    )


def test_a_code_is_taken_once_and_gives_what_was_put_in(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle = await _put(database)
            code = await database.codes.take(handle, client="shop", now=NOW + 59)
            assert code == Code(
                client="shop",
                account="a1",
                session="s1",
                family=code.family,
                payload={"scope": ["orders"]},
                created=NOW,
                expires=NOW + 60,
            )
            assert len(code.family) == 22
            with pytest.raises(HandleReusedError) as reused:
                await database.codes.take(handle, client="shop", now=NOW + 59)
            assert (reused.value.family, reused.value.client) == (code.family, "shop")
            assert (reused.value.account, reused.value.session) == ("a1", "s1")

    asyncio.run(body())


def test_unknown_expired_and_other_clients_codes_are_refused_alike(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle = await _put(database)
            said = set()
            for wrong, client, now in (
                (Secret("x" * 43), "shop", NOW),
                (handle, "other", NOW),
                (handle, "shop", NOW + 60),
            ):
                with pytest.raises(HandleRefusedError) as refused:
                    await database.codes.take(wrong, client=client, now=now)
                assert not isinstance(refused.value, HandleReusedError)
                said.add(refused.value.message)
            assert len(said) == 1
            await database.codes.take(handle, client="shop", now=NOW)  # none of the attempts used it up

    asyncio.run(body())


def test_a_second_use_ends_the_family_of_the_first(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle = await _put(database)
            code = await database.codes.take(handle, client="shop", now=NOW)
            first = await _start(database, code)
            with pytest.raises(HandleReusedError):
                await database.codes.take(handle, client="shop", now=NOW + 1)
            with pytest.raises(HandleRefusedError):
                await database.families.rotate(first, client="shop", now=NOW + 2, idle_seconds=60)
            family = await database.families.get(code.family)
            assert family is not None
            assert (family.ended, family.reason) == (NOW + 1, "code-reused")
            with pytest.raises(HandleReusedError):
                await database.codes.take(handle, client="shop", now=NOW + 3)
            assert await database.families.get(code.family) == family  # when and why it ended stays

    asyncio.run(body())


def test_a_second_use_keeps_the_family_from_beginning(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle = await _put(database)
            code = await database.codes.take(handle, client="shop", now=NOW)
            with pytest.raises(HandleReusedError):
                await database.codes.take(handle, client="shop", now=NOW)
            with pytest.raises(HandleRefusedError):
                await _start(database, code)

    asyncio.run(body())


def test_a_second_use_is_noticed_after_the_code_has_expired_and_been_swept_around(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle = await _put(database)
            await database.codes.take(handle, client="shop", now=NOW)
            assert await database.sweep(now=NOW + 60 + REMEMBERED_SECONDS - 1) == 0
            with pytest.raises(HandleReusedError):
                await database.codes.take(handle, client="shop", now=NOW + 3000)
            assert await database.codes.sweep(now=NOW + 60 + REMEMBERED_SECONDS) == 1
            with pytest.raises(HandleRefusedError) as refused:
                await database.codes.take(handle, client="shop", now=NOW + 4000)
            assert not isinstance(refused.value, HandleReusedError)

    asyncio.run(body())


async def _start(database: Database, code: Code) -> Secret:
    begun = await database.families.start(
        client=code.client,
        account=code.account,
        session=code.session,
        payload=code.payload,
        now=NOW,
        idle_seconds=600,
        final_seconds=6000,
        family=code.family,
    )
    return begun.token
