"""What each request should be answered, decided by cedarpy over all policies, with nothing of Ringwall's in between.

Facts about a token that are Ringwall's own rules (docs/reference/policy.md) are written down here a second time, by
searching the text of the policies rather than by walking their syntax trees.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import cedarpy
from tests.property.policy.requests import Request
from tests.property.policy.world import CLAIMS, GET, ROLES, SCHEMA, SERVICE, Site

from ringwall.plan.identity import Issuer

_SCHEMA = cedarpy.Schema.from_json_str(SCHEMA)
_KNOWN = [
    {
        "uid": {"type": "Service", "id": "patients"},
        "attrs": {"zone": "app", "holds": ["health", "card"]},
        "parents": [],
    },
    {"uid": {"type": "Service", "id": "store"}, "attrs": {"zone": "data", "holds": []}, "parents": []},
    *(
        {
            "uid": {"type": "Role", "id": role.name},
            "attrs": {},
            "parents": [{"type": "Role", "id": r} for r in role.includes],
        }
        for role in ROLES
    ),
]
_ENTITIES = cedarpy.Entities.from_json_str(json.dumps(_KNOWN), _SCHEMA)
_MISSING = object()


def valid(policies: list[str]) -> bool:
    """Return whether strict validation accepts all of the policies."""
    return bool(cedarpy.validate_policies("\n".join(policies), _SCHEMA).validation_passed)


class Oracle:
    """Answers for one site and one set of policies."""

    def __init__(self, site: Site, policies: list[str]) -> None:
        self._site = site
        self._policies = cedarpy.PolicySet.from_str("\n".join(policies))
        # Only what can apply to the operation makes a claim of the wrong type matter.
        texts = [text for text in policies if "store" not in text and not _hopeless(text)]
        joined = "\n".join(texts)
        self._read = set(re.findall(r"principal(?: has |\.)(\w+)", joined))
        self._roles = re.search(r"(?:in|\[) ?\[?Role::|, Role::", joined) is not None
        self._params = set(re.findall(r"context\.path\.(\w+)", joined)) if site.action == GET else set()

    def allows(self, request: Request) -> bool:
        site = self._site
        if request.caller not in (("edge",) if site.hop == "edge" else site.callers):
            return False
        entities = _ENTITIES
        if request.claims is None:
            principal = {"type": "Guest", "id": "guest"}
            if request.caller != "edge":
                principal = {"type": "Workload", "id": request.caller}
        else:
            user = self._user(dict(request.claims))
            if user is None:
                return False
            principal = user["uid"]
            entities = entities.with_added_json_str(json.dumps([user]), _SCHEMA)
        context = self._context(request)
        if context is None:
            return False
        asked = {
            "principal": principal,
            "action": {"type": "Action", "id": site.action},
            "resource": {"type": "Service", "id": SERVICE},
            "context": context,
        }
        result = cedarpy.is_authorized(asked, self._policies, entities, _SCHEMA)
        if result.diagnostics.errors:
            raise AssertionError(result.diagnostics.errors)
        return bool(result.allowed)

    def _user(self, claims: dict[str, Any]) -> dict[str, Any] | None:
        issuer = {known.url: known for known in self._site.issuers if known.url == claims.get("iss")}.get(
            claims["iss"] if isinstance(claims.get("iss"), str) else ""
        )
        sub = claims.get("sub")
        if issuer is None or not isinstance(sub, str) or not sub or (issuer.builtin and "|" in sub):
            return None
        attrs: dict[str, Any] = {"sub": sub, "iss": issuer.url, "scopes": []}
        for claim in CLAIMS:
            value = _dig(claims, claim.path)
            if claim.name not in self._read or value is _MISSING:
                continue
            converted = _CONVERT[claim.type.value](value)
            if converted is None:
                return None
            attrs[claim.name] = converted
        if "scopes" in self._read and "scope" in claims:
            if not isinstance(claims["scope"], str):
                return None
            attrs["scopes"] = list(filter(None, claims["scope"].split(" ")))
        parents = self._parents(issuer, claims)
        if parents is None:
            return None
        uid = sub if issuer.builtin else f"{issuer.name}|{sub}"
        return {"uid": {"type": "User", "id": uid}, "attrs": attrs, "parents": parents}

    def _parents(self, issuer: Issuer, claims: dict[str, Any]) -> list[dict[str, str]] | None:
        if not self._roles:
            return []
        given = _dig(claims, issuer.role_claim)
        if given is _MISSING:
            return []
        if not isinstance(given, list):
            return None
        meaning = dict(issuer.roles)
        if issuer.builtin:
            meaning |= {role.name: role.name for role in ROLES}
        held = sorted({meaning[text] for text in given if isinstance(text, str) and text in meaning})
        return [{"type": "Role", "id": name} for name in held]

    def _context(self, request: Request) -> dict[str, Any] | None:
        segments = request.path.split("/")
        path = {"id": segments[2], "kind": segments[4]} if self._site.action == GET else {}
        for name in self._params:
            if any(char in "%;\\" or not "!" <= char <= "~" for char in path[name]):
                return None
        when = datetime.fromtimestamp(request.time, UTC)
        local = when.astimezone(ZoneInfo(self._site.timezone))
        context: dict[str, Any] = {
            "caller": {"__entity": {"type": "Workload", "id": request.caller}},
            "path": path,
            "now": {
                "__extn": {"fn": "datetime", "arg": when.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
            },
            "hour": local.hour,
            "minute": local.minute,
            "weekday": local.weekday() + 1,
        }
        if request.caller == "edge":
            context["source"] = {"__extn": {"fn": "ip", "arg": request.source}}
        return context


def _hopeless(policy: str) -> bool:
    """Return whether what is known of the service alone keeps a policy from ever applying."""
    (body,) = json.loads(cedarpy.policies_to_json_str(policy))["staticPolicies"].values()
    return any(_worth(one["body"]) is (one["kind"] == "unless") for one in body["conditions"])


def _worth(node: dict[str, Any]) -> bool | None:
    """Return what an expression is worth for the service `patients`: zone app, holds health and card."""
    ((name, inside),) = node.items()
    resource = json.dumps(node).count("resource") == 1
    if name == "Value" and isinstance(inside, bool):
        return inside
    if name == "contains" and resource and "holds" in json.dumps(inside["left"]):
        return inside["right"]["Value"] in {"health", "card"}
    if name == "==" and resource and inside["right"] in ({"Value": "app"}, {"Value": "data"}):
        return bool(inside["right"]["Value"] == "app")
    if name == "!":
        worth = _worth(inside["arg"])
        return None if worth is None else not worth
    if name in {"&&", "||"}:
        both = {_worth(inside["left"]), _worth(inside["right"])}
        strong = name == "||"
        return strong if strong in both else None if None in both else not strong
    return None


def _dig(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _long(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**53 - 1:
        return None
    return int(value) if float(value).is_integer() else None


_CONVERT: dict[str, Any] = {
    "string": lambda value: value if isinstance(value, str) else None,
    "bool": lambda value: value if isinstance(value, bool) else None,
    "long": _long,
    "set<string>": lambda value: [item for item in value if isinstance(item, str)] if isinstance(value, list) else None,
}
