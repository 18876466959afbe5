"""Databases that are new, older, newer, or somebody else's."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ringwall.identity.store.database import Database, sqlite_url
from ringwall.identity.store.errors import NewerDatabaseError, StoreDamagedError, StoreError
from ringwall.identity.store.migrations import snapshot
from ringwall.identity.store.migrations.upgrade import config, upgrade
from ringwall.identity.store.revisions import HEAD, REVISIONS, VERSION_TABLE
from ringwall.identity.store.tables import METADATA
from ringwall.identity.store.url import DatabaseUrl

NOW = 1_700_000_000.0
FIRST = Path(__file__).parent / "first_revision"
"""The tables of revision 0001 as they were released: an old database is made from these, not from today's code."""


async def _run(url: str, *statements: str) -> None:
    place = DatabaseUrl.parse(url)
    if place.dialect == "sqlite":
        connection = sqlite3.connect(place.path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
    else:
        server = await asyncpg.connect(url)
        for statement in statements:
            await server.execute(statement)
        await server.close()


async def _make_old(url: str) -> None:
    """Make a database of the first revision with one refresh token's family in it."""
    dialect = DatabaseUrl.parse(url).dialect
    statements = [text for text in (FIRST / f"{dialect}.sql").read_text().split(";\n") if text]
    await _run(
        url,
        *statements,
        "INSERT INTO ringwall_issuer_version VALUES ('0001')",
        "INSERT INTO families VALUES ('f1', NULL, 'shop', 'a1', 's1', '', '{}', NULL, NULL, NULL, "
        "3, 1, 2, 9e9, 9e9, NULL, '')",
    )


async def _differences(url: str) -> list[object]:
    place = DatabaseUrl.parse(url)

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return list(compare_metadata(context, METADATA))

    if place.dialect == "sqlite":
        engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(place.path), poolclass=NullPool)
        with engine.connect() as connection:
            return compare(connection)
    asynchronous = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool
    )
    async with asynchronous.connect() as server:
        return await server.run_sync(compare)


def test_the_revisions_are_those_of_the_migrations() -> None:
    script = ScriptDirectory.from_config(config())
    assert tuple(reversed([revision.revision for revision in script.walk_revisions()])) == REVISIONS
    assert list(REVISIONS) == sorted(REVISIONS)


def test_the_snapshots_are_up_to_date() -> None:
    """To make them so: python -m ringwall.identity.store.migrations.snapshot."""
    for name, dialect in snapshot.DIALECTS.items():
        assert (snapshot.FOLDER / f"{name}.sql").read_text() == snapshot.render(dialect)


def test_a_new_database_has_the_tables_that_the_code_knows(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url):
            pass
        assert await _differences(url) == []

    asyncio.run(body())


def test_an_older_database_is_upgraded_and_keeps_what_is_in_it(url: str) -> None:
    async def body() -> None:
        await _make_old(url)
        assert await _differences(url) != []
        async with await Database.open(url) as database:
            family = await database.families.get("f1")
            assert family is not None
            assert (family.client, family.generation) == ("shop", 3)
            await database.budgets.take("account", "x", burst=1, seconds=1, now=NOW)
        assert await _differences(url) == []
        async with await Database.open(url) as database:
            assert await database.families.get("f1") == family

    asyncio.run(body())


def test_the_group_names_of_accounts_become_groups(url: str) -> None:
    async def body() -> None:
        await _make_old(url)
        people = {"a1": ["Staff", "night/7"], "a2": ["staff"], "a3": ["Staff"], "a4": []}
        details = {
            name: json.dumps({"roles": ["nurse"], "groups": groups, "attributes": {"ward": "ü"}})
            for name, groups in people.items()
        }
        row = "INSERT INTO accounts VALUES ('{0}', '{0}', '{0}', '', '', '', '{1}', 1, 1, NULL, 3)"
        await _run(url, *(row.format(name, said) for name, said in details.items()))
        async with await Database.open(url) as database:
            page = await database.accounts.page()
            assert [account.groups for account in page] == [("Staff", "night/7"), ("staff-2",), ("Staff",), ()]
            assert {account.roles for account in page} == {("nurse",)}
            assert {account.attributes["ward"] for account in page} == {"ü"}
            assert {account.version for account in page} == {3}
            groups = await database.groups.page()
            assert [(group.name, group.name_key, group.roles, group.manager) for group in groups] == [
                ("night/7", "night/7", (), ""),
                ("Staff", "staff", (), ""),
                ("staff-2", "staff-2", (), ""),
            ]

    asyncio.run(body())


def test_processes_that_open_at_once_make_or_upgrade_the_tables_once(url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from ringwall.identity.store.database import Database\n"
        "async def body():\n"
        "    sys.stdin.readline()\n"
        "    async with await Database.open(sys.argv[1]) as database:\n"
        "        print(int(await database.replay.once('k', 'x', until=9.0, now=1.0)))\n"
        "asyncio.run(body())\n"
    )

    def race() -> list[str]:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60)[0].strip() for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
        return sorted(answers)

    assert race() == ["0", "1"]
    asyncio.run(_run(url, *(f"DROP TABLE {table.name}" for table in METADATA.sorted_tables)))
    asyncio.run(_run(url, f"DROP TABLE {VERSION_TABLE}"))
    asyncio.run(_make_old(url))
    assert race() == ["0", "1"]


def test_a_newer_database_is_left_alone_and_named_so(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url):
            pass
        await _run(url, "UPDATE ringwall_issuer_version SET version_num = '9999'")
        with pytest.raises(NewerDatabaseError) as newer:
            await Database.open(url)
        assert "9999" in newer.value.message
        assert HEAD in newer.value.message
        assert newer.value.hint
        with pytest.raises(NewerDatabaseError):  # also if that happens while this process waits for the lock
            await upgrade(DatabaseUrl.parse(url))

    asyncio.run(body())


def test_a_failed_upgrade_leaves_the_database_as_it_was(url: str) -> None:
    async def body() -> None:
        await _make_old(url)
        await _run(url, "CREATE TABLE totp (somebody TEXT)")  # in the way of the last table of the next revision
        with pytest.raises(StoreError) as refused:
            await Database.open(url)
        assert "totp" in refused.value.message
        await _run(url, "DROP TABLE totp")
        async with await Database.open(url) as database:  # the tables before it were not left behind
            assert await database.families.get("f1") is not None

    asyncio.run(body())


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    url = sqlite_url(file)
    asyncio.run(_run(url, "CREATE TABLE recipes (name TEXT)"))
    with pytest.raises(StoreDamagedError) as damaged:
        asyncio.run(Database.open(url))
    assert "not the issuer's" in damaged.value.message
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    connection.close()
