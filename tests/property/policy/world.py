"""The system over which policies are generated: two issuers, roles that include each other, claims of every type."""

from dataclasses import dataclass

from ringwall.compile.cedar.compiler import CompileCache, HopContext, PolicyCompiler
from ringwall.compile.cedar.schema import ActionShape, ServiceFacts, cedar_schema
from ringwall.plan.identity import Claim, ClaimType, Issuer, Role
from ringwall.plan.model import Plan, Service
from ringwall.plan.operation import HopRule, Operation, Param
from ringwall.plan.policy import Mode, Policy, Source

LOCAL = Issuer(name="local", url="https://local.test/auth", builtin=True, audiences=("clinic",), algorithms=("ES256",))
PARTNER = Issuer(
    name="partner",
    url="https://idp.partner.test",
    audiences=("clinic",),
    algorithms=("ES256",),
    role_claim=("realm", "roles"),
    roles=(("doctors", "clinician"), ("staff", "employee"), ("boss", "admin")),
)
ROLES = (
    Role(name="admin", includes=("clinician", "employee")),
    Role(name="clinician", includes=("employee",)),
    Role(name="employee"),
    Role(name="patient"),
)
CLAIMS = (
    Claim(name="dept", type=ClaimType.STRING, path=("dept",)),
    Claim(name="team", type=ClaimType.STRING, path=("ext", "team")),
    Claim(name="level", type=ClaimType.LONG, path=("ext", "level")),
    Claim(name="rank", type=ClaimType.LONG, path=("rank",)),
    Claim(name="active", type=ClaimType.BOOL, path=("active",)),
    Claim(name="vip", type=ClaimType.BOOL, path=("ext", "vip")),
    Claim(name="patients", type=ClaimType.STRING_SET, path=("patients",)),
    Claim(name="tags", type=ClaimType.STRING_SET, path=("ext", "tags")),
    Claim(name="groups", type=ClaimType.STRING_SET, path=("roles",)),
)
GET = "patients/get"
LIST = "patients/list"
PARAMS = {GET: (Param(name="id", segment=1), Param(name="kind", segment=3)), LIST: ()}
CALLERS = (("edge",), ("edge", "portal"), ("portal",), ("edge", "portal", "billing"))
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")
PREFIX = "/api/v1"
SERVICE = "patients"
DOMAIN = "rig.test"
SOURCE = Source(file="generated.cedar", line=1)
SCHEMA = cedar_schema(
    claims=CLAIMS,
    roles=ROLES,
    services=[ServiceFacts("patients", "app", ("health", "card")), ServiceFacts("store", "data")],
    actions=[
        ActionShape(GET, SERVICE, ("id", "kind")),
        ActionShape(LIST, SERVICE),
        ActionShape("store/get", "store", ("id", "kind")),
    ],
)


@dataclass(frozen=True)
class Site:
    """One hop of one operation in one variant of the world.

    Attributes:
        issuers: one or both of LOCAL and PARTNER.
        hop: `edge` or `inbound`.
        action: GET or LIST.
        callers: who may call.
        timezone: the blueprint's.
    """

    issuers: tuple[Issuer, ...] = (LOCAL, PARTNER)
    hop: str = "inbound"
    action: str = GET
    callers: tuple[str, ...] = ("edge",)
    timezone: str = "UTC"

    def compiler(self, policies: tuple[Policy, ...], cache: CompileCache | None = None) -> PolicyCompiler:
        return PolicyCompiler(
            trust_domain=DOMAIN,
            issuers=self.issuers,
            roles=ROLES,
            claims=CLAIMS,
            timezone=self.timezone,
            policies=policies,
            cache=cache,
        )

    def compile(self, policies: tuple[Policy, ...], *, extra_segments: int = 0) -> HopRule:
        """Compile; `extra_segments` are in front of the path as a test's own Envoy sees it."""
        prefix = (2 if self.hop == "edge" else 0) + extra_segments
        params = PARAMS[self.action]
        if self.hop != "edge":
            params = tuple(param.model_copy(update={"segment": param.segment + extra_segments}) for param in params)
        context = HopContext(
            hop="edge" if self.hop == "edge" else "inbound",
            action=self.action,
            service=SERVICE,
            zone="app",
            holds=("health", "card"),
            params=params,
            prefix_segments=prefix if self.hop == "edge" else 0,
            callers=("edge",) if self.hop == "edge" else self.callers,
        )
        return self.compiler(policies).compile_hop(context)

    def spiffe_ids(self) -> tuple[str, ...] | None:
        """SPIFFE IDs of the callers; None at the edge."""
        return None if self.hop == "edge" else tuple(spiffe_id(caller) for caller in self.callers)

    def plan(self, policies: tuple[Policy, ...]) -> Plan:
        """Return a plan with just this operation, for the reference evaluator."""
        rule = self.compile(policies)
        operation = Operation(
            id=self.action,
            method="GET",
            template="/",
            params=PARAMS[self.action],
            inbound=rule,
            edge=rule if self.hop == "edge" else None,
            rule_id="0" * 12,
            policies=self.compiler(policies).applicable(self.action, SERVICE),
            holds=("health", "card"),
            source=SOURCE,
        )
        service = Service(
            name=SERVICE,
            spiffe_id=spiffe_id(SERVICE),
            holds=("health", "card"),
            operations=(operation,),
            source=SOURCE,
        )
        return Plan(
            system="rig",
            trust_domain=DOMAIN,
            timezone=self.timezone,
            audience="clinic",
            issuers=self.issuers,
            roles=ROLES,
            claims=CLAIMS,
            services=(service,),
            policies=policies,
            cedar_schema=SCHEMA,
        )


def spiffe_id(caller: str) -> str:
    return f"spiffe://{DOMAIN}/edge" if caller == "edge" else f"spiffe://{DOMAIN}/service/{caller}"


def policy(number: int, cedar: str, mode: Mode = Mode.ENFORCE) -> Policy:
    return Policy(id=f"p{number:02}", cedar=cedar, source=replace_line(number), mode=mode)


def replace_line(number: int) -> Source:
    return SOURCE.model_copy(update={"line": number + 1})
