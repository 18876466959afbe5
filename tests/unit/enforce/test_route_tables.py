"""The route tables mean what the plan's own list of routes means, and cost the same however long that list is."""

import re
import string
from pathlib import Path
from typing import Any

from envoy.config.route.v3 import route_components_pb2, route_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.enforce_pki import Credentials, Tokens
from tests.support.enforce_plans import bindings, operation, plan, service

from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import ROUTES
from ringwall.plan.model import Plan
from ringwall.plan.routes import match_edge

FOLDER = Path("/nowhere")
CREDENTIALS, TOKENS = Credentials(), Tokens()


def _table(made: Plan) -> Any:
    """Return the edge's virtual host."""
    built = snapshot(made, bindings(made, FOLDER, lambda: 1), "edge", CREDENTIALS, TOKENS)
    return route_pb2.RouteConfiguration.FromString(built.of_type(ROUTES)["edge"].body.value).virtual_hosts[0]


def _candidates(host: Any, path: str) -> list[Any]:
    """Return the routes that Envoy tries for a path, as its longest-prefix map does."""
    entries = host.matcher.matcher_tree.prefix_match_map.map
    keys = [key for key in entries if path.startswith(key)]
    found = entries[max(keys, key=len)] if keys else host.matcher.on_no_match
    return list(route_components_pb2.RouteList.FromString(found.action.typed_config.value).routes)


def _matches(route: Any, method: str, path: str) -> bool:
    match = route.match
    if match.path:
        fits = path == match.path
    elif match.HasField("safe_regex"):
        fits = re.fullmatch(match.safe_regex.regex, path) is not None
    else:
        fits = path.startswith(match.prefix)
    return fits and all(header.string_match.exact == method for header in match.headers)


def _found(host: Any, method: str, path: str) -> Any:
    return next(route for route in _candidates(host, path) if _matches(route, method, path))


_SEGMENT = st.sampled_from(["a", "b", "ab", "{x}", "a{x}", "{x}.png", "", "c"])
_TEMPLATE = st.builds(
    lambda segments, rest: "/" + "/".join([*segments, *(["{r...}"] if rest else [])]),
    st.lists(_SEGMENT, max_size=3),
    st.booleans(),
)
_METHOD = st.sampled_from(["GET", "POST", "*"])
_OPERATIONS = st.lists(st.tuples(_METHOD, _TEMPLATE), max_size=6, unique=True)
_PATH = st.lists(st.sampled_from(["a", "b", "ab", "c", "d", "", "x.png", "api"]), max_size=5).map(
    lambda pieces: "/" + "/".join(pieces)
)


@settings(max_examples=80, deadline=None)
@given(
    root=_OPERATIONS,
    inner=_OPERATIONS,
    deep=_OPERATIONS,
    requests=st.lists(st.tuples(st.sampled_from(["GET", "POST", "PUT"]), _PATH), min_size=1, max_size=20),
)
def test_a_table_finds_what_the_plan_finds(
    root: list[tuple[str, str]],
    inner: list[tuple[str, str]],
    deep: list[tuple[str, str]],
    requests: list[tuple[str, str]],
) -> None:
    made = plan(
        *(
            service(
                name,
                *(operation(name, f"{number}", *one) for number, one in enumerate(operations)),
                prefix=prefix,
            )
            for name, prefix, operations in (("root", "", root), ("inner", "/a", inner), ("deep", "/a/b", deep))
        )
    )
    host = _table(made)
    for method, path in requests:
        expected, found = match_edge(made, method, path), _found(host, method, path)
        if expected is None:
            assert found.direct_response.status in {404, 405}
        else:
            assert (found.name, found.route.cluster) == (expected[1].id, f"hop/edge>{expected[0].name}")


def test_the_routes_tried_do_not_grow_with_the_operations() -> None:
    names = [f"{first}{second}" for first in string.ascii_lowercase for second in string.ascii_lowercase][:200]
    made = plan(
        *(
            service(
                name, *(operation(name, f"{n}", "GET", f"/thing{n}/{{id}}") for n in range(5)), prefix=f"/api/{name}"
            )
            for name in names
        )
    )
    host = _table(made)
    tried = [len(_candidates(host, f"/api/{name}/thing3/7")) for name in names]
    assert max(tried) <= 3  # the operation, its 405 and the 404


def test_every_list_ends_with_an_answer_that_no_rule_stands_in_the_way_of() -> None:
    host = _table(plan(service("a", operation("a", "x", "GET", "/x/{y}"), prefix="/a"), service("b", prefix="/b")))
    for path in ("/", "/a", "/a/x/1", "/b", "/zzz"):
        last = _candidates(host, path)[-1]
        assert last.direct_response.status == 404
        assert last.match.prefix == "/"
        assert set(last.typed_per_filter_config) == {"tokens", "ringwall.rbac", "ringwall.decision"}


def test_each_operation_brings_its_own_rule_and_its_own_demand_for_a_token() -> None:
    """RBAC denies and the decision point is asked by default: a route that forgot either would only refuse more."""
    made = plan(
        service("a", operation("a", "x", "GET", "/x"), operation("a", "y", "GET", "/y", token=False), prefix="/a")
    )
    host = _table(made)
    for path, requirement in (("/a/x", b"required"), ("/a/y", b"optional")):
        demands = _found(host, "GET", path).typed_per_filter_config
        assert set(demands) == {"tokens", "ringwall.rbac", "ringwall.decision"}
        assert requirement in demands["tokens"].value
