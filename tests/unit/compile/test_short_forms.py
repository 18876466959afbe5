"""Each short form lets through exactly whom docs/reference/blueprint.md says, by the reference evaluator."""

import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator

BLUEPRINT = """
ringwall: 1
system: x
roles: {{clerk: , nurse: , chief: {{includes: [clerk]}}}}
issuers: {{local: {{}}, partner: {{issuer: "https://p.example", roles: {{map: {{clerk: clerk}}}}}}}}
services:
  portal: {{run: x, expose: /, operations: [GET /], calls: [items], allow: [{{public: true}}]}}
  other: {{run: x, calls: [items]}}
  items:
    run: x
    expose: /items
    operations: [read: GET /, write: PUT /]
    allow: [{form}]
"""
LOCAL = "https://localhost:8443/auth"
WHO: dict[str, tuple[str, dict[str, object] | None]] = {
    "guest": ("edge", None),
    "portal": ("portal", None),
    "other": ("other", None),
    "ann": ("edge", {"iss": LOCAL, "sub": "ann", "roles": []}),
    "ann via portal": ("portal", {"iss": LOCAL, "sub": "ann", "roles": []}),
    "clerk": ("edge", {"iss": LOCAL, "sub": "c", "roles": ["clerk"]}),
    "clerk via other": ("other", {"iss": LOCAL, "sub": "c", "roles": ["clerk"]}),
    "nurse": ("edge", {"iss": LOCAL, "sub": "n", "roles": ["nurse"]}),
    "chief": ("edge", {"iss": LOCAL, "sub": "h", "roles": ["chief"], "scope": "a"}),
    "scoped": ("edge", {"iss": LOCAL, "sub": "s", "roles": [], "scope": "a b"}),
    "scoped clerk": ("edge", {"iss": LOCAL, "sub": "t", "roles": ["clerk"], "scope": "b a c"}),
    "bob": ("edge", {"iss": LOCAL, "sub": "bob", "roles": []}),
    "partner's bob": ("edge", {"iss": "https://p.example", "sub": "bob", "roles": ["clerk"]}),
}
USERS = frozenset(WHO) - {"guest", "portal", "other"}
CLERKS = {"clerk", "clerk via other", "chief", "scoped clerk", "partner's bob"}

FORMS: dict[str, set[str] | frozenset[str]] = {
    "{public: true}": frozenset(WHO),
    "{public: true, callers: [edge]}": frozenset(WHO) - {"portal", "other", "ann via portal", "clerk via other"},
    "{users: any}": USERS,
    "{users: any, callers: [portal]}": {"ann via portal"},
    "{users: [ann]}": {"ann", "ann via portal"},
    "{users: [ann, bob]}": {"ann", "ann via portal", "bob"},
    '{users: ["partner|bob"]}': {"partner's bob"},
    '{users: ["partner|bob", ann], roles: [clerk]}': {"partner's bob"},
    "{users: [bob], roles: [clerk]}": set(),
    "{roles: [clerk]}": CLERKS,
    "{roles: [clerk, nurse]}": CLERKS | {"nurse"},
    "{roles: [clerk], callers: [edge]}": CLERKS - {"clerk via other"},
    "{roles: [clerk], callers: [portal, other]}": {"clerk via other"},
    "{scopes: [a]}": {"chief", "scoped", "scoped clerk"},
    "{scopes: [a, b]}": {"scoped", "scoped clerk"},
    "{scopes: [a, b], roles: [clerk]}": {"scoped clerk"},
    "{callers: [portal]}": {"portal", "ann via portal"},
    "{callers: [portal, other]}": {"portal", "other", "ann via portal", "clerk via other"},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("operations", ["", "operations: [read], ", "operations: [read, write], "])
def test_a_form_lets_through_exactly_those(form: str, operations: str) -> None:
    text = BLUEPRINT.format(form="{" + operations + form[1:])
    evaluator = Evaluator(plan_files(MemoryFiles({"ringwall.yaml": text})).plan)

    def allowed(operation: str) -> set[str]:
        return {
            who
            for who, (caller, claims) in WHO.items()
            if evaluator.answer(
                Question(operation=operation, hop="inbound", caller=caller, time=1.7e9, path="/", claims=claims)
            ).allowed
        }

    assert allowed("items/read") == FORMS[form]
    assert allowed("items/write") == (set() if operations == "operations: [read], " else FORMS[form])
