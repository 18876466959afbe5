"""What the repositories need of a database: statements, rows, transactions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import orjson

from ringwall.identity.store.errors import UnstorableError

Row = Sequence[Any]
BATCH: Final = 500
"""How many rows a sweep deletes at once, so that nobody waits for it."""
LOT_SIZE: Final = 50
LOT: Final = ", ".join(f":lot{number}" for number in range(LOT_SIZE))
"""So many parameters, for `IN`: statements of one text are prepared once."""

_PARAMETER: Final = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
_CALLED: Final = {"json_group_array(": "json_agg(", "json_array(": "json_build_array("}
"""What PostgreSQL calls functions of SQLite that statements use."""
_INT64: Final = 1 << 63


class Statement:
    """One SQL statement, with `:name` parameters, in words that SQLite and PostgreSQL share.

    Attributes:
        text: as written, which is how SQLite takes it.
        numbered: with `$1`, `$2`, … as PostgreSQL takes it.
        names: the parameters' names in the order of their numbers.
    """

    __slots__ = ("names", "numbered", "text")

    def __init__(self, text: str, **pieces: str) -> None:
        """Put the statement together; `{name}` stands for a piece. Pieces are constants, never from outside."""
        for piece, words in pieces.items():
            text = text.replace("{" + piece + "}", words)
        self.text = " ".join(text.split())
        self.names = tuple(dict.fromkeys(_PARAMETER.findall(self.text)))
        number = {name: str(place) for place, name in enumerate(self.names, 1)}
        self.numbered = _PARAMETER.sub(lambda found: f"${number[found[1]]}", self.text)
        for ours, theirs in _CALLED.items():
            self.numbered = self.numbered.replace(ours, theirs)


class Session(Protocol):
    """Runs statements: each by itself, or all within one transaction."""

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Run a statement and return its rows."""
        ...

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        """Run a statement and return its first row, or None."""
        ...

    async def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement that returns no rows, and return how many it changed."""
        ...


class Driver(Session, Protocol):
    """A database. Every method raises a StoreError where the database cannot do its work."""

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """Return a context within which statements take effect together, or not at all if it is left by an error.

        It holds the database's lock for writing (SQLite), so nothing else is awaited within.
        """
        ...

    def exclusive(self) -> AbstractAsyncContextManager[Session]:
        """Return a transaction that only one process at a time is in; for making the tables."""
        ...

    async def revision(self) -> str | None:
        """Return the revision of the tables; None where there are none at all; StoreDamagedError if not ours."""
        ...

    async def revision_within(self, within: Session) -> str | None:
        """Return the same as seen by a transaction."""
        ...

    async def close(self) -> None:
        """End all connections."""
        ...


def in_lots(values: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield values as parameters of a statement with `IN ({LOT})`: LOT_SIZE at a time, the last ones repeated."""
    waiting = list(values)
    for start in range(0, len(waiting), LOT_SIZE):
        lot = waiting[start : start + LOT_SIZE]
        lot += lot[-1:] * (LOT_SIZE - len(lot))
        yield {f"lot{number}": value for number, value in enumerate(lot)}


def check_values(values: dict[str, Any]) -> None:
    """Refuse what one of the databases could not keep, so that both behave the same."""
    for value in values.values():
        if type(value) is str:
            if "\0" in value:
                raise UnstorableError("a text with a NUL character cannot be stored")
            if not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise UnstorableError("a text with a lone surrogate cannot be stored") from None
        elif type(value) is int and not -_INT64 <= value < _INT64:
            raise UnstorableError("a number of more than 64 bits cannot be stored")


def packed(payload: dict[str, Any]) -> str:
    """Return a JSON object as the text that is stored."""
    try:
        return orjson.dumps(payload).decode()
    except TypeError as error:
        raise UnstorableError(f"this is no JSON that can be stored: {error}") from error


def unpacked(text: str) -> dict[str, Any]:
    """Return the JSON object of a stored text."""
    value: dict[str, Any] = orjson.loads(text)
    return value
