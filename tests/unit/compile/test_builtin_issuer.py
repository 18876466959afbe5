"""The administration of the built-in issuer in the plan: who is let in by which policy, and that nobody else is."""

import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.model.administration import BY_NAME, IDS, ISSUER_SERVICE, OPERATIONS
from ringwall.model.errors import InvalidBlueprintError
from ringwall.model.route import shape
from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.matrix import access_matrix
from ringwall.plan.model import Plan
from ringwall.plan.operation import Operation
from ringwall.plan.policy import Mode
from ringwall.plan.routes import match_edge, match_operation
from ringwall.plan.rule import DENY
from ringwall.plan.tables import exposures

BLUEPRINT = """
ringwall: 1
system: shop
roles: {admin: , helpdesk: }
claims: {team: string}
services:
  web: {run: python web.py, operations: [home: GET /], expose: /, allow: [{public: true}]}
"""
ADMINISTERED = (
    BLUEPRINT
    + """
issuers:
  local:
    administration:
      - roles: [admin]
      - roles: [helpdesk]
        operations: [users.list, users.read]
"""
)
NOW = 1_790_000_000.0


def made(blueprint: str, policies: str = "") -> Plan:
    return plan_files(MemoryFiles({"ringwall.yaml": blueprint, "policies/a.cedar": policies})).plan


def operations_of(plan: Plan) -> dict[str, Operation]:
    return {o.id.partition("/")[2]: o for o in plan.by_name[ISSUER_SERVICE].operations}


def may(plan: Plan, role: str, name: str, path: str = "", *, sub: str = "eve") -> bool:
    """Ask the plan at both hops, which must agree."""
    claims: dict[str, object] = {"iss": plan.issuers[0].url, "sub": sub, "roles": [role] if role else []}
    answers = {
        Evaluator(plan)
        .answer(
            Question(
                operation=BY_NAME[name].id,
                hop=hop,
                caller="edge",
                time=NOW,
                path=path or BY_NAME[name].template,
                claims=claims,
            )
        )
        .allowed
        for hop in ("edge", "inbound")
    }
    (answer,) = answers
    return answer


def test_without_a_policy_nobody_administers_and_there_is_no_route() -> None:
    plan = made(BLUEPRINT)
    for operation in OPERATIONS:
        found = operations_of(plan)[operation.name]
        assert found.edge is None
        assert found.inbound.rule == DENY
        assert found.inbound.callers == ()
        assert not may(plan, "admin", operation.name)
        matched = match_edge(plan, operation.method, "/auth" + operation.template.replace("{", "").replace("}", ""))
        assert matched is not None
        assert matched[1].id in {"ringwall-issuer/closed-admin", "ringwall-issuer/closed-scim"}
    assert [row for row in access_matrix(plan).rows if row.service == ISSUER_SERVICE] == []
    (issuer,) = (each for each in exposures(plan) if each.service == ISSUER_SERVICE)
    open_to_all = ("any", "metadata", "register", "registered-client")
    assert issuer.public == tuple(f"ringwall-issuer/{name}" for name in open_to_all)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/admin/", "/admin/users", "/admin/users/1/none", "/admin/x/y/z", "/scim/v2/Nothing"])
def test_what_the_table_does_not_hold_is_closed_to_everybody(method: str, path: str) -> None:
    plan = made(ADMINISTERED)
    operation = match_operation(plan.by_name[ISSUER_SERVICE], method, path)
    assert operation is not None
    if operation.id not in IDS:
        assert operation.id.startswith("ringwall-issuer/closed-")
        assert operation.edge is not None
        assert operation.edge.rule == operation.inbound.rule == DENY
        assert operation.edge.authentication == "required"


def test_the_short_form_gives_roles_all_operations_or_some() -> None:
    plan = made(ADMINISTERED)
    for name in BY_NAME:
        assert may(plan, "admin", name)
        assert may(plan, "helpdesk", name) is (name in {"users.list", "users.read"})
        assert not may(plan, "", name)
    policy = next(p for p in plan.policies if p.id == "ringwall.yaml#local.administration[1]")
    assert 'Action::"ringwall-issuer/users.list"' in policy.cedar
    rows = {row.operation: row for row in access_matrix(plan).rows if row.service == ISSUER_SERVICE}
    assert set(rows) == IDS
    assert rows["ringwall-issuer/users.list"].edge_route == "GET /auth/admin/users"
    assert rows["ringwall-issuer/users.list"].authentication == "required"


def test_only_what_some_permit_is_about_is_exposed() -> None:
    one = ADMINISTERED.replace("      - roles: [admin]\n", "")
    exposed = {name for name, o in operations_of(made(one)).items() if o.edge is not None and name in BY_NAME}
    assert exposed == {"users.list", "users.read"}


@pytest.mark.parametrize("scope", ["principal", 'principal in Role::"helpdesk"'])
def test_a_permit_about_everything_lets_nobody_administer(scope: str) -> None:
    plan = made(BLUEPRINT, f"permit ({scope}, action, resource);")
    assert not any(may(plan, "helpdesk", name) for name in BY_NAME)
    assert match_edge(plan, "GET", "/") is not None


@pytest.mark.parametrize(
    "policy",
    [
        'permit (principal in Role::"helpdesk", action == Action::"ringwall-issuer/users.read", resource);',
        'permit (principal in Role::"helpdesk", action in Action::"ringwall-issuer/*", resource);',
        'permit (principal in Role::"helpdesk", action, resource == Service::"ringwall-issuer");',
    ],
)
def test_a_permit_that_names_the_issuer_does(policy: str) -> None:
    plan = made(BLUEPRINT, policy)
    assert may(plan, "helpdesk", "users.read")
    assert not may(plan, "admin", "users.read")


def test_a_forbid_about_everything_forbids_the_administration_but_not_signing_in() -> None:
    plan = made(ADMINISTERED, 'forbid (principal == User::"eve", action, resource);')
    assert not may(plan, "admin", "users.list")
    assert may(plan, "admin", "users.list", sub="adam")
    assert operations_of(plan)["any"].policies == ("ringwall-issuer#open",)


def test_policies_read_the_parts_of_the_path() -> None:
    policy = """permit (principal in Role::"helpdesk", action == Action::"ringwall-issuer/roles.give", resource)
    when { context.path.role == "clerk" };"""
    plan = made(BLUEPRINT, policy)
    assert may(plan, "helpdesk", "roles.give", "/admin/users/1/roles/clerk")
    assert not may(plan, "helpdesk", "roles.give", "/admin/users/1/roles/admin")
    assert not may(plan, "helpdesk", "roles.give", "/admin/users/1/roles/%63lerk")


def test_shadow_mode_of_the_system_does_not_open_the_administration() -> None:
    plan = made("mode: shadow\n" + ADMINISTERED.lstrip())
    assert plan.mode is Mode.SHADOW
    assert not may(plan, "", "users.list")
    assert plan.mode_of(plan.by_name[ISSUER_SERVICE]) is Mode.ENFORCE


def operator_may(plan: Plan, name: str) -> bool:
    return Evaluator(plan).answer_operator(BY_NAME[name].id, BY_NAME[name].template, NOW).allowed


def test_the_operator_may_do_what_no_policy_forbids() -> None:
    assert all(operator_may(made(BLUEPRINT), name) for name in BY_NAME)
    scope = 'principal == Workload::"ringwall-operator", action == Action::"ringwall-issuer/users.delete"'
    named = f"forbid ({scope}, resource);"
    plan = made(BLUEPRINT, named)
    assert [name for name in BY_NAME if not operator_may(plan, name)] == ["users.delete"]
    assert not any(operator_may(made(BLUEPRINT, "forbid (principal, action, resource);"), name) for name in BY_NAME)
    assert not Evaluator(plan).answer_operator("web/home", "/", NOW).allowed
    assert not Evaluator(plan).answer_operator("ringwall-issuer/closed-admin", "/admin/x", NOW).allowed


def test_the_operator_is_no_workload_that_could_come_over_the_network() -> None:
    plan = made(ADMINISTERED)
    for operation in operations_of(plan).values():
        assert operation.inbound.callers in {("edge",), ()}
        assert "operator" not in operation.inbound.model_dump_json()
    question = Question(
        operation="ringwall-issuer/users.list", hop="inbound", caller="ringwall-operator", time=NOW, path="/admin/users"
    )
    assert not Evaluator(plan).answer(question).allowed
    with pytest.raises(InvalidBlueprintError) as refused:
        made(BLUEPRINT + "  ringwall-operator: {run: python x.py}\n")
    assert "ringwall-operator" in refused.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("blueprint", "said"),
    [
        (ADMINISTERED.replace("users.read]", "user.read]"), "users.read"),
        (ADMINISTERED.replace("[helpdesk]", "[helpdesc]"), "helpdesk"),
        (ADMINISTERED.replace("roles: [helpdesk]\n        ", ""), "does not say who may"),
        (ADMINISTERED.replace("roles: [admin]", "public: true"), "public"),
        (ADMINISTERED.replace("roles: [admin]", "users: any"), "any"),
        (ADMINISTERED.replace("  local:\n", "  local:\n    issuer: https://idp.example\n"), "does not administer"),
    ],
)
def test_a_wrong_form_is_refused(blueprint: str, said: str) -> None:
    with pytest.raises(InvalidBlueprintError) as refused:
        made(blueprint)
    assert said in "\n".join(f"{each.message} {each.hint}" for each in refused.value.diagnostics)


def test_a_policy_about_an_operation_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidBlueprintError) as refused:
        made(BLUEPRINT, 'permit (principal, action == Action::"ringwall-issuer/users.lst", resource);')
    assert "users.list" in refused.value.diagnostics[0].hint
    without = BLUEPRINT + "issuers: {idp: {issuer: 'https://idp.example'}}\n"
    with pytest.raises(InvalidBlueprintError):
        made(without, 'permit (principal, action == Action::"ringwall-issuer/users.list", resource);')


def test_the_table_says_each_thing_once_and_below_closed_paths() -> None:
    assert len(BY_NAME) == len(OPERATIONS)
    assert len({(o.method, shape(o.template)) for o in OPERATIONS}) == len(OPERATIONS)
    assert all(o.template.startswith(("/admin/", "/scim/")) for o in OPERATIONS)


@pytest.mark.parametrize("blueprint", [BLUEPRINT, ADMINISTERED])
def test_nobody_but_the_edge_calls_it(blueprint: str) -> None:
    """What the edge tells it about a client, its certificate for instance, is believed: no service may say the same."""
    callers = {caller for operation in operations_of(made(blueprint)).values() for caller in operation.inbound.callers}
    assert callers == {"edge"}
