"""The matrix says before a request what the reference evaluator says about each."""

import random
import re
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.matrix import Cell, Matrix, Who, WhoKind, access_matrix
from ringwall.plan.model import EDGE, Plan
from ringwall.plan.operation import Limit
from ringwall.plan.tables import exposures, identities, limit_text, limits
from ringwall.plan.verdicts import Verdict

EXAMPLES = Path(__file__).parents[3] / "examples"

MANY_KINDS = """
ringwall: 1
system: kinds
roles: {reader: , writer: {includes: [reader]}, banned: }
claims: {team: string, flag: bool}
people: {alice: {roles: [writer]}, mallory: {roles: [banned]}}
data: [health]
edge: {limit: 7/h}
services:
  web:
    run: x
    expose: /
    operations: [home: GET /, mine: GET /mine, never: GET /never, silent: GET /silent]
    calls: [core, plain]
    limit: 3/10s burst 4
  core:
    run: x
    expose: /core
    holds: [health]
    operations: [get: "GET /{id}", put: "PUT /{id}", inner: POST /inner, odd: GET /odd/x]
  plain:
    run: x
    operations: [sync: GET /sync]
    mode: shadow
"""
POLICIES = """
permit (principal, action == Action::"web/home", resource);
permit (principal is User, action == Action::"web/mine", resource);
permit (principal in Role::"reader", action == Action::"core/get", resource);
permit (principal in Role::"writer", action == Action::"core/put", resource)
when { principal has flag && principal.flag };
permit (principal == User::"bob", action in Action::"core/*", resource) unless { context.hour < 3 };
permit (principal, action == Action::"core/inner", resource) when { context.caller == Workload::"web" };
permit (principal, action == Action::"web/never", resource) when { resource.holds.contains("health") };
permit (principal, action == Action::"core/odd", resource)
when { if principal is User then [Role::"reader", Role::"writer"].contains(Role::"reader") else principal has team };
permit (principal is Workload, action == Action::"plain/sync", resource);
forbid (principal in Role::"banned", action, resource);
forbid (principal, action, resource)
when { resource.zone == "app" && resource.holds.containsAny(["health"]) && principal == User::"mallory" };
forbid (principal, action, resource)
when { context.weekday == 7 && !(principal in [Role::"writer"]) && resource == Service::"core" };
"""


def kinds() -> Plan:
    return plan_files(MemoryFiles({"ringwall.yaml": MANY_KINDS, "policies/a.cedar": POLICIES})).plan


def cell(matrix: Matrix, operation: str, who: str) -> Cell:
    row = next(row for row in matrix.rows if row.operation == operation)
    return row.cells[[str(column) for column in matrix.columns].index(who)]


@pytest.mark.parametrize(
    ("operation", "who", "verdict", "callers"),
    [
        ("web/home", "guest", Verdict.ALLOW, ("edge",)),
        ("web/home", "banned", Verdict.DENY, ()),
        ("web/mine", "guest", Verdict.DENY, ()),
        ("web/mine", "signed-in", Verdict.ALLOW, ("edge",)),
        ("web/never", "writer", Verdict.DENY, ()),
        ("web/silent", "writer", Verdict.DENY, ()),
        ("core/get", "writer", Verdict.ALLOW, ("edge", "web")),
        ("core/get", "reader", Verdict.CONDITIONAL, ("edge", "web")),
        ("core/get", "signed-in", Verdict.DENY, ()),
        ("core/get", "bob", Verdict.CONDITIONAL, ("edge", "web")),
        ("core/get", "mallory", Verdict.DENY, ()),
        ("core/put", "writer", Verdict.CONDITIONAL, ("edge", "web")),
        ("core/put", "reader", Verdict.DENY, ()),
        ("core/inner", "guest", Verdict.DENY, ()),
        ("core/inner", "workload", Verdict.CONDITIONAL, ("web",)),
        ("core/inner", "writer", Verdict.CONDITIONAL, ("web",)),
        ("plain/sync", "workload", Verdict.ALLOW, ("web",)),
        ("plain/sync", "guest", Verdict.DENY, ()),
    ],
)
def test_cells(operation: str, who: str, verdict: Verdict, callers: tuple[str, ...]) -> None:
    found = cell(access_matrix(kinds()), operation, who)
    assert (found.verdict, found.callers) == (verdict, callers)


def test_rows_say_how_an_operation_is_reached() -> None:
    matrix = access_matrix(kinds(), ["core", "plain"])
    assert {row.service for row in matrix.rows} == {"core", "plain"}
    get = next(row for row in matrix.rows if row.operation == "core/get")
    assert (get.route, get.edge_route, get.holds) == ("GET /{id}", "GET /core/{id}", ("health",))
    sync = next(row for row in matrix.rows if row.operation == "plain/sync")
    assert (sync.edge_route, sync.enforced_by) == ("", "shadow")


def question(plan: Plan, operation: str, who: Who, caller: str, rng: random.Random) -> Question:
    found = next(o for service in plan.services for o in service.operations if o.id == operation)
    claims: dict[str, object] | None = None
    if who.kind in {WhoKind.SIGNED_IN, WhoKind.ROLE, WhoKind.USER}:
        person = next((p for p in plan.people if p.name == who.name), None)
        roles = [who.name] if who.kind is WhoKind.ROLE else list(person.roles) if person else []
        issuer = next(issuer for issuer in plan.issuers if issuer.builtin)
        sub = who.name if who.kind is WhoKind.USER else f"somebody-{rng.randrange(9)}"
        claims = {"iss": issuer.url, "sub": sub, "roles": roles, "scope": rng.choice(["", "a b"])}
        for claim in plan.claims:
            if rng.random() < 0.7:
                values: dict[str, list[object]] = {
                    "string": ["7", "red"],
                    "long": [0, 3],
                    "bool": [True, False],
                    "set<string>": [["7"], []],
                }
                claims[claim.path[0]] = rng.choice(values[claim.type.value])
    return Question(
        operation=operation,
        hop="inbound",
        caller=caller,
        time=1_700_000_000 + rng.randrange(14 * 24) * 3600,
        path=re.sub(r"\{[^}]*\}", lambda _: rng.choice(["7", "x"]), found.template),
        claims=claims,
        source=rng.choice(["127.0.0.1", "10.20.0.9", "192.0.2.1"]) if caller == EDGE else None,
    )


@pytest.mark.parametrize("name", ["clinic", "unmodified", "kinds"])
def test_the_evaluator_never_contradicts_the_matrix(name: str) -> None:
    plan = kinds() if name == "kinds" else plan_files(DiskFiles(EXAMPLES / name)).plan
    evaluator, matrix, rng = Evaluator(plan), access_matrix(plan), random.Random(3)  # noqa: S311  # repeatable
    seen = set()
    for row in matrix.rows:
        for who, said in zip(matrix.columns, row.cells, strict=True):
            for caller in row.callers:
                if (who.kind is WhoKind.GUEST) != (caller == EDGE) and who.kind in {WhoKind.GUEST, WhoKind.WORKLOAD}:
                    continue
                for _ in range(6):
                    asked = question(plan, row.operation, who, caller, rng)
                    allowed = evaluator.answer(asked).allowed
                    seen.add((said.verdict, allowed))
                    if row.enforced_by == "shadow":
                        continue
                    if said.verdict is Verdict.ALLOW:
                        assert allowed, (asked, said)
                    elif said.verdict is Verdict.DENY or caller not in said.callers:
                        assert not allowed, (asked, said)
    assert {(Verdict.ALLOW, True), (Verdict.DENY, False), (Verdict.CONDITIONAL, True)} <= seen


def test_a_cell_that_depends_names_the_policies_it_depends_on() -> None:
    found = cell(access_matrix(kinds()), "core/get", "reader")
    assert found.policies == ("policies/a.cedar#12", "policies/a.cedar#3")


def test_shadow_policies_are_not_counted() -> None:
    files = MemoryFiles({"ringwall.yaml": MANY_KINDS + "shadow: [policies/a.cedar#10]\n", "policies/a.cedar": POLICIES})
    assert cell(access_matrix(plan_files(files).plan), "web/home", "banned").verdict is Verdict.ALLOW


def test_identities() -> None:
    found = {identity.name: identity for identity in identities(kinds())}
    assert next(iter(found)) == EDGE
    assert found["edge"].calls == ("core", "ringwall-issuer", "web")
    assert found["core"].called_by == ("edge", "web")
    assert found["core"].spiffe_id == "spiffe://kinds/service/core"


def test_exposures_tell_what_needs_no_token() -> None:
    found = {exposure.service: exposure for exposure in exposures(kinds())}
    assert set(found) == {"web", "core", "ringwall-issuer"}
    assert found["web"].public == ("web/home",)
    assert found["core"].public == ()
    assert (found["web"].prefix, found["core"].operations) == ("/", 4)
    open_to_all = {"any", "metadata", "register", "registered-client"}
    assert set(found["ringwall-issuer"].public) == {f"ringwall-issuer/{name}" for name in open_to_all}


def test_limits() -> None:
    assert [(row.where, row.counts, row.limit) for row in limits(kinds())] == [
        ("edge", "client address", "7/h burst 7"),
        ("web", "principal", "3/10s burst 4"),
    ]
    assert limit_text(Limit(requests=1, seconds=60, burst=2)) == "1/m burst 2"


def test_it_is_plain_data() -> None:
    assert orjson.loads(orjson.dumps(asdict(access_matrix(kinds()))))["rows"][0]["cells"]
