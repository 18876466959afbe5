"""Cedar expression → formula, with everything that is known put in.

Every construct of Cedar's JSON format that compiles has one line in `Folder.CONSTRUCTS`, which leads to the module that
compiles it; all others go to the decision point.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from ringwall.compile.cedar import attributes, membership, moments, network, sets
from ringwall.compile.cedar.attributes import NOTHING, Known
from ringwall.compile.cedar.compare import compare, equal
from ringwall.compile.cedar.formula import (
    FALSE,
    TRUE,
    And,
    Formula,
    Lit,
    Or,
    all_of,
    any_of,
    choice,
    constant,
    negation,
)
from ringwall.compile.cedar.lift import lift, lift2
from ringwall.compile.cedar.like import like
from ringwall.compile.cedar.place import Place
from ringwall.compile.cedar.terms import (
    Address,
    Choice,
    ClaimString,
    Duration,
    Entity,
    Now,
    Number,
    Record,
    Segment,
    SetOf,
    Source,
    Term,
    Text,
)
from ringwall.compile.cedar.unsupported import UnsupportedError

_DEEPEST: Final = 60


class Folder:
    """Folds the expressions of policies for one place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._depth = 0

    def condition(self, body: Any, known: Known = NOTHING) -> tuple[Formula, Known]:
        """Fold an expression that must be Boolean; also return which attributes are there where it is true."""
        self._depth += 1
        try:
            if self._depth > _DEEPEST:
                raise UnsupportedError("an expression that is nested too deeply")
            return self._condition(body, known)
        finally:
            self._depth -= 1

    def term(self, body: Any, known: Known) -> Term:
        """Fold an expression of any type."""
        operator, operands = _node(body)
        if operator in {"&&", "||", "!", "has"}:
            return self.condition(body, known)[0]
        fold = self.CONSTRUCTS.get(operator)
        if fold is None:
            raise UnsupportedError(f"`{operator}`, which Envoy cannot compute")
        return fold(self, operator, operands, known)

    def _condition(self, body: Any, known: Known) -> tuple[Formula, Known]:
        operator, operands = _node(body)
        match operator:
            case "&&":
                return self._and(body, known)
            case "||":
                return self._or(body, known)
            case "!":
                return negation(self.condition(operands["arg"], known)[0]), NOTHING
            case "has":
                return attributes.has(self.term(operands["left"], known), operands["attr"], self._place)
            case "if-then-else":
                return self._if(operands, known)
        term = self.term(body, known)
        if not isinstance(term, Lit | And | Or):
            raise UnsupportedError("a condition that is not a truth value")
        return term, NOTHING

    def _and(self, body: Any, known: Known) -> tuple[Formula, Known]:
        gained = NOTHING
        parts: list[Formula] = []
        for operand in _chain(body, "&&"):
            part, more = self.condition(operand, known | gained)
            # What follows a false part is never evaluated by Cedar either.
            if part is FALSE:
                return FALSE, NOTHING
            gained |= more
            parts.append(part)
        return all_of(parts), gained

    def _or(self, body: Any, known: Known) -> tuple[Formula, Known]:
        gained: Known | None = None
        parts: list[Formula] = []
        for operand in _chain(body, "||"):
            part, more = self.condition(operand, known)
            if part is TRUE:
                return TRUE, NOTHING
            if part is not FALSE:
                gained = more if gained is None else gained & more
            parts.append(part)
        return any_of(parts), gained or NOTHING

    def _if(self, operands: Mapping[str, Any], known: Known) -> tuple[Formula, Known]:
        test, gained = self.condition(operands["if"], known)
        if test is FALSE:
            return self.condition(operands["else"], known)
        then, gained_then = self.condition(operands["then"], known | gained)
        if test is TRUE:
            return then, gained | gained_then
        otherwise, gained_else = self.condition(operands["else"], known)
        if otherwise is FALSE:
            return all_of([test, then]), gained | gained_then
        return choice(test, then, otherwise), (gained | gained_then) & gained_else

    def _value(self, _operator: str, value: Any, _known: Known) -> Term:
        return _literal(value)

    def _variable(self, _operator: str, name: str, _known: Known) -> Term:
        return attributes.variable(name, self._place)

    def _attribute(self, _operator: str, operands: Any, known: Known) -> Term:
        target = self.term(operands["left"], known)
        return attributes.attribute(target, operands["attr"], known, self._place)

    def _set(self, _operator: str, items: Any, known: Known) -> Term:
        return SetOf(tuple(self.term(item, known) for item in items))

    def _record(self, _operator: str, fields: Any, known: Known) -> Term:
        return Record({name: self.term(value, known) for name, value in fields.items()})

    def _choice(self, _operator: str, operands: Any, known: Known) -> Term:
        test, gained = self.condition(operands["if"], known)
        if test is TRUE:
            return self.term(operands["then"], known | gained)
        if test is FALSE:
            return self.term(operands["else"], known)
        then, otherwise = self.term(operands["then"], known | gained), self.term(operands["else"], known)
        if isinstance(then, Lit | And | Or) and isinstance(otherwise, Lit | And | Or):
            return choice(test, then, otherwise)
        return then if then == otherwise else Choice(test, then, otherwise)

    def _compare(self, operator: str, operands: Any, known: Known) -> Term:
        left, right = self.term(operands["left"], known), self.term(operands["right"], known)
        return compare(operator, left, right, self._place)

    def _like(self, _operator: str, operands: Any, known: Known) -> Term:
        return lift(self.term(operands["left"], known), lambda one: _like(one, operands["pattern"]))

    def _in(self, _operator: str, operands: Any, known: Known) -> Formula:
        left, right = self.term(operands["left"], known), self.term(operands["right"], known)
        return lift2(left, right, lambda one, other: membership.is_in(one, other, self._place))

    def _is(self, _operator: str, operands: Any, known: Known) -> Term:
        kind = operands["entity_type"]
        typed = lift(self.term(operands["left"], known), lambda one: membership.is_type(one, kind))
        if "in" not in operands or typed is FALSE:
            return typed
        return all_of([typed, self._in("in", {"left": operands["left"], "right": operands["in"]}, known)])

    def _contains(self, operator: str, operands: Any, known: Known) -> Term:
        left, right = self.term(operands["left"], known), self.term(operands["right"], known)
        tests = {"contains": sets.contains, "containsAll": sets.contains_all, "containsAny": sets.contains_any}
        return lift2(left, right, lambda one, other: tests[operator](one, other, self._equal))

    def _equal(self, left: Term, right: Term) -> Formula:
        return equal(left, right, self._place)

    def _is_empty(self, _operator: str, operands: Any, known: Known) -> Term:
        return lift(self.term(operands["arg"], known), sets.is_empty)

    def _extension_literal(self, operator: str, operands: Any, _known: Known) -> Term:
        match operands:
            case [{"Value": str() as text}]:
                parse: Mapping[str, Callable[[str], Term]] = {
                    "ip": network.parse_address,
                    "datetime": moments.parse_datetime,
                    "duration": moments.parse_duration,
                }
                return parse[operator](text)
        raise UnsupportedError(f"`{operator}` of a text that is known only with the request")

    def _extension(self, operator: str, operands: Any, known: Known) -> Term:
        match operator, [self.term(operand, known) for operand in operands]:
            case "isInRange", [Source() | Address() as value, Source() | Address() as block]:
                return network.is_in_range(value, block)
            case name, [Source() | Address() as value] if name in network.TESTS:
                return network.address_test(name, value)
            case "toTime", [Now() as now]:
                return moments.time_of_day(now)
            case "offset", [Now(offset=offset), Duration(millis=millis)]:
                return Now(offset + millis)
        raise UnsupportedError(f"`{operator}` of such values, which Envoy cannot compute")

    CONSTRUCTS: ClassVar[Mapping[str, Callable[["Folder", str, Any, Known], Term]]] = {
        "Value": _value,
        "Var": _variable,
        ".": _attribute,
        "Set": _set,
        "Record": _record,
        "if-then-else": _choice,
        "==": _compare,
        "!=": _compare,
        "<": _compare,
        "<=": _compare,
        ">": _compare,
        ">=": _compare,
        "like": _like,
        "in": _in,
        "is": _is,
        "contains": _contains,
        "containsAll": _contains,
        "containsAny": _contains,
        "isEmpty": _is_empty,
        "ip": _extension_literal,
        "datetime": _extension_literal,
        "duration": _extension_literal,
        "isInRange": _extension,
        "isIpv4": _extension,
        "isIpv6": _extension,
        "isLoopback": _extension,
        "isMulticast": _extension,
        "toTime": _extension,
        "offset": _extension,
    }


def _like(value: Term, pattern: Any) -> Formula:
    if isinstance(value, Text | ClaimString | Segment):
        return like(value, pattern)
    raise UnsupportedError("`like` of something that is not a string")


def _literal(value: Any) -> Term:
    if isinstance(value, bool):
        return constant(value)
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, int):
        return Number(value)
    if isinstance(value, dict) and "__entity" in value:
        return Entity(value["__entity"]["type"], value["__entity"]["id"])
    raise UnsupportedError("a literal of an unknown kind")


def _node(body: Any) -> tuple[str, Any]:
    if not isinstance(body, dict) or len(body) != 1:
        raise UnsupportedError("an expression of an unknown form")
    return next(iter(body.items()))


def _chain(body: Any, operator: str) -> list[Any]:
    """Return the operands of `a && b && c` in order, without recursion down its left side."""
    operands: list[Any] = []
    while operator in body:
        operands.append(body[operator]["right"])
        body = body[operator]["left"]
    operands.append(body)
    operands.reverse()
    return operands
