"""What opening a database must not cost."""

import subprocess
import sys
from pathlib import Path

from ringwall.identity.store.database import sqlite_url

PROGRAM = """
import asyncio, sqlite3, sys
from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import NewerDatabaseError

async def body():
    for _ in range(2):
        await (await Database.open(sys.argv[1])).close()
    connection = sqlite3.connect(sys.argv[2])
    connection.execute("UPDATE ringwall_issuer_version SET version_num = '9999'")
    connection.commit()
    try:
        await Database.open(sys.argv[1])
    except NewerDatabaseError:
        print(sorted({"sqlalchemy", "alembic", "asyncpg"} & sys.modules.keys()))

asyncio.run(body())
"""


def test_only_an_older_database_needs_alembic(tmp_path: Path) -> None:
    """Alembic and SQLAlchemy take most of a second to import: a new, a current and a newer database do without."""
    file = tmp_path / "issuer.db"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, sqlite_url(file), file], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
