"""The decision point's question about bound tokens, without a proxy: what the judge is asked, and what is answered."""

import json
import logging
from typing import Any

import pytest
from tests.support.enforce_plans import plan

from ringwall.enforce.decision_point import DecisionPoint, binding
from ringwall.model.presented import BindingRefusedError, BoundToken

EDGE = plan().edge
AT = binding.public(EDGE, 8443)
ASKED = {
    "host": "localhost:8443",
    "authorization": "DPoP x.y.z",
    "dpop": "proof",
    binding.CONFIRMATION: json.dumps({"jkt": "k"}),
}


class Judge:
    """One that says yes, or what it was told to say."""

    def __init__(self, refusal: BaseException | None = None) -> None:
        self.refusal = refusal
        self.shown: list[BoundToken] = []

    def check(self, shown: BoundToken, *, nonces: bool) -> str:
        self.shown.append(shown)
        if self.refusal is not None:
            raise self.refusal
        return "n" if nonces else ""


def _ask(judge: Judge | None, **changes: str | None) -> binding.Answer:
    headers = {name: value for name, value in (ASKED | changes).items() if value is not None}
    return binding.answer("GET", "/a?b#c", headers, at=AT, judge=judge)


def test_the_judge_is_asked_about_the_request_as_the_client_knows_it() -> None:
    judge = Judge()
    assert _ask(judge).status == 200
    assert judge.shown == [
        BoundToken(
            method="GET",
            uri="https://localhost:8443/a",
            proofs=("proof",),
            token="x.y.z",  # no secret
            confirmation={"jkt": "k"},
        )
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "localhost"},
        {"host": "localhost:84430"},
        {"host": ""},
        {"host": None},
        {"host": "other:8443"},
        {binding.CONFIRMATION: "{"},
        {binding.CONFIRMATION: "[]"},
        {binding.CONFIRMATION: ""},
        {"authorization": "DPoP"},
        {"authorization": None},
    ],
)
def test_what_cannot_be_asked_is_refused(changes: dict[str, Any]) -> None:
    judge = Judge()
    assert _ask(judge, **changes).status == 401
    assert judge.shown == []


def test_a_request_without_a_proof_has_none() -> None:
    judge = Judge()
    _ask(judge, dpop=None)
    assert judge.shown[0].proofs == ()


def test_without_a_judge_nobody_holds_a_key() -> None:
    assert _ask(None).status == 503


@pytest.mark.parametrize(
    ("port", "hops", "authorities"),
    [
        (8443, 0, {"localhost:8443"}),
        (443, 0, {"localhost", "localhost:443"}),
        (8443, 1, {"localhost:8443", "localhost", "localhost:443"}),
    ],
)
def test_these_are_ours(port: int, hops: int, authorities: set[str]) -> None:
    assert EDGE is not None
    edge = EDGE.model_copy(update={"port": port, "trusted_hops": hops})
    assert binding.public(edge, None).authorities == authorities
    assert binding.public(None, port).authorities == frozenset()


def test_a_judge_that_fails_means_no(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        point = DecisionPoint(plan(), holders=Judge(RuntimeError("x")), port=8443)
        assert point.holds("GET", "/a", dict(ASKED)).status == 503


def test_a_refusal_says_what_to_do_and_names_the_check_for_the_record_alone() -> None:
    answer = _ask(Judge(BindingRefusedError("nonce", "use_dpop_nonce", "secret words", nonce="n1")))
    assert answer.status == 401
    assert dict(answer.headers) == {
        "x-ringwall-refused": "[proof-nonce]",
        "www-authenticate": 'DPoP realm="ringwall", error="use_dpop_nonce", algs="ES256 PS256 EdDSA"',
        "dpop-nonce": "n1",
    }


def test_what_cannot_be_judged_is_no_fault_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        assert _ask(Judge(BindingRefusedError("full", "", "x"))).status == 503
