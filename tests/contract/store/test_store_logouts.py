"""What clients are told of sessions that have ended: once it is due, each by one process, and nothing is forgotten."""

import asyncio

from ringwall.identity.store.database import Database
from ringwall.identity.store.logouts import Logout
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


async def _start(database: Database, *clients: str, account: str = "a1") -> tuple[Secret, str]:
    """Begin a session that signs somebody in to clients."""
    handle, session = await database.sessions.start(
        account=account, payload={}, now=NOW, idle_seconds=600, final_seconds=1000
    )
    for client in clients:
        await database.logouts.join(session=session.id, client=client)
        await database.logouts.join(session=session.id, client=client)
    return handle, session.id


async def _due(database: Database, client: str, now: float = NOW) -> list[Logout]:
    """Claim everything that a client is to be told."""
    found = []
    while claimed := await database.logouts.claim(client, now=now, seconds=60):
        found.append(claimed)
    return found


def test_nothing_is_due_while_a_session_lives(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle, _ = await _start(database, "shop")
            await database.sessions.touch(handle, now=NOW + 300, idle_seconds=600)
            await database.sessions.sweep(now=NOW + 700)
            assert await database.logouts.waiting(now=NOW + 700) == ()
            assert await _due(database, "shop", NOW + 700) == []

    asyncio.run(body())


def test_each_client_is_told_once_that_a_session_was_ended(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            _, ended = await _start(database, "shop", "desk")
            await _start(database, "shop")
            await database.sessions.end(ended, reason="signed-out", now=NOW + 5)
            assert database.sessions.ended.is_set()
            assert set(await database.logouts.waiting(now=NOW + 5)) == {"shop", "desk"}
            (told,) = await _due(database, "shop", NOW + 6)
            assert told == Logout(session=ended, client="shop", account="a1", since=NOW + 5, attempts=1)
            assert await database.logouts.waiting(now=NOW + 6) == ("desk",)
            await database.logouts.done(told)
            await database.sessions.end(ended, reason="again", now=NOW + 7)
            assert await _due(database, "shop", NOW + 1000) == []

    asyncio.run(body())


def test_all_of_an_account_are_due_when_it_is_signed_out_everywhere(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            _, spared = await _start(database, "shop")
            ended = {(await _start(database, "shop"))[1] for _ in range(3)}
            await _start(database, "shop", account="a2")
            await database.sessions.end_account("a1", reason="everywhere", now=NOW + 1, spared=spared)
            assert {each.session for each in await _due(database, "shop", NOW + 1)} == ended

    asyncio.run(body())


def test_a_session_that_expires_is_told_of_before_it_is_forgotten(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            _, session = await _start(database, "shop")
            assert await database.sessions.sweep(now=NOW + 600) == 1
            assert await database.sessions.get(session) is None
            assert [each.session for each in await _due(database, "shop", NOW + 600)] == [session]

    asyncio.run(body())


def test_nobody_joins_a_session_that_has_ended(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            _, session = await _start(database)
            await database.sessions.end(session, reason="signed-out", now=NOW)
            await database.logouts.join(session=session, client="shop")
            await database.logouts.join(session="unknown", client="shop")
            await database.sessions.sweep(now=NOW + 2000)
            assert await _due(database, "shop", NOW + 2000) == []

    asyncio.run(body())


def test_what_was_claimed_is_due_again_if_nobody_finishes_it(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database, await Database.open(url) as other:
            _, session = await _start(database, "shop")
            await database.sessions.end(session, reason="signed-out", now=NOW)
            assert len(await _due(database, "shop")) == 1
            assert await _due(other, "shop", NOW + 59) == []
            (again,) = await _due(other, "shop", NOW + 60)
            assert again.attempts == 2

    asyncio.run(body())


def test_a_client_that_is_away_is_put_off_with_all_that_waits_for_it(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            for _ in range(3):
                _, session = await _start(database, "shop", "desk")
                await database.sessions.end(session, reason="signed-out", now=NOW)
            await _start(database, "shop")
            claimed = await database.logouts.claim("shop", now=NOW, seconds=60)
            assert claimed is not None
            await database.logouts.put_off(claimed, now=NOW, seconds=10)
            assert await database.logouts.waiting(now=NOW + 9) == ("desk",)
            later = await _due(database, "shop", NOW + 10)
            assert [each.attempts for each in later] == [2, 2, 2]

    asyncio.run(body())


def test_several_processes_claim_each_row_once(url: str) -> None:
    async def drain(database: Database, found: list[str]) -> None:
        for _ in range(200):
            claimed = await database.logouts.claim("shop", now=NOW, seconds=60)
            if claimed is not None:
                found.append(claimed.session)
            await asyncio.sleep(0)

    async def body() -> None:
        async with await Database.open(url) as one, await Database.open(url) as two:
            ended = [(await _start(one, "shop"))[1] for _ in range(40)]
            await one.sessions.end_account("a1", reason="everywhere", now=NOW)
            found: list[str] = []
            await asyncio.gather(*(drain(each, found) for each in (one, two, one, two)))
            assert sorted(found) == sorted(ended)

    asyncio.run(body())
