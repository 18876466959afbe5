"""Boolean formulas over atoms, kept in negation normal form and simplified as they are built.

Negation stands only in front of atoms. This matters for soundness: a Cedar expression that never errs keeps its
value under any truth value of the atoms that it does not look at (`principal has x && principal.x == 1`
never looks at `x` where there is none), so an atom over an absent claim may be false here and an error in CEL.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ringwall.compile.cedar.cel import Cel
from ringwall.plan.rule import Predicate


class Atom(Protocol):
    """One fact about a request that is true or false.

    Atoms are frozen dataclasses: equal atoms are the same fact.
    """

    def __hash__(self) -> int: ...

    def native(self) -> Predicate | None:
        """Return the fact as a native matcher, or None where Envoy has none."""
        ...

    def cel(self) -> Cel | None:
        """Return the fact in CEL, or None where CEL cannot say it."""
        ...

    def needs(self) -> Predicate | None:
        """Return a native matcher without which this cannot be true, or None; it spares Envoy the CEL."""
        ...

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Return the paths of the claims that have their declared type where this and `needs` hold."""
        ...


@dataclass(frozen=True, slots=True)
class Lit:
    """An atom, or its negation."""

    atom: Atom
    positive: bool = True


@dataclass(frozen=True, slots=True)
class And:
    """True where all parts are; no parts: true."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where some part is; no parts: false."""

    parts: tuple["Formula", ...]


Formula: TypeAlias = Lit | And | Or

TRUE = And(())
FALSE = Or(())


def constant(value: bool) -> Formula:  # noqa: FBT001  # it is the value itself, not a switch
    """Return TRUE or FALSE."""
    return TRUE if value else FALSE


def all_of(parts: Iterable[Formula]) -> Formula:
    """Return the conjunction: flat, without repetition, FALSE where a part contradicts another."""
    found: dict[Formula, None] = {}
    for part in parts:
        if part == FALSE:
            return FALSE
        for piece in part.parts if isinstance(part, And) else (part,):
            if _opposite(piece) in found:
                return FALSE
            found[piece] = None
    return next(iter(found)) if len(found) == 1 else And(tuple(found)) if found else TRUE


def any_of(parts: Iterable[Formula]) -> Formula:
    """Return the disjunction: flat, without repetition, TRUE where a part is the opposite of another."""
    found: dict[Formula, None] = {}
    for part in parts:
        if part == TRUE:
            return TRUE
        for piece in part.parts if isinstance(part, Or) else (part,):
            if _opposite(piece) in found:
                return TRUE
            found[piece] = None
    return next(iter(found)) if len(found) == 1 else Or(tuple(found)) if found else FALSE


def negation(formula: Formula) -> Formula:
    """Return the opposite, with the negation pushed down to the atoms."""
    match formula:
        case Lit(atom=atom, positive=positive):
            return Lit(atom, not positive)
        case And(parts=parts):
            return any_of(negation(part) for part in parts)
        case Or(parts=parts):
            return all_of(negation(part) for part in parts)


def choice(condition: Formula, then: Formula, otherwise: Formula) -> Formula:
    """Return `if condition then … else …`."""
    if then == otherwise:
        return then
    return any_of([all_of([condition, then]), all_of([negation(condition), otherwise])])


def same(left: Formula, right: Formula) -> Formula:
    """Return whether two truth values are equal."""
    return choice(left, right, negation(right))


def literals(formula: Formula) -> Iterator[Lit]:
    """Yield every literal of a formula."""
    if isinstance(formula, Lit):
        yield formula
    else:
        for part in formula.parts:
            yield from literals(part)


def conjuncts(formula: Formula) -> tuple[Formula, ...]:
    """Return the parts that must all hold."""
    return formula.parts if isinstance(formula, And) else (formula,)


def disjuncts(formula: Formula) -> tuple[Formula, ...]:
    """Return the parts of which one must hold."""
    return formula.parts if isinstance(formula, Or) else (formula,)


def _opposite(piece: Formula) -> Formula | None:
    return Lit(piece.atom, not piece.positive) if isinstance(piece, Lit) else None
