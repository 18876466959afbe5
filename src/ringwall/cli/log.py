"""`ringwall log`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from ringwall.cli.explanations import STYLES, hop_data, local_time, places
from ringwall.cli.locate import here
from ringwall.cli.main import UsageError
from ringwall.cli.moments import ago
from ringwall.cli.output import Output
from ringwall.model.errors import RingwallError
from ringwall.model.events import Outcome
from ringwall.observe import EVENTS_FILE
from ringwall.observe.explain import HopExplanation, explain_event
from ringwall.observe.plans import PlanArchive
from ringwall.observe.query import Query
from ringwall.observe.reader import EventReader, NoStoreError, Stored, StoreError

_POLL_SECONDS: Final = 0.2
_BATCH: Final = 500
_DEFAULT_LIMIT: Final = 50
_SHORT_ID: Final = 8


def log(
    *,
    follow: Annotated[bool, Parameter(alias="-f")] = False,
    service: str = "",
    operation: str = "",
    subject: str = "",
    caller: str = "",
    outcome: Outcome | None = None,
    status: int | None = None,
    since: str = "",
    until: str = "",
    limit: int | None = None,
    json: bool = False,
) -> None:
    """Show decisions, the latest last: who asked for what, what was decided, and where the policy stands.

    Args:
        follow: Wait for new decisions and show them as they come.
        service: Only decisions about this service.
        operation: Only this operation, `patients/getPatient` or `getPatient`.
        subject: Only this `sub` of the token.
        caller: Only this calling workload, by name or SPIFFE ID.
        outcome: Only this outcome.
        status: Only this status.
        since: Only from this time on: `15m` ago, `10:00`, `2026-03-01T10:00`.
        until: Only before this time.
        limit: How many, 50 unless `--since` is given. With `--follow`: how many earlier ones first, none by default.
        json: Print one JSON document for each decision, one on a line.
    """
    if limit is not None and limit < 0:
        raise UsageError("--limit is below 0")
    output = Output(as_json=json)
    state = here().path
    archive = PlanArchive(state)
    timezone = _timezone(archive)
    now = time.time()
    query = Query(
        service=service,
        operation=operation,
        subject=subject,
        caller=caller,
        outcome=outcome,
        status=status,
        since=ago(since, now=now, timezone=timezone) if since else None,
        until=ago(until, now=now, timezone=timezone) if until else None,
    )
    if follow:
        found = _follow(state / EVENTS_FILE, query, limit or 0, output)
    else:
        found = _find(state / EVENTS_FILE, query, (-1 if since else _DEFAULT_LIMIT) if limit is None else limit)
    for stored in found:
        hop = explain_event(stored.event, archive)
        if json:
            output.json_line("decision", hop_data(hop))
        else:
            output.text(_line(hop, timezone), STYLES[stored.event.outcome])
            if hop.alarm:
                output.warn(hop.alarm)
            if follow:
                output.flush()


def _find(path: Path, query: Query, limit: int) -> Iterator[Stored]:
    reader = EventReader.open(path)
    try:
        yield from reader.find(query, limit=limit)
    finally:
        reader.close()


def _follow(path: Path, query: Query, earlier: int, output: Output) -> Iterator[Stored]:
    """Yield what comes into the store, for ever; a store that is away, busy or replaced is waited for."""
    row, told = -1, False
    while True:
        try:
            reader = EventReader.open(path)
        except NoStoreError as error:
            if not told:
                output.note(f"{error.message}; waiting")
            told, row = True, 0
            time.sleep(_POLL_SECONDS)
            continue
        try:
            if row < 0:
                row = reader.last_row()
                yield from reader.find(query, limit=earlier)
            while reader.is_current():
                last = reader.last_row()
                while found := reader.after(row, query, limit=_BATCH):
                    yield from found
                    row = found[-1].row
                row = max(row, last)
                time.sleep(_POLL_SECONDS)
            row = 0  # another store begins where the old one was
        except StoreError as error:
            output.warn(error.message, hint=error.hint)
            time.sleep(_POLL_SECONDS * 5)
        finally:
            reader.close()


def _timezone(archive: PlanArchive) -> str:
    try:
        plan = archive.current()
    except RingwallError:
        return "UTC"
    return plan.timezone if plan is not None else "UTC"


def _line(hop: HopExplanation, timezone: str) -> str:
    event = hop.event
    where = {"edge": "edge", "inbound": f"{hop.caller or '?'}→{event.hop}"}.get(hop.kind, event.hop.replace(">", "→"))
    status = str(event.status) if event.method != "TCP" else "-"
    request = f"{event.method} {event.path}".strip() or "unreadable request"
    why = places(hop.policies) or (hop.what if event.outcome is not Outcome.ALLOWED else "")
    return (
        f"{local_time(event.time, timezone, date=False)} {event.outcome.value:<15} {status:>3} {where:<22} "
        f"{hop.who:<12} {request}  {event.request_id[:_SHORT_ID]}{f'  {why}' if why else ''}"
    )
