"""What a piece of the blueprint may look like: one table serves the parser and the JSON Schema.

A shape reads a node and reports everything that is wrong with it. It returns None where it reported an error, so
that reading goes on and the user sees every error at once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ringwall.blueprint.document import Mapping, Node, Scalar, Sequence, describe
from ringwall.blueprint.report import Report
from ringwall.model.errors import RingwallError, Span

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class At(Generic[T]):
    """A value and where it was written."""

    value: T
    span: Span


class BadValueError(RingwallError):
    """A text does not follow the form that its key asks for."""

    code = "bad-value"


class Shape(Protocol[T_co]):
    """A form that nodes can have."""

    def read(self, node: Node, where: str, report: Report) -> T_co | None:
        """Return what the node means, or None with an error reported; `where` names it for the message."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the same form."""
        ...


def _wrong(node: Node, where: str, wanted: str, report: Report, hint: str = "") -> None:
    report.error("wrong-type", f"{where} must be {wanted}, not {describe(node)}", node.span, hint=hint)


@dataclass(frozen=True)
class Text(Generic[T]):
    """Text that `parse` turns into a value; `pattern` (understood by Python and by JSON Schema) describes the form."""

    what: str
    pattern: str
    parse: Callable[[str], T]
    example: str = ""
    known: tuple[str, ...] = ()

    def read(self, node: Node, where: str, report: Report) -> At[T] | None:
        """Return the value with its place."""
        hint = f"for instance {self.example}" if self.example else ""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            quoted = isinstance(node, Scalar) and node.value is not None
            _wrong(node, where, self.what, report, "put it in quotes" if quoted and not hint else hint)
            return None
        if not re.search(self.pattern, node.text):
            message = f"{where} must be {self.what}, not {_short(node.text)!r}"
            near = report.suggest(node.text, self.known)
            report.error("bad-value", message, node.span, hint=near if near.startswith("did you mean") else hint)
            return None
        try:
            return At(self.parse(node.text), node.span)
        except BadValueError as error:
            report.error("bad-value", f"{where}: {error.message}", node.span, hint=error.hint or hint)
            return None

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of a string."""
        if self.known:
            return {"type": "string", "enum": list(self.known)}
        return {"type": "string", "pattern": self.pattern}


@dataclass(frozen=True)
class Number:
    """A whole number within bounds, both included."""

    low: int
    high: int

    def read(self, node: Node, where: str, report: Report) -> At[int] | None:
        """Return the number with its place."""
        value = node.value if isinstance(node, Scalar) else None
        wanted = f"a whole number from {self.low} to {self.high}"
        if not isinstance(value, int) or isinstance(value, bool):
            _wrong(node, where, wanted, report)
            return None
        if not self.low <= value <= self.high:
            report.error("out-of-range", f"{where} must be {wanted}, not {value}", node.span)
            return None
        return At(value, node.span)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an integer."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Flag:
    """`true` or `false`."""

    def read(self, node: Node, where: str, report: Report) -> At[bool] | None:
        """Return the boolean with its place."""
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, bool):
            _wrong(node, where, "true or false", report)
            return None
        return At(value, node.span)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of a boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Plain:
    """Any text, whole number or boolean, or a list of texts: a claim's value."""

    def read(self, node: Node, where: str, report: Report) -> At[str | int | bool | tuple[str, ...]] | None:
        """Return the value with its place."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str | int):
            return At(value, node.span)
        if isinstance(node, Sequence):
            texts = [item.value for item in node.items if isinstance(item, Scalar) and isinstance(item.value, str)]
            if len(texts) == len(node.items):
                return At(tuple(texts), node.span)
            _wrong(node, where, "a list of texts", report, "put numbers in quotes")
            return None
        _wrong(node, where, "text, a whole number, a boolean or a list of texts", report)
        return None

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of such a value."""
        return {"type": ["string", "integer", "boolean", "array"], "items": {"type": "string"}}


@dataclass(frozen=True)
class ListOf(Generic[T]):
    """A list."""

    item: Shape[T]
    minimum: int = 0

    def read(self, node: Node, where: str, report: Report) -> tuple[T, ...] | None:
        """Return the items that could be read."""
        if not isinstance(node, Sequence):
            hint = f"write [{_short(node.text)}]" if isinstance(node, Scalar) and node.text else ""
            _wrong(node, where, "a list", report, hint)
            return None
        if len(node.items) < self.minimum:
            report.error("empty-list", f"{where} needs at least {self.minimum} item", node.span)
            return None
        read = [self.item.read(item, f"an item of {where}", report) for item in node.items]
        return tuple(item for item in read if item is not None)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an array."""
        schema: dict[str, Any] = {"type": "array", "items": self.item.json_schema()}
        return {**schema, "minItems": self.minimum} if self.minimum else schema


@dataclass(frozen=True)
class Field:
    """One key of a record: the shape of its value and what it means."""

    shape: Shape[Any]
    doc: str
    required: bool = False
    attribute: str = ""
    fallback: Any = None
    """Stands for a required value that could not be read, so that the rest is still checked."""


@dataclass(frozen=True)
class One(Generic[T]):
    """A single item where a list is possible."""

    item: Shape[T]

    def read(self, node: Node, where: str, report: Report) -> tuple[T, ...] | None:
        """Return a tuple of the one item."""
        read = self.item.read(node, where, report)
        return None if read is None else (read,)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the item."""
        return self.item.json_schema()


@dataclass(frozen=True)
class Words:
    """A list of texts that make up one value."""

    items: ListOf[At[str]]

    def read(self, node: Node, where: str, report: Report) -> At[tuple[str, ...]] | None:
        """Return the texts, with the place of the list."""
        read = self.items.read(node, where, report)
        return None if read is None else At(tuple(item.value for item in read), node.span)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the list."""
        return self.items.json_schema()


class Record(Generic[T]):
    """A mapping with known keys; becomes one object of `build`, with its `span` and one argument for each key given.

    With `short`, a scalar stands for the record that has only that key. With `tells_given`, `build` is also told which
    keys are there, whether or not their values could be read.
    """

    def __init__(
        self, build: Callable[..., T], fields: dict[str, Field], *, short: str = "", tells_given: bool = False
    ) -> None:
        self._build = build
        self._tells_given = tells_given
        self._short = short
        self.fields = fields
        self._required = [key for key, field in fields.items() if field.required]

    def read(self, node: Node, where: str, report: Report, **extra: object) -> T | None:
        """Return the object; what could not be read is as if it were absent."""
        if isinstance(node, Scalar) and node.value is None and not self._required:
            return self._build(span=node.span, **extra)
        if self._short and isinstance(node, Scalar):
            read = self.fields[self._short].shape.read(node, where, report)
            return None if read is None else self._build(span=node.span, **extra, **{self._short: read})
        if not isinstance(node, Mapping):
            _wrong(node, where, "a mapping", report)
            return None
        arguments = self._arguments(node, where, report)
        given = frozenset(key.text for key, _ in node.entries)
        if self._tells_given:
            extra["given"] = given
        for name in self._required:
            field = self.fields[name]
            if name not in given:
                report.error("missing-key", f"{where} needs the key {name!r}", node.span, hint=field.doc)
            if arguments.setdefault(name, field.fallback) is None:
                return None
        return self._build(span=node.span, **extra, **arguments)

    def _arguments(self, node: Mapping, where: str, report: Report) -> dict[str, Any]:
        """Return the values that could be read, by attribute."""
        arguments: dict[str, Any] = {}
        for key, value in node.entries:
            field = self.fields.get(key.text)
            if field is None:
                message = f"{where} has no key {_short(key.text)!r}"
                report.error("unknown-key", message, key.span, hint=report.suggest(key.text, self.fields))
                continue
            read = field.shape.read(value, f"'{key.text}'", report)
            if read is not None:
                arguments[field.attribute or key.text] = read
        return arguments

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an object that is closed to other keys."""
        properties = {
            key: {**field.shape.json_schema(), "description": field.doc} for key, field in self.fields.items()
        }
        schema: dict[str, Any] = {
            "type": "object" if self._required else ["object", "null"],
            "properties": properties,
            "additionalProperties": False,
        }
        if self._required:
            schema["required"] = self._required
        return {"anyOf": [self.fields[self._short].shape.json_schema(), schema]} if self._short else schema


@dataclass(frozen=True)
class MapOf(Generic[T]):
    """A mapping from names to records; each record is given its name."""

    key: Text[str]
    value: Record[T]

    def read(self, node: Node, where: str, report: Report) -> tuple[T, ...] | None:
        """Return the records in the order written."""
        if isinstance(node, Scalar) and node.value is None:
            return ()
        if not isinstance(node, Mapping):
            _wrong(node, where, "a mapping", report)
            return None
        found = []
        for key, value in node.entries:
            name = self.key.read(key, f"a name under {where}", report)
            read = self.value.read(value, f"{key.text[:60]!r}", report, name=name or At(key.text, key.span))
            if read is not None:
                found.append(read)
        return tuple(found)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an object with named members."""
        return {
            "type": ["object", "null"],
            "propertyNames": self.key.json_schema(),
            "additionalProperties": self.value.json_schema(),
        }


@dataclass(frozen=True)
class Pairs(Generic[T]):
    """A mapping from texts to plain values, as pairs in the order written."""

    key: Text[str]
    value: Shape[T]

    def read(self, node: Node, where: str, report: Report) -> tuple[tuple[At[str], T], ...] | None:
        """Return the pairs."""
        if not isinstance(node, Mapping):
            _wrong(node, where, "a mapping", report)
            return None
        found = []
        for key, value in node.entries:
            name = self.key.read(key, f"a name under {where}", report)
            read = self.value.read(value, f"'{key.text[:60]}'", report)
            if name is not None and read is not None:
                found.append((name, read))
        return tuple(found)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of an object with named members."""
        return {
            "type": "object",
            "propertyNames": self.key.json_schema(),
            "additionalProperties": self.value.json_schema(),
        }


@dataclass(frozen=True)
class Either:
    """A short form and a long one, told apart by the kind of node: scalar, sequence or mapping."""

    scalar: Shape[Any] | None = None
    sequence: Shape[Any] | None = None
    mapping: Shape[Any] | None = None

    def read(self, node: Node, where: str, report: Report) -> Any:
        """Return what the shape for this kind of node returns."""
        kinds = {Scalar: self.scalar, Sequence: self.sequence, Mapping: self.mapping}
        shape = kinds[type(node)]
        if shape is None:
            words = (("text", self.scalar), ("a list", self.sequence), ("a mapping", self.mapping))
            _wrong(node, where, " or ".join(word for word, shape in words if shape is not None), report)
            return None
        return shape.read(node, where, report)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of either form."""
        shapes = (self.scalar, self.sequence, self.mapping)
        return {"anyOf": [shape.json_schema() for shape in shapes if shape is not None]}


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"  # noqa: PLR2004  # half an excerpt
