"""Fills an issuer's database with people, clients and what they hold, by bulk statements and copies of one real row."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import asyncpg

from ringwall.identity.store.database import Database
from ringwall.identity.store.handles import new_id
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.secret import Secret

DAY = 86_400.0
MACHINE = {
    "client_name": "A machine",
    "grant_types": ["client_credentials"],
    "token_endpoint_auth_method": "client_secret_basic",
    "scope": "read write",
}
HOW = {"acr": "urn:ringwall:acr:password", "amr": ["pwd"], "auth_time": 1_700_000_000}
SCOPES = {"plain": ["orders:read"], "with-id-token": ["openid", "orders:read"]}


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the load uses: real ones, between those that only fill.

    Attributes:
        user_name: of a person.
        client: id of a client that has registered itself, and its secret.
        session: cookie of a person's session.
        refresh: refresh tokens of the client `portal`, for each kind of SCOPES.
    """

    user_name: str
    client: tuple[str, str]
    session: str
    refresh: dict[str, list[str]]


def fill(url: str, count: int, *, families: int) -> Held:
    """Put `count` people, registered clients, sessions and families of refresh tokens into an empty database."""
    return asyncio.run(_fill(url, count, families))


async def _fill(url: str, count: int, families: int) -> Held:
    async with await Database.open(url) as database:
        now = time.time()
        person = await database.accounts.create(
            user_name="somebody",
            name_key="somebody",
            display_name="Some Body",
            email="somebody@example.org",
            email_key="somebody@example.org",
            now=now,
        )
        client = await database.clients.create(payload=MACHINE, with_secret=True, now=now)
        cookie, session = await database.sessions.start(
            account=person.id, payload=HOW, now=now, idle_seconds=DAY, final_seconds=DAY
        )
        held = {
            kind: [
                (
                    await database.families.start(
                        client="portal",
                        account=person.id,
                        session=session.id,
                        payload={**HOW, "scopes": scopes, "sid": session.id},
                        now=now,
                        idle_seconds=DAY,
                        final_seconds=30 * DAY,
                    )
                ).token
                for _ in range(families)
            ]
            for kind, scopes in SCOPES.items()
        }
    people = [new_id() for _ in range(count)]
    changes: dict[str, Callable[[int], dict[str, Any]]] = {
        "accounts": lambda n: {
            "id": people[n],
            "name_key": f"user{n}",
            "user_name": f"user{n}",
            "email_key": f"user{n}@example.org",
        },
        "clients": lambda _: {"id": REGISTERED_PREFIX + new_id(), "token": os.urandom(32), "secret": os.urandom(32)},
        "sessions": lambda n: {"id": new_id(), "digest": os.urandom(32), "account": people[n]},
        "families": lambda n: {
            "id": new_id(),
            "locator": os.urandom(32),
            "current": os.urandom(32),
            "account": people[n],
        },
    }
    copy = _copy_sqlite if url.startswith("sqlite:") else _copy_postgresql
    await copy(url, count, changes)
    return Held(
        user_name="somebody",
        client=(client.client.id, _text(client.secret or Secret(""))),
        session=_text(cookie),
        refresh={kind: list(map(_text, tokens)) for kind, tokens in held.items()},
    )


async def _copy_sqlite(url: str, count: int, changes: dict[str, Callable[[int], dict[str, Any]]]) -> None:
    with sqlite3.connect(unquote(url.removeprefix("sqlite:///"))) as connection:
        connection.row_factory = sqlite3.Row
        for table, change in changes.items():
            template = dict(connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone())  # noqa: S608  # our names
            marks = ", ".join("?" * len(template))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", _rows(template, change, count))  # noqa: S608
        connection.execute("ANALYZE")
    connection.close()


async def _copy_postgresql(url: str, count: int, changes: dict[str, Callable[[int], dict[str, Any]]]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for table, change in changes.items():
            template = dict(await connection.fetchrow(f"SELECT * FROM {table} LIMIT 1"))  # noqa: S608  # our names
            await connection.copy_records_to_table(
                table, records=_rows(template, change, count), columns=list(template)
            )
        await connection.execute("VACUUM ANALYZE")  # as a server does by itself
    finally:
        await connection.close()


def _rows(template: dict[str, Any], change: Callable[[int], dict[str, Any]], count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        yield tuple((template | change(number)).values())


def _text(secret: Secret) -> str:
    return secret.reveal().decode("ascii")
