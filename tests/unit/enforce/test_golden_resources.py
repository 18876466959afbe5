"""Each plan of tests/golden/enforce becomes the Envoy resources beside it. UPDATE_GOLDEN=1 writes what comes out now.

Certificates and keys are left out: they are other ones each time.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from tests.support.enforce_pki import Credentials

from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import SECRET
from ringwall.model.revocation import NothingRevoked
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Plan

GOLDEN = Path(__file__).parents[2] / "golden" / "enforce"
CASES = sorted(path.name.removesuffix(".plan.json") for path in GOLDEN.glob("*.plan.json"))


class NoKeys:
    """A source of token keys that has none, so that golden files hold none."""

    def key_sets(self) -> dict[str, str]:
        return {}

    def subscribe(self, changed: Any) -> None:
        """Nothing ever changes."""


def _bindings(plan: Plan) -> Bindings:
    ports = iter(range(10_000, 20_000))
    names = [service.name for service in plan.services]
    return Bindings(
        state=Path("/state"),
        edge=Address(port=8443),
        redirect=Address(port=8080),
        inbound={name: Address(port=next(ports)) for name in names},
        outbound={f"{s.name}>{callee}": Address(port=next(ports)) for s in plan.services for callee in s.calls},
        app={
            s.name: Address(socket=s.listen.socket) if s.listen.socket else Address(port=next(ports))
            for s in plan.services
        },
    )


def _resources(plan: Plan) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for node in ("edge", "mesh"):
        built = snapshot(plan, _bindings(plan), node, Credentials(), NoKeys(), revoked=NothingRevoked())
        made[node] = {
            f"{resource.body.type_url.rpartition('.')[2]} {resource.name}": MessageToDict(resource.body)
            for resource in built
            if resource.body.type_url != SECRET
        }
        made[node]["secrets"] = sorted(built.of_type(SECRET))
    return made


@pytest.mark.parametrize("case", CASES)
def test_a_plan_becomes_these_resources(case: str) -> None:
    plan = Plan.model_validate_json((GOLDEN / f"{case}.plan.json").read_text())
    text = json.dumps(_resources(plan), indent=1, sort_keys=True) + "\n"
    expected = GOLDEN / f"{case}.resources.json"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(text)
    assert text == expected.read_text(), f"{expected.name} changed; UPDATE_GOLDEN=1 if that is meant"


def test_there_are_cases() -> None:
    assert {"minimal", "everything"} <= set(CASES)
