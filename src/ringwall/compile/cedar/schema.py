"""Blueprint → Cedar schema (JSON form), exactly the vocabulary of docs/reference/policy.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringwall.plan.base import canonical
from ringwall.plan.cedar import GUEST, ROLE, SERVICE, USER, WORKLOAD, action_group
from ringwall.plan.identity import Claim, ClaimType, Role

_STRING = {"type": "String"}
_LONG = {"type": "Long"}
_STRING_SET = {"type": "Set", "element": _STRING}
_CLAIM_TYPES: dict[ClaimType, dict[str, Any]] = {
    ClaimType.STRING: _STRING,
    ClaimType.LONG: _LONG,
    ClaimType.BOOL: {"type": "Boolean"},
    ClaimType.STRING_SET: _STRING_SET,
}


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What policies may know about a service when the plan is made."""

    name: str
    zone: str
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionShape:
    """One operation as an action: its id, its service and the path parameters that policies may read."""

    id: str
    service: str
    params: tuple[str, ...] = ()


def cedar_schema(
    *,
    claims: Sequence[Claim],
    roles: Sequence[Role],
    services: Sequence[ServiceFacts],
    actions: Sequence[ActionShape],
) -> str:
    """Return the Cedar schema as JSON text; the same arguments give the same text.

    Roles are entities, not part of the schema: a policy that names an unknown role is found by the
    blueprint's check, which is why `roles` is asked for but only its presence matters here.
    """
    groups = sorted({service.name for service in services} | {action.service for action in actions})
    schema = {
        "": {
            "entityTypes": {
                USER: {"memberOfTypes": [ROLE], "shape": _user(claims)},
                ROLE: {"memberOfTypes": [ROLE]} if roles else {},
                WORKLOAD: {},
                GUEST: {},
                SERVICE: {"shape": _record({"zone": _STRING, "holds": _STRING_SET})},
            },
            "actions": {
                **{action_group(name): {} for name in groups},
                **{action.id: _action(action) for action in sorted(actions, key=lambda action: action.id)},
            },
        }
    }
    return canonical(schema).decode()


def _record(attributes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Record", "attributes": attributes}


def _user(claims: Sequence[Claim]) -> dict[str, Any]:
    optional = {claim.name: {**_CLAIM_TYPES[claim.type], "required": False} for claim in claims}
    return _record({**optional, "sub": _STRING, "iss": _STRING, "scopes": _STRING_SET})


def _action(action: ActionShape) -> dict[str, Any]:
    context = {
        "caller": {"type": "Entity", "name": WORKLOAD},
        "path": _record(dict.fromkeys(sorted(action.params), _STRING)),
        "source": {"type": "Extension", "name": "ipaddr", "required": False},
        "now": {"type": "Extension", "name": "datetime"},
        "hour": _LONG,
        "minute": _LONG,
        "weekday": _LONG,
    }
    return {
        "memberOf": [{"id": action_group(action.service)}],
        "appliesTo": {
            "principalTypes": [USER, WORKLOAD, GUEST],
            "resourceTypes": [SERVICE],
            "context": _record(context),
        },
    }
