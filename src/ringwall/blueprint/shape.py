"""What a value of the blueprint may look like: one table serves the parser and the JSON Schema.

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


Names = tuple[At[str], ...]
ClaimValue = At[str | int | bool | tuple[str, ...]]
Key = tuple[tuple[At[str], ClaimValue], ...]
"""A JWK, member by member."""


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


def wrong_type(node: Node, where: str, wanted: str, report: Report, hint: str = "") -> None:
    """Report that a node is of another kind than its place asks for."""
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
            wrong_type(node, where, self.what, report, "put it in quotes" if quoted and not hint else hint)
            return None
        if not re.search(self.pattern, node.text):
            message = f"{where} must be {self.what}, not {excerpt(node.text)!r}"
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
            wrong_type(node, where, wanted, report)
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
            wrong_type(node, where, "true or false", report)
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
            wrong_type(node, where, "a list of texts", report, "put numbers in quotes")
            return None
        wrong_type(node, where, "text, a whole number, a boolean or a list of texts", report)
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
            hint = f"write [{excerpt(node.text)}]" if isinstance(node, Scalar) and node.text else ""
            wrong_type(node, where, "a list", report, hint)
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
            wrong_type(node, where, " or ".join(word for word, shape in words if shape is not None), report)
            return None
        return shape.read(node, where, report)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of either form."""
        shapes = (self.scalar, self.sequence, self.mapping)
        return {"anyOf": [shape.json_schema() for shape in shapes if shape is not None]}


def excerpt(text: str) -> str:
    """Return a text as messages quote it."""
    return text if len(text) <= 60 else text[:60] + "…"  # noqa: PLR2004  # half an excerpt
