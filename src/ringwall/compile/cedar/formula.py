"""Boolean formulas over atoms, kept in negation normal form and simplified as they are built.

Negation stands only in front of atoms. This matters for soundness: a Cedar expression that never errs keeps its
value under any truth value of the atoms that it does not look at (`principal has x && principal.x == 1`
never looks at `x` where there is none), so an atom over an absent claim may be false here and an error in CEL.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import is_
from typing import TypeAlias

from ringwall.compile.cedar.cel import Cel
from ringwall.plan.rule import Predicate


class Atom(ABC):
    """One fact about a request that is true or false.

    Atoms are frozen dataclasses: equal atoms are the same fact.
    """

    __slots__ = ()

    @abstractmethod
    def native(self) -> Predicate | None:
        """Return the fact as a native matcher, or None where Envoy has none."""

    @abstractmethod
    def cel(self) -> Cel | None:
        """Return the fact in CEL, or None where CEL cannot say it."""

    def needs(self) -> Predicate | None:
        """Return a native matcher without which this cannot be true, or None; it spares Envoy the CEL."""
        return None

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """Return the paths of the claims that `cel` reads and that may be absent."""
        return ()

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Return the paths of the claims that have their declared type where this and `needs` hold."""
        return ()


class _Hashed:
    """Keeps its hash and its depth: formulas are compared and looked up far more often than they are made."""

    __slots__ = ("_hash", "depth")
    _hash: int
    depth: int

    def _remember(self, content: object, depth: int) -> None:
        object.__setattr__(self, "_hash", hash((type(self), content)))
        object.__setattr__(self, "depth", depth)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True, eq=False)
class Lit(_Hashed):
    """An atom, or its negation."""

    atom: Atom
    positive: bool = True

    def __post_init__(self) -> None:
        """Compute hash and depth once."""
        self._remember((self.atom, self.positive), 1)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Lit) and self.positive is other.positive and self.atom == other.atom)

    __hash__ = _Hashed.__hash__


@dataclass(frozen=True, slots=True, eq=False)
class And(_Hashed):
    """True where all parts are; no parts: true."""

    parts: tuple["Formula", ...]

    def __post_init__(self) -> None:
        """Compute hash and depth once."""
        self._remember(self.parts, 1 + max((part.depth for part in self.parts), default=0))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, And) and self._hash == other._hash and self.parts == other.parts)

    __hash__ = _Hashed.__hash__


@dataclass(frozen=True, slots=True, eq=False)
class Or(_Hashed):
    """True where some part is; no parts: false."""

    parts: tuple["Formula", ...]

    def __post_init__(self) -> None:
        """Compute hash and depth once."""
        self._remember(self.parts, 1 + max((part.depth for part in self.parts), default=0))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Or) and self._hash == other._hash and self.parts == other.parts)

    __hash__ = _Hashed.__hash__


Formula: TypeAlias = Lit | And | Or

TRUE = And(())
FALSE = Or(())
"""The only formulas without parts, so that `is` finds them."""


def constant(value: bool) -> Formula:  # noqa: FBT001  # it is the value itself, not a switch
    """Return TRUE or FALSE."""
    return TRUE if value else FALSE


def all_of(parts: Iterable[Formula]) -> Formula:
    """Return the conjunction: flat, without repetition, FALSE where a part contradicts another."""
    found: dict[Formula, None] = {}
    for part in parts:
        if part is FALSE:
            return FALSE
        if isinstance(part, And):
            found.update(dict.fromkeys(part.parts))
        else:
            found[part] = None
    if _holds_opposites(found):
        return FALSE
    return next(iter(found)) if len(found) == 1 else And(tuple(found)) if found else TRUE


def any_of(parts: Iterable[Formula]) -> Formula:
    """Return the disjunction: flat, without repetition, TRUE where a part is the opposite of another."""
    found: dict[Formula, None] = {}
    for part in parts:
        if part is TRUE:
            return TRUE
        if isinstance(part, Or):
            found.update(dict.fromkeys(part.parts))
        else:
            found[part] = None
    if _holds_opposites(found):
        return TRUE
    return next(iter(found)) if len(found) == 1 else Or(tuple(found)) if found else FALSE


@lru_cache(maxsize=65_536)
def negation(formula: Formula) -> Formula:
    """Return the opposite, with the negation pushed down to the atoms."""
    match formula:
        case Lit():
            return _inverse(formula)
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


def propagated(formula: Formula) -> Formula:
    """Return an equal formula in which what stands alone is not asked again further inside."""
    if not isinstance(formula, And):
        return formula
    alone = {part.atom: part for part in formula.parts if isinstance(part, Lit)}
    parts = [part if isinstance(part, Lit) else _under(part, alone) for part in formula.parts]
    return formula if all(map(is_, parts, formula.parts)) else all_of(parts)


def _under(formula: Formula, known: Mapping[Atom, Lit]) -> Formula:
    """Return the formula as it is where all the known literals hold."""
    if known.keys().isdisjoint(atoms_of(formula)):
        return formula
    if isinstance(formula, Lit):
        return constant(known[formula.atom].positive is formula.positive)
    parts = (_under(part, known) for part in formula.parts)
    return all_of(parts) if isinstance(formula, And) else any_of(parts)


@lru_cache(maxsize=65_536)
def atoms_of(formula: Formula) -> frozenset[Atom]:
    """Return every atom of a formula."""
    if isinstance(formula, Lit):
        return frozenset({formula.atom})
    return frozenset().union(*map(atoms_of, formula.parts))


def conjuncts(formula: Formula) -> tuple[Formula, ...]:
    """Return the parts that must all hold."""
    return formula.parts if isinstance(formula, And) else (formula,)


def disjuncts(formula: Formula) -> tuple[Formula, ...]:
    """Return the parts of which one must hold."""
    return formula.parts if isinstance(formula, Or) else (formula,)


def _holds_opposites(pieces: Mapping[Formula, None]) -> bool:
    return any(isinstance(piece, Lit) and not piece.positive and _inverse(piece) in pieces for piece in pieces)


@lru_cache(maxsize=65_536)
def _inverse(literal: Lit) -> Lit:
    return Lit(literal.atom, not literal.positive)
