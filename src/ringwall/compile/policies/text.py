"""Cedar text as tokens with their places, cut into single policies.

Cedar's own parser says what is wrong but not where; the places in our messages come from here. The tokens follow
the grammar in the Cedar language reference, section "Grammar specification". Depth is bounded before Cedar sees the
text, because its parser recurses.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from ringwall.model.errors import Span

MAX_DEPTH: Final = 200
"""Nesting and chained operators along one path of an expression."""

MAX_POLICY_CHARACTERS: Final = 65_536

_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<slot>\?[A-Za-z_]+)"
    r"|(?P<number>[0-9]+)"
    r"|(?P<mark>::|==|!=|<=|>=|&&|\|\||[<>!+\-*.,;:(){}\[\]@=%/])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")
_DEEPENING: Final = frozenset({"&&", "||", "+", "-", "*", ".", "!", "if", "==", "<", ">", "<=", ">=", "!="})
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f_]{1,6})\}|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LAST_CODE_POINT: Final = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `kind` is string, name, slot, number, mark or other; `start` and `end` count in the whole text."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """The content of a string token, without quotes and escapes; the text of any other."""
        return _ESCAPE.sub(_unescape, self.text[1:-1]) if self.kind == "string" else self.text


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One policy as it stands in a file: its text from the first annotation to the semicolon, and its tokens."""

    text: str
    tokens: tuple[Token, ...]
    ended: bool

    @property
    def annotations(self) -> dict[str, Token]:
        """Annotations with a string value, by name: `@id("x")`."""
        found = {}
        tokens = self.tokens
        for index in range(len(tokens) - 4):
            if tokens[index].text != "@":
                if tokens[index].text in {"permit", "forbid"}:
                    break
                continue
            name, opening, value = tokens[index + 1 : index + 4]
            if name.kind == "name" and opening.text == "(" and value.kind == "string":
                found[name.text] = value
        return found

    @property
    def depth(self) -> int:
        """An upper bound on how deep the expressions nest."""
        levels: list[list[int]] = [[0, 0, 0]]  # operators since the last comma, deepest child, deepest so far
        for token in self.tokens:
            if token.text in _OPEN:
                levels.append([0, 0, 0])
            elif token.text in _CLOSE:
                if len(levels) > 1:
                    operators, child, deepest = levels.pop()
                    levels[-1][1] = max(levels[-1][1], 1 + max(deepest, operators + child))
            elif token.text == ",":
                operators, child, deepest = levels[-1]
                levels[-1][:] = [0, 0, max(deepest, operators + child)]
            elif token.text in _DEEPENING:
                levels[-1][0] += 1
        total = 0
        for operators, child, deepest in reversed(levels):
            total = 1 + max(deepest, operators + max(child, total))
        return total


class SourceText:
    """The text of one file, which knows the place of each character."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts: list[int] = []

    def span(self, offset: int) -> Span:
        """Return the place of a character."""
        if not self._starts:
            self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect_right(self._starts, offset)
        return Span(self.file, line, offset - self._starts[line - 1] + 1)


def split(text: str, start: int = 0, end: int | None = None) -> tuple[PolicyText, ...]:
    """Cut Cedar text, or the part of it from `start` to `end`, into policies at their semicolons."""
    found: list[PolicyText] = []
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text, start, len(text) if end is None else end):
        kind = match.lastgroup or "other"
        if kind == "space":
            continue
        tokens.append(Token(kind, match.group(), match.start(), match.end()))
        if tokens[-1].text == ";":
            found.append(PolicyText(text[tokens[0].start : tokens[-1].end], tuple(tokens), ended=True))
            tokens = []
    if tokens:
        found.append(PolicyText(text[tokens[0].start : tokens[-1].end], tuple(tokens), ended=False))
    return tuple(found)


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        number = int(code.replace("_", "") or "0", 16)
        return chr(number) if number <= _LAST_CODE_POINT else "\ufffd"
    return _ESCAPES.get(match[3], match[3])


def quote(text: str) -> str:
    """Return a Cedar string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in escaped) + '"'
