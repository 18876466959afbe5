"""The tables of the event store, and how an older file becomes a current one."""

import sqlite3
from typing import Final

from ringwall.model.errors import RingwallError


class NewerStoreError(RingwallError):
    """The event store was written by a later version of Ringwall."""

    code = "event-store-newer"


MIGRATIONS: Final = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time REAL NOT NULL,
        request_id TEXT NOT NULL,
        hop TEXT NOT NULL,
        operation TEXT NOT NULL,
        subject TEXT NOT NULL,
        caller TEXT NOT NULL,
        outcome TEXT NOT NULL,
        status INTEGER NOT NULL,
        plan INTEGER NOT NULL,
        rest BLOB NOT NULL
    );
    CREATE INDEX events_by_time ON events (time);
    CREATE TABLE request_blocks (
        first INTEGER PRIMARY KEY,
        last INTEGER NOT NULL,
        keys BLOB NOT NULL
    );
    CREATE TABLE plans (
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE
    );
    CREATE TABLE positions (
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        spool TEXT NOT NULL,
        offset INTEGER NOT NULL,
        head_length INTEGER NOT NULL,
        head BLOB NOT NULL,
        PRIMARY KEY (device, inode)
    ) WITHOUT ROWID;
    CREATE TABLE bad_lines (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time REAL NOT NULL,
        spool TEXT NOT NULL,
        reason TEXT NOT NULL,
        excerpt TEXT NOT NULL
    );
    CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
)
"""Step n takes a file of version n to version n + 1; a step that was released never changes."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the current version, each step in one transaction; raise NewerStoreError for a later one."""
    while (version := connection.execute("PRAGMA user_version").fetchone()[0]) < len(MIGRATIONS):
        # Another process may be doing the same: look again once the lock is held.
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] == version:
                for statement in MIGRATIONS[version].split(";"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
    if version > len(MIGRATIONS):
        raise NewerStoreError(
            f"the event store has version {version}, and this Ringwall knows versions up to {len(MIGRATIONS)}",
            hint="use the Ringwall that wrote it, or move it away: decisions wait in the proxies' logs meanwhile",
        )
