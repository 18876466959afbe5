"""Services of others become audiences of the plan, as they are written."""

import json

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.audience import Audience
from ringwall.plan.diff import diff

BLUEPRINT = """
ringwall: 1
system: shop
{audiences}
services:
  app:
    listen: unix:run/app.sock
    operations: [GET /]
    audiences: [{listed}]
"""
AUDIENCES = """
audiences:
  lab: {url: "https://lab.example", jwks: [{kty: EC, use: enc, alg: ECDH-ES, crv: P-256, x: AA, y: BB}]}
  bank: "https://bank.example/api"
"""


def test_they_are_taken_as_they_are_written() -> None:
    text = BLUEPRINT.format(audiences=AUDIENCES, listed="lab, bank")
    plan = plan_files(MemoryFiles({"ringwall.yaml": text})).plan
    bank, lab = plan.audiences
    assert bank == Audience(name="bank", url="https://bank.example/api")
    assert (lab.url, lab.alg, lab.enc) == ("https://lab.example", "ECDH-ES", "A128CBC-HS256")
    key = {"kty": "EC", "use": "enc", "alg": "ECDH-ES", "crv": "P-256", "x": "AA", "y": "BB"}
    assert json.loads(lab.jwks) == {"keys": [key]}
    assert plan.by_name["app"].audiences == ("bank", "lab")
    assert b"audiences" not in next(s for s in plan.services if s.builtin).canonical_bytes


def test_what_changes_is_told() -> None:
    texts = (BLUEPRINT.format(audiences=a, listed=listed) for a, listed in (("", ""), (AUDIENCES, "lab")))
    before, after = (plan_files(MemoryFiles({"ringwall.yaml": text})).plan for text in texts)
    said = {str(change) for change in diff(before, after)}
    assert {"added audience lab", "added audience bank", "changed service app: audiences nothing → lab"} <= said
