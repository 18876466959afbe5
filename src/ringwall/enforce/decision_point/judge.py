"""From what a proxy says about a request to a decision: no I/O, and no by default.

Steps, each of which refuses when it fails:

1. every fact that must be there is there, once, and readable
2. the rule is one of the last plans
3. the rule is really one for the decision point
4. the caller's SPIFFE ID is a workload of that plan; the edge itself shows none
5. the evaluator allows it
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from ringwall.enforce.decision_point import facts
from ringwall.model.errors import RingwallError
from ringwall.model.route import takes
from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.model import EDGE, Plan, Service
from ringwall.plan.operation import Operation
from ringwall.plan.rule import DecisionPointRule

_MAX_CACHED = 20_000
_INBOUND = "inbound"


class RefusedError(RingwallError):
    """A request is not allowed; the message says why, for the operator's log."""

    code = "refused"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One operation's rule at one hop, with the plan that it belongs to."""

    known: "_Known"
    service: Service
    operation: Operation
    cacheable: bool


class _Known:
    """One plan, and what is looked up in it."""

    def __init__(self, plan: Plan) -> None:
        self.evaluator = Evaluator(plan)
        self.callers = {plan.spiffe_of(service.name): service.name for service in plan.services}
        if plan.edge is not None:
            self.callers[plan.spiffe_of(EDGE)] = EDGE
        self.rules = {
            (operation.id, operation.rule_id, hop): _Rule(self, service, operation, hop_rule.rule.cacheable)
            for service in plan.services
            for operation in service.operations
            for hop, hop_rule in ((EDGE, operation.edge), (_INBOUND, operation.inbound))
            if hop_rule is not None and isinstance(hop_rule.rule, DecisionPointRule)
        }


class Judge:
    """Decides for the plan in force, and for the two before it: proxies change over, and a plan may be taken back."""

    def __init__(self, plan: Plan) -> None:
        self._plans: tuple[_Known, ...] = (_Known(plan),)
        self._cache: OrderedDict[tuple[str, ...], bool] = OrderedDict()

    def change(self, plan: Plan) -> None:
        """Decide by this plan from now on; rules that only the two plans before it have stay known."""
        self._plans = (_Known(plan), *self._plans[:2])

    def decide(self, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Return whether a request is allowed; raise RefusedError where the question itself is not sound.

        Args:
            method: of the request, which the rule's operation must have.
            target: path and query as the proxy had them at this hop.
            headers: by lower-case name; only those of `facts` are read.
        """
        rule = self._rule(headers)
        if not takes(rule.operation.method, method):
            raise RefusedError(f"{rule.operation.id} is no operation for {method}")
        question = _question(rule, target, headers)
        if not rule.cacheable:
            return rule.known.evaluator.answer(question).allowed
        key = (rule.operation.rule_id, question.operation, question.hop, question.caller, headers.get(facts.CLAIMS, ""))
        allowed = self._cache.pop(key, None)
        if allowed is None:
            allowed = rule.known.evaluator.answer(question).allowed
        self._cache[key] = allowed
        if len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
        return allowed

    def _rule(self, headers: Mapping[str, str]) -> _Rule:
        key = (_fact(headers, facts.OPERATION), _fact(headers, facts.RULE), _fact(headers, facts.HOP))
        for known in self._plans:
            if (rule := known.rules.get(key)) is not None:
                return rule
        raise RefusedError(f"no rule of the decision point is known for {key[0]!r} at the {key[2]!r} hop")


def _question(rule: _Rule, target: str, headers: Mapping[str, str]) -> Question:
    hop = _fact(headers, facts.HOP)
    caller = EDGE
    path = target.partition("?")[0]
    if hop == EDGE:
        path = path.removeprefix(rule.service.prefix or "") or "/"
    else:
        spiffe_id = _fact(headers, facts.CALLER)
        if spiffe_id not in rule.known.callers:
            raise RefusedError(f"{spiffe_id!r} is no workload of the system")
        caller = rule.known.callers[spiffe_id]
    return Question(
        operation=rule.operation.id,
        hop=hop,
        caller=caller,
        time=_time(headers),
        path=path,
        claims=_claims(headers),
        source=_fact(headers, facts.SOURCE) if caller == EDGE else None,
    )


def _fact(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise RefusedError(f"the proxy did not send {name}")
    return value


def _time(headers: Mapping[str, str]) -> float:
    try:
        return float(_fact(headers, facts.TIME))
    except ValueError:
        raise RefusedError("the time of the request cannot be read") from None


def _claims(headers: Mapping[str, str]) -> dict[str, object] | None:
    if facts.CLAIMS not in headers:
        return None
    try:
        claims = json.loads(_fact(headers, facts.CLAIMS))
    except ValueError:
        raise RefusedError("the claims of the token cannot be read") from None
    if not isinstance(claims, dict):
        raise RefusedError("the claims of the token are not an object")
    return claims
