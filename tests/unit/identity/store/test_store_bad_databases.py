"""Databases that are damaged, unwritable, full, locked or away: an error that says what to do, never a traceback."""

import asyncio
import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.postgres import Postgres, running_postgres

from ringwall.identity.store import sqlite
from ringwall.identity.store.database import Database, sqlite_url
from ringwall.identity.store.driver import Statement
from ringwall.identity.store.errors import (
    InvalidUrlError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
    StoreUnwritableError,
)
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


async def _use(database: Database, count: int = 1) -> None:
    for number in range(count):
        await database.events.add("act", actor="", subject=str(number), payload={"x": "x" * 2000}, now=NOW)


async def _made(url: str, count: int = 200) -> None:
    async with await Database.open(url) as database:
        await _use(database, count)


def _refused(url: str, kind: type[StoreError]) -> StoreError:
    async def body() -> None:
        async with await Database.open(url) as database:
            await _use(database)
            while await database.events.sweep(now=NOW, kept_seconds=0):
                pass
            await database.events.page()

    with pytest.raises(kind) as refused:
        asyncio.run(body())
    assert type(refused.value) is kind
    assert refused.value.hint
    assert "Error" not in refused.value.message
    return refused.value


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one" * 40, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "issuer.db"
    file.write_bytes(content)
    assert str(file) in _refused(sqlite_url(file), StoreDamagedError).message
    assert file.read_bytes() == content


def test_a_database_with_its_middle_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "issuer.db"
    asyncio.run(_made(sqlite_url(file)))
    size = file.stat().st_size
    with file.open("r+b") as stream:
        stream.seek(4096 * 2)
        stream.write(b"\xa5" * (size - 4096 * 2))
    assert str(file) in _refused(sqlite_url(file), StoreDamagedError).message


def test_a_database_that_was_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "issuer.db"
    asyncio.run(_made(sqlite_url(file)))
    os.truncate(file, 4096 * 3)
    _refused(sqlite_url(file), StoreDamagedError)


def test_a_database_whose_tables_are_gone(tmp_path: Path) -> None:
    file = tmp_path / "issuer.db"
    asyncio.run(_made(sqlite_url(file)))
    connection = sqlite3.connect(file)
    connection.execute("DROP TABLE events")
    connection.commit()
    connection.close()
    assert "events" in _refused(sqlite_url(file), StoreDamagedError).message


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.db").mkdir()
    _refused(sqlite_url(tmp_path / "file" / "issuer.db"), StoreUnwritableError)
    _refused(sqlite_url(tmp_path / "folder.db"), StoreUnwritableError)


def test_a_database_that_may_only_be_read(tmp_path: Path) -> None:
    """White box, as root may write everything."""
    url = sqlite_url(tmp_path / "issuer.db")

    async def body() -> None:
        async with await Database.open(url) as database:
            await database._driver.run(Statement("PRAGMA query_only = 1"))
            with pytest.raises(StoreUnwritableError):
                await _use(database)
            assert await database.events.page() == ()

    asyncio.run(body())


def test_a_full_database_refuses_and_goes_on_once_there_is_space(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "issuer.db")

    async def body() -> None:
        async with await Database.open(url) as database:
            pages = (await database._driver.rows(Statement("PRAGMA page_count")))[0][0]
            await database._driver.rows(Statement(f"PRAGMA max_page_count = {pages + 5}"))
            with pytest.raises(StoreUnwritableError) as full:
                await _use(database, 100)
            assert "full" in full.value.message
            stored = len(await database.events.page())
            with pytest.raises(StoreUnwritableError):
                await database.recovery.replace("a1", map(Secret, map(str, range(10_000))), now=NOW)
            assert await database.recovery.left("a1") == 0
            await database._driver.rows(Statement("PRAGMA max_page_count = 100000"))
            await _use(database)
            assert len(await database.events.page()) == stored + 1

    asyncio.run(body())


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """The kernel refuses the write itself: nothing half written is ever read."""
    url = sqlite_url(tmp_path / "issuer.db")
    program = (
        "import asyncio, signal, sys\n"
        "from ringwall.identity.store.database import Database\n"
        "from ringwall.model.errors import RingwallError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "async def body():\n"
        "    database = await Database.open(sys.argv[1])\n"
        "    stored = 0\n"
        "    try:\n"
        "        for n in range(1000):\n"
        "            await database.events.add('a', actor='', subject='', payload={'x': 'x' * 2000}, now=1.0)\n"
        "            stored += 1\n"
        "    except RingwallError as error:\n"
        "        print(stored, error.code, bool(error.hint))\n"
        "asyncio.run(body())\n"
    )
    limit = 1_000_000
    done = subprocess.run(
        [sys.executable, "-c", program, url],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),  # one call
    )
    stored, code, hint = done.stdout.split()
    assert code.startswith("database-")
    assert hint == "True"

    async def body() -> int:
        async with await Database.open(url) as database:
            return len(await database.events.page(limit=1000))

    assert 0 < int(stored) == asyncio.run(body())


def test_a_database_that_another_program_keeps_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    file = tmp_path / "issuer.db"

    async def body() -> None:
        async with await Database.open(sqlite_url(file)) as database:
            other = sqlite3.connect(file, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            reading = asyncio.create_task(_keep_reading(database))
            with pytest.raises(StoreUnavailableError) as locked:
                await _use(database)
            assert locked.value.hint
            with pytest.raises(StoreUnavailableError):
                await database.consents.grant(account="a", client="c", scopes=["s"], now=NOW)
            assert await reading == 5  # who only reads was not kept waiting
            waiting = asyncio.create_task(_use(database))
            await asyncio.sleep(0.05)
            other.execute("COMMIT")
            other.close()
            await waiting

    asyncio.run(body())


async def _keep_reading(database: Database) -> int:
    pages = 0
    for _ in range(5):
        await database.events.page()
        await asyncio.sleep(0.01)
        pages += 1
    return pages


def test_a_transaction_that_is_given_up_leaves_nothing_behind(tmp_path: Path) -> None:
    async def body() -> None:
        async with await Database.open(sqlite_url(tmp_path / "issuer.db")) as database:
            with pytest.raises(ZeroDivisionError):
                await _give_up(database)
            assert await database._driver.rows(Statement("SELECT * FROM counters")) == []
            await _use(database)

    asyncio.run(body())


def test_nobody_elses_statements_get_into_a_transaction(tmp_path: Path) -> None:
    async def body() -> None:
        async with await Database.open(sqlite_url(tmp_path / "issuer.db")) as database:
            others: list[asyncio.Task[object]] = []
            with pytest.raises(ZeroDivisionError):
                await _give_up_beside(database, others)
            await asyncio.gather(*others)
            assert await database.replay.once("k", "x", until=NOW + 60, now=NOW) is False
            assert await database.passwords.get("a1") is not None

    asyncio.run(body())


async def _give_up_beside(database: Database, others: "list[asyncio.Task[object]]") -> None:
    async with database._driver.transaction():
        others.append(asyncio.create_task(database.replay.once("k", "x", until=NOW + 60, now=NOW)))
        others.append(asyncio.create_task(database.passwords.set("a1", Secret("x"), now=NOW)))
        await asyncio.sleep(0.05)
        raise ZeroDivisionError


async def _give_up(database: Database) -> None:
    async with database._driver.transaction() as within:
        await within.run(Statement("INSERT INTO counters VALUES ('x', 1)"))
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "url",
    [
        "",
        "issuer.db",
        "mysql://host/db",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x",
        "sqlite:///x?mode=ro",
        "http://[::1",
        "postgresql://u:hunter2@host:port/db",
        "postgresql://u:hunter2@127.0.0.1:99999999/db",
    ],
)
def test_urls_that_are_none_of_ours(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        asyncio.run(Database.open(url))
    assert isinstance(refused.value, InvalidUrlError)
    assert refused.value.hint
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    for url in (
        f"postgresql://u:hunter2@/db?host={tmp_path}",
        "postgresql://u:hunter2@127.0.0.1:1/db",
        "postgresql://u:hunter2@127.0.0.1:1,127.0.0.1:2/db",
    ):
        refused = _refused(url, StoreUnavailableError)
        assert "hunter2" not in refused.message


def test_a_server_that_does_not_let_us_in(postgres: Postgres) -> None:
    _refused(postgres.url(user="nobody_knows"), StoreUnavailableError)
    _refused(postgres.url("no_such_database"), StoreUnavailableError)


def test_a_user_who_may_not_make_tables(postgres: Postgres) -> None:
    postgres.query("CREATE ROLE reader LOGIN")
    with postgres.database() as url:
        _refused(url.replace("postgres@", "reader@", 1), StoreUnwritableError)


def test_a_server_that_takes_no_changes(postgres: Postgres) -> None:
    with postgres.database() as url:
        asyncio.run(_made(url, 1))
        _refused(f"{url}&default_transaction_read_only=on", StoreUnwritableError)


def test_another_programs_tables_on_the_server(postgres: Postgres) -> None:
    with postgres.database() as url:
        postgres.query("CREATE TABLE sessions (x int)", database=url.partition("?")[0].rpartition("/")[2])
        _refused(url, StoreDamagedError)


def test_lost_connections_are_made_anew(postgres: Postgres) -> None:
    async def body(url: str) -> None:
        async with await Database.open(url) as database:
            await _use(database)
            await asyncio.to_thread(
                postgres.query, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
            with contextlib.suppress(StoreUnavailableError):  # the first one may find out
                await _use(database)
            before = len(await database.events.page())
            await _use(database)
            assert len(await database.events.page()) == before + 1

    with postgres.database() as url:
        asyncio.run(body(url))


def test_a_statement_that_a_deadlock_ends_is_run_again(postgres: Postgres) -> None:
    async def body(url: str) -> None:
        async with await Database.open(url) as database, _connected(url) as other, _connected(url) as watching:
            for client in ("first", "second"):
                await database.families.start(
                    client=client, account="a", session="", payload={}, now=NOW, idle_seconds=60, final_seconds=60
                )
            # Whoever has waited for `deadlock_timeout` looks for deadlocks, and gives up: here always the statement of
            # the database, after a second.
            await other.execute("SET deadlock_timeout = '100s'")
            await other.execute("BEGIN; UPDATE families SET reason = 'x' WHERE client = 'second'")
            ending = asyncio.create_task(database.families.end_account("a", reason="r", now=NOW))
            while not await watching.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert not ending.done()
                await asyncio.sleep(0.01)  # until it has the first row and waits for the second
            before = await _deadlocks(watching)
            await other.execute("UPDATE families SET reason = 'x' WHERE client = 'first'")
            await other.execute("COMMIT")
            assert len(await ending) == 2
            counted = time.monotonic() + 60  # when its connection has been idle for a while
            while await _deadlocks(watching) == before:
                assert time.monotonic() < counted
                await asyncio.sleep(0.05)

    with postgres.database() as url:
        asyncio.run(body(url))


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _deadlocks(connection: Any) -> int:
    found = await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(found)


def test_a_server_that_dies(tmp_path: Path) -> None:
    async def body(server: Postgres, url: str) -> None:
        database = await Database.open(url)
        await _use(database)
        os.kill(server.pid, 9)
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                await _use(database, 1000)
        await database.close()

    with running_postgres() as server:
        asyncio.run(body(server, server.url()))
