"""Filters and attribute paths (RFC 7644, sections 3.4.2.2 and 3.5.2): from text to a tree, with bounds.

Nothing of a filter ever becomes SQL. Reading one takes time in proportion to its length, whatever is in it.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringwall.identity.issuer.scim.errors import ScimError

MAX_LENGTH: Final = 4096
MAX_DEPTH: Final = 16
MAX_TERMS: Final = 100
OPERATORS: Final = frozenset({"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"})

_TOKEN: Final = re.compile(
    r'(?P<space>[ ]+)|(?P<mark>[()\[\]])|(?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")'
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<word>[A-Za-z$.][A-Za-z0-9$_.:-]*)"
)
_PATH: Final = re.compile(r"(?:(?P<schema>.+):)?(?P<name>\$?[A-Za-z][A-Za-z0-9_-]*)(?:\.(?P<sub>\$?[A-Za-z][\w-]*))?")
_LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Path:
    """An attribute, as somebody wrote it: schema (empty for the resource's own), name, sub-attribute (or empty)."""

    schema: str
    name: str
    sub: str = ""


@dataclass(frozen=True, slots=True)
class Compare:
    """`path op value`."""

    path: Path
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class Present:
    """`path pr`."""

    path: Path


@dataclass(frozen=True, slots=True)
class Not:
    """`not (of)`."""

    of: "Filter"


@dataclass(frozen=True, slots=True)
class Logical:
    """Two or more filters joined by `and`, or by `or`."""

    op: str
    of: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class ValueFilter:
    """`path[of]`: some value of a multi-valued attribute satisfies the filter."""

    path: Path
    of: "Filter"


Filter = Compare | Present | Not | Logical | ValueFilter


@dataclass(frozen=True, slots=True)
class PatchPath:
    """Where a PATCH operation acts (RFC 7644, figure 7): an attribute, perhaps some of its values, perhaps a part."""

    path: Path
    of: Filter | None = None


def named(tree: Filter) -> frozenset[str]:
    """Return the names of the attributes that a filter reads, in lower case."""
    if isinstance(tree, Logical):
        return frozenset().union(*(named(part) for part in tree.of))
    return named(tree.of) if isinstance(tree, Not) else frozenset({tree.path.name.lower()})


def parse_filter(text: str) -> Filter:
    """Return the tree of a filter; ScimError `invalidFilter` where it is none, or too large."""
    reader = _Reader(text, "invalidFilter")
    found = reader.disjunction(0)
    reader.end()
    return found


def parse_patch_path(text: str) -> PatchPath:
    """Return the path of a PATCH operation; ScimError `invalidPath` where it is none, or too large."""
    reader = _Reader(text, "invalidPath")
    path = reader.path()
    of = reader.value_filter(0) if reader.peek() == "[" else None
    if of is not None and reader.peek().startswith("."):
        if path.sub:
            raise reader.wrong()
        sub = reader.take()[1:]
        if not re.fullmatch(r"\$?[A-Za-z][\w-]*", sub, re.ASCII):
            raise reader.wrong()
        path = Path(path.schema, path.name, sub)
    reader.end()
    return PatchPath(path, of)


def parse_path(text: str, *, kind: str = "invalidPath") -> Path:
    """Return an attribute's path, as in `attributes` and `sortBy`."""
    reader = _Reader(text, kind)
    path = reader.path()
    reader.end()
    return path


class _Reader:
    """Reads tokens, from the left, once."""

    def __init__(self, text: str, kind: str) -> None:
        self._kind = kind
        self._terms = 0
        if len(text) > MAX_LENGTH:
            raise self.wrong(f"it is longer than {MAX_LENGTH} characters")
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.wrong(f"it cannot be read from character {at + 1} on")
            if found.lastgroup != "space":
                self._tokens.append((str(found.lastgroup), found[0]))
            at = found.end()
        self._at = 0

    def wrong(self, why: str = "its form is not that of RFC 7644") -> ScimError:
        """Return the error for what is read."""
        what = "filter" if self._kind == "invalidFilter" else "path"
        return ScimError(400, self._kind, f"the {what} is refused: {why}")

    def peek(self) -> str:
        """Return the next token; empty at the end."""
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        """Return the next token and go on."""
        token = self.peek()
        if not token:
            raise self.wrong("it ends too early")
        self._at += 1
        return token

    def end(self) -> None:
        """Refuse what follows."""
        if self.peek():
            raise self.wrong(f"{self.peek()[:40]!r} is one too many")

    def disjunction(self, depth: int) -> Filter:
        """Read `… or …`, which binds less than `and`."""
        return self._joined("or", self._conjunction, depth)

    def _conjunction(self, depth: int) -> Filter:
        return self._joined("and", self._term, depth)

    def _joined(self, word: str, read: Callable[[int], Filter], depth: int) -> Filter:
        parts = [read(depth)]
        while self.peek().lower() == word:
            self.take()
            parts.append(read(depth))
        return parts[0] if len(parts) == 1 else Logical(word, tuple(parts))

    def _term(self, depth: int) -> Filter:
        self._terms += 1
        if self._terms > MAX_TERMS or depth > MAX_DEPTH:
            raise self.wrong(f"it has more than {MAX_TERMS} comparisons, or nests deeper than {MAX_DEPTH}")
        following = self._tokens[self._at + 1][1] if self._at + 1 < len(self._tokens) else ""
        if self.peek().lower() == "not" and following == "(":
            self.take()
            return Not(self._group(depth))
        if self.peek() == "(":
            return self._group(depth)
        path = self.path()
        if self.peek() == "[":
            return ValueFilter(path, self.value_filter(depth))
        operator = self.take().lower()
        if operator == "pr":
            return Present(path)
        if operator not in OPERATORS:
            raise self.wrong(f"there is no operator {operator[:40]!r}")
        return Compare(path, operator, self._value())

    def _group(self, depth: int) -> Filter:
        self._expect("(")
        found = self.disjunction(depth + 1)
        self._expect(")")
        return found

    def value_filter(self, depth: int) -> Filter:
        """Read `[…]`."""
        self._expect("[")
        found = self.disjunction(depth + 1)
        self._expect("]")
        return found

    def _expect(self, mark: str) -> None:
        if self.peek() != mark:
            raise self.wrong(f"{mark!r} is missing")
        self._at += 1

    def path(self) -> Path:
        """Read an attribute's path."""
        kind = self._tokens[self._at][0] if self._at < len(self._tokens) else ""
        word = self.take()
        found = _PATH.fullmatch(word) if kind == "word" else None
        if found is None:
            raise self.wrong(f"{word[:40]!r} is no attribute")
        return Path(found["schema"] or "", found["name"], found["sub"] or "")

    def _value(self) -> Value:
        kind = self._tokens[self._at][0] if self._at < len(self._tokens) else ""
        token = self.take()
        if kind == "word" and token.lower() in _LITERALS:
            return _LITERALS[token.lower()]
        if kind in {"text", "number"}:
            try:
                value: Value = json.loads(token)
            except ValueError:
                value = None
            if value is not None and not (
                isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value)
            ):
                return value
        raise self.wrong(f"{token[:40]!r} is no value")
