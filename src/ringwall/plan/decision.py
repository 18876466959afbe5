"""What is asked about one request, and what is answered. The meaning of every rule is defined on these."""

from dataclasses import dataclass, field

from ringwall.plan.policy import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request at one hop, with facts that have been verified.

    Attributes:
        operation: operation id.
        hop: `edge` or `inbound`.
        caller: name of the calling workload, `edge` for the edge; at the edge hop always `edge`.
        time: start of the request, seconds since the epoch.
        path: the request path as the service sees it (without exposure prefix), normalised, no query.
        claims: payload of the verified token, None where there is no token.
        source: client address as the edge saw it; None where the caller is not the edge.
    """

    operation: str
    hop: str
    caller: str
    time: float
    path: str
    claims: dict[str, object] | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingPolicy:
    """A policy that determined a decision."""

    id: str
    source: Source
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A decision and its reasons.

    Attributes:
        allowed: the decision.
        policies: what determined it: the permits on an allow, the forbids on a deny; empty on a default deny.
        reasons: sentences for the operator, such as "claim 'patients' is not a list".
        missing: claims or facts that a permit would have needed and that were absent.
        shadow_allowed: what the decision would be with shadow policies enforced; None where there are none.
    """

    allowed: bool
    policies: tuple[DecidingPolicy, ...] = ()
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    shadow_allowed: bool | None = None
    near: tuple[DecidingPolicy, ...] = field(default=())
