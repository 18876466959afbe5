"""CEL expressions as trees that know their text; written as `google.api.expr.v1alpha1.Expr` for Envoy.

The protobuf form is built directly; no CEL text is ever parsed to make a rule.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from google.api.expr.v1alpha1 import syntax_pb2

from ringwall.plan.rule import Condition

_ATOMIC: Final = 8
_UNARY: Final = 7
_INFIX: Final = {
    "_||_": ("||", 1),
    "_&&_": ("&&", 2),
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
_ASSOCIATIVE: Final = frozenset({"_&&_", "_||_", "_+_", "_*_"})


class _ByText:
    """Equality by text: an expression means what its text says."""

    __slots__ = ()
    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByText) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Const(_ByText):
    """A literal; an `int` is a CEL int, a `float` a CEL double."""

    value: str | bool | int | float
    text: str
    binds: int = _ATOMIC
    depth: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Ident(_ByText):
    """A name, such as `request` or the type `list`."""

    text: str
    binds: int = _ATOMIC
    depth: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Select(_ByText):
    """`operand.field`."""

    operand: "Cel"
    field: str
    text: str
    depth: int
    binds: int = _ATOMIC


@dataclass(frozen=True, slots=True, eq=False)
class Call(_ByText):
    """A function or operator by CEL's own name for it (`_&&_`, `@in`), with the receiver of a method call."""

    function: str
    args: tuple["Cel", ...]
    target: "Cel | None"
    text: str
    binds: int
    depth: int


Cel: TypeAlias = Const | Ident | Select | Call
"""An expression. `text` is how a person writes it, `binds` how tightly its outermost operator holds it together,
`depth` how deeply it nests (protobuf readers refuse more than about 45)."""


def const(value: str | float) -> Cel:
    """Return a literal; `True` and `False` are Booleans."""
    return Const(value, _const_text(value))


def name(identifier: str) -> Cel:
    """Return a variable or a type by its name."""
    return Ident(identifier)


def select(operand: Cel, field: str) -> Cel:
    """Return `operand.field`."""
    return Select(operand, field, f"{_inner(operand, _ATOMIC)}.{field}", operand.depth + 1)


def infix(operator: str, left: Cel, right: Cel) -> Cel:
    """Return `left operator right` for one of `== != < <= > >= in + *`."""
    return _operation("@in" if operator == "in" else f"_{operator}_", left, right)


def call(function: str, *args: Cel) -> Cel:
    """Return `function(args)`."""
    arguments = ", ".join(arg.text for arg in args)
    return Call(function, args, None, f"{function}({arguments})", _ATOMIC, 1 + _deepest(args))


def method(target: Cel, function: str, *args: Cel) -> Cel:
    """Return `target.function(args)`."""
    arguments = ", ".join(arg.text for arg in args)
    text = f"{_inner(target, _ATOMIC)}.{function}({arguments})"
    return Call(function, args, target, text, _ATOMIC, 1 + _deepest((target, *args)))


def index(operand: Cel, key: str | int) -> Cel:
    """Return `operand[key]`."""
    literal = const(key)
    text = f"{_inner(operand, _ATOMIC)}[{literal.text}]"
    return Call("_[_]", (operand, literal), None, text, _ATOMIC, operand.depth + 1)


def negated(operand: Cel) -> Cel:
    """Return the opposite; a comparison of ints, times or equals is turned round, which reads better."""
    if isinstance(operand, Call):
        if operand.function in _OPPOSITE:
            return _operation(_OPPOSITE[operand.function], *operand.args)
        if operand.function == "!_":
            return operand.args[0]
    return Call("!_", (operand,), None, f"!{_inner(operand, _UNARY)}", _UNARY, operand.depth + 1)


def ternary(condition: Cel, then: Cel, otherwise: Cel) -> Cel:
    """Return `condition ? then : otherwise`."""
    parts = (condition, then, otherwise)
    first, second, third = (_inner(part, 1) for part in parts)
    return Call("_?_:_", parts, None, f"{first} ? {second} : {third}", 0, 1 + _deepest(parts))


def every(parts: Sequence[Cel]) -> Cel:
    """Return the conjunction, balanced so that many parts do not nest deeply."""
    return _balanced("_&&_", parts) if parts else const(True)


def some(parts: Sequence[Cel]) -> Cel:
    """Return the disjunction, balanced."""
    return _balanced("_||_", parts) if parts else const(False)


@lru_cache(maxsize=16_384)
def condition(node: Cel) -> Condition:
    """Return the expression in both forms; the same tree gives the same bytes."""
    expr = syntax_pb2.Expr()
    _Writer().write(node, expr)
    return Condition(text=node.text, expr=base64.b64encode(expr.SerializeToString(deterministic=True)).decode())


class _Writer:
    """Fills protobuf messages in place; ids count from 1 in the order of writing."""

    def __init__(self) -> None:
        self._last = 0

    def write(self, node: Cel, expr: syntax_pb2.Expr) -> None:
        self._last += 1
        expr.id = self._last
        match node:
            case Call():
                message = expr.call_expr
                message.function = node.function
                if node.target is not None:
                    self.write(node.target, message.target)
                for arg in node.args:
                    self.write(arg, message.args.add())
            case Const():
                _write_const(node, expr.const_expr)
            case Ident():
                expr.ident_expr.name = node.text
            case Select():
                expr.select_expr.field = node.field
                self.write(node.operand, expr.select_expr.operand)


def _write_const(literal: Const, message: syntax_pb2.Constant) -> None:
    value = literal.value
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, int):
        message.int64_value = value
    else:
        message.double_value = value


def _balanced(operator: str, parts: Sequence[Cel]) -> Cel:
    if len(parts) == 1:
        return parts[0]
    middle = (len(parts) + 1) // 2
    return _operation(operator, _balanced(operator, parts[:middle]), _balanced(operator, parts[middle:]))


def _operation(function: str, left: Cel, right: Cel) -> Call:
    sign, strength = _INFIX[function]
    least = strength if function in _ASSOCIATIVE else strength + 1
    text = f"{_inner(left, least)} {sign} {_inner(right, least)}"
    return Call(function, (left, right), None, text, strength, 1 + max(left.depth, right.depth))


def _deepest(parts: Sequence[Cel]) -> int:
    return max((part.depth for part in parts), default=0)


def _inner(node: Cel, strength: int) -> str:
    return node.text if node.binds >= strength else f"({node.text})"


def _const_text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if value.isprintable() and '"' not in value and "\\" not in value:
            return f'"{value}"'
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
