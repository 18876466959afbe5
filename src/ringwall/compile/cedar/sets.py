"""`contains`, `containsAll`, `containsAny` and `isEmpty`: sets of claims, the scopes, and sets written out."""

from collections.abc import Callable
from dataclasses import dataclass

from ringwall.compile.cedar import facts
from ringwall.compile.cedar.cel import Cel, const, every, infix, method
from ringwall.compile.cedar.formula import FALSE, Atom, Formula, Lit, all_of, any_of, constant, negation
from ringwall.compile.cedar.terms import ClaimSet, ClaimString, Scopes, Segment, SetOf, Term, Text
from ringwall.compile.cedar.text import is_text, optional_claims, text_cel
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.plan.rule import AnyOf, ClaimHas, ClaimHasText, ClaimText, Predicate
from ringwall.plan.subject import SCOPE_CLAIM

Equal = Callable[[Term, Term], Formula]


@dataclass(frozen=True, slots=True)
class SetHas(Atom):
    """A claim is a list that holds this string."""

    path: tuple[str, ...]
    value: str

    def native(self) -> Predicate:
        """A list match."""
        return ClaimHas(path=self.path, value=self.value)

    def cel(self) -> Cel:
        """`"value" in claim`."""
        return infix("in", const(self.value), facts.claim(self.path))

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The claim."""
        return (self.path,)

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a list holds something."""
        return (self.path,)

    def needs(self) -> Predicate:
        """A map holds keys for CEL."""
        return ClaimHasText(path=self.path)


@dataclass(frozen=True, slots=True)
class SetHasText(Atom):
    """A claim is a list that holds another string of the request, such as a path parameter."""

    path: tuple[str, ...]
    item: ClaimString | Segment

    def native(self) -> None:
        """Envoy's matchers compare with constants only."""

    def cel(self) -> Cel:
        """`item in claim`."""
        return infix("in", text_cel(self.item), facts.claim(self.path))

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The claim, and what is looked for."""
        return (self.path, *optional_claims(self.item))

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a list holds something; `needs` says that it is one, because a map holds keys for CEL."""
        return (self.path,)

    def needs(self) -> Predicate:
        """The list holds some string."""
        return ClaimHasText(path=self.path)


@dataclass(frozen=True, slots=True)
class SetHasSome(Atom):
    """A claim is a list that holds some string."""

    path: tuple[str, ...]

    def native(self) -> Predicate:
        """A list match."""
        return ClaimHasText(path=self.path)

    def cel(self) -> None:
        """CEL would need a comprehension, which Envoy refuses."""

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The claim."""
        return (self.path,)

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a list holds something."""
        return (self.path,)


@dataclass(frozen=True, slots=True)
class ScopeIs(Atom):
    """The space-separated scopes hold this one."""

    value: str

    def native(self) -> Predicate:
        """Return: alone, first, last or in the middle."""
        forms = (("exact", self.value), ("prefix", f"{self.value} "), ("suffix", f" {self.value}"))
        return AnyOf(
            parts=(
                *(ClaimText(path=SCOPE_CLAIM, match=kind, value=value) for kind, value in forms),
                ClaimText(path=SCOPE_CLAIM, match="contains", value=f" {self.value} "),
            )
        )

    def cel(self) -> Cel:
        """`"value" in scope.split(" ")`, false where there are no scopes."""
        return _in_scopes(const(self.value))

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a text matches."""
        return (SCOPE_CLAIM,)


@dataclass(frozen=True, slots=True)
class ScopeIsText(Atom):
    """The scopes hold another string of the request."""

    item: ClaimString | Segment

    def native(self) -> None:
        """Envoy's matchers compare with constants only."""

    def cel(self) -> Cel:
        """`item != "" && item in scope.split(" ")`: two spaces in a row make no empty scope."""
        item = text_cel(self.item)
        return every([infix("!=", item, const("")), _in_scopes(item)])

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """What is looked for."""
        return optional_claims(self.item)

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a text is split."""
        return (SCOPE_CLAIM,)

    def needs(self) -> Predicate:
        """There are scopes."""
        return is_text(SCOPE_CLAIM)


@dataclass(frozen=True, slots=True)
class SomeScope(Atom):
    """There is at least one scope."""

    def native(self) -> Predicate:
        """Something else than spaces."""
        return ClaimText(path=SCOPE_CLAIM, match="regex", value="(?s).*[^ ].*")

    def cel(self) -> None:
        """Not needed often enough."""

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a text matches."""
        return (SCOPE_CLAIM,)


def contains(group: Term, item: Term, equal: Equal) -> Formula:
    """Return `group.contains(item)`; `equal` compares two terms."""
    match group, item:
        case SetOf(items=items), _:
            return any_of(equal(one, item) for one in items)
        case ClaimSet(path=path), Text(value=value):
            return Lit(SetHas(path, value))
        case ClaimSet(path=path), ClaimString() | Segment():
            return Lit(SetHasText(path, item))
        case Scopes(), Text(value=value):
            return Lit(ScopeIs(value)) if value and " " not in value else FALSE
        case Scopes(), ClaimString() | Segment():
            return Lit(ScopeIsText(item))
    raise UnsupportedError("`contains` of something that is not a string")


def contains_all(group: Term, items: Term, equal: Equal) -> Formula:
    """Return `group.containsAll(items)`."""
    return all_of(contains(group, item, equal) for item in _written_out(items, "containsAll"))


def contains_any(group: Term, items: Term, equal: Equal) -> Formula:
    """Return `group.containsAny(items)`; it does not matter which of the two is written out."""
    if isinstance(group, SetOf) and not isinstance(items, SetOf):
        group, items = items, group
    return any_of(contains(group, item, equal) for item in _written_out(items, "containsAny"))


def is_empty(group: Term) -> Formula:
    """Return `group.isEmpty()`; an element that is not a string does not count."""
    match group:
        case SetOf(items=items):
            return constant(not items)
        case ClaimSet(path=path):
            return negation(Lit(SetHasSome(path)))
        case Scopes():
            return negation(Lit(SomeScope()))
    raise UnsupportedError("`isEmpty` of something that is not a set")


def _written_out(items: Term, name: str) -> tuple[Term, ...]:
    if isinstance(items, SetOf):
        return items.items
    raise UnsupportedError(f"`{name}` between two sets that are both known only with the request")


def _in_scopes(item: Cel) -> Cel:
    return every([facts.present(SCOPE_CLAIM), infix("in", item, method(facts.claim(SCOPE_CLAIM), "split", const(" ")))])
