import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.identity import Claim, ClaimType, Issuer, Role
from ringwall.plan.model import Plan, Service
from ringwall.plan.operation import HopRule, Operation, Param
from ringwall.plan.policy import Mode, Policy, Source
from ringwall.plan.rule import DENY

ISSUER = "https://clinic.test/auth"
OWN = """permit (principal in Role::"clinician", action, resource)
when { principal has patients && principal.patients.contains(context.path.id) && context.hour < 18 };"""
OFFICE = """permit (principal is User, action, resource)
when { principal.scopes.contains("office") && context has source && context.source.isInRange(ip("10.0.0.0/8")) };"""
SUSPENDED = """forbid (principal, action, resource)
when { principal is User && principal has suspended && principal.suspended };"""
PORTAL = 'permit (principal == Workload::"portal", action, resource);'


def plan(*policies: str, shadow: tuple[int, ...] = (), authentication: str = "optional") -> Plan:
    written = tuple(
        Policy(
            id=f"p{number}",
            cedar=cedar,
            source=Source(file="policies/a.cedar", line=10 * number + 1),
            mode=Mode.SHADOW if number in shadow else Mode.ENFORCE,
        )
        for number, cedar in enumerate(policies)
    )
    hop = HopRule(
        rule=DENY, callers=("edge", "portal"), authentication="required" if authentication == "required" else "optional"
    )
    operation = Operation(
        id="patients/get",
        method="GET",
        template="/patients/{id}",
        params=(Param(name="id", segment=1),),
        inbound=hop,
        rule_id="0" * 12,
        policies=tuple(policy.id for policy in written),
        source=Source(file="contract.yaml"),
    )
    return Plan(
        system="clinic",
        trust_domain="clinic",
        timezone="Europe/Berlin",
        audience="clinic",
        issuers=(Issuer(name="local", url=ISSUER, builtin=True, audiences=("clinic",), algorithms=("ES256",)),),
        roles=(Role(name="clinician"), Role(name="chief", includes=("clinician",))),
        claims=(
            Claim(name="patients", type=ClaimType.STRING_SET, path=("patients",)),
            Claim(name="suspended", type=ClaimType.BOOL, path=("account", "suspended")),
        ),
        services=(
            Service(
                name="patients",
                spiffe_id="spiffe://clinic/service/patients",
                operations=(operation,),
                source=Source(file="ringwall.yaml"),
            ),
        ),
        policies=written,
        cedar_schema="",
    )


CLAIMS: dict[str, object] = {"iss": ISSUER, "sub": "ann", "roles": ["chief"], "patients": ["7", "8"]}
MORNING = Question(
    operation="patients/get",
    hop="inbound",
    caller="edge",
    time=1_700_000_000.25 - 12 * 3600,
    path="/patients/7",
    claims=CLAIMS,
    source="10.1.2.3",
)
EVERYTHING = Evaluator(plan(OWN, OFFICE, SUSPENDED, PORTAL))


def claims(**changed: object) -> dict[str, object]:
    return {**CLAIMS, **changed}


def test_an_allow_names_its_permits_with_their_places() -> None:
    answer = EVERYTHING.answer(MORNING)
    assert answer.allowed
    assert [(one.id, str(one.source), one.effect) for one in answer.policies] == [
        ("p0", "policies/a.cedar:1", "permit")
    ]
    assert not answer.missing


def test_a_deny_names_its_forbids() -> None:
    answer = EVERYTHING.answer(replace(MORNING, claims=claims(account={"suspended": True})))
    assert not answer.allowed
    assert [(one.id, one.effect) for one in answer.policies] == [("p2", "forbid")]


def test_a_default_deny_names_what_the_nearest_permit_wanted() -> None:
    evaluator = Evaluator(plan(OWN, SUSPENDED, PORTAL))
    answer = evaluator.answer(replace(MORNING, claims=claims(roles=["nurse"], patients=["9"])))
    assert not answer.allowed
    assert not answer.policies
    assert [one.id for one in answer.near] == ["p0", "p2"]
    assert "role 'clinician'" in answer.missing
    assert "policies/a.cedar:1 needs: principal.patients.contains(context.path.id)" in answer.reasons


def test_a_claim_that_is_absent_is_named_once_and_what_depends_on_it_is_not() -> None:
    with_none = {name: value for name, value in CLAIMS.items() if name != "patients"}
    answer = Evaluator(plan(OWN)).answer(replace(MORNING, claims=with_none))
    assert answer.missing == ("claim 'patients'",)
    assert answer.reasons == ("no policy permits this",)


def test_without_a_token_one_is_missing() -> None:
    assert Evaluator(plan(OWN)).answer(replace(MORNING, claims=None)).missing == (
        "role 'clinician'",
        "claim 'patients'",
    )
    required = Evaluator(plan(OWN, authentication="required")).answer(replace(MORNING, claims=None))
    assert (required.allowed, required.missing) == (False, ("a token",))


def test_a_workload_is_the_principal_where_it_calls_without_a_token() -> None:
    assert EVERYTHING.answer(replace(MORNING, caller="portal", claims=None, source=None)).allowed
    assert not EVERYTHING.answer(replace(MORNING, claims=None)).allowed


def test_who_may_not_call_is_refused_before_any_policy() -> None:
    answer = EVERYTHING.answer(replace(MORNING, caller="billing"))
    assert (answer.allowed, answer.reasons) == (False, ("'billing' may not call this operation",))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"operation": "patients/steal"}, "there is no operation 'patients/steal'"),
        ({"hop": "edge"}, "'patients/get' is not exposed at the edge"),
        ({"source": None}, "a policy reads the client's address, which is not known"),
        ({"source": "not an address"}, "a policy reads the client's address, which is not known"),
        ({"path": "/patients"}, "the path has no segment for the parameter 'id'"),
        ({"path": "/patients/7;admin"}, "the path parameter 'id' holds a character that can be read in two ways"),
        ({"path": "/patients/7%2f"}, "the path parameter 'id' holds a character that can be read in two ways"),
        ({"path": "/patients/\udcff"}, "the path parameter 'id' holds a character that can be read in two ways"),
        ({"time": math.nan}, "the time of the request is no time"),
        ({"time": 1e300}, "the time of the request is no time"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(changed: dict[str, Any], reason: str) -> None:
    answer = EVERYTHING.answer(replace(MORNING, **changed))
    assert (answer.allowed, answer.reasons) == (False, (reason,))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.test"}, "claim 'iss' is a text, which is no issuer of this system"),
        ({"iss": None}, "claim 'iss' is null, which is no issuer of this system"),
        ({"sub": 7}, "claim 'sub' is a number, not a name"),
        ({"sub": ""}, "claim 'sub' is a text, not a name"),
        ({"sub": "partner|bob"}, "claim 'sub' holds '|', which only names of other issuers' users may"),
        ({"sub": "\ud800"}, "claim 'sub' is a text, not a name"),
        ({"patients": "7"}, "claim 'patients' is a text, not a set<string>"),
        ({"patients": None}, "claim 'patients' is null, not a set<string>"),
        ({"roles": {"chief": True}}, "claim 'roles' is an object, not a list"),
        ({"scope": ["office"]}, "claim 'scope' is a list, not a string"),
        ({"account": {"suspended": "no"}}, "claim 'account.suspended' is a text, not a bool"),
    ],
)
def test_a_claim_of_the_wrong_type_denies(changed: dict[str, object], reason: str) -> None:
    answer = EVERYTHING.answer(replace(MORNING, claims=claims(**changed)))
    assert (answer.allowed, answer.reasons) == (False, (reason,))


def test_a_claim_that_nobody_reads_may_be_anything() -> None:
    assert Evaluator(plan(OWN)).answer(replace(MORNING, claims=claims(account=3, scope=7))).allowed


def test_what_is_no_text_in_a_list_is_passed_over() -> None:
    assert EVERYTHING.answer(replace(MORNING, claims=claims(patients=[7, None, "7", "\ud800"]))).allowed
    assert not EVERYTHING.answer(replace(MORNING, claims=claims(patients=[7, None, "\ud800"]))).allowed


def test_values_of_a_token_are_never_repeated() -> None:
    answer = EVERYTHING.answer(replace(MORNING, claims=claims(patients="secret-diagnosis")))
    assert "secret-diagnosis" not in str(answer)


def test_hours_are_those_of_the_time_zone() -> None:
    evening = replace(MORNING, time=1_700_000_000 - 5 * 3600)  # 17:13 in London, 18:13 in Berlin
    assert not EVERYTHING.answer(evening).allowed


@pytest.mark.parametrize("whole_system", [True, False])
def test_in_shadow_mode_only_callers_and_tokens_are_checked(whole_system: bool) -> None:  # noqa: FBT001  # a parameter
    made = plan(SUSPENDED, OWN, authentication="required")
    service = made.services[0].model_copy(update={} if whole_system else {"mode": Mode.SHADOW})
    mode = Mode.SHADOW if whole_system else Mode.ENFORCE
    shadowed = Evaluator(made.model_copy(update={"mode": mode, "services": (service,)}))
    evening = replace(MORNING, time=MORNING.time + 12 * 3600)
    assert not Evaluator(made).answer(evening).allowed
    answer = shadowed.answer(evening)
    assert (answer.allowed, answer.shadow_allowed) == (True, False)
    assert "shadow mode" in answer.reasons[0]
    assert shadowed.answer(MORNING).shadow_allowed
    assert not shadowed.answer(replace(MORNING, claims=None)).allowed
    assert not shadowed.answer(replace(MORNING, caller="somebody")).allowed


def test_shadow_policies_only_say_what_they_would_decide() -> None:
    loosening = Evaluator(plan(SUSPENDED, OWN, shadow=(1,))).answer(MORNING)
    assert (loosening.allowed, loosening.shadow_allowed) == (False, True)
    tightening = Evaluator(plan(OWN, SUSPENDED, shadow=(1,))).answer(
        replace(MORNING, claims=claims(account={"suspended": True}))
    )
    assert (tightening.allowed, tightening.shadow_allowed) == (True, False)
    assert EVERYTHING.answer(MORNING).shadow_allowed is None


def test_a_policy_that_errs_denies() -> None:
    adding = """permit (principal is User, action, resource)
        when { context.hour + 9223372036854775807 > 0 || true };"""
    answer = Evaluator(plan(OWN, adding)).answer(MORNING)
    assert not answer.allowed
    assert answer.reasons[0].startswith("a policy could not be evaluated")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["iss", "sub", "roles", "patients", "account", "scope", "exp"]), JSON),
    st.booleans(),
    st.text(max_size=20),
)
def test_no_token_makes_it_raise(odd: dict[str, object], believed: bool, path: str) -> None:  # noqa: FBT001  # drawn
    base = dict(CLAIMS) if believed else {}
    answer = EVERYTHING.answer(replace(MORNING, claims={**base, **odd}, path=path))
    assert answer.allowed is bool(answer.allowed)
    assert answer.allowed or answer.reasons or answer.policies
