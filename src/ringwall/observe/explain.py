"""Why a request was allowed or denied: every hop that saw it, decided again on what was recorded.

The decision is taken from the record, the reasons from the plan that was in force then. Where the two
disagree, either the proxy or the evaluator is wrong, and the explanation says so before anything else.
"""

from dataclasses import dataclass, replace
from typing import Literal

from ringwall.model.errors import RingwallError
from ringwall.model.events import DecisionEvent, Outcome
from ringwall.model.route import matches
from ringwall.observe.advice import by_policies, describe
from ringwall.observe.askers import GUEST
from ringwall.observe.connections import decide_connection
from ringwall.observe.outcomes import TCP
from ringwall.observe.plans import PlanArchive, Ruled
from ringwall.observe.reader import EventReader
from ringwall.observe.verdict import Verdict, decide
from ringwall.plan.decision import DecidingPolicy, Question
from ringwall.plan.model import EDGE, Plan, Service
from ringwall.plan.operation import Operation
from ringwall.plan.recorded import payload, with_nulls

Kind = Literal["edge", "inbound", "outbound"]
UNKNOWN = "unknown"
_OUTBOUND = ">"
_SHOWN_IDS = 5
_CUT = "…"
_NULL = "the token holds null for one of these claims or more, which the record cannot tell from a claim that is absent"


class UnknownRequestError(RingwallError):
    """No decision about such a request is recorded."""

    code = "unknown-request"


@dataclass(frozen=True, slots=True, kw_only=True)
class HopExplanation:
    """What one hop did with the request.

    Attributes:
        kind: `edge`, `inbound` (a service's own listener) or `outbound` (a service's way to another one).
        event: what was recorded.
        who: name of the one who asked; `guest` without a token, `unknown` where nothing tells.
        known_by: how that is known, or why it is not.
        caller: name of the calling workload; empty where the record names none.
        what: what happened, one sentence without a full stop.
        todo: what to do about it; may be empty.
        policies, near, reasons, missing: as in `Verdict`; empty where no policy was asked.
        alarm: record and plan disagree: a defect; empty where they agree.
        note: what cannot be told, and why; mostly empty.
    """

    kind: Kind
    event: DecisionEvent
    who: str
    known_by: str
    caller: str
    what: str
    todo: str = ""
    policies: tuple[DecidingPolicy, ...] = ()
    near: tuple[DecidingPolicy, ...] = ()
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    alarm: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every hop of a request in the order in which they began."""

    request_id: str
    hops: tuple[HopExplanation, ...]

    @property
    def complete(self) -> bool:
        """Whether every hop is there that those which are there passed the request on to, or had it from."""
        kinds = {(hop.kind, hop.event.hop) for hop in self.hops}
        for hop in self.hops:
            passed_on = hop.kind == EDGE and hop.event.outcome is Outcome.ALLOWED and hop.event.operation
            if passed_on and ("inbound", hop.event.operation.partition("/")[0]) not in kinds:
                return False
            if hop.kind == "inbound" and hop.caller == EDGE and (EDGE, EDGE) not in kinds:
                return False
            # A way out records what came back from the callee's own listener, which has its own record.
            callee = hop.event.hop.partition(_OUTBOUND)[2]
            if hop.kind == "outbound" and hop.event.outcome is Outcome.ALLOWED and ("inbound", callee) not in kinds:
                return False
        return bool(self.hops)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Every disagreement between what was recorded and what the plan says."""
        return tuple(hop.alarm for hop in self.hops if hop.alarm)


def find(reader: EventReader, request: str) -> str:
    """Return the request id that is, or begins with, `request`.

    Raises:
        UnknownRequestError: none does, or several do.
    """
    wanted = request.strip()
    ids = next(filter(None, (reader.request_ids(text) for text in (wanted, wanted.lower()) if text)), ())
    if wanted in ids:
        return wanted
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise UnknownRequestError(
            f"{len(ids)} requests or more begin with {request!r}",
            hint=f"give more of the id; for instance {', '.join(ids[:_SHOWN_IDS])}",
        )
    latest = [f"{e.request_id} ({e.method}{e.path and ' '}{e.path}: {e.outcome})" for e in reader.latest(_SHOWN_IDS)]
    raise UnknownRequestError(
        f"no decision about a request {request!r} is recorded",
        hint=f"the latest are {'; '.join(latest)}"
        if latest
        else "none is recorded at all; `ringwall status` tells why",
    )


def explain(reader: EventReader, archive: PlanArchive, request_id: str) -> Explanation:
    """Explain a request by its whole id."""
    return Explanation(request_id, tuple(explain_event(event, archive) for event in reader.by_request(request_id)))


def explain_event(event: DecisionEvent, archive: PlanArchive) -> HopExplanation:
    """Explain what one hop did."""
    kind: Kind = "edge" if event.hop == EDGE else "outbound" if _OUTBOUND in event.hop else "inbound"
    plan = archive.plan(event.plan)
    caller = _caller(plan, event) if kind == "inbound" else EDGE if kind == EDGE else event.hop.partition(_OUTBOUND)[0]
    what, todo = describe(event)
    who, known_by = _who(plan, event, kind, caller)
    bare = HopExplanation(kind=kind, event=event, who=who, known_by=known_by, caller=caller, what=what, todo=todo)
    if event.method == TCP and plan is not None:
        return _explain_tcp(bare, plan)
    if not event.rule or kind == "outbound" or not by_policies(event):
        return bare
    ruled = archive.resolve(event.rule, event.plan)
    evaluator = archive.evaluator(event.plan)
    if ruled is None or evaluator is None:
        known = event.plan[:12] or "of that time"
        return replace(bare, note=f"the plan {known} is not kept, so no policy can be named")
    question = _question(event, kind, caller, ruled)
    verdict = decide(evaluator, ruled.service, ruled.operation, question)
    if event.outcome is Outcome.DENIED and verdict.outcome is Outcome.ALLOWED and question.claims is not None:
        # Proxies record a claim that is null as they do one that is absent, and null denies where absence need not.
        nulls = replace(question, claims=with_nulls(ruled.plan, question.claims))
        other = decide(evaluator, ruled.service, ruled.operation, nulls)
        if other.outcome is Outcome.DENIED and other.reasons:
            return _with_verdict(bare, other, note=_NULL)
    return _with_verdict(bare, verdict)


def _with_verdict(bare: HopExplanation, verdict: Verdict, *, note: str = "") -> HopExplanation:
    event = bare.event
    if event.outcome not in {Outcome.ALLOWED, Outcome.DENIED}:
        return bare  # something else than the policies decided
    alarm = ""
    if (event.outcome is Outcome.ALLOWED) != (verdict.outcome is Outcome.ALLOWED):
        if event.path.endswith(_CUT):
            note = "the path was too long to be recorded whole, so the decision cannot be repeated"
        else:
            alarm = (
                f"{event.hop} recorded `{event.outcome}`, but the plan {event.plan[:12]} says `{verdict.outcome}`: "
                "this is a defect of Ringwall, please report it"
            )
    what = bare.what
    if event.outcome is Outcome.DENIED and not alarm:
        what = verdict.why
    return replace(
        bare,
        what=what,
        policies=verdict.policies,
        near=verdict.near,
        reasons=verdict.reasons,
        missing=verdict.missing,
        alarm=alarm,
        note=note,
    )


def _explain_tcp(bare: HopExplanation, plan: Plan) -> HopExplanation:
    service = plan.by_name.get(bare.event.hop)
    if service is None:
        return bare
    verdict = decide_connection(plan, service, bare.caller)
    if bare.event.outcome is Outcome.DENIED:
        allowed = ", ".join(service.tcp_callers) or "nobody"
        return replace(
            bare,
            what=f"{bare.caller or 'the caller'} may not connect; {allowed} may",
            todo=f"add {service.name!r} to the `calls` of the service that needs it",
            near=verdict.near,
            reasons=verdict.reasons,
        )
    return replace(bare, policies=verdict.policies, reasons=verdict.reasons)


def _question(event: DecisionEvent, kind: Kind, caller: str, ruled: Ruled) -> Question:
    return Question(
        operation=ruled.operation.id,
        hop=EDGE if kind == EDGE else "inbound",
        caller=caller,
        time=event.time,
        path=_service_path(event, kind, ruled.service, ruled.operation),
        claims=payload(ruled.plan, subject=event.subject, issuer=event.issuer, recorded=event.claims),
        source=event.source if caller == EDGE and event.source else None,
    )


def _service_path(event: DecisionEvent, kind: Kind, service: Service, operation: Operation) -> str:
    """Return the path as the service sees it: at the edge the exposure's prefix is taken away."""
    prefix = service.prefix or ""
    if kind == EDGE and prefix and (event.path == prefix or event.path.startswith(f"{prefix}/")):
        inner = event.path.removeprefix(prefix) or "/"
        if matches(operation.template, inner):
            return inner
    return event.path


def _caller(plan: Plan | None, event: DecisionEvent) -> str:
    """Return the name of the workload with this SPIFFE ID, or the ID where the plan has no such workload."""
    if plan is None or not event.caller:
        return event.caller
    names = {plan.spiffe_of(EDGE): EDGE} | {service.spiffe_id: service.name for service in plan.services}
    return names.get(event.caller, event.caller)


def _who(plan: Plan | None, event: DecisionEvent, kind: Kind, caller: str) -> tuple[str, str]:
    """Return the name of the one who asked, `unknown` where the record tells none, and how it is known or why not."""
    if event.subject or event.issuer:
        issuer = next((i for i in plan.issuers if i.url == event.issuer), None) if plan is not None else None
        if issuer is not None and issuer.builtin:
            return event.subject or UNKNOWN, "by a token"
        return f"{event.subject or UNKNOWN} of {issuer.name if issuer else event.issuer}", "by a token"
    if kind == "outbound" or (kind == "inbound" and caller != EDGE):
        return (caller, "a service, without a token") if caller else (UNKNOWN, "no certificate")
    if event.outcome in {Outcome.ALLOWED, Outcome.DENIED} and event.rule:
        return GUEST, "no token"
    if event.outcome is Outcome.UNAUTHENTICATED:
        return UNKNOWN, "no token that is believed"
    return UNKNOWN, "no token was looked at"
