"""What one plan says about the administration. Loads Cedar, so it is imported when somebody first administers."""

from typing import Final

from ringwall.identity.issuer.administration.actor import Actor
from ringwall.model.administration import BY_NAME, ISSUER_SERVICE
from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.decision import Answer, Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.model import EDGE, Plan
from ringwall.plan.partial import Facts, user
from ringwall.plan.policy import Mode
from ringwall.plan.verdicts import Verdict, Verdicts

_POWER: Final = {Verdict.DENY: 0, Verdict.CONDITIONAL: 1, Verdict.ALLOW: 2}


class Permissions:
    """Answers about one plan; it needs no more of it than the issuer's own service."""

    def __init__(self, plan: Plan) -> None:
        service = plan.by_name[ISSUER_SERVICE]
        enforced = {policy.id for policy in plan.policies if policy.mode is Mode.ENFORCE}
        policies = {operation.id: operation.policies for operation in service.operations}
        self._attributes = {"zone": service.zone, "holds": []}
        self._evaluator = Evaluator(plan)
        self._verdicts = Verdicts({policy.id: CedarPolicy.parse(policy) for policy in plan.policies})
        self._policies = {
            name: tuple(policy for policy in policies.get(operation.id, ()) if policy in enforced)
            for name, operation in BY_NAME.items()
        }

    def ask(self, actor: Actor, name: str, path: str, now: float) -> Answer:
        """Return whether somebody may do one operation of the table, and why."""
        operation = BY_NAME[name].id
        if actor.claims is None:
            return self._evaluator.answer_operator(operation, path, now)
        return self._evaluator.answer(
            Question(
                operation=operation,
                hop="inbound",
                caller=EDGE,
                time=now,
                path=path,
                claims=dict(actor.claims),
                source=actor.source or None,
            )
        )

    def powers(self, subject: str, roles: frozenset[str]) -> dict[str, int]:
        """Return for each operation whether a user with these roles, closed, may do it: 0 no, 1 it depends, 2 yes."""
        facts = Facts(user(subject), roles, EDGE, ISSUER_SERVICE, self._attributes)
        return {name: _POWER[self._verdicts.decide(its, facts).verdict] for name, its in self._policies.items()}
