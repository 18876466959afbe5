"""A small plan with a built-in issuer, one person and one client."""

from pathlib import Path
from typing import Any

from ringwall.plan.model import Claim, ClaimType, Client, Issuer, Person, Plan
from ringwall.plan.store import PlanStore

ISSUER = "https://localhost:8443/auth"
AUDIENCE = "clinic"

BUILTIN = Issuer(name="local", url=ISSUER, builtin=True, audiences=(AUDIENCE,), algorithms=("ES256",))
ALICE = Person(name="alice", roles=("patient",), claims=(("patients", ("7",)), ("level", 3)))
BATCH = Client(name="batch", roles=("clerk",), scopes=("read", "write"), claims=(("on_call", True),))


def issuer_plan(**changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "system": "clinic",
        "trust_domain": "clinic",
        "audience": AUDIENCE,
        "issuers": (BUILTIN,),
        "claims": (
            Claim(name="patients", type=ClaimType.STRING_SET, path=("patients",)),
            Claim(name="level", type=ClaimType.LONG, path=("realm_access", "level")),
        ),
        "people": (ALICE,),
        "clients": (BATCH,),
        "cedar_schema": "{}",
    }
    return Plan(**{**fields, **changes})


def write_plan(state: Path, plan: Plan) -> PlanStore:
    """Put a plan in force, as the supervisor does."""
    plans = PlanStore(state / "plan")
    plans.write(plan)
    return plans
