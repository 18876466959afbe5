"""The evaluator, which explains and which the decision point asks, answers as cedarpy does over all policies."""

import pytest
from tests.property.policy.differential import Sample, samples

from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator


def disagreement(sample: Sample) -> str | None:
    evaluator = Evaluator(sample.site.plan(sample.policies))
    for request, expected in sample.requests:
        question = Question(
            operation=sample.site.action,
            hop=sample.site.hop,
            caller=request.caller,
            time=request.time,
            path=request.path,
            claims=None if request.claims is None else dict(request.claims),
            source=request.source,
        )
        answer = evaluator.answer(question)
        if answer.allowed is not expected:
            texts = "\n".join(policy.cedar for policy in sample.policies)
            return f"seed {sample.seed}: expected {expected}, got {answer}\n{texts}\n{request}"
        if answer.allowed and not answer.policies:
            return f"seed {sample.seed}: allowed by nothing"
        if not answer.allowed and not (answer.policies or answer.reasons):
            return f"seed {sample.seed}: denied without a reason"
    return None


def test_the_evaluator_agrees_with_cedar_and_always_says_why() -> None:
    wrong = next(filter(None, map(disagreement, samples(range(4_000_000, 4_000_150), 10))), None)
    assert wrong is None, wrong


@pytest.mark.deep
def test_the_evaluator_agrees_with_cedar_at_length() -> None:
    wrong = next(filter(None, map(disagreement, samples(range(5_000_000, 5_003_000), 15))), None)
    assert wrong is None, wrong
