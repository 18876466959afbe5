"""The text of an expression and its protobuf form are the same expression, as cel-cpp reads them."""

import base64

import pytest
from cel_expr_python import cel as cel_cpp
from google.api.expr.v1alpha1 import syntax_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.compile.cedar import cel
from ringwall.compile.cedar.cel import (
    Cel,
    Const,
    call,
    const,
    every,
    index,
    infix,
    method,
    name,
    negated,
    select,
    some,
    ternary,
)

ENV = cel_cpp.NewEnv(variables={"x": cel_cpp.Type.DYN})
X = name("x")


def parsed(text: str) -> syntax_pb2.Expr:
    packed = AnyMessage.FromString(ENV.compile(text, disable_check=True).serialize())
    return syntax_pb2.ParsedExpr.FromString(packed.value).expr


def shape(expr: syntax_pb2.Expr) -> object:
    """Return an expression without ids, with `&&` and `||` as flat lists, whose grouping means nothing."""
    match expr.WhichOneof("expr_kind"):
        case "call_expr":
            function = expr.call_expr.function
            args = [shape(arg) for arg in expr.call_expr.args]
            if function in {"_&&_", "_||_", "_+_", "_*_"}:
                args = [
                    inner
                    for arg in args
                    for inner in (arg[1] if isinstance(arg, tuple) and arg[0] == function else [arg])
                ]
                return (function, args)
            target = shape(expr.call_expr.target) if expr.call_expr.HasField("target") else None
            return ("call", function, target, args)
        case "select_expr":
            return ("select", expr.select_expr.field, shape(expr.select_expr.operand))
        case "ident_expr":
            return ("ident", expr.ident_expr.name)
    return ("const", expr.const_expr.SerializeToString())


def spread(arg: object, function: str) -> list[object]:
    return arg[1] if isinstance(arg, tuple) and arg[0] == function else [arg]


def written(node: Cel) -> syntax_pb2.Expr:
    return syntax_pb2.Expr.FromString(base64.b64decode(cel.condition(node).expr))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (const('a"b\\c\n\x00é\U0001f600'), '"a\\"b\\\\c\\u000a\\u0000é😀"'),
        (const("\U000e0001"), '"\\U000e0001"'),
        (const(True), "true"),
        (const(-9_223_372_036_854_775_808), "-9223372036854775808"),
        (const(5.0), "5.0"),
        (every([X, X, X]), "x && x && x"),
        (every([some([X, X]), X]), "(x || x) && x"),
        (some([every([X, X]), X]), "x && x || x"),
        (negated(every([X, X])), "!(x && x)"),
        (negated(infix("<", X, const(3))), "x >= 3"),
        (negated(infix("in", X, X)), "!(x in x)"),
        (infix("==", infix("<", X, X), X), "(x < x) == x"),
        (infix("*", infix("+", X, X), X), "(x + x) * x"),
        (ternary(X, ternary(X, X, X), X), "x ? (x ? x : x) : x"),
        (method(select(X, "y"), "f", const("a"), X), 'x.y.f("a", x)'),
        (method(ternary(X, X, X), "f"), "(x ? x : x).f()"),
        (index(index(X, "a"), 2), 'x["a"][2]'),
        (call("type", X), "type(x)"),
    ],
)
def test_text_and_expression_are_the_same(node: Cel, text: str) -> None:
    assert node.text == text
    assert shape(parsed(text)) == shape(written(node))


CONSTANTS = st.text(max_size=8) | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9)
TREES: st.SearchStrategy[Cel] = st.recursive(
    st.just(X) | CONSTANTS.map(const),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(every),
        st.lists(inner, min_size=2, max_size=4).map(some),
        inner.map(negated),
        st.builds(infix, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "+", "*"]), inner, inner),
        st.builds(ternary, inner, inner, inner),
        st.builds(index, inner.filter(lambda node: not isinstance(node, Const)), st.text(max_size=3)),
        st.builds(method, inner.filter(lambda node: not isinstance(node, Const)), st.just("f"), inner),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_expression_is_written_as_it_reads(node: Cel) -> None:
    assert shape(parsed(node.text)) == shape(written(node))


def test_many_parts_do_not_nest() -> None:
    assert every([X] * 1_000).depth < 15


def test_ids_are_counted_so_that_equal_trees_give_equal_bytes() -> None:
    once, again = (cel.condition(every([X, index(X, "a")])) for _ in range(2))
    assert once == again
    assert written(every([X, X])).id == 1


def test_a_number_without_a_literal_is_refused() -> None:
    with pytest.raises(ValueError, match="no literal"):
        const(float("nan"))
