"""Formula → cases of a rule: what is native in front, CEL only behind it and only where it is needed.

A formula is spread into alternatives `native && rest`, where the rest needs CEL. Each becomes one RBAC policy, so Envoy
evaluates CEL only after everything native in its alternative has matched.

A fact about a claim that may be read only behind `has` can count as true or as false where the claim is absent: the
formula's value does not depend on it (see `formula`). Here it counts as false, whether negated or not, so CEL never
reads what is not there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ringwall.compile.cedar import cel, facts
from ringwall.compile.cedar.cel import Cel
from ringwall.compile.cedar.formula import (
    FALSE,
    And,
    Atom,
    Formula,
    Lit,
    all_of,
    any_of,
    conjuncts,
    propagated,
)
from ringwall.compile.cedar.guard import ClaimIsThere, TypeGuard
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.plan.rule import AllOf, Always, AnyOf, Case, ClaimPresent, Never, Not, Predicate

MOST_ALTERNATIVES: Final = 24
"""Spreading stops here; what would go beyond is evaluated in CEL as a whole."""

DEEPEST_CEL: Final = 40
"""Protobuf readers stop at 100 nested messages; each level of an expression takes two."""

DEEPEST: Final = 25
"""The same for formulas, whose native matchers add up to three messages a level."""

_PLAIN, _WITH_CEL, _SLOW = range(3)

Paths = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Alternative:
    """A way to be allowed: all native parts hold, and all of the rest, which is CEL."""

    native: tuple[Formula, ...] = ()
    rest: tuple[Formula, ...] = ()

    def __and__(self, other: "Alternative") -> "Alternative":
        return Alternative(self.native + other.native, self.rest + other.rest)


@dataclass(frozen=True, slots=True)
class Group:
    """What alternatives have in common that differ only in their native parts.

    Attributes:
        rest: the parts for CEL.
        needs: native matchers without which the rest cannot hold.
        guards: type guards that nothing else in the alternative proves, with whether the claim is known to be there.
    """

    rest: tuple[Formula, ...]
    needs: tuple[Predicate, ...]
    guards: tuple[tuple[TypeGuard, bool], ...]


def cases_of(formula: Formula, guards: Sequence[TypeGuard]) -> tuple[Case, ...]:
    """Return the cases that together match where the formula and all guards hold; cheap ones first."""
    if formula.depth > DEEPEST:
        raise UnsupportedError("an expression that is nested too deeply")
    groups: dict[Group, list[Formula]] = {}
    for alternative in spread(formula):
        native = propagated(all_of(alternative.native))
        if native is not FALSE:
            group, tidied = _group(native, alternative.rest, guards)
            groups.setdefault(group, []).append(tidied)
    cases = [case for group, natives in groups.items() for case in _cases(_factored(natives), group)]
    return tuple(case for _, case in sorted(cases, key=lambda ranked: ranked[0]))


def spread(formula: Formula) -> list[Alternative]:
    """Return alternatives whose disjunction is the formula; at most MOST_ALTERNATIVES."""
    if is_native(formula):
        return [] if formula is FALSE else [Alternative(native=(formula,))]
    if isinstance(formula, Lit):
        return [Alternative(rest=(formula,))]
    return _spread_all(formula.parts) if isinstance(formula, And) else _spread_any(formula.parts)


@lru_cache(maxsize=65_536)
def is_native(formula: Formula) -> bool:
    """Return whether Envoy's matchers can say all of it."""
    if isinstance(formula, Lit):
        return native_of(formula.atom) is not None
    return all(is_native(part) for part in formula.parts)


@lru_cache(maxsize=65_536)
def native_of(atom: Atom) -> Predicate | None:
    """Return an atom's native form; atoms are immutable and many rules share them."""
    return atom.native()


@lru_cache(maxsize=65_536)
def predicate(formula: Formula) -> Predicate:
    """Return a formula whose atoms are all native as a predicate."""
    if isinstance(formula, Lit):
        found = native_of(formula.atom)
        if found is None:
            raise UnsupportedError("a fact that has no native form")
        return found if formula.positive else _not(found)
    parts = tuple(predicate(part) for part in formula.parts)
    if isinstance(formula, And):
        return _all(parts)
    return AnyOf(parts=parts) if parts else Never()


def cel_of(formula: Formula) -> Cel:
    """Return a formula in CEL; UnsupportedError where it holds a fact that only native matchers know."""
    if isinstance(formula, Lit):
        return cel.every([*(facts.present(path) for path in formula.atom.reads()), _bare(formula)])
    parts = [cel_of(part) for part in formula.parts]
    return cel.every(parts) if isinstance(formula, And) else cel.some(parts)


def _bare(literal: Lit) -> Cel:
    """Return a literal in CEL; an error where a claim that it reads is absent."""
    found = literal.atom.cel()
    if found is None:
        raise UnsupportedError("too many combinations of facts that CEL does not know, such as the client's address")
    return found if literal.positive else cel.negated(found)


def _spread_all(parts: Sequence[Formula]) -> list[Alternative]:
    found = [Alternative(native=tuple(part for part in parts if is_native(part)))]
    mixed = [(spread(part), part) for part in parts if not is_native(part)]
    for ways, part in sorted(mixed, key=lambda pair: len(pair[0])):
        if len(ways) * len(found) > MOST_ALTERNATIVES:
            found = [one & Alternative(rest=(part,)) for one in found]
        else:
            found = [one & way for one in found for way in ways]
    return found


def _spread_any(parts: Sequence[Formula]) -> list[Alternative]:
    native = [part for part in parts if is_native(part)]
    found = [Alternative(native=(any_of(native),))] if native else []
    others = [part for part in parts if not is_native(part)]
    ways = [way for part in others for way in spread(part)]
    if len(found) + len(ways) > MOST_ALTERNATIVES:
        ways = [Alternative(rest=(any_of(others),))]
    return found + ways


def _group(native: Formula, rest: tuple[Formula, ...], guards: Sequence[TypeGuard]) -> tuple[Group, Formula]:
    """Return the group of an alternative, and its native part without what is asked anyway."""
    parts = conjuncts(native)
    pieces = [piece for part in rest for piece in conjuncts(part)]
    proven = _proven(parts)
    needs: dict[Predicate, None] = {}
    for piece in pieces:
        if isinstance(piece, Lit) and piece.positive and not proven.issuperset(piece.atom.proves()):
            needed = piece.atom.needs()
            if needed is not None:
                needs[needed] = None
    proven |= _proven(pieces)
    there = {path for part in parts for path in _says_present(part)}
    there |= {path for piece in pieces if isinstance(piece, Lit) for path in piece.atom.reads()}
    waiting = tuple((guard, guard.path in there) for guard in guards if guard.path not in proven)
    asked = proven | {guard.path for guard, _ in waiting}
    kept = [part for part in parts if not asked.issuperset(_says_present(part) or (None,))]
    return Group(tuple(pieces), tuple(needs), waiting), all_of(kept)


def _proven(parts: Iterable[Formula]) -> Paths:
    """Return the claims whose type is right where all parts hold."""
    return frozenset().union(*(_proven_by(part) for part in parts))


def _proven_by(part: Formula) -> Paths:
    if isinstance(part, Lit):
        return frozenset(part.atom.proves()) if part.positive else frozenset()
    if isinstance(part, And):
        return _proven(part.parts)
    return frozenset.intersection(*(_proven_by(one) for one in part.parts)) if part.parts else frozenset()


def _says_present(part: Formula) -> tuple[tuple[str, ...], ...]:
    """Return the path of the claim that a part says is there, if it says just that."""
    says = isinstance(part, Lit) and part.positive and isinstance(part.atom, ClaimIsThere)
    return (part.atom.path,) if says else ()  # type: ignore[union-attr]  # what `says` means


def _factored(natives: Sequence[Formula]) -> Formula:
    """Return the disjunction with what all alternatives share taken out in front."""
    if len(natives) == 1:
        return natives[0]
    shared = [part for part in conjuncts(natives[0]) if all(part in conjuncts(other) for other in natives[1:])]
    different = [all_of(part for part in conjuncts(one) if part not in shared) for one in natives]
    return all_of([*shared, any_of(different)])


def _cases(native: Formula, group: Group) -> list[tuple[int, Case]]:
    base = [predicate(part) for part in conjuncts(native)] + list(group.needs)
    there: list[Predicate] = []
    quick: list[Predicate | None] = []
    exact: list[Cel] = []
    for guard, present in group.guards:
        fast = guard.fast(present=present)
        if guard.is_native and fast is not None:
            base.append(fast)
            continue
        if present:
            there.append(ClaimPresent(path=guard.path))
        quick.append(fast)
        exact.append(guard.exact(present=present))
    rest = [_bare(part) if isinstance(part, Lit) else cel_of(part) for part in group.rest]
    rank = _WITH_CEL if rest else _PLAIN
    if not exact:
        return [(rank, _case(base, rest))]
    slow = [*base, *there]
    fast_enough = tuple(fast for fast in quick if fast is not None)
    if len(fast_enough) < len(quick):
        return [(_SLOW, _case(slow, exact + rest))]
    return [
        (rank, _case([*slow, *fast_enough], rest)),
        (_SLOW, _case([*slow, _not(_all(fast_enough))], exact + rest)),
    ]


def _case(parts: Sequence[Predicate], rest: Sequence[Cel]) -> Case:
    when = _all(tuple(parts))
    if not rest:
        return Case(when=when)
    expression = cel.every(rest)
    if expression.depth > DEEPEST_CEL:
        raise UnsupportedError("an expression that is nested too deeply")
    return Case(when=when, condition=cel.condition(expression))


def _all(parts: tuple[Predicate, ...]) -> Predicate:
    flat = tuple(
        piece for part in parts for piece in (part.parts if isinstance(part, AllOf) else (part,)) if piece != Always()
    )
    if not flat:
        return Always()
    return flat[0] if len(flat) == 1 else AllOf(parts=flat)


def _not(part: Predicate) -> Predicate:
    return part.part if isinstance(part, Not) else Not(part=part)
