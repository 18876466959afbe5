"""Decision events: what was decided about one request at one hop.

Shape after OCSF 1.3 class 6003 (API Activity), with the fields that Ringwall needs kept flat.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What happened to a request at a hop."""

    ALLOWED = "allowed"
    """A policy said yes and the request was passed on; what the service answered is in `status`."""
    DENIED = "denied"
    """A policy said no, or none said yes: 403."""
    UNAUTHENTICATED = "unauthenticated"
    """No token, or none that is believed: 401 (403 for a wrong audience)."""
    LIMITED = "limited"
    """Over a rate limit: 429."""
    NO_ROUTE = "no-route"
    """No operation of the plan matches: 404, or 405 where the path has one for another method."""
    REJECTED = "rejected"
    """Malformed or oversized: 400, 408, 413, 431."""
    FAILED = "failed"
    """The service, the way to it or the decision point failed: 502, 503, 504."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEvent:
    """One decision. Times are seconds since the epoch, durations milliseconds.

    Attributes:
        request_id: the same at every hop of a request; empty where a request was too malformed to get one.
        hop: `edge`, or the name of the service whose inbound listener decided.
        method: HTTP method, or `TCP` for a connection.
        path: normalised, without query.
        status: what this hop answered; 0 where the client was gone, and for TCP.
        operation: operation id; empty where no route matched.
        rule: `Operation.rule_id` of that operation.
        plan: digest of the plan that was in force.
        subject: `sub` of the verified token, empty without one; issuer: its `iss`.
        caller: SPIFFE ID of the peer, empty at the edge.
        source: client address as this hop saw it.
        detail: Envoy's response code details, which name the filter that answered.
        flags: Envoy's response flags.
        authority: the host that was asked for.
        shadow: `allowed` or `denied` by the shadow rules, empty where there are none.
        claims: recorded claims, by the names of `ringwall.plan.recorded`.
    """

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
    flags: str = ""
    authority: str = ""
    shadow: str = ""
    claims: dict[str, object] = field(default_factory=dict)
