"""Comparisons of Longs: claims, the clock (`hour`, `minute`, `weekday`) and literals."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringwall.compile.cedar import facts
from ringwall.compile.cedar.cel import Cel, const, infix, method, ternary
from ringwall.compile.cedar.formula import Atom, Formula, Lit, constant, negation
from ringwall.compile.cedar.terms import ClaimLong, Clock, LongTerm, Number

_OPERATORS: Final[dict[str, Callable[[int, int], bool]]] = {"<": operator.lt, "<=": operator.le, "==": operator.eq}
_NEGATED: Final = {">": "<=", ">=": "<", "!=": "=="}
_RANGES: Final = {"hour": range(24), "minute": range(60), "weekday": range(1, 8)}


@dataclass(frozen=True, slots=True)
class LongIs(Atom):
    """`left op right`, where op is one of `<`, `<=`, `==`."""

    op: str
    left: LongTerm
    right: LongTerm

    def native(self) -> None:
        """Envoy's number matchers know neither wholeness nor other claims; CEL does this."""

    def cel(self) -> Cel:
        """Return the comparison, both sides as ints."""
        return infix(self.op, long_cel(self.left), long_cel(self.right))

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """Those that are claims."""
        return tuple(term.path for term in (self.left, self.right) if isinstance(term, ClaimLong))


def compare_longs(op: str, left: LongTerm, right: LongTerm) -> Formula:
    """Return `left op right` for `<`, `<=`, `>`, `>=`, `==` or `!=`."""
    if op in _NEGATED:
        return negation(compare_longs(_NEGATED[op], left, right))
    known = _known(op, left, right)
    if known is not None:
        return constant(known)
    return Lit(LongIs(op, left, right))


def long_cel(term: LongTerm) -> Cel:
    """Return a Long in CEL, as an int."""
    match term:
        case Number(value=value):
            return const(value)
        case ClaimLong(path=path):
            return facts.whole(path)
        case Clock(unit="hour", timezone=timezone):
            return method(facts.TIME, "getHours", const(timezone))
        case Clock(unit="minute", timezone=timezone):
            return method(facts.TIME, "getMinutes", const(timezone))
        case Clock(timezone=timezone):
            day = method(facts.TIME, "getDayOfWeek", const(timezone))
            # CEL counts from Sunday as 0, policies from Monday as 1 to Sunday as 7.
            return ternary(infix("==", day, const(0)), const(7), day)


def _known(op: str, left: LongTerm, right: LongTerm) -> bool | None:
    """Return the answer where it is the same for every request, None where it is not."""
    if left == right:
        return _OPERATORS[op](0, 0)
    lefts, rights = _values(left), _values(right)
    if lefts is None or rights is None or (isinstance(left, Clock) and isinstance(right, Clock)):
        return None
    answers = {_OPERATORS[op](one, other) for one in lefts for other in rights}
    return answers.pop() if len(answers) == 1 else None


def _values(term: LongTerm) -> range | tuple[int] | None:
    match term:
        case Number(value=value):
            return (value,)
        case Clock(unit=unit):
            return _RANGES[unit]
        case _:
            return None
