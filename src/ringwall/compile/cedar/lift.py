"""Operators over terms that may be a choice: `(if c then a else b) == x` is `if c then a == x else b == x`."""

from collections.abc import Callable

from ringwall.compile.cedar.formula import Formula, choice
from ringwall.compile.cedar.terms import Choice, Term


def lift(term: Term, test: Callable[[Term], Formula]) -> Formula:
    """Apply a test to every branch of a term."""
    if isinstance(term, Choice):
        return choice(term.condition, lift(term.then, test), lift(term.otherwise, test))
    return test(term)


def lift2(left: Term, right: Term, test: Callable[[Term, Term], Formula]) -> Formula:
    """Apply a test to every pair of branches of two terms."""
    return lift(left, lambda one: lift(right, lambda other: test(one, other)))
