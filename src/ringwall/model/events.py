"""Decision events: what was decided about one request at one hop.

Shape after OCSF 1.3 class 6003 (API Activity), with the fields that Ringwall needs kept flat.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What happened to a request at a hop."""

    ALLOWED = "allowed"
    DENIED = "denied"
    """A policy said no, or none said yes: 403."""
    UNAUTHENTICATED = "unauthenticated"
    """No token, or none that is believed: 401 (403 for a wrong audience)."""
    LIMITED = "limited"
    """Over a rate limit: 429."""
    NO_ROUTE = "no-route"
    """No operation of the plan matches: 404."""
    REJECTED = "rejected"
    """Malformed or oversized: 400, 408, 413, 431."""
    FAILED = "failed"
    """The service or the way to it failed: 502, 503, 504."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEvent:
    """One decision. Times are seconds since the epoch, durations milliseconds."""

    request_id: str
    time: float
    hop: str
    method: str
    path: str
    status: int
    outcome: Outcome
    operation: str = ""
    rule: str = ""
    plan: str = ""
    subject: str = ""
    issuer: str = ""
    caller: str = ""
    source: str = ""
    duration_ms: int = 0
    detail: str = ""
    shadow: str = ""
    claims: dict[str, object] = field(default_factory=dict)
