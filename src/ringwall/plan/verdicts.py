"""What an operation's policies say of one kind of principal before a request is known, asked once for what is alike.

Systems have few kinds of policy and many operations: what a policy says depends on its scope and conditions, and on
those facts only that they mention. Each such question is evaluated once, whatever the operation is called.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringwall.plan.cedar import SERVICE, CedarPolicy
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
    """A policy without its name and without what it applies to.

    Attributes:
        number: the same for policies that say the same.
        caller, resource, service: whether the calling workload, the facts of the service, its name can matter.
    """

    number: int
    policy: CedarPolicy
    caller: bool
    resource: bool
    service: bool


class Verdicts:
    """Decides for groups of policies of one plan."""

    def __init__(self, policies: Mapping[str, CedarPolicy]) -> None:
        """Take every policy of the plan, by id."""
        self._shapes: dict[str, _Shape] = {}
        alike: dict[str, _Shape] = {}
        for name, parsed in policies.items():
            said = [parsed.body[part] for part in ("effect", "principal", "conditions")]
            text = json.dumps(said)  # they nest more deeply than orjson writes
            shape = alike.get(text)
            if shape is None:
                shape = alike[text] = _Shape(
                    number=len(alike),
                    policy=parsed,
                    caller='"caller"' in text or '"source"' in text,
                    resource='"resource"' in text,
                    service=f'"{SERVICE}"' in text,
                )
            self._shapes[name] = shape
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._alike: dict[tuple[int, ...], _Group] = {}

    def decide(self, names: tuple[str, ...], facts: Facts) -> Decision:
        """Return what the named policies, all of which can apply and are enforced, say under these facts."""
        group = self._groups.get(names)
        if group is None:
            shapes = [self._shapes[name] for name in names]
            numbers = tuple(shape.number for shape in shapes)
            group = self._groups[names] = self._alike.setdefault(numbers, _Group(shapes))
        return group.decide(facts)


class _Group:
    """Policies that apply together, and what was decided for them."""

    def __init__(self, shapes: Sequence[_Shape]) -> None:
        self._policies = [shape.policy for shape in shapes]
        self._caller = any(shape.caller for shape in shapes)
        self._resource = any(shape.resource for shape in shapes)
        self._service = any(shape.service for shape in shapes)
        self._known: dict[tuple[object, ...], Decision] = {}

    def decide(self, facts: Facts) -> Decision:
        resource: tuple[object, ...] = ()
        if self._resource:
            name = facts.resource if self._service else ""
            resource = (name, facts.attributes["zone"], *facts.attributes["holds"])
        key = (facts.principal, facts.roles, facts.caller if self._caller else "", resource)
        decision = self._known.get(key)
        if decision is None:
            decision = self._known[key] = self._decide(facts)
        return decision

    def _decide(self, facts: Facts) -> Decision:
        found = [(number, parsed.permits, holds(parsed, facts)) for number, parsed in enumerate(self._policies)]
        forbids = [(number, value) for number, permits, value in found if not permits and value is not False]
        permits = [(number, value) for number, permits, value in found if permits and value is not False]
        if not permits or any(value is True for _, value in forbids):
            return DENIED
        if not forbids and any(value is True for _, value in permits):
            return Decision(Verdict.ALLOW, tuple(number for number, value in permits if value is True))
        return Decision(Verdict.CONDITIONAL, tuple(number for number, _ in (*permits, *forbids)))
