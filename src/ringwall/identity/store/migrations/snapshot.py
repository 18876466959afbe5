"""The current tables as SQL, for making a new database without importing SQLAlchemy.

`python -m ringwall.identity.store.migrations.snapshot` writes `schema/*.sql` anew after `tables.py` has changed.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Column, PrimaryKeyConstraint, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from ringwall.identity.store.revisions import VERSION_TABLE
from ringwall.identity.store.tables import METADATA

FOLDER: Final = Path(__file__).parent.parent / "schema"
DIALECTS: Final[dict[str, Dialect]] = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]  # SQLAlchemy's


def render(dialect: Dialect) -> str:
    """Return the statements that make all tables, each ended by a semicolon at the end of a line."""
    statements: list[str] = []
    for table in METADATA.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements.extend(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes)
    version = Table(
        VERSION_TABLE,
        METADATA.__class__(),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )
    statements.append(str(CreateTable(version).compile(dialect=dialect)))
    lines = (" ".join(statement.split()) for statement in statements)
    return "".join(f"{line};\n" for line in lines)


def write() -> None:
    """Write the files anew."""
    for name, dialect in DIALECTS.items():
        (FOLDER / f"{name}.sql").write_text(render(dialect))


if __name__ == "__main__":
    write()
