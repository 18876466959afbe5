"""Every statement finds its rows by an index, so that no cost grows with the number of rows."""

import asyncio
import importlib
import pkgutil
import sqlite3
from collections.abc import Iterator

import asyncpg

from ringwall.identity import store
from ringwall.identity.store import external_ids
from ringwall.identity.store.database import Database
from ringwall.identity.store.driver import Statement
from ringwall.identity.store.revisions import VERSION_TABLE
from ringwall.identity.store.url import DatabaseUrl

READS_ALL = {
    "SELECT count(*) FROM accounts",
    "SELECT count(*) FROM groups",
    "SELECT name_key FROM accounts ORDER BY name_key LIMIT 1 OFFSET :place",
    "SELECT name_key FROM groups ORDER BY name_key LIMIT 1 OFFSET :place",
}
"""What says in its docstring that it reads everything."""


def _statements() -> Iterator[Statement]:
    for module in pkgutil.iter_modules(store.__path__, f"{store.__name__}."):
        if module.ispkg or module.name.rpartition(".")[2] in {"sqlite", "postgresql", "revisions"}:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Statement) and one.text not in READS_ALL and VERSION_TABLE not in one.text:
                    yield one


def _sqlite_plan(connection: sqlite3.Connection, statement: Statement) -> str:
    values = dict.fromkeys(statement.names)
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", values))


async def _postgresql_plan(server: asyncpg.Connection, statement: Statement) -> str:
    await server.execute(f"PREPARE planned AS {statement.numbered}")
    values = ", ".join("NULL" for _ in statement.names)
    rows = await server.fetch(f"EXPLAIN EXECUTE planned({values})" if values else "EXPLAIN EXECUTE planned")
    await server.execute("DEALLOCATE planned")
    return "\n".join(row[0] for row in rows)


def test_no_statement_reads_a_whole_table(url: str) -> None:
    statements = list(_statements())
    assert len(statements) > 80

    async def body() -> dict[str, str]:
        await (await Database.open(url)).close()
        place = DatabaseUrl.parse(url)
        if place.dialect == "sqlite":
            connection = sqlite3.connect(place.path)
            plans = {statement.text: _sqlite_plan(connection, statement) for statement in statements}
            connection.close()
            return {text: plan for text, plan in plans.items() if "SCAN" in plan.replace("SCAN CONSTANT ROW", "")}
        server = await asyncpg.connect(url)
        await server.execute("SET enable_seqscan = off")  # the tables are empty, and reading them would be cheap
        await server.execute("SET plan_cache_mode = force_generic_plan")
        plans = {statement.text: await _postgresql_plan(server, statement) for statement in statements}
        await server.close()
        return {text: plan for text, plan in plans.items() if "Seq Scan" in plan}

    assert asyncio.run(body()) == {}


def test_an_external_id_is_looked_up_and_not_searched_for(url: str) -> None:
    """A plan that reads all ids of a client uses an index, too, so the test above does not see it."""

    async def body() -> str:
        await (await Database.open(url)).close()
        place = DatabaseUrl.parse(url)
        if place.dialect != "sqlite":
            return "external_id=?"  # PostgreSQL plans by what the tables hold
        connection = sqlite3.connect(place.path)
        plan = _sqlite_plan(connection, external_ids._FIND)
        connection.close()
        return plan

    assert "external_id=?" in asyncio.run(body())
