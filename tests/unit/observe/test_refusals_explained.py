"""What is said of a token that another service has exchanged, or that was revoked."""

import pytest
from tests.support.observe_plans import recorded, small_plan

from ringwall.model.events import Outcome
from ringwall.observe.advice import describe


@pytest.mark.parametrize(
    ("policy", "status", "outcome", "words"),
    [
        ("held-by-another", 403, Outcome.DENIED, "exchanged by another service"),
        ("revoked-token", 401, Outcome.UNAUTHENTICATED, "the token was revoked"),
        ("revoked-grant", 401, Outcome.UNAUTHENTICATED, "the authorization that the token comes from was ended"),
        ("revoked-workload", 403, Outcome.UNAUTHENTICATED, "the calling workload is revoked"),
    ],
)
def test_it_is_said_why(policy: str, status: int, outcome: Outcome, words: str) -> None:
    detail = f"rbac_access_denied_matched_policy[{policy}]"
    event = recorded(small_plan(), "patients/get", p="/api/patients/7", id="x", t="1772532000.1", s=status, d=detail)
    assert event.outcome is outcome
    assert words in describe(event)[0]
    assert describe(event)[1]
