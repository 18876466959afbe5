"""String equality: a claim or a path parameter against a literal, or against each other."""

import re
from dataclasses import dataclass

from ringwall.compile.cedar import facts, re2
from ringwall.compile.cedar.cel import Cel, const, infix
from ringwall.compile.cedar.formula import FALSE, Atom, Formula, Lit, constant
from ringwall.compile.cedar.terms import ClaimString, Segment, Text, TextTerm
from ringwall.plan.cedar import PARAM_CHARS
from ringwall.plan.rule import ClaimText, Predicate

ANY_TEXT = "(?s).*"
"""Matches every string, so that a `ClaimText` with it says: is a string."""

_READABLE = re.compile(f"{PARAM_CHARS}*")


@dataclass(frozen=True, slots=True)
class TextIs(Atom):
    """A claim or a path parameter is exactly this text."""

    source: ClaimString | Segment
    value: str

    def native(self) -> Predicate | None:
        """Exact match of the claim, or a match of the whole path."""
        if isinstance(self.source, ClaimString):
            return ClaimText(path=self.source.path, match="exact", value=self.value)
        if re2.program_size(re2.size_of(self.value), segments=self.source.number) > re2.LARGEST_PROGRAM:
            return None
        return re2.segment_matches(self.source.number, re2.quote(self.value))

    def cel(self) -> Cel:
        """`source == "value"`."""
        return infix("==", text_cel(self.source), const(self.value))

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The claim, if it is one."""
        return optional_claims(self.source)

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """What equals a text is a text."""
        return claim_paths(self.source)


@dataclass(frozen=True, slots=True)
class SameText(Atom):
    """Two strings of the request are equal."""

    left: ClaimString | Segment
    right: ClaimString | Segment

    def native(self) -> None:
        """Envoy's matchers compare with constants only."""

    def cel(self) -> Cel:
        """`left == right`."""
        return infix("==", text_cel(self.left), text_cel(self.right))

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """Those that are claims."""
        return optional_claims(self.left, self.right)

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """The claim that `needs` says is a text."""
        return claim_paths(self.left, self.right)[:1]

    def needs(self) -> Predicate | None:
        """A claim is a text: two lists can be equal too."""
        paths = claim_paths(self.left, self.right)
        return is_text(paths[0]) if paths else None


def same_text(left: TextTerm, right: TextTerm) -> Formula:
    """Return `left == right`."""
    if isinstance(left, Text) and isinstance(right, Text):
        return constant(left.value == right.value)
    if isinstance(left, Text):
        return same_text(right, left)
    if isinstance(right, Text):
        return Lit(TextIs(left, right.value)) if can_be(left, right.value) else FALSE
    if left == right:
        return constant(True)
    return Lit(SameText(left, right))


def can_be(source: ClaimString | Segment, piece: str) -> bool:
    """Return whether the text can occur there: a path parameter that is read holds only some characters."""
    return isinstance(source, ClaimString) or _READABLE.fullmatch(piece) is not None


def text_cel(term: TextTerm) -> Cel:
    """Return a string in CEL."""
    match term:
        case Text(value=value):
            return const(value)
        case ClaimString(path=path):
            return facts.claim(path)
        case Segment(number=number):
            return facts.segment(number)


def claim_paths(*terms: TextTerm) -> tuple[tuple[str, ...], ...]:
    """Return the paths of those terms that are claims."""
    return tuple(term.path for term in terms if isinstance(term, ClaimString))


def optional_claims(*terms: TextTerm) -> tuple[tuple[str, ...], ...]:
    """Return the paths of those terms that are claims which a believed token may lack."""
    return tuple(path for path in claim_paths(*terms) if path not in (("sub",), ("iss",)))


def is_text(path: tuple[str, ...]) -> Predicate:
    """Return the matcher for: the claim is a string."""
    return ClaimText(path=path, match="regex", value=ANY_TEXT)
