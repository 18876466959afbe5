"""What a Cedar expression can stand for when everything known at configuration time has been put in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ringwall.compile.cedar.formula import Formula


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A Long literal."""

    value: int


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity that is known: a literal, the action, the service, a caller."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Address:
    """A literal of the ip extension, normalised, and whether it is one address rather than a block."""

    cidr: str
    single: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """A literal of the datetime extension, in milliseconds since the epoch."""

    millis: int


@dataclass(frozen=True, slots=True)
class Duration:
    """A literal of the duration extension, in milliseconds."""

    millis: int


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set written out, of literals or of runtime terms."""

    items: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose fields are known by name: a literal, `context` or `context.path`."""

    fields: Mapping[str, "Term"]


@dataclass(frozen=True, slots=True)
class ClaimString:
    """A string claim of the token, `sub` and `iss` included."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A path parameter: one segment of the path as this hop sees it, counted from 0."""

    number: int


@dataclass(frozen=True, slots=True)
class ClaimLong:
    """A long claim of the token."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimSet:
    """A set<string> claim of the token."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scopes:
    """The token's scopes."""


@dataclass(frozen=True, slots=True)
class Clock:
    """`hour`, `minute` or `weekday` in a time zone."""

    unit: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Now:
    """When the request began, moved by an offset in milliseconds."""

    offset: int = 0


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """How long ago midnight (UTC) was when the request began."""


@dataclass(frozen=True, slots=True)
class Source:
    """The client's address."""


@dataclass(frozen=True, slots=True)
class User:
    """The principal, where the request carries a token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The calling workload, where it can be one of several."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One term or another, by a formula."""

    condition: Formula
    then: "Term"
    otherwise: "Term"


TextTerm: TypeAlias = Text | ClaimString | Segment
LongTerm: TypeAlias = Number | ClaimLong | Clock
Term: TypeAlias = (
    Formula
    | TextTerm
    | LongTerm
    | Entity
    | Address
    | Moment
    | Duration
    | SetOf
    | Record
    | ClaimSet
    | Scopes
    | Now
    | TimeOfDay
    | Source
    | User
    | Caller
    | Choice
)

CONSTANTS = (Text, Number, Entity, Address, Moment, Duration)
"""Terms whose value is known, so that Python's equality is Cedar's."""
