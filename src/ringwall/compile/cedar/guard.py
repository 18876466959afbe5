"""Guards: the principal can be named, everything that is read has its type, path parameters read one way only."""

from collections.abc import Iterable
from dataclasses import dataclass

from ringwall.compile.cedar import facts, re2
from ringwall.compile.cedar.cel import Cel, negated, some
from ringwall.compile.cedar.formula import Atom, Formula, Lit, all_of, any_of
from ringwall.compile.cedar.membership import ISS, SUB
from ringwall.compile.cedar.place import System
from ringwall.compile.cedar.text import TextIs, is_text
from ringwall.plan.cedar import PARAM_CHARS, Reads
from ringwall.plan.identity import ClaimType, Issuer
from ringwall.plan.rule import (
    AnyOf,
    ClaimFlag,
    ClaimHasText,
    ClaimPresent,
    ClaimText,
    Not,
    PathMatches,
    Predicate,
)
from ringwall.plan.subject import SCOPE_CLAIM


@dataclass(frozen=True, slots=True)
class TokenPresent(Atom):
    """The request carries a verified token."""

    def native(self) -> Predicate:
        """The token itself is in the metadata."""
        return ClaimPresent(path=())

    def cel(self) -> None:
        """Never needed: every case asks natively first."""


@dataclass(frozen=True, slots=True)
class ClaimIsThere(Atom):
    """The token carries a claim, of whatever type."""

    path: tuple[str, ...]

    def native(self) -> Predicate:
        """Presence."""
        return ClaimPresent(path=self.path)

    def cel(self) -> Cel:
        """`"name" in claims`, and so on down the path."""
        return facts.present(self.path)


@dataclass(frozen=True, slots=True)
class FlagIs(Atom):
    """A boolean claim is true."""

    path: tuple[str, ...]

    def native(self) -> Predicate:
        """A boolean match."""
        return ClaimFlag(path=self.path, value=True)

    def cel(self) -> Cel:
        """`claim`, which the guard keeps boolean."""
        return facts.claim(self.path)

    def reads(self) -> tuple[tuple[str, ...], ...]:
        """The claim."""
        return (self.path,)

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a boolean matches."""
        return (self.path,)


@dataclass(frozen=True, slots=True)
class SubjectNamed(Atom):
    """`sub` is a text that can name a user of this issuer."""

    builtin: bool

    def native(self) -> Predicate:
        """Not empty; the built-in issuer's names hold no `|`."""
        return ClaimText(path=SUB.path, match="regex", value="[^|]+" if self.builtin else "(?s).+")

    def cel(self) -> None:
        """Never needed: every case asks natively first."""

    def proves(self) -> tuple[tuple[str, ...], ...]:
        """Only a text matches."""
        return (SUB.path,)


@dataclass(frozen=True, slots=True)
class ParamReadable(Atom):
    """A path parameter holds only characters that nobody reads differently."""

    number: int

    def native(self) -> Predicate:
        """A match of the whole path."""
        return _param(self.number)

    def cel(self) -> None:
        """Never needed: every case asks natively first."""


@dataclass(frozen=True, slots=True)
class TypeGuard:
    """A claim that is read is absent or has its declared type.

    A list that holds no string, and any number, cannot be told from other things by native matchers. So there
    is a `fast` form, native and stricter than the guard, and `exact`, in CEL, for what the fast one misses.

    Attributes:
        path: where the claim lies.
        type: its declared type.
    """

    path: tuple[str, ...]
    type: ClaimType

    def fast(self, *, present: bool) -> Predicate | None:
        """Return a native matcher that implies the guard; None if nothing does for a claim that is `present`."""
        ways: list[Predicate] = [] if present else [Not(part=ClaimPresent(path=self.path))]
        match self.type:
            case ClaimType.STRING:
                ways.append(is_text(self.path))
            case ClaimType.BOOL:
                ways += [ClaimFlag(path=self.path, value=True), ClaimFlag(path=self.path, value=False)]
            case ClaimType.STRING_SET:
                ways.append(ClaimHasText(path=self.path))
            case ClaimType.LONG:
                pass
        return (ways[0] if len(ways) == 1 else AnyOf(parts=tuple(ways))) if ways else None

    @property
    def is_native(self) -> bool:
        """Whether the fast form is the guard itself."""
        return self.type in {ClaimType.STRING, ClaimType.BOOL}

    def exact(self, *, present: bool) -> Cel:
        """Return the guard in CEL, for a list or a number."""
        value = facts.claim(self.path)
        ways = [] if present else [negated(facts.present(self.path))]
        ways.append(facts.is_whole(self.path) if self.type is ClaimType.LONG else facts.has_type(value, "list"))
        return some(ways)


def token_is_believed(issuers: Iterable[Issuer]) -> Formula:
    """Return: the token is from one of these issuers, and names a user."""
    return any_of(all_of([Lit(TextIs(ISS, issuer.url)), Lit(SubjectNamed(issuer.builtin))]) for issuer in issuers)


def type_guards(reads: Reads, system: System, issuer: Issuer) -> tuple[TypeGuard, ...]:
    """Return the guards of everything that is read in tokens of an issuer."""
    found = [
        TypeGuard(system.claims[name].path, system.claims[name].type)
        for name in sorted(reads.claims & system.claims.keys())
    ]
    if reads.scopes:
        found.append(TypeGuard(SCOPE_CLAIM, ClaimType.STRING))
    if reads.roles:
        found.append(TypeGuard(issuer.role_claim, ClaimType.STRING_SET))
    return tuple(dict.fromkeys(found))


def readable_params(names: Iterable[str], segments: dict[str, int]) -> Formula:
    """Return: every path parameter that is read holds only plain characters."""
    return all_of(Lit(ParamReadable(segments[name])) for name in sorted(names) if name in segments)


def _param(number: int) -> PathMatches:
    return re2.segment_matches(number, f"{PARAM_CHARS}*")
