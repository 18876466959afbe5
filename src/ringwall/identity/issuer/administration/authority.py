"""Whether the plan's policies let somebody administer: Cedar itself is asked, once more behind both proxies.

What the proxies enforce are the same policies. They are asked here again because the operator comes through no proxy,
and because some requests do more than one thing, of which the proxies know the first.
"""

import logging
from typing import TYPE_CHECKING, Final

from ringwall.identity.issuer.administration.actor import Actor
from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.identity.issuer.context import IssuerContext
from ringwall.model.administration import BY_NAME, ISSUER_SERVICE
from ringwall.model.durable import Stamp, stamp_of
from ringwall.plan.decision import Answer, Question
from ringwall.plan.model import EDGE
from ringwall.plan.store import PlanStore, PlanUnreadableError

if TYPE_CHECKING:
    from ringwall.plan.evaluate import Evaluator

_MOST_REASONS: Final = 3

_log = logging.getLogger(__name__)


class Authority:
    """Asks the plan in force; keeps the last good one where it cannot be read."""

    def __init__(self, context: IssuerContext) -> None:
        self._plans = PlanStore(context.settings.plan_folder)
        self._clock = context.clock
        self._stamp: Stamp | None = None
        self._evaluator: Evaluator | None = None

    def allows(self, actor: Actor, name: str, path: str) -> bool:
        """Return whether somebody may do one operation of the table.

        Args:
            actor: who asks.
            name: of the operation.
            path: of the request, or of the request that would do it, below the issuer's URL and as it was sent.
        """
        return self._ask(actor, name, path).allowed

    def require(self, actor: Actor, name: str, path: str) -> None:
        """Raise ProblemError unless somebody may do one operation; arguments as for `allows`."""
        answer = self._ask(actor, name, path)
        if not answer.allowed:
            message = f"no policy lets you do {name!r}"
            if answer.policies:
                message = f"a policy forbids you {name!r}"
            # Which policy, and what it says, is for those who can read the blueprint anyway.
            why = [f"{policy.source}" for policy in answer.policies] or [*answer.reasons]
            raise ProblemError(
                403, "not-permitted", message, hint="; ".join(why[:_MOST_REASONS]) if actor.is_operator else ""
            )

    def _ask(self, actor: Actor, name: str, path: str) -> Answer:
        evaluator, operation = self._current(), BY_NAME[name].id
        if actor.claims is None:
            return evaluator.answer_operator(operation, path, self._clock.now())
        question = Question(
            operation=operation,
            hop="inbound",
            caller=EDGE,
            time=self._clock.now(),
            path=path,
            claims=dict(actor.claims),
            source=actor.source or None,
        )
        return evaluator.answer(question)

    def _current(self) -> "Evaluator":
        stamp = stamp_of(self._plans.current_file)
        if self._evaluator is None or stamp != self._stamp:
            from ringwall.plan.evaluate import Evaluator  # noqa: PLC0415  # not on the way to a start

            try:
                self._evaluator = Evaluator(self._plans.excerpt(ISSUER_SERVICE))
            except PlanUnreadableError as error:
                if self._evaluator is None:
                    raise
                _log.warning("keeping the former plan: %s", error.message)
            self._stamp = stamp
        return self._evaluator
