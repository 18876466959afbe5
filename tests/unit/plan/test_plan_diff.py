import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.diff import Change, Kind, diff
from ringwall.plan.model import Plan

BLUEPRINT = """
ringwall: 1
system: shop
roles: {clerk: , nurse: }
claims: {team: string}
people: {alice: {roles: [clerk]}}
edge: {limit: 10/s}
services:
  web:
    run: python web.py
    expose: /
    operations: [home: GET /, list: GET /list]
    calls: [core]
    allow: [{operations: [home], public: true}, {operations: [list], roles: [clerk]}]
  core:
    run: python core.py
    operations: [get: "GET /{id}"]
    limit: 5/s
"""
POLICY = 'permit (principal in Role::"clerk", action == Action::"core/get", resource);\n'


def plan(text: str = BLUEPRINT, policy: str = POLICY) -> Plan:
    return plan_files(MemoryFiles({"ringwall.yaml": text, "policies/a.cedar": policy})).plan


def told(old: str, new: str) -> dict[tuple[str, str, str, str], Change]:
    assert old in BLUEPRINT
    changes = diff(plan(), plan(BLUEPRINT.replace(old, new, 1)))
    return {(c.kind.value, c.what, c.name, c.detail): c for c in changes}


def test_nothing_changed() -> None:
    assert diff(plan(), plan()) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected", "widens"),
    [
        ("system: shop", "system: shop\ntimezone: Europe/Berlin", ("changed", "system", "shop", "timezone"), False),
        ("limit: 10/s", "limit: 20/s", ("changed", "limit", "edge", "client address"), True),
        ("limit: 10/s", "limit: 9/s", ("changed", "limit", "edge", "client address"), False),
        ("limit: 10/s", "limit: 600/m burst 5", ("changed", "limit", "edge", "client address"), False),
        ("    limit: 5/s\n", "", ("removed", "limit", "core", "principal"), True),
        ("python core.py", "python core2.py", ("changed", "service", "core", "how it is started"), False),
        ("run: python core.py", "run: x\n    expose: /core", ("added", "exposure", "core", ""), True),
        ("expose: /\n", "expose: /web\n", ("changed", "exposure", "web", ""), True),
        ("expose: /\n", "\n", ("removed", "exposure", "web", ""), False),
        ("calls: [core]", "calls: []", ("changed", "operation", "core/get", "callers at inbound"), False),
        ("public: true", "users: any", ("changed", "access", "web/home", "guest"), False),
        ("roles: [clerk]}]", "roles: [nurse]}]", ("changed", "access", "web/list", "nurse"), True),
        ("roles: [clerk]}]", "roles: [nurse]}]", ("changed", "access", "web/list", "clerk"), False),
        ("roles: [clerk]}]", "public: true}]", ("changed", "operation", "web/list", "authentication at edge"), True),
        ("list: GET /list", "list: GET /all", ("changed", "operation", "web/list", "route"), False),
        ("list: GET /list", "list: GET /list, new: PUT /", ("added", "operation", "web/new", "PUT /"), False),
        ("nurse: }", "nurse: {includes: [clerk]}}", ("changed", "role", "nurse", "includes"), False),
        ("nurse: }", "nurse: {includes: [clerk]}}", ("changed", "access", "core/get", "nurse"), True),
        ("people: {alice", "people: {bert: {}, alice", ("added", "person", "bert", ""), False),
        ("edge: {", "edge: {http3: true, ", ("changed", "edge", "edge", "http3"), False),
        ("  core:", "  more: {run: x}\n  core:", ("added", "service", "more", ""), False),
        (
            "calls: [core]",
            "calls: [core]\n    websockets: [list]",
            ("changed", "operation", "web/list", "websocket"),
            True,
        ),
        (
            "calls: [core]",
            "calls: [core]\n    step_up: [{operations: [list], acr: mfa, max_age: 5m}]",
            ("changed", "operation", "web/list", "step-up"),
            False,
        ),
        ("expose: /\n", 'expose: /\n    cors: {origins: ["https://a.example"]}\n', ("added", "cors", "web", ""), True),
    ],
)
def test_a_change_is_told(old: str, new: str, expected: tuple[str, str, str, str], widens: object) -> None:
    changes = told(old, new)
    assert expected in changes, [str(change) for change in changes.values()]
    assert changes[expected].widens is widens


def test_policies_that_come_go_and_change() -> None:
    other = 'permit (principal in Role::"nurse", action == Action::"core/get", resource);\n'
    kinds = {
        POLICY + other: (Kind.ADDED, "policies/a.cedar#2"),
        "": (Kind.REMOVED, "policies/a.cedar#1"),
        other: (Kind.CHANGED, "policies/a.cedar#1"),
    }
    for policy, (kind, name) in kinds.items():
        changes = diff(plan(), plan(policy=policy))
        assert (kind, "policy", name) in {(c.kind, c.what, c.name) for c in changes}
        assert any(change.what == "access" for change in changes)


def test_the_way_back_undoes_what_widened() -> None:
    before, after = plan(), plan(BLUEPRINT.replace("roles: [clerk]}]", "public: true}]"))
    there = {(c.name, c.detail) for c in diff(before, after) if c.what == "access"}
    back = {(c.name, c.detail) for c in diff(after, before) if c.what == "access"}
    assert there == back
    assert not any(change.widens for change in diff(after, before) if change.what == "access")


@pytest.mark.parametrize(
    ("before", "after", "widens"),
    [
        ('origins: ["https://a.example", "https://b.example"]', 'origins: ["https://a.example"]', False),
        ('origins: ["https://a.example"]', 'origins: ["https://b.example"]', True),
        ('origins: ["https://a.example"]', 'origins: ["https://a.example"], credentials: true', True),
        ('origins: ["https://a.example"], credentials: true', 'origins: ["https://a.example"]', False),
        ('origins: ["https://a.example"]', 'origins: ["https://a.example"], headers: [x-a]', True),
    ],
)
def test_pages_that_may_do_more_are_told(before: str, after: str, *, widens: bool) -> None:
    old, new = (plan(BLUEPRINT.replace("expose: /\n", f"expose: /\n    cors: {{{c}}}\n")) for c in (before, after))
    (change,) = (change for change in diff(old, new) if change.what == "cors")
    assert (change.kind, change.name, change.widens) == (Kind.CHANGED, "web", widens)


def test_a_change_is_a_sentence() -> None:
    change = told("limit: 10/s", "limit: 20/s")[("changed", "limit", "edge", "client address")]
    assert str(change) == "changed limit edge: client address 10/s burst 10 → 20/s burst 20"
