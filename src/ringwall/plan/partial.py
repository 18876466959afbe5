"""What can be said about a policy before a request is known: true, false, or it depends.

Three-valued (Kleene) evaluation of Cedar's JSON form, for the access matrix. It never guesses: whatever it does
not know depends on the request. What is enforced never comes from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringwall.plan.cedar import GUEST, ROLE, SERVICE, USER, WORKLOAD, CedarPolicy


class _Unknown:
    """The value of everything that only a request can tell."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = _Unknown()
Entity = tuple[str, str]
_SOME_USER: Final = "\0some user"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is assumed of a request.

    Attributes:
        principal: type and id; the id of a user who is known by their roles only is a private mark.
        roles: roles that the principal holds, closed; None where they are not known.
        caller: name of the calling workload.
        resource: the service.
        attributes: `zone` and `holds` of the service.
    """

    principal: Entity
    roles: frozenset[str] | None
    caller: str
    resource: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


def guest() -> Entity:
    """Return the principal without a token at the edge."""
    return (GUEST, "guest")


def workload(name: str) -> Entity:
    """Return the principal without a token inside."""
    return (WORKLOAD, name)


def user(name: str | None = None) -> Entity:
    """Return a user: a named one, or somebody whom no policy names."""
    return (USER, name if name is not None else _SOME_USER)


def holds(policy: CedarPolicy, facts: Facts) -> bool | None:
    """Return whether a policy that can apply to the operation matches: True, False, or None where it depends."""
    found = _scope(policy.body["principal"], facts)
    for condition in policy.body["conditions"]:
        value = _truth(_eval(condition["body"], facts))
        if condition["kind"] == "unless":
            value = _not(value)
        found = _and(found, value)
    return found


def _scope(scope: Mapping[str, Any], facts: Facts) -> bool | None:
    match scope["op"]:
        case "All":
            return True
        case "==":
            return _entity(scope["entity"]) == facts.principal
        case "in":
            return _member(facts.principal, _entity(scope["entity"]), facts)
        case "is":
            found: bool | None = scope["entity_type"] == facts.principal[0]
            if "in" in scope:
                found = _and(found, _member(facts.principal, _entity(scope["in"]["entity"]), facts))
            return found
    return None


def _entity(value: Mapping[str, Any]) -> Entity:
    return (value["type"], value["id"])


def _member(left: object, right: object, facts: Facts) -> bool | None:
    """Return whether an entity is another one or in it, or in one of a set."""
    if isinstance(right, list):
        found: bool | None = False
        for item in right:
            found = _or(found, _member(left, item, facts))
        return found
    if not isinstance(left, tuple) or not isinstance(right, tuple):
        return None
    if left == right:
        return True
    if right[0] == ROLE and left == facts.principal and left[0] == USER:
        return None if facts.roles is None else right[1] in facts.roles
    return False


def _and(one: bool | None, other: bool | None) -> bool | None:  # noqa: FBT001  # an operator
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _or(one: bool | None, other: bool | None) -> bool | None:  # noqa: FBT001  # an operator
    if one is True or other is True:
        return True
    return None if one is None or other is None else False


def _not(value: bool | None) -> bool | None:  # noqa: FBT001  # an operator
    return None if value is None else not value


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _eval(node: Mapping[str, Any], facts: Facts) -> object:  # noqa: C901, PLR0911, PLR0912  # one case for each operator
    ((operator, operands),) = node.items()
    match operator:
        case "Value":
            return _literal(operands)
        case "Var":
            return {"principal": facts.principal, "resource": (SERVICE, facts.resource)}.get(operands, UNKNOWN)
        case "Set":
            return [_eval(item, facts) for item in operands]
        case ".":
            return _attribute(operands["left"], operands["attr"], facts)
        case "has":
            return _has(operands["left"], operands["attr"], facts)
        case "&&":
            return _known(_and(*(_truth(_eval(operands[side], facts)) for side in ("left", "right"))))
        case "||":
            return _known(_or(*(_truth(_eval(operands[side], facts)) for side in ("left", "right"))))
        case "!":
            return _known(_not(_truth(_eval(operands["arg"], facts))))
        case "==" | "!=":
            equal = _equal(_eval(operands["left"], facts), _eval(operands["right"], facts))
            return _known(equal if operator == "==" else _not(equal))
        case "in":
            return _known(_member(_eval(operands["left"], facts), _eval(operands["right"], facts), facts))
        case "is":
            left = _eval(operands["left"], facts)
            if not isinstance(left, tuple):
                return UNKNOWN
            inside = _member(left, _eval(operands["in"], facts), facts) if "in" in operands else True
            return _known(_and(left[0] == operands["entity_type"], inside))
        case "contains" | "containsAll" | "containsAny":
            return _known(_contains(operator, _eval(operands["left"], facts), _eval(operands["right"], facts)))
        case "if-then-else":
            test = _truth(_eval(operands["if"], facts))
            if test is not None:
                return _eval(operands["then" if test else "else"], facts)
    return UNKNOWN


def _known(value: bool | None) -> object:  # noqa: FBT001  # the result of an operator
    return UNKNOWN if value is None else value


def _literal(value: object) -> object:
    if isinstance(value, Mapping) and "__entity" in value:
        return _entity(value["__entity"])
    return value


def _attribute(left: Mapping[str, Any], name: str, facts: Facts) -> object:
    if left == {"Var": "context"} and name == "caller":
        return (WORKLOAD, facts.caller)
    if left == {"Var": "resource"}:
        return facts.attributes.get(name, UNKNOWN)
    if left == {"Var": "principal"} and name == "sub" and facts.principal[1] != _SOME_USER:
        return facts.principal[1] if "|" not in facts.principal[1] else UNKNOWN
    return UNKNOWN


def _has(left: Mapping[str, Any], name: str, facts: Facts) -> object:
    if left == {"Var": "principal"} and facts.principal[0] != USER:
        return False
    if left == {"Var": "context"} and name == "source":
        return UNKNOWN if facts.caller == "edge" else False
    return UNKNOWN


def _equal(left: object, right: object) -> bool | None:
    if left is UNKNOWN or right is UNKNOWN or isinstance(left, list) or isinstance(right, list):
        return None
    return type(left) is type(right) and left == right


def _contains(operator: str, left: object, right: object) -> bool | None:
    if not isinstance(left, list) or UNKNOWN in left:
        return None
    wanted = right if operator != "contains" else [right]
    if not isinstance(wanted, list) or UNKNOWN in wanted:
        return None
    present = [item in left for item in wanted]
    return any(present) if operator == "containsAny" else all(present)
