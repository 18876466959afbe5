"""What commands print: tables, trees, JSON documents, errors and diagnostics.

Results go to standard output; notes, progress and errors go to standard error, so that a pipe
carries results only. Colour is used on terminals only, and never where NO_COLOR is set.
Everything that comes from outside is printed with control characters made visible, so that
a request's path cannot send escape codes to the operator's terminal.
"""

import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TextIO

from ringwall.model.errors import Diagnostic, InvalidBlueprintError, RingwallError, Severity

_FORMAT: Final = 1
_MIN_COLUMN: Final = 12
_GAP: Final = "  "


class Style(StrEnum):
    """How a piece of text is meant; the colours are here and nowhere else."""

    PLAIN = ""
    GOOD = "32"
    BAD = "31"
    WARN = "33"
    INFO = "36"
    STRONG = "1"
    FAINT = "2"


class Cell:
    """Text of a table cell with a style; plain strings are cells too."""

    __slots__ = ("style", "text")

    def __init__(self, text: object, style: Style = Style.PLAIN) -> None:
        self.text = visible(str(text))
        self.style = style


Node = Mapping[str, "Node"] | Sequence[str]
"""A tree: labels with what lies under each, or a list of leaves."""


def visible(text: str) -> str:
    r"""Return `text` with control, format and surrogate characters written as `\xNN` or `\uNNNN`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def document(kind: str, data: object) -> dict[str, object]:
    """Return the one shape of every `--json` answer: `{"ringwall": 1, "kind": …, "data": …}`."""
    return {"ringwall": _FORMAT, "kind": kind, "data": data}


def error_data(error: RingwallError) -> dict[str, object]:
    """Return an error as JSON data: code, message, hint, and the diagnostics where there are some."""
    data: dict[str, object] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, InvalidBlueprintError):
        data["diagnostics"] = [asdict(diagnostic) for diagnostic in error.diagnostics]
    return data


def _plain(value: Any) -> Any:
    """Make values of the model JSON: dataclasses, paths, sets."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Output:
    """Where a command's results and messages go.

    Args:
        as_json: print results as JSON documents and nothing else on standard output.
        out: results; standard output by default.
        err: messages; standard error by default.
    """

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._progress = False

    # Results

    def text(self, text: str = "", style: Style = Style.PLAIN) -> None:
        """Print a line of the result; nothing under `--json`."""
        if not self.as_json:
            self._write(self._out, self._paint(self._out, visible(text), style))

    def block(self, text: str) -> None:
        """Print text of several lines (Cedar, YAML) as it is, control characters other than line ends made visible."""
        for line in text.rstrip("\n").split("\n"):
            self.text(line.expandtabs(4))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
        """Print a table; cells are `Cell`s or anything with a `str`. Nothing under `--json`.

        On a terminal the widest columns wrap to its width; in a pipe lines are never broken.
        """
        if self.as_json:
            return
        body = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
        widths = [max([_width(name), *(_width(row[index].text) for row in body)]) for index, name in enumerate(columns)]
        if self._out.isatty():
            widths = _fit(widths, shutil.get_terminal_size().columns)
        if title:
            self.text(title, Style.STRONG)
        self._row([Cell(name.upper(), Style.FAINT) for name in columns], widths)
        for row in body:
            self._row(row, widths)

    def tree(self, nodes: Node) -> None:
        """Print a tree with lines that lead to each leaf. Nothing under `--json`."""
        if not self.as_json:
            self._branch(nodes, "")

    def json(self, kind: str, data: object) -> None:
        """Print a JSON document of this kind, on several lines; nothing unless `--json` was asked for."""
        if self.as_json:
            text = json.dumps(document(kind, data), indent=2, default=_plain, ensure_ascii=False)
            self._write(self._out, text)

    def json_line(self, kind: str, data: object) -> None:
        """Print a JSON document of this kind on one line, for verbs that stream; nothing unless `--json`."""
        if self.as_json:
            self._write(self._out, json.dumps(document(kind, data), default=_plain))
            self._out.flush()

    def flush(self) -> None:
        """Send what was printed on its way."""
        self._out.flush()
        self._err.flush()

    # Messages

    def note(self, text: str, style: Style = Style.PLAIN) -> None:
        """Tell the operator something that is not part of the result."""
        self.clear_progress()
        self._write(self._err, self._paint(self._err, visible(text), style))
        self._err.flush()

    def warn(self, text: str, *, hint: str = "") -> None:
        """Tell the operator something that deserves a look."""
        self.note(f"warning: {text}", Style.WARN)
        if hint:
            self.note(f"  hint: {hint}")

    def progress(self, text: str) -> None:
        """Show what is being done now: one line that replaces itself, on terminals only."""
        if self._err.isatty():
            width = shutil.get_terminal_size().columns - 1
            self._err.write(f"\r\x1b[2K{visible(text)[:width]}")
            self._err.flush()
            self._progress = True

    def clear_progress(self) -> None:
        """Remove the progress line."""
        if self._progress:
            self._err.write("\r\x1b[2K")
            self._progress = False

    def error(self, error: RingwallError, *, root: Path | None = None) -> None:
        """Print an error with its hint, and its diagnostics with the lines that they are about.

        Args:
            error: what went wrong.
            root: the blueprint's folder, under which the diagnostics' files lie.
        """
        self.clear_progress()
        if self.as_json:
            self.json("error", error_data(error))
            return
        if isinstance(error, InvalidBlueprintError):
            self.diagnostics(error.diagnostics, root=root)
        self.note(f"error: {error.message}", Style.BAD)
        if error.hint:
            self.note(f"  hint: {error.hint}")

    def diagnostics(self, diagnostics: Iterable[Diagnostic], *, root: Path | None = None) -> None:
        """Print diagnostics, each with its place, the offending text and a caret under it."""
        lines: dict[str, list[str]] = {}
        for found in sorted(diagnostics, key=lambda d: (d.span, d.severity, d.code)):
            style = Style.BAD if found.severity is Severity.ERROR else Style.WARN
            head = self._paint(self._err, f"{found.severity}[{found.code}]", style)
            self._write(self._err, f"{visible(str(found.span))}: {head}: {visible(found.message)}")
            for line in _excerpt(found, root, lines):
                self._write(self._err, line)
            if found.hint:
                self._write(self._err, f"  hint: {visible(found.hint)}")
        self._err.flush()

    # How

    def _paint(self, stream: TextIO, text: str, style: Style) -> str:
        if not style or not text or os.environ.get("NO_COLOR") or not stream.isatty():
            return text
        return f"\x1b[{style}m{text}\x1b[0m"

    def _write(self, stream: TextIO, text: str) -> None:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def _row(self, cells: Sequence[Cell], widths: Sequence[int]) -> None:
        wrapped = [_wrap(cell.text, width) for cell, width in zip(cells, widths, strict=True)]
        for line in range(max(map(len, wrapped))):
            parts = []
            for cell, text, width in zip(cells, wrapped, widths, strict=True):
                piece = text[line] if line < len(text) else ""
                parts.append(self._paint(self._out, piece, cell.style) + " " * (width - _width(piece)))
            self._write(self._out, _GAP.join(parts).rstrip())

    def _branch(self, nodes: Node, prefix: str) -> None:
        labels = list(nodes)
        for index, label in enumerate(labels):
            last = index == len(labels) - 1
            self.text(f"{prefix}{'└─ ' if last else '├─ '}{label}")
            if isinstance(nodes, Mapping):
                self._branch(nodes[label], prefix + ("   " if last else "│  "))


def _fit(widths: list[int], available: int) -> list[int]:
    """Shrink the widest columns until the table fits, but none below a readable width."""
    widths = list(widths)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - available
    while excess > 0 and (widest := max(widths)) > _MIN_COLUMN:
        widths[widths.index(widest)] -= 1
        excess -= 1
    return widths


def _wrap(text: str, width: int) -> list[str]:
    if _width(text) <= width:
        return [text]
    return textwrap.wrap(text, width) or [""]


def _excerpt(found: Diagnostic, root: Path | None, cache: dict[str, list[str]]) -> list[str]:
    """Return the source line with a caret under the offending text; empty where the file cannot be read."""
    span = found.span
    if not span.line:
        return [f"    {visible(found.excerpt)}"] if found.excerpt else []
    if root is not None and span.file not in cache:
        try:
            cache[span.file] = (root / span.file).read_text("utf-8", "replace").splitlines()
        except OSError:
            cache[span.file] = []
    lines = cache.get(span.file, [])
    gutter = f"{span.line:>5} │ "
    if span.line > len(lines):
        return [f"{gutter}{visible(found.excerpt)}"] if found.excerpt else []
    line = lines[span.line - 1]
    if not span.column or span.column > len(line) + 1:
        return [gutter + visible(line)]
    start = _width(visible(line[: span.column - 1]))
    text = found.excerpt if found.excerpt and line.startswith(found.excerpt, span.column - 1) else ""
    carets = "^" * max(1, _width(visible(text)))
    return [gutter + visible(line), " " * (len(gutter) - 2) + "│ " + " " * start + carets]
