"""Make `world.db` from the tables in `data/`, then become the command given: `with_data.py datasette serve ...`.

The figures are facts of nature, in the public domain: planets after NASA's fact sheets, elements with IUPAC's
abridged standard atomic weights (none where an element has no stable isotope in nature).
"""

import csv
import os
import sqlite3
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def make(database: Path) -> None:
    """Write one table for each CSV file; numbers become numbers. Replaces the file in one step."""
    fresh = database.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    connection = sqlite3.connect(fresh)
    for source in sorted((HERE / "data").glob("*.csv")):
        with source.open(newline="") as text:
            columns, *rows = csv.reader(text)
        names = ", ".join(f'"{name}"{"" if name in {"name", "symbol"} else " NUMERIC"}' for name in columns)
        marks = ", ".join("?" * len(columns))
        connection.execute(f'CREATE TABLE "{source.stem}" ({names}, PRIMARY KEY ("{columns[0]}"))')
        values = [[value or None for value in row] for row in rows]
        connection.executemany(f'INSERT INTO "{source.stem}" VALUES ({marks})', values)  # noqa: S608  # our own names
    connection.commit()
    connection.close()
    fresh.replace(database)


make(HERE / "world.db")
os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # the very purpose
