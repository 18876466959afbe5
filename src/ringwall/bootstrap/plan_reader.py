"""Reads plan after plan, keeping the parts that did not change: an edit then costs what it touches.

A plan of 200 services is 7 MB of JSON, and checking all of it against the model takes most of a second. What is equal
to a part of the plan before, byte by byte, was checked then.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ringwall.model.errors import RingwallError
from ringwall.model.garbage import collection_paused
from ringwall.plan.model import Plan, Policy, Service

_Part = TypeVar("_Part", Service, Policy)
_Known = dict[str, tuple[bytes, _Part]]


class PlanUnreadableError(RingwallError):
    """A plan on disk is not what it should be."""

    code = "plan-unreadable"


class PlanReader:
    """Reads plans; not safe for several threads."""

    def __init__(self) -> None:
        self._services: _Known[Service] = {}
        self._policies: _Known[Policy] = {}

    def read(self, path: Path, digest: str | None = None) -> Plan:
        """Return the plan in a file; raise PlanUnreadableError where it is no plan, or not the one of this digest."""
        with collection_paused():
            return self._read(path, digest)

    def _read(self, path: Path, digest: str | None) -> Plan:
        hint = "`ringwall down`, then `ringwall up` writes it anew"
        try:
            data = path.read_bytes()
            raw = orjson.loads(data)
            services, self._services = _parts(raw["services"], "name", self._services, Service.model_validate)
            policies, self._policies = _parts(raw["policies"], "id", self._policies, Policy.model_validate)
            plan = Plan.model_validate({**raw, "services": services, "policies": policies})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PlanUnreadableError(f"the plan {path} cannot be read", hint=hint) from error
        if digest is not None and hashlib.sha256(data).hexdigest() != digest:
            raise PlanUnreadableError(f"the plan {path} is another one than the one to be put in force", hint=hint)
        if digest is not None:
            vars(plan)["canonical_bytes"] = data  # what they are was just proven; to make them again takes long
        return plan


def _parts(
    raw: list[dict[str, Any]], key: str, known: _Known[_Part], check: Callable[[dict[str, Any]], _Part]
) -> tuple[tuple[_Part, ...], _Known[_Part]]:
    found: _Known[_Part] = {}
    parts = []
    for each in raw:
        data = orjson.dumps(each)
        before = known.get(each[key])
        part = before[1] if before is not None and before[0] == data else check(each)
        found[each[key]] = (data, part)
        parts.append(part)
    return tuple(parts), found
