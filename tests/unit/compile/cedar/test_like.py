"""One table for `like`: what matches in Cedar, in the native form and in CEL."""

import re

import cedarpy
import pytest
from tests.property.policy.interpret import Facts, Interpreter, Program
from tests.property.policy.world import LOCAL, Site, policy

from ringwall.compile.cedar.like import TextLike, like, matches
from ringwall.compile.cedar.terms import ClaimString, Segment
from ringwall.plan.rule import CompiledRule

VALUES = (
    "",
    "a",
    "ab",
    "aba",
    "abab",
    "ababa",
    "ba",
    "b",
    "a\nb",
    "a*b",
    "a.b",
    "aXb",
    "abcabc",
    "é",
    "aéb",
    "ab/ab",
    "AB",
)
PATTERNS = (
    "*",
    "a*",
    "*a",
    "*a*",
    "a*b",
    "ab*ba",
    "aba*aba",
    "a*b*a",
    "*b*a*",
    "a",
    "",
    "a\\*b",
    "a.*",
    "é*",
    "**",
    "a**b",
    "*/*",
)


def in_cedar(value: str, pattern: str) -> bool:
    request = {"principal": 'U::"u"', "action": 'Action::"a"', "resource": 'U::"u"', "context": {"v": value}}
    text = f'permit(principal, action, resource) when {{ context.v like "{pattern}" }};'
    return bool(cedarpy.is_authorized(request, text, []).allowed)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_claims(pattern: str) -> None:
    text = (
        f'permit(principal is User, action, resource) when {{ principal has dept && principal.dept like "{pattern}" }};'
    )
    rule = Site(issuers=(LOCAL,), hop="edge").compile((policy(0, text),)).rule
    assert isinstance(rule, CompiledRule)
    assert all(case.condition is None for case in rule.cases)
    for value in VALUES:
        claims = {"iss": LOCAL.url, "sub": "ann", "dept": value}
        facts = Facts(path="/api/v1/p/7/k/x", time=0, claims=claims)
        assert Interpreter(rule).allows(facts) is in_cedar(value, pattern), (pattern, value)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_path_parameters(pattern: str) -> None:
    action = 'action == Action::"patients/get"'
    text = f'permit(principal is Guest, {action}, resource) when {{ context.path.id like "{pattern}" }};'
    rule = Site(issuers=(LOCAL,), hop="edge").compile((policy(0, text),)).rule
    assert isinstance(rule, CompiledRule)
    for value in VALUES:
        if not re.fullmatch(r"[!-~]*", value) or "/" in value:
            continue
        facts = Facts(path=f"/api/v1/p/{value}/k/aba", time=0)
        assert Interpreter(rule).allows(facts) is in_cedar(value, pattern), (pattern, value)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_known_strings(pattern: str) -> None:
    pieces = tuple(piece.replace("\0", "*") for piece in re.sub(r"\*+", "*", pattern.replace("\\*", "\0")).split("*"))
    for value in VALUES:
        assert matches(value, pieces) is in_cedar(value, pattern), (pattern, value)


def test_cel_says_the_same_where_it_can() -> None:
    from tests.property.policy.interpret import _activation  # noqa: PLC0415  # only here

    from ringwall.compile.cedar import cel  # noqa: PLC0415  # only here

    for pieces in (("a", ""), ("", "a"), ("", "a", ""), ("ab", "ba"), ("aba", "aba"), ("", "é", "")):
        expression = TextLike(ClaimString(("dept",)), pieces).cel()
        assert expression is not None
        program = Program(cel.condition(expression))
        for value in VALUES:
            facts = Facts(path="/", time=0, claims={"dept": value})
            assert program.holds(_activation(facts)) is matches(value, pieces), (pieces, value)


def test_a_pattern_that_no_readable_parameter_matches_is_false() -> None:
    assert like(Segment(1), ["Wildcard", {"Literal": "%"}, "Wildcard"]) == like(Segment(1), [{"Literal": " "}])
