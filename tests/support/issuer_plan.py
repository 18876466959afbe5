"""A small plan with a built-in issuer, one person and one client."""

from pathlib import Path
from typing import Any

from ringwall.compile.builtin_issuer import BuiltinIssuer, lower_issuer
from ringwall.compile.rules import RuleMaker
from ringwall.model.cache import PlanCache
from ringwall.plan.client import Client, ClientKind
from ringwall.plan.identity import Claim, ClaimType, Issuer, Person
from ringwall.plan.model import Plan, Service
from ringwall.plan.policy import Policy
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
    fields |= changes
    issuer, policies = administered(fields)
    others = tuple(each for each in fields.get("services", ()) if each.name != issuer.name)
    services = tuple(sorted((*others, issuer), key=lambda each: each.name))
    return Plan(**{**fields, "services": services, "policies": (*fields.get("policies", ()), *policies)})


def administered(fields: dict[str, Any]) -> tuple[Service, tuple[Policy, ...]]:
    """The issuer as the compiler makes it where no policy of the user is about it."""
    maker = RuleMaker(
        trust_domain=fields["trust_domain"],
        issuers=fields["issuers"],
        roles=fields.get("roles", ()),
        claims=fields["claims"],
        timezone="UTC",
        cache=PlanCache(),
    )
    made = BuiltinIssuer("ringwall.yaml", [])
    operations = made.operations(maker).operations
    issuer = lower_issuer(operations, trust_domain=fields["trust_domain"], file="ringwall.yaml")
    return issuer, tuple(parsed.policy for parsed in made.policies)


def write_plan(state: Path, plan: Plan) -> PlanStore:
    """Put a plan in force, as the supervisor does."""
    plans = PlanStore(state / "plan")
    plans.write(plan)
    return plans
