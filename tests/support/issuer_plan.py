"""A small plan with a built-in issuer, one person and one client."""

from pathlib import Path
from typing import Any

from ringwall.plan.model import Claim, ClaimType, Client, ClientKind, Issuer, Person, Plan
from ringwall.plan.store import PlanStore

ISSUER = "https://localhost:8443/auth"
AUDIENCE = "clinic"

BUILTIN = Issuer(name="local", url=ISSUER, builtin=True, audiences=(AUDIENCE,), algorithms=("ES256",))
ALICE = Person(name="alice", roles=("patient",), claims=(("patients", ("7",)), ("level", 3)))
BATCH = Client(name="batch", roles=("clerk",), scopes=("read", "write"), claims=(("on_call", True),))
BOB = Person(name="bob", roles=("clinician",))
PORTAL = Client(
    name="portal",
    kind=ClientKind.WEB,
    scopes=("orders:read", "offline_access"),
    redirect_uris=("https://portal.example/callback", "https://portal.example/other?tenant=7"),
    post_logout_redirect_uris=("https://portal.example/",),
)
PARTNER = Client(
    name="partner",
    title="Partner <b>&",
    kind=ClientKind.WEB,
    third_party=True,
    scopes=("orders:read",),
    redirect_uris=("https://partner.example/callback",),
)
PHONE = Client(name="phone", kind=ClientKind.NATIVE, redirect_uris=("http://127.0.0.1/callback", "http://[::1]:1/cb"))
SPA = Client(name="spa", kind=ClientKind.BROWSER, redirect_uris=("https://spa.example/callback",))


def login_plan(**changes: Any) -> Plan:
    """A plan with clients of every kind that sign people in."""
    return issuer_plan(**{"people": (ALICE, BOB), "clients": (BATCH, PORTAL, PARTNER, PHONE, SPA), **changes})


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
