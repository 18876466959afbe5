"""What a mapping of the blueprint may look like: with keys that are known, or with names of the user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ringwall.blueprint.document import Mapping, Node, Scalar
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At, Shape, Text, excerpt, wrong_type

T = TypeVar("T")


@dataclass(frozen=True)
class Field:
    """One key of a record: the shape of its value and what it means."""

    shape: Shape[Any]
    doc: str
    required: bool = False
    attribute: str = ""
    fallback: Any = None
    """Stands for a required value that could not be read, so that the rest is still checked."""


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
        self.excerpt = short
        self.fields = fields
        self._required = [key for key, field in fields.items() if field.required]

    def read(self, node: Node, where: str, report: Report, **extra: object) -> T | None:
        """Return the object; what could not be read is as if it were absent."""
        if isinstance(node, Scalar) and node.value is None and not self._required:
            return self._build(span=node.span, **extra)
        if self.excerpt and isinstance(node, Scalar):
            read = self.fields[self.excerpt].shape.read(node, where, report)
            return None if read is None else self._build(span=node.span, **extra, **{self.excerpt: read})
        if not isinstance(node, Mapping):
            wrong_type(node, where, "a mapping", report)
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
                message = f"{where} has no key {excerpt(key.text)!r}"
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
        return {"anyOf": [self.fields[self.excerpt].shape.json_schema(), schema]} if self.excerpt else schema


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
            wrong_type(node, where, "a mapping", report)
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
            wrong_type(node, where, "a mapping", report)
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
