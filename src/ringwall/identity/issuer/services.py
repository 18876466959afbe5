"""The services of the plan as clients of the issuer: who they are, and whom they call. Read one by one, when asked for.

The issuer knows of services only what token exchange needs, so a plan of thousands costs it nothing until then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from ringwall.model.durable import Stamp, stamp_of
from ringwall.plan.store import PlanStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClient:
    """A service of the plan.

    Attributes:
        name: its name there.
        spiffe_id: its workload identity, which is its `client_id`.
        calls: names of the services that it may call.
        audiences: names of the services of others for which it may exchange tokens.
    """

    name: str
    spiffe_id: str
    calls: tuple[str, ...]
    audiences: tuple[str, ...]


class Services:
    """The services of the plan in force; follows the file."""

    def __init__(self, plans: PlanStore) -> None:
        self._plans = plans
        self._stamp: Stamp | None = None
        self._digests: Mapping[str, str] = {}
        self._trust_domain = ""
        self._read = lru_cache(maxsize=1024)(self._read_part)

    @property
    def trust_domain(self) -> str:
        """The trust domain of their identities."""
        self._follow()
        return self._trust_domain

    def find(self, spiffe_id: str) -> ServiceClient | None:
        """Return the service with an identity; None where the plan has none, and for parts of Ringwall itself."""
        found = self.named(spiffe_id.rpartition("/")[2])
        return found if found is not None and found.spiffe_id == spiffe_id else None

    def named(self, name: str) -> ServiceClient | None:
        """Return a service by its name; None where the plan has none, and for parts of Ringwall itself."""
        self._follow()
        digest = self._digests.get(name)
        return None if digest is None else self._read(digest)

    def _follow(self) -> None:
        stamp = stamp_of(self._plans.current_file)
        if stamp != self._stamp:
            _, fields = self._plans.fields()
            self._digests, self._trust_domain = fields["services"], fields["trust_domain"]
            self._stamp = stamp

    def _read_part(self, digest: str) -> ServiceClient | None:
        part: dict[str, Any] = orjson.loads(self._plans.part(digest))  # its digest has just been checked
        if part.get("builtin"):
            return None
        return ServiceClient(
            name=part["name"],
            spiffe_id=part["spiffe_id"],
            calls=tuple(part.get("calls", ())),
            audiences=tuple(part.get("audiences", ())),
        )
