"""Which decisions to find."""

from dataclasses import dataclass

from ringwall.model.events import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Filters that must all hold; an empty one filters nothing.

    Attributes:
        service: decisions of this service's listener, and of the edge about its operations.
        operation: operation id, or the part of it after the service.
        subject: `sub` of the token.
        caller: SPIFFE ID of the peer or its last part, such as `portal` or `edge`.
        outcome: what happened.
        status: what was answered.
        since: earliest start, until: latest start (exclusive), in seconds since the epoch.
    """

    service: str = ""
    operation: str = ""
    subject: str = ""
    caller: str = ""
    outcome: Outcome | None = None
    status: int | None = None
    since: float | None = None
    until: float | None = None

    def where(self) -> tuple[str, tuple[object, ...]]:
        """Return an SQL condition over the table `events`, and its parameters."""
        service, name = self.service, self.operation
        parts: list[tuple[str, tuple[object, ...]]] = []
        if service:
            prefix = f"{service}/"
            parts.append(("(hop = ? OR substr(operation, 1, ?) = ?)", (service, len(prefix), prefix)))
        if name:
            parts.append(("(operation = ? OR substr(operation, instr(operation, '/') + 1) = ?)", (name, name)))
        if self.subject:
            parts.append(("subject = ?", (self.subject,)))
        if self.caller:
            tail = f"/{self.caller}"
            parts.append(("(caller = ? OR substr(caller, ?) = ?)", (self.caller, -len(tail), tail)))
        if self.outcome is not None:
            parts.append(("outcome = ?", (self.outcome.value,)))
        if self.status is not None:
            parts.append(("status = ?", (self.status,)))
        if self.since is not None:
            parts.append(("time >= ?", (self.since,)))
        if self.until is not None:
            parts.append(("time < ?", (self.until,)))
        return " AND ".join(clause for clause, _ in parts) or "1", tuple(v for _, values in parts for v in values)
