import json

import cedarpy
import pytest
from tests.property.policy.oracle import valid
from tests.property.policy.world import SCHEMA

from ringwall.compile.cedar.schema import ActionShape, ServiceFacts, cedar_schema
from ringwall.plan.identity import Claim, ClaimType, Role


def test_the_order_of_what_is_declared_does_not_matter() -> None:
    actions = [ActionShape("a/get", "a", ("id",)), ActionShape("b/list", "b")]
    claims = [Claim(name=name, type=ClaimType.LONG, path=(name,)) for name in ("x", "y")]
    services = [ServiceFacts("a", "app"), ServiceFacts("b", "data")]

    def made(step: int) -> str:
        return cedar_schema(
            claims=claims[::step], roles=[Role(name="r")], services=services[::step], actions=actions[::step]
        )

    assert made(1) == made(-1)
    cedarpy.Schema.from_json_str(made(1))


def test_a_service_without_operations_has_its_group() -> None:
    schema = json.loads(cedar_schema(claims=[], roles=[], services=[ServiceFacts("db", "data")], actions=[]))
    assert list(schema[""]["actions"]) == ["db/*"]


@pytest.mark.parametrize(
    "condition",
    [
        'principal is User && principal has dept && principal.dept == "er"',
        "principal is User && principal has level && principal.level < 5",
        "principal is User && principal has active && principal.active",
        'principal is User && principal has tags && principal.tags.contains("a")',
        'principal is User && principal.scopes.contains("a") && principal.sub like "a*" && principal.iss == "x"',
        'principal in Role::"clinician" && Role::"clinician" in Role::"admin"',
        'context.caller == Workload::"edge" || principal is Guest',
        'context.path.id == "7" && context.path has kind',
        'context has source && context.source.isInRange(ip("10.0.0.0/8"))',
        'context.now < datetime("2030-01-01") && context.hour < 8 && context.minute < 3 && context.weekday == 7',
        'resource.zone == "app" && resource.holds.contains("card")',
    ],
)
def test_the_vocabulary_of_the_reference_validates(condition: str) -> None:
    assert valid([f'permit(principal, action == Action::"patients/get", resource) when {{ {condition} }};'])


@pytest.mark.parametrize(
    "condition",
    [
        'principal.dept == "er"',
        'principal is User && principal.dept == "er"',
        'principal is User && principal has level && principal.level like "a"',
        'context.path.nothing == "7"',
        "context.source.isIpv4()",
        "context.nothing == 3",
        "resource.owner == principal",
    ],
)
def test_what_is_not_in_the_reference_does_not(condition: str) -> None:
    assert not valid([f'permit(principal, action == Action::"patients/get", resource) when {{ {condition} }};'])


def test_parameters_belong_to_their_operation() -> None:
    assert not valid(
        ['permit(principal, action == Action::"patients/list", resource) when { context.path.id == "7" };']
    )


def test_the_world_of_the_generators_is_a_schema() -> None:
    assert cedarpy.Schema.from_json_str(SCHEMA)
