"""Every tree has a text that reads back as it; every text is read or refused; index and reading agree on what holds."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.identity.issuer.scim.attributes import USER, user_type
from ringwall.identity.issuer.scim.errors import ScimError
from ringwall.identity.issuer.scim.filter import (
    Compare,
    Filter,
    Logical,
    Not,
    Path,
    Present,
    ValueFilter,
    parse_filter,
    parse_patch_path,
)
from ringwall.identity.issuer.scim.match import compile_filter
from ringwall.identity.issuer.scim.patch import operations, patched
from ringwall.identity.issuer.scim.values import checked_resource

T = TypeVar("T")
TYPE = user_type(roles=["nurse"], claims=["department"])
WORDS = st.sampled_from(["userName", "title", "active", "name", "emails", "value", "type", "$ref", "x-1", "meta"])
PATHS = st.builds(Path, st.sampled_from(["", USER]), WORDS, st.one_of(st.just(""), WORDS))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.one_of(TEXTS, st.booleans(), st.none(), st.integers(-99, 99), st.floats(-9, 9, allow_nan=False))
OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])


def larger(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Not, inner),
        st.builds(Logical, st.sampled_from(["and", "or"]), several),
        st.builds(ValueFilter, PATHS, inner),
    )


TREES: st.SearchStrategy[Filter] = st.recursive(
    st.one_of(st.builds(Compare, PATHS, OPERATORS, VALUES), st.builds(Present, PATHS)), larger, max_leaves=8
)


def written(path: Path) -> str:
    return f"{path.schema}:" * bool(path.schema) + path.name + f".{path.sub}" * bool(path.sub)


def text_of(tree: Filter) -> str:
    match tree:
        case Compare(path, op, value):
            return f"{written(path)} {op} {json.dumps(value)}"
        case Present(path):
            return f"{written(path)} pr"
        case Not(of):
            return f"not ({text_of(of)})"
        case ValueFilter(path, of):
            return f"{written(path)}[{text_of(of)}]"
        case Logical(op, of):
            return f" {op} ".join(f"({text_of(part)})" for part in of)


@given(TREES)
def test_a_tree_is_read_back_from_its_text(tree: Filter) -> None:
    assert parse_filter(text_of(tree)) == tree


def outcome(act: Callable[[], T]) -> T | ScimError:
    try:
        return act()
    except ScimError as error:
        return error


SCRAPS = st.lists(
    st.sampled_from(
        ["userName", " ", "eq", "(", ")", "[", "]", '"a"', "not", "and", "or", "pr", ".", ":", "1", "\\", '"', "urn:"]
    ),
    max_size=30,
).map("".join)


@given(st.one_of(SCRAPS, st.text(max_size=60)))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_filter, parse_patch_path):
        found = outcome(partial(parse, text))
        assert not isinstance(found, ScimError) or found.status == 400


RESOURCES = st.fixed_dictionaries(
    {"userName": TEXTS},
    optional={
        "title": TEXTS,
        "active": st.booleans(),
        "name": st.dictionaries(st.sampled_from(["familyName", "givenName"]), TEXTS),
        "emails": st.lists(st.dictionaries(st.sampled_from(["value", "type"]), TEXTS), max_size=3),
    },
)


@given(TREES, RESOURCES)
@settings(max_examples=300)
def test_every_filter_answers_yes_or_no_and_not_is_its_opposite(tree: Filter, resource: dict[str, Any]) -> None:
    holds, otherwise = (outcome(partial(compile_filter, each, TYPE)) for each in (tree, Not(tree)))
    if isinstance(holds, ScimError) or isinstance(otherwise, ScimError):
        assert isinstance(holds, ScimError)
        assert holds.scim_type == "invalidFilter"
        return
    assert holds(resource) is not otherwise(resource)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(WORDS, st.sampled_from(["roles", "groups", "id", "password", USER])), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
PATCH_PATHS = st.one_of(
    st.just(""),
    PATHS.map(written),
    st.builds(lambda path, tree: f"{written(path)}[{text_of(tree)}]", PATHS, TREES),
    SCRAPS,
)


@given(RESOURCES, st.lists(st.tuples(st.sampled_from(["add", "replace", "remove"]), PATCH_PATHS, JSON), max_size=3))
@settings(max_examples=500)
def test_any_patch_is_made_or_refused_and_touches_nothing_of_the_servers(
    resource: dict[str, Any], asked: list[tuple[str, str, Any]]
) -> None:
    before = {**resource, "id": "1", "meta": {"version": "v"}, "groups": [{"value": "g"}], "schemas": [USER]}
    kept = json.dumps(before)
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": op, "path": path, "value": value} for op, path, value in asked],
    }
    after = outcome(lambda: patched(before, operations(body), TYPE))
    assert json.dumps(before) == kept
    if isinstance(after, ScimError):
        assert after.status == 400
        return
    assert {name: after[name] for name in ("id", "meta", "groups")} == {
        name: before[name] for name in ("id", "meta", "groups")
    }


@given(st.dictionaries(st.one_of(WORDS, st.sampled_from(["roles", "schemas", "password", "id"])), JSON))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    found = outcome(lambda: checked_resource(body, TYPE))
    if isinstance(found, ScimError):
        assert found.status == 400
        return
    assert not {"id", "meta", "groups"} & set(found)
