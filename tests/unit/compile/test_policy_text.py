import json

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.blueprint.report import Report
from ringwall.compile.policies.parse import parse_file
from ringwall.compile.policies.text import SourceText, quote, split
from ringwall.model.cache import PlanCache
from ringwall.model.errors import Span

TEXT = """// a comment; with a semicolon
@id("one; two")
@description("d")
permit (principal, action, resource); // and; more
  forbid (principal, action, resource)
when { context.path["odd name"] == "a;\\"b" && Role::"x" == principal };
"""


def test_policies_are_cut_at_their_own_semicolons() -> None:
    policies = split(TEXT)
    assert [p.text.split("(")[0].split()[0] for p in policies] == ["@id", "forbid"]
    assert all(p.text.endswith(";") and p.ended for p in policies)
    assert {name: token.value for name, token in policies[0].annotations.items()} == {
        "id": "one; two",
        "description": "d",
    }


def test_places() -> None:
    source = SourceText("p.cedar", TEXT)
    first, second = parse_file(source, PlanCache(), Report())
    assert source.span(first.start) == Span("p.cedar", 2, 1)
    assert source.span(first.id_at) == Span("p.cedar", 2, 5)
    assert source.span(second.start) == Span("p.cedar", 5, 3)
    assert [(r.owner, r.name) for r in second.reads] == [("context", "path"), ("context.path", "odd name")]
    assert [(e.type, e.name) for e in second.entities] == [("Role", "x")]


@pytest.mark.parametrize(
    ("expression", "reads"),
    [
        ("principal.a.b", ["principal:a"]),
        ("principal has a", ["principal:a"]),
        ('principal has "a b"', ["principal:a b"]),
        ('principal["a"]', ["principal:a"]),
        ("context.path.id", ["context:path", "context.path:id"]),
        ('context["path"]["id"]', ["context:path", "context.path:id"]),
        ("context.path has id", ["context:path", "context.path:id"]),
        ("context.principal", ["context:principal"]),
        ("resource.holds.contains(principal.team)", ["resource:holds", "principal:team"]),
        ("principal in resource", []),
        ('"principal.a" == "context.b"', []),
        ("context.source.isLoopback()", ["context:source"]),
    ],
)
def test_what_a_policy_reads(expression: str, reads: list[str]) -> None:
    source = SourceText("p", f"permit (principal, action, resource) when {{ {expression} }};")
    (found,) = parse_file(source, PlanCache(), Report())
    assert [f"{read.owner}:{read.name}" for read in found.reads] == reads


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_quoting_survives_cedar(text: str) -> None:
    literal = quote(text.encode("utf-8", "replace").decode())
    policy = f"@id({literal}) permit (principal == User::{literal}, action, resource);"
    (parsed,) = split(policy)
    assert parsed.annotations["id"].value == text.encode("utf-8", "replace").decode()
    (body,) = json.loads(cedarpy.policies_to_json_str(policy))["staticPolicies"].values()
    assert body["principal"]["entity"]["id"] == text.encode("utf-8", "replace").decode()


@given(st.lists(st.sampled_from(["(", ")", "{", "}", "&&", ".", ",", "x", "!", "if"]), max_size=60))
def test_depth_never_fails(tokens: list[str]) -> None:
    for policy in split(" ".join(tokens)):
        assert 1 <= policy.depth <= len(tokens) + 1


@pytest.mark.parametrize(
    ("text", "depth"), [("a && b && c", 3), ("f(a, b, c)", 2), ("[a && b, c && d]", 3), ("((a))", 3)]
)
def test_depth_is_of_the_deepest_path(text: str, depth: int) -> None:
    (policy,) = split(text)
    assert policy.depth == depth
