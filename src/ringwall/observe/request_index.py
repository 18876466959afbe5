"""Finds rows by request id without a B-tree over random ids, which would write a page for every event.

Rows are indexed in blocks of 4,096, each written once: the first eight bytes of every row's request id, in the
order of the rows. To look one up is to search these bytes, some megabytes for some millions of events; what is
found is then compared with the row itself. Rows that are not in a block yet are looked at one by one.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

BLOCK_ROWS: Final = 4096
_KEY_BYTES: Final = 8


def pack(connection: sqlite3.Connection) -> None:
    """Write the blocks that are full by now; to be called in the transaction that stored the rows."""
    last = connection.execute("SELECT max(id) FROM events").fetchone()[0] or 0
    packed = _packed(connection)
    while last - packed >= BLOCK_ROWS:
        first, packed = packed + 1, packed + BLOCK_ROWS
        keys = bytearray(BLOCK_ROWS * _KEY_BYTES)
        for row, request_id in connection.execute(
            "SELECT id, request_id FROM events WHERE id BETWEEN ? AND ?", (first, packed)
        ):
            at = (row - first) * _KEY_BYTES
            keys[at : at + _KEY_BYTES] = _key(request_id).ljust(_KEY_BYTES, b"\0")
        connection.execute("INSERT INTO request_blocks VALUES (?, ?, ?)", (first, packed, bytes(keys)))


def drop_empty(connection: sqlite3.Connection) -> None:
    """Delete blocks whose rows are all gone."""
    connection.execute("DELETE FROM request_blocks WHERE last < (SELECT ifnull(min(id), 0) FROM events)")


def rows(connection: sqlite3.Connection, prefix: str) -> Iterator[int]:
    """Yield the rows whose request id begins with a text, newest first; to be called in a transaction."""
    for row, request_id in connection.execute(
        "SELECT id, request_id FROM events WHERE id > ? ORDER BY id DESC", (_packed(connection),)
    ):
        if request_id.startswith(prefix):
            yield row
    wanted = _key(prefix)
    for first, keys in connection.execute("SELECT first, keys FROM request_blocks ORDER BY first DESC"):
        for row in _found(first, keys, wanted):
            found = connection.execute("SELECT request_id FROM events WHERE id = ?", (row,)).fetchone()
            if found is not None and found[0].startswith(prefix):
                yield row


def _found(first: int, keys: bytes, wanted: bytes) -> list[int]:
    places = []
    at = keys.find(wanted)
    while at >= 0:
        if at % _KEY_BYTES == 0:
            places.append(first + at // _KEY_BYTES)
        at = keys.find(wanted, at + 1)
    return places[::-1]


def _key(request_id: str) -> bytes:
    return request_id.encode()[:_KEY_BYTES]


def _packed(connection: sqlite3.Connection) -> int:
    """Return the last row that is in a block."""
    found = connection.execute("SELECT last FROM request_blocks ORDER BY first DESC LIMIT 1").fetchone()
    return int(found[0]) if found else 0
