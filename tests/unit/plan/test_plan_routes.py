import itertools

import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.model import Plan
from ringwall.plan.routes import edge_order, match_edge, match_operation, ordered, parameters

BLUEPRINT = """
ringwall: 1
system: routes
services:
  web:
    run: x
    expose: /
    operations: [home: GET /, any: "* /{rest...}", api: "GET /api/{x}"]
  one:
    run: x
    expose: /api
    operations:
      - {probe: "HEAD /items/{name}"}
      - {list: GET /items}
      - {item: "GET /items/{id}"}
      - {special: GET /items/special}
      - {all: "* /items/{id}"}
  two:
    run: x
    expose: /api/items
    operations: [notes: "GET /{id}/notes", root: POST /]
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_files(MemoryFiles({"ringwall.yaml": BLUEPRINT})).plan


@pytest.mark.parametrize(
    ("method", "path", "operation", "inner"),
    [
        ("GET", "/", "web/home", "/"),
        ("POST", "/", "web/any", "/"),
        ("GET", "/x/y", "web/any", "/x/y"),
        ("GET", "/api/items", "one/list", "/items"),
        ("GET", "/api/other", "web/api", "/api/other"),
        ("POST", "/api/items", "two/root", "/"),
        ("POST", "/api/items/", "two/root", "/"),
        ("GET", "/api/items/7", "one/item", "/items/7"),
        ("PUT", "/api/items/7", "one/all", "/items/7"),
        ("HEAD", "/api/items", "one/list", "/items"),
        ("HEAD", "/api/items/7", "one/probe", "/items/7"),
        ("HEAD", "/api/items/special", "one/special", "/items/special"),
        ("HEAD", "/x/y", "web/any", "/x/y"),
        ("GET", "/api/items/special", "one/special", "/items/special"),
        ("GET", "/api/items/7/notes", "two/notes", "/7/notes"),
        ("GET", "/apix", "web/any", "/apix"),
        ("GET", "/auth/.well-known/x", "ringwall-issuer/metadata", "/.well-known/x"),
        ("POST", "/auth/token", "ringwall-issuer/any", "/token"),
    ],
)
def test_what_a_request_at_the_edge_is(plan: Plan, method: str, path: str, operation: str, inner: str) -> None:
    found = match_edge(plan, method, path)
    assert found is not None
    service, matched, rest = found
    assert (matched.id, rest) == (operation, inner)
    assert match_operation(service, method, rest) == matched, "both hops agree"


def test_what_nothing_matches(plan: Plan) -> None:
    assert match_operation(plan.by_name["one"], "DELETE", "/none") is None
    assert match_operation(plan.by_name["one"], "POST", "/items") is None


def test_orders_are_total(plan: Plan) -> None:
    routes = [operation.id for _, operation in edge_order(plan)]
    assert len(routes) == len({*routes}) == sum(o.edge is not None for s in plan.services for o in s.operations)
    one = plan.by_name["one"].operations
    expected = ["one/list", "one/special", "one/probe", "one/item", "one/all"]
    for operations in itertools.permutations(one):
        assert [operation.id for operation in ordered(operations)] == expected


def test_parameters(plan: Plan) -> None:
    item = next(operation for operation in plan.by_name["one"].operations if operation.id == "one/item")
    assert parameters(item, "/items/7") == {"id": "7"}
