import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ringwall.blueprint import values
from ringwall.blueprint.files import MemoryFiles
from ringwall.blueprint.load import load_blueprint
from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import make_plan, plan_files
from ringwall.model.cache import PlanCache
from ringwall.model.errors import InvalidBlueprintError
from ringwall.plan.identity import ClaimType
from ringwall.plan.matrix import access_matrix
from ringwall.plan.model import EDGE, Plan, Protocol
from ringwall.plan.policy import Mode
from ringwall.plan.rule import AnyOf, CallerIs, CompiledRule

ROOT = Path(__file__).parents[3]
CLINIC = ROOT / "examples" / "clinic"

BLUEPRINT = """
ringwall: 1
system: shop
roles: {clerk: , nurse: {includes: [clerk]}, chief: {includes: [nurse]}}
claims: {team: string, unused: long}
people: {alice: {roles: [clerk], claims: {team: red, unused: 3}}}
clients: {robot: {scopes: [b, a]}, app: {kind: browser, redirect_uris: ["https://b/2", "https://b/1"], title: A}}
data: [card, health]
services:
  portal:
    run: [python, portal.py, "{port}"]
    env: {B: "2", A: "1"}
    expose: /
    operations: [home: GET /, rest: "* /{path...}"]
    calls: [orders, store]
    timeout: 5m
    max_body: 2KiB
    limit: 5/m burst 9
    allow: [{operations: [home], public: true}, {operations: [rest], roles: [clerk]}]
  orders:
    run: python orders.py
    expose: /api
    holds: [card, health]
    contract: orders.yaml
    allow: [{operations: [read], roles: [clerk], callers: [portal]}]
  store:
    listen: unix:run/store.sock
    protocol: tcp
    zone: data
  inner:
    run: python inner.py
    operations: [GET /x]
"""
CONTRACT = """
openapi: 3.1.0
paths:
  /orders/{id}:
    get: {operationId: read, x-data: [card]}
    put: {operationId: write}
"""
POLICIES = """
@id("team-writes")
permit (principal in Role::"clerk", action == Action::"orders/write", resource)
when { principal has team && principal.team == context.path.id };
"""
FILES = MemoryFiles({"ringwall.yaml": BLUEPRINT, "orders.yaml": CONTRACT, "policies/a.cedar": POLICIES})


def edited(old: str, new: str) -> Plan:
    assert old in BLUEPRINT
    return plan_files(FILES.replaced("ringwall.yaml", BLUEPRINT.replace(old, new, 1))).plan


def test_a_plan_says_everything_that_the_blueprint_says() -> None:
    plan = plan_files(FILES).plan
    portal, orders, store, issuer = (plan.by_name[n] for n in ("portal", "orders", "store", "ringwall-issuer"))
    assert [service.name for service in plan.services] == ["inner", "orders", "portal", "ringwall-issuer", "store"]
    assert portal.spiffe_id == "spiffe://shop/service/portal"
    assert portal.run is not None
    assert (portal.run.argv, portal.run.env) == (("python", "portal.py", "{port}"), (("A", "1"), ("B", "2")))
    assert (portal.timeout_seconds, portal.max_body_bytes, portal.calls) == (300, 2048, ("orders", "store"))
    assert portal.per_principal is not None
    assert (portal.per_principal.requests, portal.per_principal.seconds, portal.per_principal.burst) == (5, 60, 9)
    assert (portal.prefix, portal.forward_token, orders.forward_token) == ("", True, False)
    assert (store.protocol, store.zone, store.tcp_callers, store.run) == (Protocol.TCP, "data", ("portal",), None)
    assert store.listen.socket == "run/store.sock"
    read, write = orders.operations
    assert (read.id, read.method, read.template, read.holds) == ("orders/read", "GET", "/orders/{id}", ("card",))
    assert (write.holds, write.policies) == (("card", "health"), ("team-writes",))
    assert [(p.name, p.segment) for p in read.params] == [("id", 1)]
    assert (str(read.source), read.source.column) == ("orders.yaml:5", 24)
    assert read.inbound.callers == ("edge", "portal")
    assert read.edge is not None
    assert read.edge.callers == ("edge",)
    assert read.edge.rule == CompiledRule(cases=()), "the short form names the caller portal, so the edge never may"
    assert [role.includes for role in plan.roles] == [("clerk", "nurse"), (), ("clerk",)]
    assert [claim.name for claim in plan.claims] == ["team"], "only claims that policies read"
    assert plan.people[0].claims == (("team", "red"), ("unused", 3))
    app, robot = plan.clients
    assert robot.scopes == ("a", "b")
    assert set(robot.model_dump()) == {"name", "roles", "scopes", "claims"}, "a machine's plan says nothing of logins"
    assert (app.kind, app.title, app.public, app.third_party) == ("browser", "A", True, False)
    assert app.redirect_uris == ("https://b/1", "https://b/2")
    assert [p.id for p in plan.policies] == sorted(p.id for p in plan.policies)
    assert {p.id for p in plan.policies if p.short_form} == {
        "ringwall.yaml#orders.allow[0]",
        "ringwall.yaml#portal.allow[0]",
        "ringwall.yaml#portal.allow[1]",
    }
    assert issuer.builtin
    assert issuer.prefix == "/auth"
    assert json.loads(plan.cedar_schema)[""]["actions"]["orders/write"]["memberOf"] == [{"id": "orders/*"}]


def test_pages_of_other_origins_are_named_once_and_in_order() -> None:
    cors = '{origins: ["https://b.example", "http://localhost:5173", "https://b.example"], headers: [X-Version]}'
    made = edited("    expose: /api\n", f"    expose: /api\n    cors: {cors}\n").by_name["orders"].cors
    assert made is not None
    assert made.origins == ("http://localhost:5173", "https://b.example")
    assert made.headers == ("authorization", "content-type", "dpop", "x-version")
    assert not made.credentials
    plan = plan_files(FILES).plan
    assert plan.by_name["orders"].cors is None
    assert b'"cors"' not in plan.canonical_bytes, "what is not said leaves no trace in the digest"
    assert Plan.model_validate_json(plan.canonical_bytes) == plan


def test_nothing_is_open_that_nobody_calls() -> None:
    inner = plan_files(FILES).plan.by_name["inner"]
    assert inner.operations[0].inbound.callers == ()
    assert inner.operations[0].inbound.rule == CompiledRule(cases=())
    assert inner.operations[0].edge is None


def test_the_built_in_issuer_is_open_and_out_of_reach_of_the_users_policies() -> None:
    policies = POLICIES + "forbid (principal, action, resource);"
    plan = plan_files(FILES.replaced("policies/a.cedar", policies)).plan
    operations = {o.id.partition("/")[2]: o for o in plan.by_name["ringwall-issuer"].operations}
    for operation in (operations["metadata"], operations["any"]):
        assert operation.policies == ("ringwall-issuer#open",)
        assert operation.edge is not None
        assert operation.edge.authentication == "optional"
        assert operation.inbound.callers == ("edge",)


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (None, "https://localhost:8443/auth"),
        ("127.0.0.1:443", "https://localhost/auth"),
        ("127.0.0.1:9999", "https://localhost:9999/auth"),
        ("[::1]:9999", "https://localhost:9999/auth"),
    ],
)
def test_where_the_edge_listens_can_be_said_from_outside(listen: str | None, url: str) -> None:
    plan = plan_files(FILES, listen=listen).plan
    assert plan.issuers[0].url == url
    assert plan.edge is not None
    blueprint, _ = load_blueprint(FILES, listen=listen)
    assert make_plan(blueprint).plan.digest == plan.digest


def test_a_bad_override_is_an_error_like_any_other() -> None:
    for bad in ("8443", "0.0.0.0:8443", "example.com:1", "127.0.0.1:99999"):
        with pytest.raises(InvalidBlueprintError) as caught:
            plan_files(FILES, listen=bad)
        assert caught.value.diagnostics[0].span.file == "--listen"


def test_external_issuers() -> None:
    issuers = """issuers:
  partner: {issuer: "https://idp.example/", roles: {claim: realm.roles, map: {b: nurse, a: clerk}}}
  other: {issuer: "https://other.example", audience: [x, y], algorithms: [EdDSA], discovery: "https://d.example/m"}
services:"""
    without = BLUEPRINT.replace("people: {alice", "# {alice").replace("clients:", "#")
    plan = plan_files(FILES.replaced("ringwall.yaml", without.replace("services:", issuers, 1))).plan
    other, partner = plan.issuers
    assert partner.discovery == "https://idp.example/.well-known/openid-configuration"
    assert (partner.url, partner.audiences, partner.role_claim) == (
        "https://idp.example/",
        ("shop",),
        ("realm", "roles"),
    )
    assert partner.roles == (("a", "clerk"), ("b", "nurse"))
    assert partner.algorithms == ("RS256", "ES256")
    assert (other.audiences, other.algorithms, other.discovery) == (("x", "y"), ("EdDSA",), "https://d.example/m")
    assert "ringwall-issuer" not in plan.by_name


def test_operations_beside_a_contract_and_websockets() -> None:
    more = "contract: orders.yaml\n    operations: [live: GET /live]\n    websockets: [live, read]"
    cache = PlanCache()
    plain = plan_files(FILES, cache=cache).plan
    files = FILES.replaced("ringwall.yaml", BLUEPRINT.replace("contract: orders.yaml", more))
    operations = plan_files(files, cache=cache).plan.by_name["orders"].operations
    assert {o.id: o.websocket for o in operations} == {
        "orders/live": True,
        "orders/read": True,
        "orders/write": False,
    }
    assert not [o for o in plain.by_name["orders"].operations if o.websocket]
    rows = {row.operation: row for row in access_matrix(plan_files(files).plan).rows}
    assert rows["orders/live"].route == "GET /live (WebSocket)"
    assert rows["orders/write"].route == "PUT /orders/{id}"


def test_a_system_with_nothing_to_expose_has_no_edge() -> None:
    text = 'ringwall: 1\nsystem: x\nissuers: {p: {issuer: "https://p.example"}}\nservices: {a: {run: x}}\n'
    assert plan_files(MemoryFiles({"ringwall.yaml": text})).plan.edge is None


@pytest.mark.parametrize("whole", [True, False], ids=["system", "service"])
def test_shadow_mode_lets_declared_callers_through_and_keeps_the_rule_beside(whole: object) -> None:
    enforced = plan_files(FILES).plan.by_name["orders"].operations[0]
    plan = (
        edited("system: shop", "system: shop\nmode: shadow") if whole else edited("holds:", "mode: shadow\n    holds:")
    )
    orders = plan.by_name["orders"]
    read = orders.operations[0]
    assert orders.mode is Mode.SHADOW
    assert read.inbound.shadow == enforced.inbound.rule
    assert read.inbound.authentication == enforced.inbound.authentication
    assert isinstance(read.inbound.rule, CompiledRule)
    callers = AnyOf(
        parts=(CallerIs(spiffe_id="spiffe://shop/edge"), CallerIs(spiffe_id="spiffe://shop/service/portal"))
    )
    assert read.inbound.rule.cases[0].when == callers
    assert plan.by_name["ringwall-issuer"].mode is Mode.ENFORCE


def test_a_shadow_policy_is_marked() -> None:
    plan = edited("data: [card, health]", "data: [card, health]\nshadow: [team-*, 'ringwall.yaml#portal.allow[[]1]']")
    shadowed = {policy.id for policy in plan.policies if policy.mode is Mode.SHADOW}
    assert shadowed == {"team-writes", "ringwall.yaml#portal.allow[1]"}


def test_the_same_input_gives_the_same_bytes_in_other_processes_and_folders(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ringwall.bootstrap.files import DiskFiles; "
        "from ringwall.compile.planner import plan_files; "
        "sys.stdout.write(plan_files(DiskFiles(Path(sys.argv[1]))).plan.digest)"
    )
    copy = tmp_path / "elsewhere"
    files = DiskFiles(CLINIC)
    for path in files.glob("**/*"):
        if path.startswith((".ringwall/", "state/")):  # of a clinic that runs
            continue
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(files.read(path))
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for folder, seed in ((CLINIC, "1"), (copy, "2"), (copy, "3"))
    }
    assert digests == {plan_files(files).plan.digest}


def test_the_order_of_keys_changes_nothing_but_the_places() -> None:
    value = yaml.safe_load(BLUEPRINT)
    turned = {
        key: dict(reversed(item.items())) if isinstance(item, dict) else item for key, item in reversed(value.items())
    }
    plans = [plan_files(FILES.replaced("ringwall.yaml", json.dumps(tree, indent=1))).plan for tree in (value, turned)]
    assert without_places(plans[0]) == without_places(plans[1])


def without_places(plan: Plan) -> object:
    def strip(value: object) -> object:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key != "source"}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(plan.model_dump(mode="json"))


def test_a_plan_survives_its_journey() -> None:
    plan = plan_files(DiskFiles(CLINIC)).plan
    again = Plan.model_validate_json(plan.canonical_bytes)
    assert again == plan
    assert again.digest == plan.digest


def test_rule_ids_change_with_the_rule_and_only_then() -> None:
    before = {o.id: o.rule_id for s in plan_files(FILES).plan.services for o in s.operations}
    changed = FILES.replaced(
        "policies/a.cedar", POLICIES.replace("==  context", "==").replace('Role::"clerk"', 'Role::"nurse"')
    )
    after = {o.id: o.rule_id for s in plan_files(changed).plan.services for o in s.operations}
    assert {name for name in before if before[name] != after[name]} == {"orders/write"}
    assert len({*before.values()}) == len(before)
    assert all(len(rule) == 12 for rule in before.values())


def test_the_blueprints_words_are_the_plans() -> None:
    assert values.EDGE == EDGE
    assert set(values.PROTOCOLS) == {p.value for p in Protocol}
    assert set(values.MODES) == {m.value for m in Mode}
    assert set(values.CLAIM_TYPES) == {t.value for t in ClaimType}


def test_errors_of_blueprint_contract_and_policies_come_together() -> None:
    files = (
        FILES.replaced("ringwall.yaml", BLUEPRINT.replace("system: shop", "system: shop\nsytem: x"))
        .replaced("orders.yaml", CONTRACT.replace("x-data: [card]", "x-data: [cart]"))
        .replaced("policies/a.cedar", POLICIES.replace("has team", "has taem"))
    )
    with pytest.raises(InvalidBlueprintError) as caught:
        plan_files(files)
    assert {(d.code, d.span.file) for d in caught.value.diagnostics} >= {
        ("unknown-key", "ringwall.yaml"),
        ("unknown-data-class", "orders.yaml"),
        ("unknown-attribute", "policies/a.cedar"),
    }


def test_planning_leaves_the_collector_as_it_was() -> None:
    assert gc.isenabled()
    plan_files(FILES)
    with pytest.raises(InvalidBlueprintError):
        plan_files(MemoryFiles({}))
    assert gc.isenabled()


def test_the_cache_changes_nothing() -> None:
    cache = PlanCache()
    plans = [plan_files(FILES, cache=cache).plan for _ in range(2)]
    plans.append(plan_files(FILES, cache=PlanCache.load(cache.dump())).plan)
    assert {plan.canonical_bytes for plan in plans} == {plan_files(FILES).plan.canonical_bytes}
