"""A plan whose issuer is administered: made by the compiler, as the real ones are."""

from tests.support.issuer_plan import AUDIENCE, ISSUER

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.model import Plan

BLUEPRINT = f"""
ringwall: 1
system: {AUDIENCE}
roles: {{admin: , helpdesk: , clinician: {{includes: [nurse]}}, nurse: , auditor: }}
claims: {{ward: string, groups: set<string>}}
people:
  ann: {{roles: [admin]}}
  hank: {{roles: [helpdesk]}}
  bob: {{roles: [clinician]}}
  nemo: {{}}
clients:
  batch: {{roles: [nurse], scopes: [read]}}
  provisioner: {{roles: [admin]}}
  portal: {{kind: web, redirect_uris: ["https://portal.example/callback"], title: "The portal"}}
issuers:
  local:
    administration:
      - roles: [admin]
      - roles: [helpdesk]
        operations: [users.list, users.read, users.invite, users.disable, users.sign-out, users.reset, roles.give,
          users.change]
      - roles: [auditor]
        operations: [events.list]
services:
  web: {{run: python web.py, operations: [home: GET /], expose: /, allow: [{{public: true}}]}}
"""


def admin_plan(*, policies: str = "", blueprint: str = BLUEPRINT) -> Plan:
    """A plan with administrators, a helpdesk and an auditor."""
    plan = plan_files(MemoryFiles({"ringwall.yaml": blueprint, "policies/a.cedar": policies})).plan
    assert plan.issuers[0].url == ISSUER
    return plan
