"""`==`, `!=`, `<`, `<=`, `>`, `>=`: which module compares which kinds of values."""

from ringwall.compile.cedar import longs, membership, moments, network
from ringwall.compile.cedar.formula import And, Formula, Lit, Or, constant, negation, same
from ringwall.compile.cedar.lift import lift2
from ringwall.compile.cedar.place import Place
from ringwall.compile.cedar.terms import (
    Address,
    Caller,
    Choice,
    ClaimLong,
    ClaimString,
    Clock,
    Duration,
    Entity,
    Moment,
    Now,
    Number,
    Segment,
    SetOf,
    Source,
    Term,
    Text,
    TimeOfDay,
    User,
)
from ringwall.compile.cedar.text import same_text
from ringwall.compile.cedar.unsupported import UnsupportedError


def compare(operator: str, left: Term, right: Term, place: Place) -> Formula:
    """Return `left operator right`."""
    if operator == "!=":
        return negation(equal(left, right, place))
    if operator == "==":
        return equal(left, right, place)
    return lift2(left, right, lambda one, other: _ordered(operator, one, other))


def equal(left: Term, right: Term, place: Place) -> Formula:
    """Return `left == right`."""
    if isinstance(left, Choice) or isinstance(right, Choice):
        return lift2(left, right, lambda one, other: equal(one, other, place))
    if isinstance(left, Entity | User | Caller) and isinstance(right, Entity | User | Caller):
        return membership.same_entity(left, right, place)
    return _same_value(left, right)


def _same_value(left: Term, right: Term) -> Formula:
    if isinstance(left, Lit | And | Or) and isinstance(right, Lit | And | Or):
        return same(left, right)
    if isinstance(left, Text | ClaimString | Segment) and isinstance(right, Text | ClaimString | Segment):
        return same_text(left, right)
    if isinstance(left, Source | Address) and isinstance(right, Source | Address):
        return network.same_address(left, right)
    if isinstance(left, SetOf) and isinstance(right, SetOf):
        return _same_literal_sets(left, right)
    return _ordered("==", left, right)


def _ordered(operator: str, left: Term, right: Term) -> Formula:
    match left, right:
        case (Now(), Moment()):
            return moments.compare_now(operator, left, right)
        case (Moment(), Now()):
            return moments.compare_now(_mirrored(operator), right, left)
        case (TimeOfDay(), Duration()):
            return moments.compare_time_of_day(operator, right)
        case (Duration(), TimeOfDay()):
            return moments.compare_time_of_day(_mirrored(operator), left)
        case (Moment(millis=one), Moment(millis=other)) | (Duration(millis=one), Duration(millis=other)):
            return longs.compare_longs(operator, Number(one), Number(other))
    if isinstance(left, Number | ClaimLong | Clock) and isinstance(right, Number | ClaimLong | Clock):
        return longs.compare_longs(operator, left, right)
    raise UnsupportedError(f"`{operator}` between values of these kinds")


def _mirrored(operator: str) -> str:
    return {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)


def _same_literal_sets(left: SetOf, right: SetOf) -> Formula:
    items = (*left.items, *right.items)
    if not all(isinstance(item, Text | Number | Entity | Moment | Duration) for item in items):
        raise UnsupportedError("equality of sets that are known only with the request")
    return constant(frozenset(left.items) == frozenset(right.items))
