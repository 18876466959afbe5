import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.model.route import matches, overlap, precedence, segments, shape

SEGMENT = st.sampled_from(["a", "b", "{x}", "{y}", "v{x}", "{x}.json"])
TEMPLATE = st.tuples(st.lists(SEGMENT, min_size=1, max_size=3), st.sampled_from(["", "/{rest...}", "/"])).map(
    lambda parts: "/" + "/".join(f"{s.replace('x', f'x{i}')}" for i, s in enumerate(parts[0])) + parts[1]
)
TEXTS = ["", "a", "b", "c", "v1", "va", "a.json", "v1.json", "v.json"]
PATHS = ["/" + "/".join(parts) for n in (1, 2, 3) for parts in itertools.product(TEXTS, repeat=n)]


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/", "/", True),
        ("/", "/a", False),
        ("/a/{x}", "/a/b", True),
        ("/a/{x}", "/a/", False),
        ("/a/{x}", "/a/b/c", False),
        ("/a/{x...}", "/a/", True),
        ("/a/{x...}", "/a", False),
        ("/a/{x...}", "/a/b/c", True),
        ("/{x...}", "/", True),
        ("/{x}.json", "/a.json", True),
        ("/{x}.json", "/.json", False),
        ("/a.b", "/axb", False),
        ("/a+", "/aa", False),
        ("/a", "/a\n", False),
    ],
)
def test_what_a_template_matches(template: str, path: str, expected: object) -> None:
    assert matches(template, path) is expected


def test_kinds_of_segments() -> None:
    assert [s.kind for s in segments("/a/{b}/c{d}/{e...}")] == ["literal", "param", "partial", "rest"]
    assert [s.names for s in segments("/a/{b}/c{d}/{e...}")] == [(), ("b",), ("d",), ("e",)]


def test_precedence_goes_from_the_left() -> None:
    routes = [
        ("GET", "/a/b"),
        ("*", "/a/b"),
        ("GET", "/a/x{y}"),
        ("GET", "/a/{x}"),
        ("GET", "/a/{x...}"),
        ("GET", "/{x}/b"),
    ]
    shuffled = [*routes[3:], *routes[2::-1]]
    assert sorted(shuffled, key=lambda r: precedence(*r)) == routes


@settings(max_examples=300, deadline=None)
@given(TEMPLATE, TEMPLATE)
def test_overlap_never_misses_a_path_that_both_match(one: str, other: str) -> None:
    both = [path for path in PATHS if matches(one, path) and matches(other, path)]
    if both:
        assert overlap(one, other), both[0]
        assert overlap(other, one)
    if shape(one) == shape(other):
        assert all(matches(one, path) == matches(other, path) for path in PATHS)


@settings(max_examples=300, deadline=None)
@given(TEMPLATE, TEMPLATE)
def test_different_routes_have_an_order(one: str, other: str) -> None:
    if shape(one) != shape(other):
        assert precedence("GET", one) != precedence("GET", other)
