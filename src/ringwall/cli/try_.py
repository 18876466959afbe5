"""`ringwall try`."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringwall.cli.explanations import places
from ringwall.cli.locate import running
from ringwall.cli.output import Cell, Output, Style
from ringwall.cli.requests_file import EDGE, SERVICE, Asked, read_requests
from ringwall.cli.sending import TCP, Answer, Sender
from ringwall.model.errors import InvalidBlueprintError
from ringwall.model.events import Outcome
from ringwall.observe import EVENTS_FILE
from ringwall.observe.explain import Explanation, HopExplanation, explain
from ringwall.observe.plans import PlanArchive
from ringwall.observe.query import Query
from ringwall.observe.reader import EventReader, StoreError

_PATIENCE_SECONDS: Final = 10.0
"""Decisions are a tenth of a second away, and more where the machine is busy."""
_POLL_SECONDS: Final = 0.05
_CONNECTIONS: Final = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """A request, its answer, and the decision about it where one was recorded."""

    asked: Asked
    answer: Answer
    decision: HopExplanation | None

    @property
    def expected(self) -> bool:
        """Whether the answer is the expected one."""
        return self.answer.status == self.asked.expect


def try_(file: Path, /, *, json: bool = False) -> int:
    """Send the requests of a file to the running system and compare the answers; exits with 1 where one differs.

    The file is a YAML list. Each row has `method`, `path` and `expect` (a status code), and may have `as` (a
    person, `guest`, or `service:NAME`), `headers`, `body`, `via` (`edge`, or a service that asks another one), `to`
    (that other one) and `note`. A service that declares the call has its own way; in development mode also a call
    that it does not declare can be tried. For a service of plain TCP `method` is `TCP`: 200 means let through, 403 cut.

    Args:
        file: The file of requests.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    try:
        rows = read_requests(file)
    except InvalidBlueprintError as error:
        output.error(error, root=Path())
        return error.exit_code
    folder, plan, bindings = running()
    sender = Sender(plan, bindings)
    answers = []
    for number, asked in enumerate(rows, 1):
        output.progress(f"{number}/{len(rows)} {asked.method} {asked.path}")
        answers.append(sender.send(asked))
    output.progress("asking why …")
    why = _explanations(folder.path, list(zip(rows, answers, strict=True)))
    results = [
        Result(asked, answer, _deciding(answer, explanation))
        for asked, answer, explanation in zip(rows, answers, why, strict=True)
    ]
    output.clear_progress()
    good = sum(1 for result in results if result.expected)
    output.json("try", {"good": good, "total": len(results), "rows": [_data(result) for result in results]})
    output.table(["who", "operation", "expected", "got", "decided by", "note"], [_row(result) for result in results])
    output.text(f"{good} of {len(results)} as expected", Style.GOOD if good == len(results) else Style.BAD)
    return 0 if good == len(results) else 1


def _explanations(state: Path, sent: list[tuple[Asked, Answer]]) -> list[Explanation | None]:
    """Explain requests; the last of them may still be on their way from the proxies' buffers."""
    archive = PlanArchive(state)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    found: list[Explanation | None] = [None] * len(sent)
    while True:
        try:
            reader = EventReader.open(state / EVENTS_FILE)
        except StoreError:
            pass  # nothing has been recorded yet
        else:
            try:
                for place, (asked, answer) in enumerate(sent):
                    if not _complete(found[place]):
                        found[place] = _explanation(reader, archive, asked, answer)
            finally:
                reader.close()
        recorded = [each for each, (_, answer) in zip(found, sent, strict=True) if answer.status]
        if all(map(_complete, recorded)) or time.monotonic() > deadline:
            return found
        time.sleep(_POLL_SECONDS)


def _complete(explanation: Explanation | None) -> bool:
    return explanation is not None and explanation.complete


def _explanation(reader: EventReader, archive: PlanArchive, asked: Asked, answer: Answer) -> Explanation | None:
    if answer.request_id:
        return explain(reader, archive, answer.request_id)
    if not answer.callee:
        return None
    # Only the proxy knows a connection's id: it is the first that this caller began since then.
    query = Query(service=answer.callee, caller=asked.via, since=answer.began)
    began = [stored.event for stored in reader.find(query, limit=_CONNECTIONS)]
    return explain(reader, archive, began[0].request_id) if began else None


def _deciding(answer: Answer, explanation: Explanation | None) -> HopExplanation | None:
    """Return the hop whose decision the client saw: the last that refused, else the one at the service asked."""
    if explanation is None or not explanation.hops:
        return None
    hops = explanation.hops
    refused = [hop for hop in hops if hop.event.outcome is not Outcome.ALLOWED]
    if answer.status >= 400 and refused:  # noqa: PLR2004  # client and server errors of HTTP
        return refused[-1]
    first = next((hop for hop in hops if hop.event.operation), hops[0])
    return next((hop for hop in hops if hop.kind == "inbound" and hop.event.operation == first.event.operation), first)


def _by(result: Result) -> str:
    decision = result.decision
    if decision is None:
        return result.answer.problem or "(not recorded)"
    if decision.policies:
        return places(decision.policies)
    if decision.event.outcome is Outcome.DENIED and decision.near:
        return f"no permit; nearest {places(decision.near)}"
    return decision.what


def _operation(result: Result) -> str:
    if result.decision is not None and result.decision.event.operation:
        return result.decision.event.operation
    return f"{result.asked.method} {result.answer.callee if result.asked.method == TCP else result.asked.path}"


def _row(result: Result) -> list[object]:
    asked = result.asked
    who = asked.who if asked.via == EDGE or asked.who == f"{SERVICE}{asked.via}" else f"{asked.who} via {asked.via}"
    style = Style.GOOD if result.expected else Style.BAD
    got = str(result.answer.status) if result.expected else f"{result.answer.status or 'nothing'} (!)"
    return [who, _operation(result), asked.expect, Cell(got, style), _by(result), asked.note]


def _data(result: Result) -> dict[str, object]:
    decision = result.decision
    return {
        "who": result.asked.who,
        "via": result.asked.via,
        "method": result.asked.method,
        "path": result.asked.path,
        "operation": decision.event.operation if decision else "",
        "expected": result.asked.expect,
        "got": result.answer.status,
        "as_expected": result.expected,
        "request_id": result.answer.request_id,
        "decided_by": [str(policy.source) for policy in decision.policies] if decision else [],
        "nearest": [str(policy.source) for policy in decision.near] if decision else [],
        "why": decision.what if decision else result.answer.problem,
        "note": result.asked.note,
    }
