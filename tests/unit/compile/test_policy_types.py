"""What is validated in small groups is what Cedar says of each policy against the whole schema."""

import itertools

import cedarpy
import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.model.errors import Diagnostic, InvalidBlueprintError

BLUEPRINT = """
ringwall: 1
system: x
roles: {clerk: }
claims: {team: string, level: long}
services:
  one:
    run: x
    expose: /one
    operations: [a: "GET /{id}", b: GET /]
    allow: [{users: any}]
  two:
    run: x
    expose: /two
    operations: [c: "GET /{id}/{part}", d: "PUT /{id}"]
    calls: [empty]
    allow: [{users: any}]
  empty: {run: x}
"""
ACTIONS = (
    "action",
    'action == Action::"one/a"',
    'action in Action::"one/*"',
    'action in [Action::"one/a", Action::"two/d"]',
    'action in [Action::"two/*", Action::"one/b"]',
)
CONDITIONS = (
    "true",
    'context.path.id == "7"',
    'context.path.part == "7"',
    'principal has team && principal.team == "x"',
    'principal.team == "x"',
    "principal is User && principal has level && principal.level > 3",
    'principal has level && principal.level == "3"',
    "context.source.isLoopback()",
    "context has source && context.source.isLoopback()",
    'if action == Action::"two/c" then context.path.part == "x" else true',
)


def planned(policies: str) -> tuple[Diagnostic, ...]:
    try:
        return plan_files(MemoryFiles({"ringwall.yaml": BLUEPRINT, "policies/a.cedar": policies})).diagnostics
    except InvalidBlueprintError as error:
        return error.diagnostics


@pytest.fixture(scope="module")
def schema() -> str:
    return plan_files(MemoryFiles({"ringwall.yaml": BLUEPRINT})).plan.cedar_schema


@pytest.mark.parametrize("scope", ACTIONS)
def test_groups_find_what_the_whole_schema_finds(scope: str, schema: str) -> None:
    for principal, condition in itertools.product(("principal", 'principal in Role::"clerk"'), CONDITIONS):
        policy = f"permit ({principal}, {scope}, resource) when {{ {condition} }};"
        wrong = bool(cedarpy.validate_policies(policy, schema).errors)
        assert ("policy-type" in {d.code for d in planned(policy)}) == wrong, policy


def test_each_policy_of_a_group_is_told_at_its_own_place() -> None:
    policies = "".join(
        f'permit (principal in Role::"clerk", action == Action::"one/a", resource) when {{ {condition} }};\n'
        for condition in ("true", 'principal.team == "x"', "true", 'context.hour == "x"')
    )
    places = [(d.span.line, d.span.column) for d in planned(policies) if d.code == "policy-type"]
    assert places == [(2, 91), (4, 81)]


def test_a_policy_about_a_service_without_operations_is_told() -> None:
    found = planned('permit (principal, action in Action::"empty/*", resource);')
    assert "policy-without-operations" in {d.code for d in found}


def test_messages_do_not_change_from_run_to_run() -> None:
    policy = 'permit (principal, action, resource) when { principal.team == "x" && context.path.part == "x" };'
    assert len({planned(policy) for _ in range(5)}) == 1
