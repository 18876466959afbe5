"""`can` says, without sending anything, what the data plane does when asked."""

import re
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support.system import System

from ringwall.observe.askers import known_asker
from ringwall.observe.foresee import Asked, Foresight
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.model import Plan
from ringwall.plan.routes import edge_template
from ringwall.plan.store import PlanStore

REFUSALS = {401, 403}
EXAMPLES = {"clinic": ("7", "8", "9"), "unmodified": ("planets", "elements.json", "418")}


def _grid(plan: Plan, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return method and path of every exposed operation, with each of the values in place of its parameters."""
    found = set()
    for service in plan.services:
        for operation in service.operations:
            if operation.edge is None or service.builtin:
                continue
            template = edge_template(service.prefix or "", operation.template)
            for value in values:
                # A path that no service has anything at: what is allowed changes nothing.
                first = re.sub(r"\{[^}]*\}", value, template, count=1)
                method = "POST" if operation.method == "*" else operation.method
                if not first.endswith("/delay/418"):  # that would take its time
                    found.add((method, re.sub(r"\{[^}]*\}", "0", first)))
    return sorted(found)


def _plan(system: System) -> Plan:
    return PlanStore(system.state / "plan").current()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_person_and_operation(name: str, request: pytest.FixtureRequest) -> None:
    system: System = request.getfixturevalue(name)
    plan = _plan(system)
    foresight = Foresight(plan, Evaluator(plan))
    asked = 0
    connection = system.connect()
    for person in ("guest", *(person.name for person in plan.people)):
        for method, path in _grid(plan, EXAMPLES[name]):
            hops = foresight.hops(known_asker(plan, person), Asked(method=method, path=path, time=time.time()))
            foreseen = hops[-1].status
            reply = system.ask(method, path, None if person == "guest" else person, over=connection)
            real = reply.status if reply.status in REFUSALS else 200
            assert real == foreseen, (person, method, path, reply, hops)
            asked += 1
    connection.close()
    assert asked > 50


def _can(system: System, person: str, method: str, path: str, **asked: Any) -> tuple[bool, set[str]]:
    """Ask as `ringwall can` does, in this process; return the answer and where the deciding policies stand."""
    plan = _plan(system)
    question = Asked(method=method, path=path, **{"time": time.time(), **asked})
    hops = Foresight(plan, Evaluator(plan)).hops(known_asker(plan, person), question)
    return hops[-1].status == 200, {str(policy.source) for policy in hops[-1].verdict.policies}


@pytest.mark.parametrize(
    ("person", "when", "allowed"),
    [
        ("dana", "2027-02-01T10:00", True),
        ("dana", "2027-02-01T03:00", False),
        ("dana", "2027-02-06T10:00", False),  # a Saturday
        ("dana", "2027-02-01T18:59", True),
        ("dana", "2027-02-01T19:00", False),
        ("dana", "2027-07-01T18:59", True),  # summer time
        ("dana", "2027-07-01T19:00", False),
        ("noor", "2027-02-01T03:00", True),
        ("noor", "2027-02-06T10:00", True),
    ],
)
def test_at_night_only_who_is_on_call_sees_a_record(clinic: System, person: str, when: str, *, allowed: bool) -> None:
    moment = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    answer, decided = _can(clinic, person, "GET", "/api/patients/7", time=moment)
    assert answer == allowed
    assert ("policies/clinicians.cedar:22" in decided) == (not allowed)


def test_the_command_says_the_same(clinic: System) -> None:
    at = ("--at", "2027-02-01T03:00")
    assert "clinicians.cedar:2" in clinic.ringwall("can", "noor", "GET", "/api/patients/7", *at, code=0)
    assert "clinicians.cedar:22" in clinic.ringwall("can", "dana", "GET", "/api/patients/7", *at, code=3)
    clinic.ringwall("can", "adam", "GET", "/api/patients", "--from", "203.0.113.9", code=3)
    assert "ringwall.yaml:" in clinic.ringwall("can", "portal", "TCP", "/", "--service", "billing-store", code=3)
    assert "ringwall.yaml:" in clinic.ringwall("can", "billing", "TCP", "/", "--service", "billing-store", code=0)


def test_what_no_service_has_is_not_taken_for_the_issuers(clinic: System) -> None:
    """The issuer answers whatever path it is asked for, below a prefix of its own."""
    clinic.ringwall("can", "alice", "GET", "/nothing/7", "--via", "portal", code=2)
    clinic.ringwall("can", "portal", "POST", "/token", code=2)


def test_the_source_network_counts(clinic: System) -> None:
    assert _can(clinic, "adam", "GET", "/api/patients", source="10.20.3.4")[0]
    assert not _can(clinic, "adam", "GET", "/api/patients", source="10.21.3.4")[0]


@pytest.mark.parametrize("caller", ["billing", "portal", "patients", "guest"])
def test_the_store_is_for_billing_alone(clinic: System, caller: str) -> None:
    assert _can(clinic, caller, "TCP", "/", service="billing-store")[0] == (caller == "billing")


@pytest.mark.parametrize(
    ("path", "via", "allowed"),
    [("/messages/7", "portal", True), ("/messages/8", "portal", False), ("/messages/7", "billing", False)],
)
def test_messages_are_reached_through_the_portal_in_the_name_of_a_user(
    clinic: System, path: str, via: str, *, allowed: bool
) -> None:
    assert _can(clinic, "alice", "GET", path, via=via, service="messages")[0] == allowed
