"""A small system, compiled from its blueprint, and records of what its proxies would have written."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.observe_lines import line

from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.model.events import DecisionEvent
from ringwall.observe.access_lines import parse
from ringwall.observe.plans import PlanArchive
from ringwall.plan.model import EDGE, Plan
from ringwall.plan.operation import Operation
from ringwall.plan.store import PlanStore

BLUEPRINT = """
ringwall: 1
system: small
timezone: Europe/Berlin
edge: {listen: 127.0.0.1:8443, domains: [localhost]}
roles: {patient: , clinician: }
claims: {patients: set<string>, level: {type: long, from: realm.level}, night: bool}
people:
  alice: {roles: [patient], claims: {patients: ["7"]}}
  dana: {roles: [clinician], claims: {patients: ["7", "8"], level: 3}}
clients:
  robot: {roles: [clinician], scopes: [read]}
policies: [rules.cedar]
shadow: [audit]
services:
  portal:
    run: "true"
    expose: /
    calls: [patients, ledger, other]
    operations: [{home: GET /}, {any: "GET /files/{rest...}"}]
    allow: [{operations: [home, any], public: true}]
  patients:
    run: "true"
    expose: /api
    operations: [{get: "GET /patients/{id}"}, {list: GET /patients}, {ping: GET /ping}, {inner: POST /inner}]
    allow:
      - {operations: [list], roles: [clinician]}
      - {operations: [ping], public: true}
      - {operations: [inner], callers: [portal]}
  other:
    run: "true"
    operations: [{ping: GET /ping}, {lone: GET /lone}]
    allow: [{operations: [ping, lone], callers: [portal]}]
  loose:
    run: "true"
    expose: /loose
    mode: shadow
    operations: [{all: GET /all}]
    allow: [{operations: [all], roles: [clinician]}]
  ledger: {run: "true", protocol: tcp, zone: data}
"""
CEDAR = """@id("own-record")
permit (principal, action == Action::"patients/get", resource)
when { principal has patients && principal.patients.contains(context.path.id) };

@id("office-hours")
forbid (principal, action == Action::"patients/get", resource)
when { context.hour < 7 };

@id("audit")
forbid (principal, action == Action::"patients/list", resource);

@id("from-inside")
forbid (principal, action == Action::"portal/any", resource)
when { context has source && context.source.isInRange(ip("10.0.0.0/8")) };

@id("night-duty")
permit (principal, action == Action::"loose/all", resource)
when { principal has night && principal.night && principal has level && principal.level > 2 };
"""


@cache
def small_plan(cedar: str = CEDAR, blueprint: str = BLUEPRINT) -> Plan:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "ringwall.yaml").write_text(blueprint)
        (root / "rules.cedar").write_text(cedar)
        return plan_files(DiskFiles(root)).plan


def operation(plan: Plan, name: str) -> Operation:
    return next(o for service in plan.services for o in service.operations if o.id == name)


def put_in_force(plan: Plan, state: Path) -> PlanArchive:
    """Lay a plan down as the supervisor does."""
    PlanStore(state / "plan").write(plan)
    return PlanArchive(state)


MORNING = "1772532000.5"
"""2026-03-03, 11:00 in Berlin."""
NIGHT = "1772503200.5"
"""The same day, 03:00."""


def recorded(plan: Plan, name: str, *, caller: str = "", who: str = "alice", **changes: Any) -> DecisionEvent:
    """Return the event of a request for an operation: at the edge, or at the service where a caller is given."""
    issuer = next(i for i in plan.issuers if i.builtin)
    people = {p.name: p for p in plan.people}
    fields: dict[str, Any] = {
        "h": EDGE,
        "c": plan.spiffe_of(caller) if caller else None,
        "op": name,
        "r": operation(plan, name).rule_id,
        "t": MORNING,
        "u": None,
        "i": None,
        "cl": None,
    }
    if caller:
        fields["h"] = name.partition("/")[0]
    if who in people:
        claims = {name: list(v) if isinstance(v, tuple) else v for name, v in people[who].claims}
        fields |= {"u": who, "i": issuer.url, "cl": claims | {"@roles": list(people[who].roles)}}
    return parse(line(**(fields | changes)), lambda _: plan.digest)
