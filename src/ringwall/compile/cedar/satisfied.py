"""When a policy applies: its scope matches and its conditions hold; remembered by what it can depend on."""

from collections.abc import Mapping
from typing import Any

from ringwall.compile.cedar.attributes import NOTHING
from ringwall.compile.cedar.fold import Folder
from ringwall.compile.cedar.formula import FALSE, TRUE, Formula, all_of, negation
from ringwall.compile.cedar.place import Place
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.plan.cedar import CedarPolicy

Memory = dict[object, "Formula | str"]
"""Formulas by policy and place; a text is the construct that could not be compiled."""


def satisfied(policy: CedarPolicy, place: Place, system: int, memory: Memory) -> Formula:
    """Return when the policy applies at a place whose action and service its scope matches.

    Args:
        policy: the policy; `policy.applies_to` holds for the place.
        place: where it is asked.
        system: number of the system, which tells the memories of several systems apart.
        memory: what was folded before.

    Raises:
        UnsupportedError: something in it has no sound form in Envoy.
    """
    key = (system, policy.policy.cedar, *_dependencies(policy, place))
    found = memory.get(key)
    if found is None:
        try:
            found = _fold(policy.body, place)
        except UnsupportedError as problem:
            found = problem.construct
        memory[key] = found
    if isinstance(found, str):
        raise UnsupportedError(found)
    return found


def _dependencies(policy: CedarPolicy, place: Place) -> tuple[object, ...]:
    """Return all of a place that the policy's formula can depend on."""
    mentioned = policy.variables
    return (
        place.kind,
        place.workload or (place.issuer.name if place.issuer is not None else ""),
        place.action if "action" in mentioned else None,
        (place.service, place.zone, place.holds) if "resource" in mentioned or "action" in mentioned else None,
        place.callers if "context" in mentioned else None,
        tuple(place.segments.items()) if "context" in mentioned else None,
    )


def _fold(body: Mapping[str, Any], place: Place) -> Formula:
    folder = Folder(place)
    scope = _principal(folder, body["principal"])
    if scope is FALSE:
        return FALSE
    known = NOTHING
    parts = [scope]
    for condition in body["conditions"]:
        part, gained = folder.condition(condition["body"], known)
        if condition["kind"] == "unless":
            part = negation(part)
        else:
            known |= gained
        if part is FALSE:
            return FALSE
        parts.append(part)
    return all_of(parts)


def _principal(folder: Folder, scope: Mapping[str, Any]) -> Formula:
    variable = {"Var": "principal"}
    match scope["op"]:
        case "All":
            return TRUE
        case "==":
            body: dict[str, Any] = {"==": {"left": variable, "right": _entity(scope["entity"])}}
        case "in":
            body = {"in": {"left": variable, "right": _entity(scope["entity"])}}
        case "is":
            inside = {"in": _entity(scope["in"]["entity"])} if "in" in scope else {}
            body = {"is": {"left": variable, "entity_type": scope["entity_type"], **inside}}
        case other:
            raise UnsupportedError(f"a scope with {other!r}")
    return folder.condition(body)[0]


def _entity(entity: Mapping[str, str]) -> dict[str, Any]:
    return {"Value": {"__entity": entity}}
