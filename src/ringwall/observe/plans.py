"""Which plan was in force: rule ids → plans, from the plan on disk and those that were before it."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import orjson

from ringwall.model.durable import Stamp, stamp_of
from ringwall.model.garbage import collection_paused
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.manifest import SERVICES, is_digest
from ringwall.plan.model import Plan, Service
from ringwall.plan.operation import Operation
from ringwall.plan.store import NoPlanError, PlanStore, PlanUnreadableError

_KEPT_PLANS: Final = 4
_KNOWN_RULES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Ruled:
    """An operation as one plan has it."""

    plan: Plan
    service: Service
    operation: Operation


class RuleIndex:
    """Tells the collector which plan a rule id belongs to. It reads ids only and keeps no plan in memory.

    Rule ids name an operation with its rules, so plans that differ elsewhere share them: the plan in force is
    preferred, then the one before it, and so on.
    """

    def __init__(self, state: Path) -> None:
        self._plans = PlanStore(state / "plan")
        self._seen: Stamp | None = None
        self._digest = ""
        self._of_part: dict[str, list[str]] = {}
        self._rules: dict[str, str] = {}

    def refresh(self) -> None:
        """Look whether another plan is in force."""
        stamp = stamp_of(self._plans.current_file)
        if stamp is None or stamp == self._seen:
            return
        try:
            digest, fields = self._plans.fields()
            with collection_paused():
                self._of_part = {
                    part: self._of_part.get(part) or self._rule_ids(part) for part in fields[SERVICES].values()
                }
        except (PlanUnreadableError, ValueError, KeyError, TypeError):
            return  # there is no plan yet, or a damaged one; decisions are stored as before
        self._seen, self._digest = stamp, digest
        if len(self._rules) > _KNOWN_RULES:
            self._rules.clear()
        self._rules.update(dict.fromkeys(chain.from_iterable(self._of_part.values()), digest))

    def _rule_ids(self, part: str) -> list[str]:
        return [operation["rule_id"] for operation in orjson.loads(self._plans.part(part))["operations"]]

    def plan_of(self, rule: str) -> str:
        """Return the digest of the latest plan that has this rule; the plan in force for an unknown one."""
        return self._rules.get(rule, self._digest)


class PlanArchive:
    """Plans by digest, the last few of them in memory, each with its evaluator."""

    def __init__(self, state: Path) -> None:
        self._store = PlanStore(state / "plan")
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._evaluators: dict[str, Evaluator] = {}

    def current(self) -> Plan | None:
        """Return the plan in force, None where there is none."""
        try:
            return self._store.current()
        except NoPlanError:
            return None

    def plan(self, digest: str) -> Plan | None:
        """Return a plan that is or was in force, None where it is not kept."""
        if not is_digest(digest):
            return None
        if digest not in self._plans:
            try:
                self._plans[digest] = self._store.archived(digest)
            except PlanUnreadableError:
                return None
            while len(self._plans) > _KEPT_PLANS:
                self._evaluators.pop(self._plans.popitem(last=False)[0], None)
        self._plans.move_to_end(digest)
        return self._plans[digest]

    def evaluator(self, digest: str) -> Evaluator | None:
        """Return what decides as that plan does, None where the plan is not kept."""
        plan = self.plan(digest)
        if plan is None:
            return None
        if digest not in self._evaluators:
            self._evaluators[digest] = Evaluator(plan)
        return self._evaluators[digest]

    def resolve(self, rule: str, digest: str) -> Ruled | None:
        """Return the operation that a rule id names in a plan, None where the plan is not kept or has no such rule."""
        plan = self.plan(digest)
        for service in plan.services if plan is not None else ():
            for operation in service.operations:
                if operation.rule_id == rule and plan is not None:
                    return Ruled(plan, service, operation)
        return None
