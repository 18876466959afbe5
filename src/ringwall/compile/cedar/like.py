"""Cedar's `like`: a pattern with `*` over a claim or a path parameter.

`like "a*b"` becomes, in this order of preference: a native prefix, suffix or substring match; a native
regular expression; prefix and suffix with the strings that are too short taken out; CEL only where the
expression around it is CEL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringwall.compile.cedar import re2
from ringwall.compile.cedar.cel import Cel, call, const, every, infix, method
from ringwall.compile.cedar.formula import FALSE, TRUE, Atom, Formula, Lit, constant
from ringwall.compile.cedar.terms import ClaimString, Segment, Text, TextTerm
from ringwall.compile.cedar.text import can_be, claim_paths, optional_claims, same_text, text_cel
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.plan.rule import AllOf, ClaimText, Not, Predicate


@dataclass(frozen=True, slots=True)
class TextLike(Atom):
    """A string matches a pattern, given as the literal pieces between its wildcards: `a*b` is `("a", "b")`."""

    source: ClaimString | Segment
    pieces: tuple[str, ...]

    def native(self) -> Predicate | None:
        """Return prefix, suffix, substring, a regular expression, or None where that grows too large."""
        if isinstance(self.source, Segment):
            return self._segment(self.source.number)
        simple = self._simple(self.source.path)
        if simple is not None:
            return simple
        if self._size() <= re2.LARGEST_PROGRAM:
            regex = "(?s)" + ".*".join(re2.quote(piece) for piece in self.pieces)
            return ClaimText(path=self.source.path, match="regex", value=regex)
        return _around(self.source.path, *self.pieces) if len(self.pieces) == 2 else None  # noqa: PLR2004  # a*b

    def cel(self) -> Cel | None:
        """Return startsWith, endsWith, contains and a least size; None for more than one inner piece."""
        first, *inner, last = self.pieces
        if inner and (first or last or len(inner) > 1):
            return None
        value = text_cel(self.source)
        if inner:
            return method(value, "contains", const(inner[0]))
        parts = []
        if first:
            parts.append(method(value, "startsWith", const(first)))
        if last:
            parts.append(method(value, "endsWith", const(last)))
        if first and last:
            parts.append(infix(">=", call("size", value), const(len(first) + len(last))))
        return every(parts)

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The claim, if it is one."""
        return optional_claims(self.source)

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a text matches."""
        return claim_paths(self.source)

    def _simple(self, path: tuple[str, ...]) -> Predicate | None:
        match self.pieces:
            case (first, ""):
                return ClaimText(path=path, match="prefix", value=first)
            case ("", last):
                return ClaimText(path=path, match="suffix", value=last)
            case ("", inner, ""):
                return ClaimText(path=path, match="contains", value=inner)
        return None

    def _segment(self, number: int) -> Predicate | None:
        if self._size(segments=number) > re2.LARGEST_PROGRAM:
            return None
        return re2.segment_matches(number, "[^/]*".join(re2.quote(piece) for piece in self.pieces))

    def _size(self, segments: int = 0) -> int:
        literal = sum(re2.size_of(piece) for piece in self.pieces)
        return re2.program_size(literal, wildcards=len(self.pieces) - 1, segments=segments)


def like(value: TextTerm, pattern: Sequence[Any]) -> Formula:
    """Return `value like pattern`, where the pattern is as in Cedar's JSON: `{"Literal": "x"}` or `"Wildcard"`."""
    pieces = _pieces(pattern)
    if isinstance(value, Text):
        return constant(matches(value.value, pieces))
    if len(pieces) == 1:
        return same_text(value, Text(pieces[0]))
    if not any(pieces):
        return TRUE
    if not all(can_be(value, piece) for piece in pieces):
        return FALSE
    atom = TextLike(value, pieces)
    if atom.native() is None and atom.cel() is None:
        raise UnsupportedError("`like` with a pattern that is too long for Envoy")
    return Lit(atom)


def matches(value: str, pieces: tuple[str, ...]) -> bool:
    """Return whether a known string matches: greedy from the left is enough where `*` is the only wildcard."""
    if len(pieces) == 1:
        return value == pieces[0]
    first, *inner, last = pieces
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    rest = value[len(first) : len(value) - len(last)]
    for piece in inner:
        _, found, rest = rest.partition(piece) if piece else ("", "*", rest)
        if not found:
            return False
    return True


def _pieces(pattern: Sequence[Any]) -> tuple[str, ...]:
    """Return the literal pieces between wildcards; neighbouring wildcards are one."""
    pieces = [""]
    after_wildcard = False
    for element in pattern:
        if element == "Wildcard":
            if not after_wildcard:
                pieces.append("")
            after_wildcard = True
        else:
            pieces[-1] += element["Literal"]
            after_wildcard = False
    return tuple(pieces)


def _around(path: tuple[str, ...], first: str, last: str) -> Predicate:
    """Return: begins with `first` and ends with `last`, and the two do not overlap."""
    overlaps = [first + last[size:] for size in range(1, min(len(first), len(last)) + 1) if first.endswith(last[:size])]
    return AllOf(
        parts=(
            ClaimText(path=path, match="prefix", value=first),
            ClaimText(path=path, match="suffix", value=last),
            *(Not(part=ClaimText(path=path, match="exact", value=text)) for text in overlaps),
        )
    )
