"""Bytes of a YAML or JSON file to a tree of nodes that know where they were written.

The tree is built from parser events, so that a hostile file is refused before it costs anything: depth, node
count and size are bounded, and anchors, aliases, tags and further documents are refused.

Scalars mean what the YAML 1.2 core schema says: `yes` and `on` are text, `8080:1` is not a number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from ringwall.blueprint.report import Report
from ringwall.model.errors import Span

MAX_DEPTH: Final = 64
MAX_NODES: Final = 200_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATES = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text as written; `plain` where it was not quoted, so that it may be a number, a boolean or null."""

    text: str
    plain: bool
    span: Span

    @property
    def value(self) -> str | float | bool | None:
        """What the text means; a number that is not whole, or has more than 18 digits, is a float."""
        if not self.plain:
            return self.text
        if self.text in _NULLS:
            return None
        if self.text in _TRUE or self.text in _FALSE:
            return self.text in _TRUE
        if _INTEGER.fullmatch(self.text):
            return int(self.text)
        if _FLOAT.fullmatch(self.text):
            return float(self.text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return self.text


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple["Node", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in the order written, without duplicates."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    span: Span

    def get(self, key: str) -> "Node | None":
        """Return the value of a key, or None."""
        return next((value for name, value in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


def describe(node: Node) -> str:
    """Return what a node is, in the user's words."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {node.text}"
    return f"the number {node.text}" if isinstance(value, int | float) else "text"


def decode(file: str, content: bytes, report: Report) -> str | None:
    """Return the text of a file, or None with an error reported for what is not plain UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.error("not-utf-8", f"byte {error.start} is not UTF-8", Span(file, line), hint="save the file as UTF-8")
        return None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        report.error("control-character", "the file holds a NUL byte", Span(file, line), hint="is it a text file?")
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    report.add_source(file, text)
    return text


def parse(file: str, content: bytes, report: Report) -> Node | None:
    """Return the tree of a YAML or JSON file; None with an error reported where it cannot be read."""
    text = decode(file, content, report)
    if text is None:
        return None
    if text.lstrip()[:1] in {"{", "["}:
        text = _SURROGATES.sub(_join_surrogates, text)  # JSON may write them, YAML may not
    builder = _Builder(file, report)
    try:
        return builder.build(yaml.parse(text, Loader=yaml.CSafeLoader))
    except _RefusedError as error:
        report.error(error.code, error.message, error.span, hint=error.hint)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = Span(file, mark.line + 1, mark.column + 1) if mark else Span(file)
        what = " ".join(part for part in (error.context, error.problem) if part)
        report.error("yaml-syntax", f"this is not valid YAML: {what}", span, hint=_syntax_hint(what))
    except yaml.YAMLError as error:
        report.error("yaml-syntax", f"this is not valid YAML: {str(error).splitlines()[0]}", Span(file))
    return None


def _syntax_hint(problem: str) -> str:
    if "mapping values are not allowed" in problem:
        return "put text that holds ': ' in quotes, and check the indentation"
    if "cannot start any token" in problem:
        return "put the text in quotes, and indent with spaces rather than tabs"
    if "expected ',' or" in problem:
        return "inside [] and {}, put text that holds '{', '[' or ',' in quotes"
    return "check the indentation and the quotes around here"


def _join_surrogates(match: re.Match[str]) -> str:
    high, low = int(match[1], 16), int(match[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


class _RefusedError(Exception):
    def __init__(self, code: str, message: str, span: Span, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.hint = hint


class _Builder:
    """Builds the tree with an explicit stack; nothing a file holds can exhaust Python's own."""

    def __init__(self, file: str, report: Report) -> None:
        self._file = file
        self._report = report
        self._root: Node | None = None
        self._stack: list[tuple[Span, bool, list[Node]]] = []
        self._nodes = 0

    def build(self, events: Iterator[yaml.Event]) -> Node:
        documents = 0
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._count(event)
                span = self._span(event)
                self._add(Scalar(event.value, not event.style, span))
            elif isinstance(event, yaml.CollectionStartEvent):
                self._count(event)
                if len(self._stack) >= MAX_DEPTH:
                    raise _RefusedError("too-deep", f"nested deeper than {MAX_DEPTH} levels", self._span(event))
                self._stack.append((self._span(event), isinstance(event, yaml.MappingStartEvent), []))
            elif isinstance(event, yaml.CollectionEndEvent):
                span, is_mapping, items = self._stack.pop()
                self._add(self._mapping(span, items) if is_mapping else Sequence(tuple(items), span))
            elif isinstance(event, yaml.AliasEvent):
                raise _RefusedError(
                    "yaml-alias", "aliases (*name) are not read", self._span(event), "write the value where it is used"
                )
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _RefusedError("several-documents", "the file holds several documents", self._span(event))
        if self._root is None:
            raise _RefusedError("empty-file", "the file is empty", Span(self._file))
        return self._root

    def _span(self, event: yaml.Event) -> Span:
        mark = event.start_mark
        return Span(self._file, mark.line + 1, mark.column + 1) if mark else Span(self._file)

    def _count(self, event: yaml.NodeEvent) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _RefusedError("too-many-values", f"the file holds more than {MAX_NODES} values", self._span(event))
        if event.anchor is not None:
            raise _RefusedError("yaml-alias", "anchors (&name) are not read", self._span(event), "remove the anchor")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _RefusedError("yaml-tag", f"the tag {tag[:60]!r} is not read", self._span(event), "remove the tag")

    def _add(self, node: Node) -> None:
        if self._stack:
            self._stack[-1][2].append(node)
        else:
            self._root = node

    def _mapping(self, span: Span, items: list[Node]) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        seen: dict[str, Span] = {}
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise _RefusedError("key-not-text", f"a key is text, not {describe(key)}", key.span)
            if key.text in seen:
                first = seen[key.text].line
                message = f"the key {key.text[:60]!r} is given twice, first in line {first}"
                self._report.error("duplicate-key", message, key.span, hint="keep one of them")
                continue
            seen[key.text] = key.span
            entries.append((key, value))
        return Mapping(tuple(entries), span)
