"""Login sessions."""

import asyncio

from ringwall.identity.store.database import Database
from ringwall.identity.store.origins import Origin
from ringwall.identity.store.sessions import TOUCH_SECONDS, LoginSession
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


async def _start(database: Database, account: str = "a1") -> tuple[Secret, LoginSession]:
    return await database.sessions.start(
        account=account, payload={"amr": ["pwd"]}, now=NOW, idle_seconds=600, final_seconds=1000
    )


def test_a_session_lives_while_it_is_used_and_no_longer_than_its_end(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle, begun = await _start(database)
            assert await database.sessions.read(handle, now=NOW) == begun
            early = await database.sessions.touch(handle, now=NOW + TOUCH_SECONDS - 1, idle_seconds=600)
            assert early == begun
            later = await database.sessions.touch(handle, now=NOW + 300, idle_seconds=600)
            assert later is not None
            assert (later.seen, later.expires) == (NOW + 300, NOW + 900)
            last = await database.sessions.touch(handle, now=NOW + 800, idle_seconds=600)
            assert last is not None
            assert last.expires == NOW + 1000
            assert await database.sessions.read(handle, now=NOW + 1000) is None
            assert await database.sessions.touch(handle, now=NOW + 1000, idle_seconds=600) is None
            assert await database.sessions.read(Secret("unknown"), now=NOW) is None

    asyncio.run(body())


def test_renewal_changes_the_handle_and_keeps_the_id(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            handle, begun = await _start(database)
            renewed = await database.sessions.renew(handle, payload={"amr": ["hwk"]}, now=NOW + 5, idle_seconds=600)
            assert renewed is not None
            fresh, session = renewed
            assert session.id == begun.id
            assert (session.authenticated, session.payload) == (NOW + 5, {"amr": ["hwk"]})
            assert await database.sessions.read(handle, now=NOW + 5) is None
            assert await database.sessions.read(fresh, now=NOW + 5) == session
            assert await database.sessions.renew(handle, payload={}, now=NOW + 5, idle_seconds=600) is None

    asyncio.run(body())


def test_sessions_end_one_by_one_and_all_at_once(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            sessions = database.sessions
            (first, one), (_, two), (_, three) = [await _start(database) for _ in range(3)]
            _, other = await _start(database, "a2")
            assert {session.id for session in await sessions.of_account("a1", now=NOW)} == {one.id, two.id, three.id}
            assert await sessions.end(two.id, reason="by-user", now=NOW) is True
            assert await sessions.end(two.id, reason="again", now=NOW) is False
            assert await sessions.end_account("a1", reason="everywhere", now=NOW, spared=one.id) == (three.id,)
            assert await sessions.read(first, now=NOW) == one
            ended = await sessions.get(two.id)
            assert ended is not None
            assert (ended.ended, ended.reason) == (NOW, "by-user")
            assert await sessions.of_account("a2", now=NOW) == (other,)
            assert await sessions.sweep(now=NOW + 600) == 4
            assert await sessions.get(two.id) is None

    asyncio.run(body())


def test_sessions_are_found_by_where_they_came_from(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            sessions = database.sessions

            async def begin(origin: Origin | None) -> str:
                _, made = await sessions.start(
                    account="a1", payload={}, now=NOW, idle_seconds=600, final_seconds=1000, origin=origin
                )
                return made.id

            async def found(person: str = "", session: str = "", issuer: str = "i", now: float = NOW) -> set[str]:
                named = Origin(issuer=issuer, person=person, session=session)
                return {each.id for each in await sessions.of_origin(named, now=now)}

            one = await begin(Origin(issuer="i", person="p", session="s"))
            two = await begin(Origin(issuer="i", person="p"))
            await begin(None)
            assert await found("p") == {one, two}
            assert await found(session="s") == await found("p", "s") == {one}
            assert await found() == await found("q", "s") == await found("p", "s", issuer="j") == set()
            assert await found("s") == await found(session="p") == set(), "a person's name is no session's"
            assert await found("p", now=NOW + 600) == set()
            await sessions.end(one, reason="test", now=NOW)
            assert await found("p") == {two}

    asyncio.run(body())


def test_renewal_brings_the_end_forward_and_never_puts_it_off(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            for idle, final, ends in (
                (600, 400, (405, 405)),
                (600, 5000, (605, 1000)),
                (300, 400, (305, 405)),
                (5000, 5000, (1000, 1000)),
            ):
                handle, _ = await _start(database)
                renewed = await database.sessions.renew(
                    handle, payload={}, now=NOW + 5, idle_seconds=idle, final_seconds=final
                )
                assert renewed is not None
                assert (renewed[1].expires - NOW, renewed[1].final - NOW) == ends

    asyncio.run(body())
