"""`ringwall explain`."""

import time
from typing import Final

from ringwall.cli.explanations import STYLES, hop_data, local_time, places
from ringwall.cli.locate import here
from ringwall.cli.output import Output, Style
from ringwall.observe import EVENTS_FILE
from ringwall.observe.explain import Explanation, HopExplanation, UnknownRequestError, find
from ringwall.observe.explain import explain as explain_request
from ringwall.observe.plans import PlanArchive
from ringwall.observe.reader import EventReader

_WAIT_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05
_SHORT: Final = 12
_DEFECT: Final = 1


def explain(request_id: str, /, *, json: bool = False) -> int:
    """Say why a request was allowed or denied, hop by hop.

    Exits with 0, with 1 where no such request is recorded, and with 1 where what a proxy did and
    what the plan says disagree, which would be a defect.

    Args:
        request_id: The `x-request-id` of the answer, or how it begins.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    state = here().path
    archive = PlanArchive(state)
    reader = EventReader.open(state / EVENTS_FILE)
    try:
        explanation = _await(reader, archive, request_id)
    finally:
        reader.close()
    data = [hop_data(hop) for hop in explanation.hops]
    output.json("explanation", {"request_id": explanation.request_id, "hops": data})
    _print(explanation, output, _timezone(explanation, archive))
    return _DEFECT if explanation.alarms else 0


def _await(reader: EventReader, archive: PlanArchive, request_id: str) -> Explanation:
    """Explain a request; one that was answered only now is on its way from the proxies' buffers for a moment."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        late = time.monotonic() >= deadline
        try:
            explanation = explain_request(reader, archive, find(reader, request_id))
            if late or explanation.complete:
                return explanation
        except UnknownRequestError:
            if late:
                raise
        time.sleep(_POLL_SECONDS)


def _timezone(explanation: Explanation, archive: PlanArchive) -> str:
    plan = next((archive.plan(hop.event.plan) for hop in explanation.hops), None)
    return plan.timezone if plan is not None else "UTC"


def _print(explanation: Explanation, output: Output, timezone: str) -> None:
    first = explanation.hops[0].event
    output.text(f"{first.method} {first.path}".strip() or "a request that could not be read", Style.STRONG)
    output.text(f"request {explanation.request_id}, {local_time(first.time, timezone)}")
    for alarm in explanation.alarms:
        output.text(f"ALARM: {alarm}", Style.BAD)
    for hop in explanation.hops:
        _print_hop(hop, output)


def _print_hop(hop: HopExplanation, output: Output) -> None:
    event = hop.event
    output.text()
    where = {"edge": "at the edge", "inbound": f"at {event.hop}"}.get(hop.kind, f"on the way {event.hop}")
    answer = f", answered {event.status}" if event.status else ""
    output.text(f"{where}: {event.outcome.value}{answer} ({event.duration_ms} ms)", STYLES[event.outcome])
    came = f", called by {hop.caller}" if hop.kind == "inbound" and hop.caller else ""
    source = f", from {event.source}" if event.source else ""
    rows = [
        ("who", f"{hop.who} ({hop.known_by}){came}{source}"),
        ("operation", event.operation),
        ("why", f"{hop.what}."),
        ("decided by", places(hop.policies)),
        ("nearest", places(hop.near)),
        ("missing", ", ".join(hop.missing)),
        ("shadow", f"with the shadow policies enforced it would be {event.shadow}" if event.shadow else ""),
        ("note", hop.note),
        ("to do", hop.todo),
        ("plan", event.plan[:_SHORT]),
    ]
    for name, text in rows:
        if text:
            output.text(f"  {name:<11}{text}")
