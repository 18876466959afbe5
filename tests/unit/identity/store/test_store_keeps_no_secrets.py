"""Whoever reads the database finds nothing in it that opens anything."""

import asyncio
import os
from pathlib import Path

from ringwall.identity.store.database import Database, sqlite_url
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


def test_no_handle_is_stored_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "issuer.db"

    async def body() -> list[Secret]:
        async with await Database.open(sqlite_url(file)) as database:
            session, _ = await database.sessions.start(
                account="a", payload={}, now=NOW, idle_seconds=60, final_seconds=60
            )
            renewed = await database.sessions.renew(session, payload={}, now=NOW, idle_seconds=60)
            assert renewed is not None
            begun = await database.families.start(
                client="c", account="a", session="", payload={}, now=NOW, idle_seconds=60, final_seconds=60
            )
            rotated = await database.families.rotate(begun.token, client="c", now=NOW, idle_seconds=60)
            device, user_code = await database.devices.start(client="c", payload={}, now=NOW, seconds=60)
            invitation, _ = await database.invitations.put(author="a", payload={}, now=NOW, seconds=60)
            registered = await database.clients.create(payload={}, with_secret=True, now=NOW)
            assert registered.secret is not None
            await database.recovery.replace("a", [Secret("recovery-code")], now=NOW)
            await database.replay.once("dpop", "a-unique-jti", until=NOW + 60, now=NOW)
            await database.budgets.take("account", "somebody@example.org", burst=1, seconds=60, now=NOW)
            return [
                await database.codes.put(client="c", account="a", session="", payload={}, now=NOW, seconds=60),
                await database.pushed.put(owner="", payload={}, now=NOW, seconds=60),
                await database.challenges.put(owner="", payload={}, now=NOW, seconds=60),
                session,
                renewed[0],
                begun.token,
                rotated.token,
                device,
                Secret(user_code),
                invitation,
                registered.token,
                registered.secret,
                Secret("recovery-code"),
                Secret("a-unique-jti"),
                Secret("somebody@example.org"),
            ]

    handles = asyncio.run(body())
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"CREATE TABLE" in written
    assert len({handle.reveal() for handle in handles}) == len(handles)
    for handle in handles:
        assert handle.reveal() not in written
        assert handle.reveal()[-43:] not in written  # the part of a refresh token that is secret
        assert handle.reveal()[5:27] not in written or len(handle.reveal()) < 27  # and its locator


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    former = os.umask(0)
    try:

        async def body() -> set[int]:
            async with await Database.open(sqlite_url(tmp_path / "folder" / "issuer.db")) as database:
                await database.replay.once("k", "k", until=NOW, now=NOW)
                return {path.stat().st_mode & 0o777 for path in (tmp_path / "folder").iterdir()}

        assert asyncio.run(body()) == {0o600}
        assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(former)
