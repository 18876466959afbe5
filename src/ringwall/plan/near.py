"""Why nothing permitted a request: the permits that came closest, and the parts of them that did not hold.

Every permit is cut into the parts that must all hold; each part is asked about on its own, by Cedar, in one call.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cedarpy

from ringwall.plan.cedar import ROLE, USER, CedarPolicy

MOST_SHOWN: Final = 3
"""How many permits are named as near."""

_MOST_ASKED: Final = 50
_LONGEST_TEXT: Final = 160
_SOMEBODY_ELSE: Final = 10
_NEEDLESS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(?<!\w)\(((?:\w+\.)*\w+)\)(?=\.)')
"""Parentheses that Cedar's printer puts around `context.path` in `context.path.id`; strings are skipped."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A permit that did not match, and which of its parts did not hold.

    Attributes:
        policy: id of the permit.
        missing: facts that the request lacks: `role 'clinician'`, `claim 'patients'`, `a token`.
        unmet: Cedar text of the other parts that do not hold.
    """

    policy: str
    missing: tuple[str, ...]
    unmet: tuple[str, ...]


class NearMisses:
    """Finds the near misses among some policies; made once per operation."""

    def __init__(self, policies: Iterable[CedarPolicy]) -> None:
        permits = [parsed for parsed in policies if parsed.permits][:_MOST_ASKED]
        self._parts = {parsed.policy.id: _parts(parsed.body) for parsed in permits}
        static = {
            f"{number}:{name}": _alone(part) for name, parts in self._parts.items() for number, part in enumerate(parts)
        }
        whole = {"staticPolicies": static, "templates": {}, "templateLinks": []}
        self._set = cedarpy.PolicySet.from_json_str(json.dumps(whole))

    def of(self, request: Mapping[str, Any], entities: cedarpy.Entities) -> tuple[Miss, ...]:
        """Return the permits with the least that did not hold, nearest first."""
        result = cedarpy.is_authorized(dict(request), self._set, entities)
        held = set(result.diagnostics.reasons)
        found = []
        for name, parts in self._parts.items():
            failed = [part for number, part in enumerate(parts) if f"{number}:{name}" not in held]
            if failed:
                found.append((sum(map(_distance, failed)), name, failed))
        found.sort(key=lambda miss: miss[:2])
        return tuple(_miss(name, failed) for _, name, failed in found[:MOST_SHOWN])


def _miss(name: str, failed: Sequence[Any]) -> Miss:
    missing: dict[str, None] = {}
    unmet: dict[str, None] = {}
    absent: set[str] = set()
    for part in failed:
        fact = _missing_fact(part)
        if fact:
            missing[fact] = None
            absent.add(part["has"]["attr"] if "has" in part else "")
        elif not any(f'"attr": "{attribute}"' in json.dumps(part) for attribute in absent if attribute):
            unmet[_text(part)] = None
    return Miss(name, tuple(missing), tuple(unmet))


def _distance(part: Any) -> int:
    """Return how much a part that does not hold counts; a permit for somebody else is not near."""
    match part:
        case {"==": {"left": {"Var": "principal"}}}:
            return _SOMEBODY_ELSE
        case {"is": {"left": {"Var": "principal"}, "entity_type": kind}} if kind != USER:
            return _SOMEBODY_ELSE
    return 1


def _missing_fact(part: Any) -> str:
    """Name what a part asks for, where that is one fact of the request; empty otherwise."""
    match part:
        case {"in": {"left": {"Var": "principal"}, "right": {"Value": {"__entity": {"type": kind, "id": name}}}}}:
            return f"role {name!r}" if kind == ROLE else ""
        case {"is": {"left": {"Var": "principal"}, "entity_type": kind, **others}}:
            if kind != USER:
                return ""
            inside: Any = others.get("in")
            return f"role {inside['Value']['__entity']['id']!r}" if inside else "a token"
        case {"has": {"left": {"Var": "principal"}, "attr": name}}:
            return f"claim {name!r}"
    return ""


def _parts(body: Mapping[str, Any]) -> list[Any]:
    parts = [part for part in (_scope(body["principal"]),) if part is not None]
    for condition in body["conditions"]:
        if condition["kind"] == "when":
            parts += _conjuncts(condition["body"])
        else:
            parts.append({"!": {"arg": condition["body"]}})
    return parts


def _conjuncts(body: Any) -> list[Any]:
    parts: list[Any] = []
    waiting = [body]
    while waiting:
        node = waiting.pop()
        if "&&" in node:
            waiting += [node["&&"]["right"], node["&&"]["left"]]
        else:
            parts.append(node)
    return parts


def _scope(scope: Mapping[str, Any]) -> Any:
    principal = {"Var": "principal"}
    match scope["op"]:
        case "==" | "in" as operator:
            return {operator: {"left": principal, "right": {"Value": {"__entity": scope["entity"]}}}}
        case "is":
            inside = {"in": {"Value": {"__entity": scope["in"]["entity"]}}} if "in" in scope else {}
            return {"is": {"left": principal, "entity_type": scope["entity_type"], **inside}}
    return None


def _alone(part: Any) -> dict[str, Any]:
    every = {"op": "All"}
    return {
        "effect": "permit",
        "principal": every,
        "action": every,
        "resource": every,
        "conditions": [{"kind": "when", "body": part}],
    }


def _text(part: Any) -> str:
    """Return a part as Cedar text on one line."""
    whole = {"staticPolicies": {"p": _alone(part)}, "templates": {}, "templateLinks": []}
    text = " ".join(cedarpy.policies_from_json_str(json.dumps(whole)).split())
    _, _, inner = text.partition("when {")
    inner = _NEEDLESS.sub(lambda found: found[1] or found[0], inner.rstrip("; ").removesuffix("}").strip())
    return inner if len(inner) <= _LONGEST_TEXT else f"{inner[:_LONGEST_TEXT]}…"
