"""What one hop says to one request, with everything that an explanation names. Nothing is sent."""

from dataclasses import dataclass

from ringwall.model.events import Outcome
from ringwall.plan.decision import DecidingPolicy, Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.model import EDGE, Service
from ringwall.plan.operation import Operation
from ringwall.plan.policy import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One hop's decision.

    Attributes:
        outcome: allowed, denied or unauthenticated.
        policies: what determined it: permits on an allow, forbids on a deny, none on a default deny.
        near: on a default deny, the permits that came closest.
        reasons: sentences for the operator.
        missing: what a permit would have needed and the request did not have.
        shadow: `allowed` or `denied` where the shadow policies, enforced, would say so; empty where there are none.
        only_reports: the service is in shadow mode, so its rule is not enforced and `shadow` says what it would do.
    """

    outcome: Outcome
    policies: tuple[DecidingPolicy, ...] = ()
    near: tuple[DecidingPolicy, ...] = ()
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    shadow: str = ""
    only_reports: bool = False

    @property
    def why(self) -> str:
        """Why this was refused, without a full stop; empty where it was allowed and nothing more is to be said."""
        parts = list(self.reasons)
        if self.outcome is Outcome.DENIED and self.policies:
            parts.insert(0, "a policy forbids it")
        elif self.outcome is Outcome.DENIED and (self.near or not parts):
            parts.insert(0, "no policy allows it")
        return "; ".join(parts)


def decide(evaluator: Evaluator, service: Service, operation: Operation, question: Question) -> Verdict:
    """Return what the hop named in the question decides, in the order in which a proxy looks at things."""
    hop = operation.edge if question.hop == EDGE else operation.inbound
    if hop is None:
        return Verdict(outcome=Outcome.NO_ROUTE, reasons=(f"{operation.id} is not exposed at the edge",))
    if question.claims is None and hop.authentication == "required":
        return Verdict(outcome=Outcome.UNAUTHENTICATED, reasons=("a token is required and there is none",))
    answer = evaluator.answer(question)
    if service.mode is Mode.SHADOW and question.caller in hop.callers:
        return Verdict(
            outcome=Outcome.ALLOWED,
            policies=answer.policies,
            reasons=(f"{service.name} is in shadow mode: its policies only report", *answer.reasons),
            missing=answer.missing,
            shadow=_word(answer.allowed if answer.shadow_allowed is None else answer.shadow_allowed),
            only_reports=True,
        )
    return Verdict(
        outcome=Outcome.ALLOWED if answer.allowed else Outcome.DENIED,
        policies=answer.policies,
        near=answer.near,
        reasons=answer.reasons,
        missing=answer.missing,
        shadow="" if answer.shadow_allowed is None else _word(answer.shadow_allowed),
    )


def _word(allowed: bool) -> str:  # noqa: FBT001  # a decision is what this is about
    return (Outcome.ALLOWED if allowed else Outcome.DENIED).value
