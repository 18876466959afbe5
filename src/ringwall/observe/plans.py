"""Which plan was in force: rule ids → plans, from the plan on disk and those that were before it."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from ringwall.model.errors import RingwallError
from ringwall.model.garbage import collection_paused
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.model import Operation, Plan, Service

_KEPT_PLANS: Final = 4
_KNOWN_RULES: Final = 200_000


class PlanError(RingwallError):
    """A plan on disk cannot be read."""

    code = "plan-unreadable"


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
        self._current = state / "plan" / "current.json"
        self._seen: tuple[int, int] | None = None
        self._digest = ""
        self._rules: dict[str, str] = {}

    def refresh(self) -> None:
        """Look whether another plan is in force."""
        try:
            stat = self._current.stat()
            mark = (stat.st_ino, stat.st_mtime_ns)
            if mark == self._seen:
                return
            data = self._current.read_bytes()
            with collection_paused():
                rules = [
                    operation["rule_id"]
                    for service in orjson.loads(data)["services"]
                    for operation in service["operations"]
                ]
        except (OSError, ValueError, KeyError, TypeError):
            return  # there is no plan yet; decisions are stored without one
        self._seen = mark
        self._digest = hashlib.sha256(data).hexdigest()
        if len(self._rules) > _KNOWN_RULES:
            self._rules.clear()
        self._rules.update(dict.fromkeys(rules, self._digest))

    def plan_of(self, rule: str) -> str:
        """Return the digest of the latest plan that has this rule; the plan in force for an unknown one."""
        return self._rules.get(rule, self._digest)


class PlanArchive:
    """Plans by digest, the last few of them in memory, each with its evaluator."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "plan"
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._evaluators: dict[str, Evaluator] = {}

    def current(self) -> Plan | None:
        """Return the plan in force, None where there is none."""
        return self._read(self._folder / "current.json")

    def plan(self, digest: str) -> Plan | None:
        """Return a plan that is or was in force, None where it is not kept."""
        if not _is_digest(digest):
            return None
        if digest not in self._plans:
            plan = self._read(self._folder / "archive" / f"{digest}.json")
            if plan is None or plan.digest != digest:
                return None
            self._plans[digest] = plan
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

    def _read(self, path: Path) -> Plan | None:
        try:
            return Plan.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise PlanError(
                f"the plan {path} cannot be read",
                hint="`ringwall up` or `ringwall apply` writes the plan in force anew",
            ) from error


def _is_digest(text: str) -> bool:
    return len(text) == hashlib.sha256().digest_size * 2 and set(text) <= set("0123456789abcdef")
