"""CEL expressions as trees: written as text for people, and as `google.api.expr.v1alpha1.Expr` for Envoy.

The protobuf form is built directly; no CEL text is ever parsed to make a rule.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from google.api.expr.v1alpha1 import syntax_pb2

from ringwall.plan.rule import Condition


@dataclass(frozen=True, slots=True)
class Const:
    """A literal; an `int` is a CEL int, a `float` a CEL double."""

    value: str | bool | int | float


@dataclass(frozen=True, slots=True)
class Ident:
    """A name, such as `request` or the type `list`."""

    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`."""

    operand: "Cel"
    field: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator by CEL's own name for it (`_&&_`, `@in`), with the receiver of a method call."""

    function: str
    args: tuple["Cel", ...]
    target: "Cel | None" = None


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: tuple["Cel", ...]


Cel: TypeAlias = Const | Ident | Select | Call | ListOf

_ALL: Final = "_&&_"
_ANY: Final = "_||_"
_NOT: Final = "!_"
_INDEX: Final = "_[_]"
_TERNARY: Final = "_?_:_"
_ATOMIC: Final = 8
_UNARY: Final = 7
_INFIX: Final = {
    _ANY: ("||", 1),
    _ALL: ("&&", 2),
    "_==_": ("==", 3),
    "_!=_": ("!=", 3),
    "_<_": ("<", 3),
    "_<=_": ("<=", 3),
    "_>_": (">", 3),
    "_>=_": (">=", 3),
    "@in": ("in", 3),
    "_+_": ("+", 4),
    "_*_": ("*", 5),
}
_OPPOSITE: Final = {"_<_": "_>=_", "_<=_": "_>_", "_==_": "_!=_"}
_ASSOCIATIVE: Final = frozenset({_ALL, _ANY, "_+_", "_*_"})


def infix(operator: str, left: Cel, right: Cel) -> Cel:
    """Return `left operator right` for one of `== != < <= > >= in + *`."""
    return Call("@in" if operator == "in" else f"_{operator}_", (left, right))


def method(target: Cel, name: str, *args: Cel) -> Cel:
    """Return `target.name(args)`."""
    return Call(name, args, target)


def index(operand: Cel, key: str | int) -> Cel:
    """Return `operand[key]`."""
    return Call(_INDEX, (operand, Const(key)))


def negated(operand: Cel) -> Cel:
    """Return the opposite; a comparison of ints, times or equals is turned round, which reads better."""
    if isinstance(operand, Call) and operand.function in _OPPOSITE:
        return Call(_OPPOSITE[operand.function], operand.args)
    return Call(_NOT, (operand,))


def ternary(condition: Cel, then: Cel, otherwise: Cel) -> Cel:
    """Return `condition ? then : otherwise`."""
    return Call(_TERNARY, (condition, then, otherwise))


def every(parts: Sequence[Cel]) -> Cel:
    """Return the conjunction, balanced so that many parts do not nest deeply."""
    return _balanced(_ALL, parts) if parts else Const(True)


def some(parts: Sequence[Cel]) -> Cel:
    """Return the disjunction, balanced."""
    return _balanced(_ANY, parts) if parts else Const(False)


def depth(node: Cel) -> int:
    """Return how deeply an expression nests; protobuf readers refuse more than about 45."""
    match node:
        case Const() | Ident():
            return 1
        case Select(operand=operand):
            return 1 + depth(operand)
        case ListOf(items=items):
            return 1 + max((depth(item) for item in items), default=0)
        case Call(args=args, target=target):
            inner = max((depth(arg) for arg in args), default=0)
            return 1 + (inner if target is None else max(inner, depth(target)))


def condition(node: Cel) -> Condition:
    """Return the expression in both forms; the same tree gives the same bytes."""
    expr = syntax_pb2.Expr()
    _Writer().write(node, expr)
    return Condition(text=text(node), expr=base64.b64encode(expr.SerializeToString(deterministic=True)).decode())


def text(node: Cel) -> str:
    """Return the expression as a person writes it."""
    return _text(node)[0]


def _balanced(operator: str, parts: Sequence[Cel]) -> Cel:
    if len(parts) == 1:
        return parts[0]
    middle = (len(parts) + 1) // 2
    return Call(operator, (_balanced(operator, parts[:middle]), _balanced(operator, parts[middle:])))


class _Writer:
    """Fills protobuf messages in place; ids count from 1 in the order of writing."""

    def __init__(self) -> None:
        self._last = 0

    def write(self, node: Cel, expr: syntax_pb2.Expr) -> None:
        self._last += 1
        expr.id = self._last
        match node:
            case Const():
                _write_const(node, expr.const_expr)
            case Ident(name=name):
                expr.ident_expr.name = name
            case Select(operand=operand, field=field):
                expr.select_expr.field = field
                self.write(operand, expr.select_expr.operand)
            case ListOf(items=items):
                expr.list_expr.SetInParent()
                for item in items:
                    self.write(item, expr.list_expr.elements.add())
            case Call(function=function, args=args, target=target):
                call = expr.call_expr
                call.function = function
                if target is not None:
                    self.write(target, call.target)
                for arg in args:
                    self.write(arg, call.args.add())


def _write_const(literal: Const, const: syntax_pb2.Constant) -> None:
    value = literal.value
    if isinstance(value, bool):
        const.bool_value = value
    elif isinstance(value, str):
        const.string_value = value
    elif isinstance(value, int):
        const.int64_value = value
    else:
        const.double_value = value


def _text(node: Cel) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    match node:
        case Const():
            return _const_text(node), _ATOMIC
        case Ident(name=name):
            return name, _ATOMIC
        case Select(operand=operand, field=field):
            return f"{_inner(operand, _ATOMIC)}.{field}", _ATOMIC
        case ListOf(items=items):
            return f"[{', '.join(text(item) for item in items)}]", _ATOMIC
        case Call():
            return _call_text(node)


def _call_text(call: Call) -> tuple[str, int]:
    operator = _INFIX.get(call.function)
    if operator is not None:
        sign, strength = operator
        left, right = call.args
        tighter = strength if call.function in _ASSOCIATIVE else strength + 1
        return f"{_inner(left, tighter)} {sign} {_inner(right, tighter)}", strength
    if call.function == _NOT:
        return f"!{_inner(call.args[0], _UNARY)}", _UNARY
    if call.function == _INDEX:
        return f"{_inner(call.args[0], _ATOMIC)}[{text(call.args[1])}]", _ATOMIC
    if call.function == _TERNARY:
        condition_text, then, otherwise = (_inner(arg, 1) for arg in call.args)
        return f"{condition_text} ? {then} : {otherwise}", 0
    arguments = ", ".join(text(arg) for arg in call.args)
    target = "" if call.target is None else f"{_inner(call.target, _ATOMIC)}."
    return f"{target}{call.function}({arguments})", _ATOMIC


def _inner(node: Cel, strength: int) -> str:
    inner, binds = _text(node)
    return inner if binds >= strength else f"({inner})"


def _const_text(literal: Const) -> str:
    value = literal.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{"".join(_char_text(char) for char in value)}"'
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("CEL has no literal for this number")
    return repr(value)


def _char_text(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"  # noqa: PLR2004  # end of \u
