"""Cedar policies as data: parsed once, what they can apply to, and what they read.

Both the compiler and the reference evaluator stand on this, because what a policy *reads* has a
meaning of its own in Ringwall: a claim of the wrong type that is read denies the request
(docs/reference/policy.md).
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cedarpy

from ringwall.model.errors import RingwallError
from ringwall.plan.policy import Policy

Json = Any
"""A node of Cedar's JSON policy format."""

USER, ROLE, WORKLOAD, GUEST, SERVICE, ACTION = "User", "Role", "Workload", "Guest", "Service", "Action"

PARAM_CHARS = r"[!-$&-.0-:<-\[\]-~]"
"""What a path parameter that is read may hold, as a regular expression: visible ASCII without `%`, `/`, `;`, `\\`."""

_ZONE = {".": {"left": {"Var": "resource"}, "attr": "zone"}}
_HOLDS = {".": {"left": {"Var": "resource"}, "attr": "holds"}}
_DEEPEST = 60
_FIXED_ATTRIBUTES = frozenset({"sub", "iss", "scopes"})
_NOT_CHILDREN = frozenset({"attr", "entity_type", "pattern", "Value", "Var"})


class PolicyTextError(RingwallError):
    """The text of one policy is not exactly one Cedar policy that can be read."""

    code = "policy-text"


@dataclass(frozen=True, slots=True)
class Reads:
    """What the conditions and the scope of a policy look at, by syntax alone.

    Attributes:
        claims: names of attributes of the principal other than `sub`, `iss` and `scopes`.
        scopes: True where the token's scopes are read.
        roles: True where membership in a role is asked for.
        path: names of path parameters.
        source: True where the client's address is read.
        time: True where any of `now`, `hour`, `minute`, `weekday` is read.
    """

    claims: frozenset[str] = frozenset()
    scopes: bool = False
    roles: bool = False
    path: frozenset[str] = frozenset()
    source: bool = False
    time: bool = False

    def __or__(self, other: "Reads") -> "Reads":
        return Reads(
            claims=self.claims | other.claims,
            scopes=self.scopes or other.scopes,
            roles=self.roles or other.roles,
            path=self.path | other.path,
            source=self.source or other.source,
            time=self.time or other.time,
        )


@dataclass(frozen=True)
class CedarPolicy:
    """One parsed policy.

    Attributes:
        policy: where it came from.
        body: its JSON form, as `cedarpy.policies_to_json_str` gives it.
    """

    policy: Policy
    body: Mapping[str, Json] = field(compare=False)

    @classmethod
    def parse(cls, policy: Policy) -> "CedarPolicy":
        """Parse the policy's text; PolicyTextError if it is not exactly one static Cedar policy."""
        return cls(policy, parse_text(policy))

    @property
    def permits(self) -> bool:
        """True for a permit, False for a forbid."""
        return bool(self.body["effect"] == "permit")

    @cached_property
    def reads(self) -> Reads:
        """What this policy looks at."""
        found = _Found()
        if "entity" in self.body["principal"] or "in" in self.body["principal"]:
            scope = self.body["principal"]
            entity = scope.get("entity") or scope["in"]["entity"]
            found.roles = scope["op"] != "==" and entity["type"] == ROLE
        for condition in self.body["conditions"]:
            found.visit(condition["body"])
        return found.reads()

    @cached_property
    def variables(self) -> frozenset[str]:
        """Which of `principal`, `action`, `resource` and `context` the conditions mention."""
        bodies = (condition["body"] for condition in self.body["conditions"])
        return frozenset(operands for body in bodies for operator, operands in nodes(body) if operator == "Var")

    def named(self, policy: Policy) -> "CedarPolicy":
        """Return the same parsed text under another id or source, without parsing it again."""
        if policy == self.policy:
            return self
        other = CedarPolicy(policy, self.body)
        # `cached_property` keeps its values in the instance's dictionary.
        other.__dict__.update(reads=self.reads, variables=self.variables, _concerned=self._concerned)
        return other

    def concerns(self, zone: str, holds: Collection[str]) -> bool:
        """Return whether the conditions can hold for a resource with these facts, which are known with the plan.

        A policy about health data does not concern an operation that returns none, so what it reads of a token
        does not matter there.
        """
        key = (zone, tuple(holds))
        known = self._concerned.get(key)
        if known is None:
            known = self._concerned[key] = not any(
                settled(condition["body"], zone, holds) is (condition["kind"] == "unless")
                for condition in self.body["conditions"]
            )
        return known

    @cached_property
    def _concerned(self) -> dict[tuple[str, tuple[str, ...]], bool]:
        return {}

    def applies_to(self, action: str, service: str) -> bool:
        """Return whether the scope can match this operation of this service."""
        return _action_matches(self.body["action"], action, service) and _resource_matches(
            self.body["resource"], service
        )


def parse_text(policy: Policy) -> Mapping[str, Json]:
    """Return the JSON form of the one policy in `policy.cedar`; PolicyTextError if there is not exactly one."""
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(policy.cedar))
    except RecursionError:
        raise PolicyTextError(
            f"{policy.source}: policy {policy.id!r} is nested too deeply",
            hint="write it as several policies; a request is allowed if any permit allows it",
        ) from None
    except ValueError as error:
        raise PolicyTextError(
            f"{policy.source}: policy {policy.id!r} cannot be read: {error}", hint="see docs/reference/policy.md"
        ) from error
    policies = list(parsed["staticPolicies"].values())
    if len(policies) != 1 or parsed["templates"]:
        raise PolicyTextError(f"{policy.source}: policy {policy.id!r} is not exactly one Cedar policy")
    body: Mapping[str, Json] = policies[0]
    return body


def action_group(service: str) -> str:
    """Return the id of the action group that holds every operation of a service."""
    return f"{service}/*"


def settled(body: Json, zone: str, holds: Collection[str], *, depth: int = 0) -> bool | None:
    """Return the value of an expression if the resource's zone and data classes alone settle it, else None."""
    match body:
        case _ if depth > _DEEPEST:
            pass
        case {"Value": bool() as value}:
            return value
        case {"!": {"arg": arg}}:
            inner = settled(arg, zone, holds, depth=depth + 1)
            return None if inner is None else not inner
        case {"&&": _} | {"||": _}:
            return _settled_chain(body, zone, holds, depth)
        case {"==": {"left": left, "right": {"Value": str() as value}}} if left == _ZONE:
            return zone == value
        case {"contains": {"left": left, "right": {"Value": str() as value}}} if left == _HOLDS:
            return value in holds
    return None


def _settled_chain(body: Json, zone: str, holds: Collection[str], depth: int) -> bool | None:
    """Settle `a && b && c` or `a || b || c`; one part may do, wherever it stands."""
    operator = "&&" if "&&" in body else "||"
    decisive = operator == "||"
    parts = []
    while operator in body:
        parts.append(body[operator]["right"])
        body = body[operator]["left"]
    found = {settled(part, zone, holds, depth=depth + 1) for part in (*parts, body)}
    if decisive in found:
        return decisive
    return None if None in found else not decisive


def _action_matches(scope: Mapping[str, Json], action: str, service: str) -> bool:
    match scope["op"]:
        case "All":
            return True
        case "==":
            return bool(scope["entity"]["id"] == action)
        case "in":
            entities = scope["entities"] if "entities" in scope else [scope["entity"]]
            return any(entity["id"] in (action, action_group(service)) for entity in entities)
    return True


def _resource_matches(scope: Mapping[str, Json], service: str) -> bool:
    match scope["op"]:
        case "==" | "in":
            entity = scope["entity"]
            return bool(entity["type"] == SERVICE and entity["id"] == service)
        case "is":
            if scope["entity_type"] != SERVICE:
                return False
            inside = scope.get("in")
            return inside is None or inside["entity"] == {"type": SERVICE, "id": service}
    return True


class _Found:
    """Collects what an expression reads; walks without recursion, because `||` chains nest deeply."""

    def __init__(self) -> None:
        self.claims: set[str] = set()
        self.path: set[str] = set()
        self.scopes = self.roles = self.source = self.time = False

    def reads(self) -> Reads:
        return Reads(
            claims=frozenset(self.claims),
            scopes=self.scopes,
            roles=self.roles,
            path=frozenset(self.path),
            source=self.source,
            time=self.time,
        )

    def visit(self, body: Json) -> None:
        for operator, operands in nodes(body):
            if operator in {".", "has"}:
                self._attribute(operands)
            elif operator == "in":
                self._membership(operands["right"])
            elif operator == "is" and "in" in operands:
                self._membership(operands["in"])

    def _attribute(self, operands: Mapping[str, Json]) -> None:
        left, attribute = operands["left"], operands["attr"]
        if left == {"Var": "context"}:
            self.source = self.source or attribute == "source"
            self.time = self.time or attribute in {"now", "hour", "minute", "weekday"}
        elif left == {".": {"left": {"Var": "context"}, "attr": "path"}}:
            self.path.add(attribute)
        elif left == {"Var": "resource"}:
            return
        elif attribute == "scopes":
            self.scopes = True
        elif attribute not in _FIXED_ATTRIBUTES:
            self.claims.add(attribute)

    def _membership(self, right: Json) -> None:
        for operator, operands in nodes(right):
            if operator == "Value" and isinstance(operands, dict) and "__entity" in operands:
                self.roles = self.roles or operands["__entity"].get("type") == ROLE


def nodes(body: Json) -> Iterator[tuple[str, Json]]:
    """Yield `(operator, operands)` for every node of an expression in Cedar's JSON format, in no given order."""
    waiting = [body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            for operator, operands in node.items():
                yield operator, operands
                if operator in {"Value", "Var"}:
                    continue
                if isinstance(operands, list):
                    waiting.extend(operands)
                elif isinstance(operands, dict):
                    waiting.extend(
                        operands.values()
                        if operator == "Record"
                        else [child for name, child in operands.items() if name not in _NOT_CHILDREN]
                    )
