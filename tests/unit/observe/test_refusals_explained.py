"""What is said of a token that is not believed: exchanged by another, revoked, or bound to something else."""

from pathlib import Path

import pytest
from tests.support.observe_plans import put_in_force, recorded, small_plan

from ringwall.model.events import Outcome
from ringwall.observe.advice import describe
from ringwall.observe.explain import explain_event


@pytest.mark.parametrize(
    ("policy", "status", "outcome", "words"),
    [
        ("held-by-another", 403, Outcome.DENIED, "exchanged by another service"),
        ("revoked-token", 401, Outcome.UNAUTHENTICATED, "the token was revoked"),
        ("revoked-grant", 401, Outcome.UNAUTHENTICATED, "the authorization that the token comes from was ended"),
        ("revoked-workload", 403, Outcome.UNAUTHENTICATED, "the calling workload is revoked"),
        ("bound-elsewhere", 403, Outcome.DENIED, "another service than the edge shows it"),
        ("bound-as-bearer", 401, Outcome.UNAUTHENTICATED, "came as a bearer token"),
        ("certificate-missing", 401, Outcome.UNAUTHENTICATED, "bound to a certificate"),
        ("certificate-withdrawn", 401, Outcome.UNAUTHENTICATED, "names no more"),
        ("unbound-as-dpop", 401, Outcome.UNAUTHENTICATED, "bound to no key"),
    ],
)
def test_it_is_said_why(policy: str, status: int, outcome: Outcome, words: str) -> None:
    detail = f"rbac_access_denied_matched_policy[{policy}]"
    event = recorded(small_plan(), "patients/get", p="/api/patients/7", id="x", t="1772532000.1", s=status, d=detail)
    assert event.outcome is outcome
    assert words in describe(event)[0]
    assert describe(event)[1]


@pytest.mark.parametrize("policy", ["held-by-another", "bound-elsewhere"])
def test_what_no_policy_has_denied_is_no_disagreement_with_the_policies(tmp_path: Path, policy: str) -> None:
    archive = put_in_force(small_plan(), tmp_path)
    detail = f"rbac_access_denied_matched_policy[{policy}]"
    event = recorded(small_plan(), "patients/get", caller="portal", p="/patients/7", s=403, d=detail)
    hop = explain_event(event, archive)
    assert (hop.alarm, hop.policies) == ("", ())
    assert "token" in hop.what


@pytest.mark.parametrize(
    ("detail", "status", "outcome", "words"),
    [
        ("ext_authz_denied[proof-replay]", 401, Outcome.UNAUTHENTICATED, "used before"),
        ("ext_authz_denied[proof-htu]", 401, Outcome.UNAUTHENTICATED, "another URL"),
        ("ext_authz_denied[proof-signature]", 401, Outcome.UNAUTHENTICATED, "malformed"),
        ("ext_authz_denied[unjudged-full]", 503, Outcome.FAILED, "could not be judged"),
    ],
)
def test_it_is_said_why_a_proof_was_refused(detail: str, status: int, outcome: Outcome, words: str) -> None:
    event = recorded(small_plan(), "patients/get", p="/api/patients/7", s=status, d=detail)
    assert event.outcome is outcome
    assert words in describe(event)[0]
