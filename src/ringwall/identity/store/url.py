"""The database's URL: which database, and where."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from ringwall.identity.store.driver import Driver
from ringwall.identity.store.errors import InvalidUrlError
from ringwall.identity.store.sqlite import SqliteDriver

_HINT = "write sqlite:////absolute/path or postgresql://user@host/database"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """A URL that was understood.

    Attributes:
        dialect: `sqlite` or `postgresql`; also the name of the file in `schema/`.
        path: of the SQLite file; an empty path for PostgreSQL.
        dsn: of PostgreSQL, which may hold a password: never shown; empty for SQLite.
    """

    dialect: str
    path: Path
    dsn: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL apart; InvalidUrlError, which never shows a password, where it is none of ours."""
        try:
            parts = urlsplit(url)
        except ValueError:  # its words may quote the password
            raise InvalidUrlError("the database's URL is malformed", hint=_HINT) from None
        if parts.scheme == "sqlite":
            if parts.netloc or parts.query or parts.fragment or not parts.path.strip("/"):
                raise InvalidUrlError("the URL of a SQLite database has a path and nothing else", hint=_HINT)
            return cls(dialect="sqlite", path=Path(unquote(parts.path[1:])))
        if parts.scheme in {"postgresql", "postgres"}:
            return cls(dialect="postgresql", path=Path(), dsn=url)
        raise InvalidUrlError("the database's URL begins with neither sqlite: nor postgresql:", hint=_HINT)

    async def connect(self) -> Driver:
        """Return a driver for this database; StoreError where it cannot be reached."""
        if self.dialect == "sqlite":
            return SqliteDriver(self.path)
        from ringwall.identity.store.postgresql import PostgresDriver  # noqa: PLC0415  # only who uses it imports it

        return await PostgresDriver.connect(self.dsn)

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.dialect} {self.path if self.dialect == 'sqlite' else '…'})"
