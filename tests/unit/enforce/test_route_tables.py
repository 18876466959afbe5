"""The route tables mean what the plan's own list of routes means, and cost the same however long that list is."""

import re
import string
from pathlib import Path
from typing import Any

import pytest
from envoy.config.route.v3 import route_components_pb2, route_pb2, scoped_route_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.enforce_pki import Credentials, Tokens
from tests.support.enforce_plans import bindings, operation, plan, service

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import ROUTES, SCOPES, Snapshot
from ringwall.model.errors import InvalidBlueprintError
from ringwall.model.revocation import NothingRevoked
from ringwall.plan.model import Plan
from ringwall.plan.routes import match_edge

FOLDER = Path("/nowhere")
CREDENTIALS, TOKENS = Credentials(), Tokens()


NOWHERE = route_components_pb2.Route(direct_response={"status": 404})


def _edge(made: Plan) -> Snapshot:
    return snapshot(made, bindings(made, FOLDER, lambda: 1), "edge", CREDENTIALS, TOKENS, revoked=NothingRevoked())


def _tables(made: Plan) -> dict[str | None, Any]:
    """Return the edge's virtual hosts by the first segment of the paths that they are for; None for one for all."""
    built = _edge(made)
    tables = {
        name: route_pb2.RouteConfiguration.FromString(resource.body.value).virtual_hosts[0]
        for name, resource in built.of_type(ROUTES).items()
    }
    if not built.of_type(SCOPES):
        return {None: tables.pop("edge")} if len(tables) == 1 else {}
    scopes = [
        scoped_route_pb2.ScopedRouteConfiguration.FromString(resource.body.value)
        for resource in built.of_type(SCOPES).values()
    ]
    assert {scope.route_configuration_name for scope in scopes} == set(tables)
    return {scope.key.fragments[0].string_key: tables[scope.route_configuration_name] for scope in scopes}


def _candidates(tables: dict[str | None, Any], path: str) -> list[Any]:
    """Return the routes that Envoy tries for a path: the table of its first segment, then the longest prefix."""
    host = tables.get(None) or tables.get(path.split("/")[1])
    if host is None:
        return []
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
    return fits and all(_says(header.string_match, method) for header in match.headers)


def _says(text: Any, method: str) -> bool:
    return bool(text.exact == method or re.fullmatch(text.safe_regex.regex, method))


def _found(tables: dict[str | None, Any], method: str, path: str) -> Any:
    return next((route for route in _candidates(tables, path) if _matches(route, method, path)), NOWHERE)


_SEGMENT = st.sampled_from(["a", "b", "ab", "{x}", "a{x}", "{x}.png", "", "c"])
_TEMPLATE = st.builds(
    lambda segments, rest: "/" + "/".join([*segments, *(["{r...}"] if rest else [])]),
    st.lists(_SEGMENT, max_size=3),
    st.booleans(),
)
_METHOD = st.sampled_from(["GET", "HEAD", "POST", "*"])
_OPERATIONS = st.lists(st.tuples(_METHOD, _TEMPLATE), max_size=6, unique=True)
_PATH = st.lists(st.sampled_from(["a", "b", "ab", "c", "d", "", "x.png", "api"]), max_size=5).map(
    lambda pieces: "/" + "/".join(pieces)
)


@settings(max_examples=80, deadline=None)
@given(
    root=_OPERATIONS,
    inner=_OPERATIONS,
    deep=_OPERATIONS,
    requests=st.lists(st.tuples(st.sampled_from(["GET", "HEAD", "POST", "PUT"]), _PATH), min_size=1, max_size=20),
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
    tables = _tables(made)
    for method, path in requests:
        expected, found = match_edge(made, method, path), _found(tables, method, path)
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
    tables = _tables(made)
    tried = [len(_candidates(tables, f"/api/{name}/thing3/7")) for name in names]
    assert max(tried) <= 3  # the operation, its 405 and the 404


def test_every_list_ends_with_an_answer_that_no_rule_stands_in_the_way_of() -> None:
    one = _tables(plan(service("a", operation("a", "x", "GET", "/x/{y}"), prefix="/a"), service("b", prefix="/b")))
    all_ = _tables(plan(service("a", operation("a", "x", "GET", "/{x}/y"), prefix="")))
    for tables, path in ((one, "/a"), (one, "/a/x/1"), *((all_, path) for path in ("/", "/a", "/a/y", "/zzz"))):
        last = _candidates(tables, path)[-1]
        assert last.direct_response.status == 404
        assert last.match.prefix == "/"
        assert set(last.typed_per_filter_config) == {"tokens", "ringwall.rbac", "ringwall.decision"}


def test_each_operation_brings_its_own_rule_and_its_own_demand_for_a_token() -> None:
    """RBAC denies and the decision point is asked by default: a route that forgot either would only refuse more."""
    made = plan(
        service("a", operation("a", "x", "GET", "/x"), operation("a", "y", "GET", "/y", token=False), prefix="/a")
    )
    tables = _tables(made)
    for path, requirement in (("/a/x", b"required"), ("/a/y", b"optional")):
        demands = _found(tables, "GET", path).typed_per_filter_config
        assert set(demands) == {"tokens", "ringwall.rbac", "ringwall.decision"}
        assert requirement in demands["tokens"].value


def test_an_edit_renews_only_the_table_of_the_paths_it_is_about() -> None:
    def made(policy: str) -> Snapshot:
        changed = operation("b", "y", "GET", policy)
        return _edge(
            plan(
                service("a", operation("a", "x", "GET", "/x"), prefix="/a"),
                service("b", changed, prefix="/b"),
                service("root", operation("root", "home", "GET", "/"), prefix=""),
            )
        )

    before, after = made("/y"), made("/z")
    assert set(before.of_type(ROUTES)) == {"edge/", "edge/a", "edge/b"}
    renewed = {
        r.name for kind in before.resources for r in after.of_type(kind).values() if r != before.of_type(kind)[r.name]
    }
    assert renewed == {"edge/b"}


AT_THE_ROOT = """
ringwall: 1
system: shop
services:
  web: {run: python web.py, operations: [all: "* /{rest...}"], expose: /, allow: [{public: true}]}
"""


def test_the_issuers_metadata_come_before_a_service_that_answers_everywhere() -> None:
    """RFC 8414, section 3.1; of everything below `/.well-known` the issuer takes this one path."""
    made = plan_files(MemoryFiles({"ringwall.yaml": AT_THE_ROOT})).plan
    tables = _tables(made)
    between = "/.well-known/oauth-authorization-server/auth"
    found = _found(tables, "GET", between)
    assert (found.name, found.route.prefix_rewrite) == (
        "ringwall-issuer/metadata",
        "/.well-known/oauth-authorization-server",
    )
    planned = match_edge(made, "GET", between)
    assert planned is not None
    assert (planned[1].id, planned[2]) == (found.name, found.route.prefix_rewrite)
    for method, path in (("POST", between), ("GET", f"{between}/x"), ("GET", "/.well-known/openid-configuration")):
        assert _found(tables, method, path).name == "web/all"
        assert (planned := match_edge(made, method, path)) is not None
        assert planned[1].id == "web/all"


def test_no_operation_can_take_the_place_of_the_issuers_metadata() -> None:
    taken = AT_THE_ROOT.replace("* /{rest...}", "GET /.well-known/oauth-authorization-server/auth")
    with pytest.raises(InvalidBlueprintError) as refused:
        plan_files(MemoryFiles({"ringwall.yaml": taken}))
    assert "is where the issuer's metadata are" in str(refused.value.diagnostics)
