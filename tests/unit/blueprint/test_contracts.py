import json

import pytest

from ringwall.blueprint.contract import dump_operations, load_operations, read_contract
from ringwall.blueprint.document import parse
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Operation
from ringwall.model.errors import Span

CONTRACT = {
    "openapi": "3.1.0",
    "info": {"title": "Items 😀 and more", "description": "a\tb / c"},
    "paths": {
        "/items/{id}": {
            "summary": "one",
            "parameters": [],
            "x-other": 1,
            "get": {"operationId": "getItem", "x-data": ["health"]},
            "delete": {"x-data": []},
        },
        "/again": {"$ref": "#/components/pathItems/again"},
        "/none": None,
        "x-extension": {"get": {}},
    },
    "components": {"pathItems": {"again": {"post": {"operationId": "again"}}}},
}


def read(text: str, file: str = "c.yaml") -> tuple[Operation, ...]:
    report = Report()
    root = parse(file, text.encode(), report)
    assert root is not None, report.diagnostics
    found = read_contract(root, report)
    assert not report.diagnostics
    assert found is not None
    return found


@pytest.mark.parametrize("version", ["3.0.0", "3.0.3", "3.1.0", "3.1.1", "3.0.4-rc0", "3.1"])
def test_operations_are_read_from_json_and_yaml_alike(version: str) -> None:
    contract = {**CONTRACT, "openapi": version}
    for text in (json.dumps(contract), json.dumps(contract, indent=2), json.dumps(contract, ensure_ascii=False)):
        found = read(text)
        assert [(o.id, o.method, o.template) for o in found] == [
            ("getItem", "GET", "/items/{id}"),
            ("DELETE /items/{id}", "DELETE", "/items/{id}"),
            ("again", "POST", "/again"),
        ]
        assert [None if o.data is None else [d.value for d in o.data] for o in found] == [["health"], [], None]


def test_operations_know_where_they_stand() -> None:
    text = "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      operationId: first\n    put: {}\n"
    assert [o.span for o in read(text)] == [Span("c.yaml", 5, 20), Span("c.yaml", 6, 5)]


def test_what_is_kept_is_what_was_read() -> None:
    found = read(json.dumps(CONTRACT, indent=1))
    assert load_operations("c.yaml", dump_operations(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "openapi: 2.0.0\npaths: {}",
        "openapi: 4.0.0\npaths: {}",
        "openapi: [3]\npaths: {}",
        "openapi: 3.1.0",
        "openapi: 3.1.0\npaths: [a]",
        "openapi: 3.1.0\npaths: {/a: {get: {operationId: '*'}}}",
        'openapi: 3.1.0\npaths: {/a: {get: {operationId: "a\\nb"}}}',
        "openapi: 3.1.0\npaths: {/a b: {get: {}}}",
        "openapi: 3.1.0\npaths: {/a%20b: {get: {}}}",
        "openapi: 3.1.0\npaths: {/a//b: {get: {}}}",
        "openapi: 3.1.0\npaths: {/a/../b: {get: {}}}",
        "openapi: 3.1.0\npaths: {'/a?x=1': {get: {}}}",
        "openapi: 3.1.0\npaths: {'/a#b': {get: {}}}",
        "openapi: 3.1.0\npaths: {'/a;b': {get: {}}}",
        "openapi: 3.1.0\npaths: {/a: {$ref: '#/paths/~1a'}}",
        "openapi: 3.1.0\npaths: {/a: {get: {x-data: [[x]]}}}",
    ],
)
def test_what_cannot_be_routed_is_refused(text: str) -> None:
    report = Report()
    root = parse("c.yaml", text.encode(), report)
    assert root is not None
    read_contract(root, report)
    assert report.failed
