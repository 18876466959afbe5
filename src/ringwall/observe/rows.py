"""A decision event as a row of the table `events`, and back.

What is asked for often has a column; the rest is one JSON array, because each further column costs more than it.
"""

from typing import Any, Final

import orjson

from ringwall.model.events import DecisionEvent, Outcome

COLUMNS: Final = "id, time, request_id, hop, operation, subject, caller, outcome, status, plan, rest"
"""What `event_of` takes, in this order."""
INSERT: Final = (
    "INSERT INTO events (time, request_id, hop, operation, subject, caller, outcome, status, plan, rest) "
    "VALUES (?,?,?,?,?,?,?,?,?,?)"
)
"""Takes what `row_of` returns."""


_WORDS: Final = {outcome: outcome.value for outcome in Outcome}
"""`Outcome.value` takes ten times as long, and this is done for every request."""


def row_of(event: DecisionEvent, plan: int) -> tuple[Any, ...]:
    """Return the parameters of `INSERT`; `plan` is the row of the plan's digest."""
    rest = (
        event.method,
        event.path,
        event.rule,
        event.issuer,
        event.source,
        event.duration_ms,
        event.detail,
        event.flags,
        event.authority,
        event.shadow,
        event.claims,
    )
    return (
        event.time,
        event.request_id,
        event.hop,
        event.operation,
        event.subject,
        event.caller,
        _WORDS[event.outcome],
        event.status,
        plan,
        orjson.dumps(rest),
    )


def event_of(row: tuple[Any, ...], plan: str) -> DecisionEvent:
    """Return the event of a row; `plan` is the digest."""
    _, time, request_id, hop, operation, subject, caller, outcome, status, _, rest = row
    method, path, rule, issuer, source, duration_ms, detail, flags, authority, shadow, claims = orjson.loads(rest)
    return DecisionEvent(
        request_id=request_id,
        time=time,
        hop=hop,
        method=method,
        path=path,
        status=status,
        outcome=Outcome(outcome),
        operation=operation,
        rule=rule,
        plan=plan,
        subject=subject,
        issuer=issuer,
        caller=caller,
        source=source,
        duration_ms=duration_ms,
        detail=detail,
        flags=flags,
        authority=authority,
        shadow=shadow,
        claims=claims,
    )
