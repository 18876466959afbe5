"""What an operation's policies say of one kind of principal before a request is known, asked once for what is alike.

Systems have few kinds of policy and many operations: what a policy says depends on its scope and conditions, and on
those facts only that they mention. Each such question is evaluated once, whatever the operation is called.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringwall.plan.cedar import WORKLOAD, CedarPolicy
from ringwall.plan.model import EDGE
from ringwall.plan.partial import Facts, holds


class Verdict(StrEnum):
    """What a cell says."""

    ALLOW = "allow"
    CONDITIONAL = "conditional"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and which of the policies asked (by their number) allow, or make it depend."""

    verdict: Verdict
    policies: tuple[int, ...] = ()


DENIED = Decision(Verdict.DENY)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A policy without its name and without what it applies to; `text` says all of it, as JSON."""

    text: str
    policy: CedarPolicy


class Verdicts:
    """Decides for groups of policies of one plan."""

    def __init__(self, policies: Mapping[str, CedarPolicy]) -> None:
        """Take every policy of the plan, by id."""
        self._shapes: dict[str, _Shape] = {}
        alike: dict[str, _Shape] = {}
        for name, parsed in policies.items():
            said = [parsed.body[part] for part in ("effect", "principal", "conditions")]
            text = json.dumps(said)  # they nest more deeply than orjson writes
            self._shapes[name] = alike.setdefault(text, _Shape(text, parsed))
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._alike: dict[tuple[str, ...], _Group] = {}

    def decide(self, names: tuple[str, ...], facts: Facts) -> Decision:
        """Return what the named policies, all of which can apply and are enforced, say under these facts."""
        group = self._groups.get(names)
        if group is None:
            shapes = [self._shapes[name] for name in names]
            texts = tuple(shape.text for shape in shapes)
            group = self._alike.get(texts)
            if group is None:
                group = self._alike[texts] = _Group(shapes)
            self._groups[names] = group
        return group.decide(facts)


class _Group:
    """Policies that apply together, and what was decided for them.

    Names of workloads and services that no policy mentions cannot be told apart; the edge can, for what it alone knows
    of a request.
    """

    def __init__(self, shapes: Sequence[_Shape]) -> None:
        self._policies = [shape.policy for shape in shapes]
        self._text = "\n".join(shape.text for shape in shapes)
        self._reads_resource = '"resource"' in self._text
        self._names = {EDGE: EDGE}
        self._known: dict[tuple[object, ...], Decision] = {}

    def decide(self, facts: Facts) -> Decision:
        kind, name = facts.principal
        principal = (kind, self._told_apart(name) if kind == WORKLOAD else name)
        key: tuple[object, ...] = (principal, facts.roles, self._told_apart(facts.caller))
        if self._reads_resource:
            key += (self._told_apart(facts.resource), facts.attributes["zone"], *facts.attributes["holds"])
        decision = self._known.get(key)
        if decision is None:
            decision = self._known[key] = self._decide(facts)
        return decision

    def _told_apart(self, name: str) -> str:
        """Return a name where some policy mentions it, else the same for all."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = name if json.dumps(name) in self._text else ""
        return found

    def _decide(self, facts: Facts) -> Decision:
        found = [(number, parsed.permits, holds(parsed, facts)) for number, parsed in enumerate(self._policies)]
        forbids = [(number, value) for number, permits, value in found if not permits and value is not False]
        permits = [(number, value) for number, permits, value in found if permits and value is not False]
        if not permits or any(value is True for _, value in forbids):
            return DENIED
        if not forbids and any(value is True for _, value in permits):
            return Decision(Verdict.ALLOW, tuple(number for number, value in permits if value is True))
        return Decision(Verdict.CONDITIONAL, tuple(number for number, _ in (*permits, *forbids)))
