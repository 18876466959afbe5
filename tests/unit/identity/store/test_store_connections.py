"""Connections to PostgreSQL: how many there are, who has them, and what becomes of those that broke."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from tests.support.postgres import Postgres, running_postgres

from ringwall.identity.store.connections import Connections
from ringwall.identity.store.driver import Statement
from ringwall.identity.store.errors import StoreError, StoreUnavailableError
from ringwall.identity.store.postgresql import MAX_CONNECTIONS, PostgresDriver

SLEEP = Statement("SELECT pg_sleep(:seconds)")
ONE = Statement("SELECT 1 + :number")
WHO = Statement("SELECT pg_backend_pid() FROM pg_sleep(:seconds)")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


async def _driver(postgres: Postgres) -> PostgresDriver:
    return await PostgresDriver.connect(postgres.url())


def test_there_are_no_more_than_the_limit_and_each_has_one_user(postgres: Postgres) -> None:
    async def run() -> None:
        driver = await _driver(postgres)
        rows = await asyncio.gather(*(driver.rows(WHO, seconds=0.05) for _ in range(3 * MAX_CONNECTIONS)))
        assert 1 < len({row[0][0] for row in rows}) <= MAX_CONNECTIONS
        await driver.close()

    asyncio.run(run())


def test_one_connection_is_enough_for_one_after_the_other(postgres: Postgres) -> None:
    async def run() -> None:
        driver = await _driver(postgres)
        assert len({(await driver.rows(WHO, seconds=0.0))[0][0] for _ in range(5)}) == 1
        await driver.close()

    asyncio.run(run())


def test_a_connection_whose_statement_was_cut_off_is_not_given_out_again(postgres: Postgres) -> None:
    async def run() -> None:
        driver = await _driver(postgres)
        before = (await driver.rows(WHO, seconds=0.0))[0][0]
        waiting = asyncio.create_task(driver.rows(SLEEP, seconds=30.0))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert (await driver.row(ONE, number=1)) is not None
        assert (await driver.rows(WHO, seconds=0.0))[0][0] != before
        await driver.close()

    asyncio.run(run())


def test_a_refused_statement_leaves_its_connection_good_also_in_a_transaction(postgres: Postgres) -> None:
    wrong = Statement("SELECT 1 / :number")

    async def run() -> None:
        driver = await _driver(postgres)
        before = (await driver.rows(WHO, seconds=0.0))[0][0]
        with pytest.raises(StoreError):
            await driver.rows(wrong, number=0)
        with pytest.raises(StoreError):
            async with driver.transaction() as within:
                await within.rows(wrong, number=0)
        assert (await driver.rows(WHO, seconds=0.0))[0][0] == before
        await driver.close()

    asyncio.run(run())


def test_a_connection_that_the_server_has_ended_is_not_given_out_again(postgres: Postgres) -> None:
    async def run() -> None:
        driver = await _driver(postgres)
        before = (await driver.rows(WHO, seconds=0.0))[0][0]
        await asyncio.to_thread(postgres.query, f"SELECT pg_terminate_backend({before})")
        for _ in range(200):  # until that is heard here
            with contextlib.suppress(StoreUnavailableError):
                if (await driver.rows(WHO, seconds=0.0))[0][0] != before:
                    break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("the ended connection is still used")
        await driver.close()

    asyncio.run(run())


def test_nobody_gets_one_after_the_end(postgres: Postgres) -> None:
    async def run() -> None:
        driver = await _driver(postgres)
        running = asyncio.create_task(driver.rows(SLEEP, seconds=30.0))
        await asyncio.sleep(0.05)
        await driver.close()
        for late in (running, driver.rows(ONE, number=1)):
            with pytest.raises(StoreUnavailableError):
                await late

    asyncio.run(run())


def test_a_failed_attempt_to_connect_gives_its_place_back() -> None:
    async def refuse() -> Any:
        raise OSError

    async def run() -> None:
        connections = Connections(refuse, limit=1)
        for _ in range(3):
            with pytest.raises(OSError):  # noqa: PT011  # of any kind
                await asyncio.wait_for(connections.take(), 1)
        await connections.close()
        with pytest.raises(asyncpg.InterfaceError):
            await connections.take()

    asyncio.run(run())
