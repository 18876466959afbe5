"""The reference semantics: what a plan answers to one request, decided by Cedar itself.

The compiled rules are proven against this. The decision point, `ringwall explain` and `ringwall can`
use it. It looks only at the policies that can apply to the operation, so its cost does not grow with the
system, and no claim, however odd, makes it raise.
"""

import ipaddress
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import cedarpy

from ringwall.model.administration import OPERATOR
from ringwall.plan.cedar import (
    ACTION,
    GUEST,
    PARAM_CHARS,
    ROLE,
    SERVICE,
    USER,
    WORKLOAD,
    CedarPolicy,
    Reads,
    action_group,
)
from ringwall.plan.decision import Answer, DecidingPolicy, Question
from ringwall.plan.model import EDGE, Plan, Service
from ringwall.plan.near import Miss, NearMisses
from ringwall.plan.operation import Operation
from ringwall.plan.policy import Mode
from ringwall.plan.subject import Subject, subject_of

_READABLE = re.compile(f"{PARAM_CHARS}*")

GUEST_ID = "guest"


@dataclass(frozen=True)
class _Verdict:
    allowed: bool
    policies: tuple[DecidingPolicy, ...]
    errors: tuple[str, ...]


class _Ruling:
    """The policies of one operation in one reading: as enforced, or with the shadow policies too."""

    def __init__(self, policies: tuple[CedarPolicy, ...]) -> None:
        self.policies = {parsed.policy.id: parsed for parsed in policies}
        reads = Reads()
        for parsed in policies:
            reads |= parsed.reads
        self.reads = reads

    @cached_property
    def _set(self) -> cedarpy.PolicySet:
        static = {name: parsed.body for name, parsed in self.policies.items()}
        return cedarpy.PolicySet.from_json_str(
            json.dumps({"staticPolicies": static, "templates": {}, "templateLinks": []})
        )

    @cached_property
    def _near(self) -> NearMisses:
        return NearMisses(self.policies.values())

    def misses(self, request: dict[str, Any], entities: cedarpy.Entities) -> tuple[Miss, ...]:
        """Return the permits that came closest to allowing a request that nothing permitted."""
        return self._near.of(request, entities)

    def verdict(self, request: dict[str, Any], entities: cedarpy.Entities) -> _Verdict:
        """Ask Cedar; a policy that errs denies, where Cedar alone would skip it."""
        result = cedarpy.is_authorized(request, self._set, entities)
        errors = tuple(str(error) for error in result.diagnostics.errors)
        deciding = tuple(self.deciding(name) for name in sorted(result.diagnostics.reasons))
        return _Verdict(result.allowed and not errors, deciding, errors)

    def deciding(self, name: str) -> DecidingPolicy:
        """Describe one of the policies."""
        parsed = self.policies[name]
        return DecidingPolicy(id=name, source=parsed.policy.source, effect=str(parsed.body["effect"]))


class _View:
    """One operation with what is needed to answer about it."""

    def __init__(self, plan: Plan, service: Service, operation: Operation, policies: tuple[CedarPolicy, ...]) -> None:
        self.operation = operation
        self.service = service
        enforced = tuple(parsed for parsed in policies if parsed.policy.mode is Mode.ENFORCE)
        self.enforced = _Ruling(enforced)
        self.all = _Ruling(policies) if len(enforced) != len(policies) else None
        self._plan = plan

    @cached_property
    def entities(self) -> cedarpy.Entities:
        """The service, the action with its group, and all roles; the user is added per request."""
        known = [
            {
                "uid": {"type": SERVICE, "id": self.service.name},
                "attrs": {"zone": self.service.zone, "holds": list(self.operation.holds)},
                "parents": [],
            },
            {
                "uid": {"type": ACTION, "id": self.operation.id},
                "attrs": {},
                "parents": [{"type": ACTION, "id": action_group(self.service.name)}],
            },
        ]
        known += [
            {
                "uid": {"type": ROLE, "id": role.name},
                "attrs": {},
                "parents": [{"type": ROLE, "id": name} for name in role.includes],
            }
            for role in self._plan.roles
        ]
        return cedarpy.Entities.from_json_str(json.dumps(known))


class Evaluator:
    """Answers questions about one plan. Safe to use from several threads."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._policies = {policy.id: policy for policy in plan.policies}
        self._parsed: dict[str, CedarPolicy] = {}
        self._operations = {
            operation.id: (service, operation) for service in plan.services for operation in service.operations
        }
        self._views: dict[str, _View] = {}
        self._claims = {claim.name: claim for claim in plan.claims}
        self._zone = ZoneInfo(plan.timezone)

    def answer(self, question: Question) -> Answer:
        """Return the decision with its reasons; never raises on what a token or a request holds."""
        view = self._view(question.operation)
        if view is None:
            return _refused(f"there is no operation {question.operation!r}")
        hop = view.operation.edge if question.hop == EDGE else view.operation.inbound
        if hop is None:
            return _refused(f"{question.operation!r} is not exposed at the edge")
        if question.caller not in hop.callers:
            return _refused(f"{question.caller!r} may not call this operation")
        if question.claims is None and hop.authentication == "required":
            return Answer(allowed=False, reasons=("a token is required",), missing=("a token",))
        if self._plan.mode_of(view.service) is Mode.SHADOW:
            return self._unenforced(view, question)
        return self._enforced(view, question)

    def answer_operator(self, operation: str, path: str, time: float) -> Answer:
        """Return whether whoever runs the system may do something of the issuer's administration.

        No proxy knows this principal: it comes over no listener, and no compiled rule is about it.
        """
        view = self._view(operation)
        if view is None or not view.service.builtin:
            return _refused(f"there is no operation {operation!r}")
        question = Question(operation=operation, hop="inbound", caller=OPERATOR, time=time, path=path)
        return self._enforced(view, question)

    def _enforced(self, view: _View, question: Question) -> Answer:
        answer = self._decide(view, view.enforced, question)
        if view.all is None:
            return answer
        return replace(answer, shadow_allowed=self._decide(view, view.all, question).allowed)

    def _unenforced(self, view: _View, question: Question) -> Answer:
        would = self._decide(view, view.all or view.enforced, question)
        return Answer(
            allowed=True,
            policies=would.policies if would.allowed else (),
            reasons=(f"{view.service.name!r} is in shadow mode: only its callers and tokens are checked",),
            shadow_allowed=would.allowed,
        )

    def _view(self, operation_id: str) -> _View | None:
        found = self._operations.get(operation_id)
        if found is None:
            return None
        view = self._views.get(operation_id)
        if view is None:
            service, operation = found
            known = (self._policy(name) for name in operation.policies)
            policies = tuple(parsed for parsed in known if parsed.concerns(service.zone, operation.holds))
            view = self._views[operation_id] = _View(self._plan, service, operation, policies)
        return view

    def _policy(self, name: str) -> CedarPolicy:
        parsed = self._parsed.get(name)
        if parsed is None:
            parsed = self._parsed[name] = CedarPolicy.parse(self._policies[name])
        return parsed

    def _decide(self, view: _View, ruling: _Ruling, question: Question) -> Answer:
        subject: Subject | None = None
        if question.claims is not None:
            subject, reasons = subject_of(
                question.claims,
                issuers=self._plan.issuers,
                roles=self._plan.roles,
                declared=self._claims,
                reads=ruling.reads,
            )
            if subject is None:
                return Answer(allowed=False, reasons=reasons)
        context, problem = self._context(view.operation, ruling.reads, question)
        if problem:
            return _refused(problem)
        request = {
            "principal": _principal(question, subject),
            "action": {"type": ACTION, "id": view.operation.id},
            "resource": {"type": SERVICE, "id": view.service.name},
            "context": context,
        }
        entities = view.entities
        if subject is not None:
            entities = entities.with_added_json_str(json.dumps([subject.entity()]))
        verdict = ruling.verdict(request, entities)
        reasons = tuple(f"a policy could not be evaluated: {error}" for error in verdict.errors)
        if verdict.allowed or verdict.policies or reasons:
            return Answer(allowed=verdict.allowed, policies=verdict.policies, reasons=reasons)
        return _default_deny(ruling, ruling.misses(request, entities))

    def _context(self, operation: Operation, reads: Reads, question: Question) -> tuple[dict[str, Any], str]:
        """Return Cedar's context, or an empty one and the reason why the request is denied."""
        segments = question.path.split("/")[1:]
        path = dict.fromkeys((param.name for param in operation.params), "")
        for param in operation.params:
            if param.name not in reads.path:
                continue
            if param.segment >= len(segments):
                return {}, f"the path has no segment for the parameter {param.name!r}"
            value = path[param.name] = segments[param.segment]
            if _READABLE.fullmatch(value) is None:
                return {}, f"the path parameter {param.name!r} holds a character that can be read in two ways"
        try:
            moment = datetime.fromtimestamp(question.time, UTC)
        except (ValueError, OverflowError, OSError):
            return {}, "the time of the request is no time"
        local = moment.astimezone(self._zone)
        context: dict[str, Any] = {
            "caller": {"__entity": {"type": WORKLOAD, "id": question.caller}},
            "path": path,
            "now": {"__extn": {"fn": "datetime", "arg": moment.strftime("%Y-%m-%dT%H:%M:%S.") + _millis(moment)}},
            "hour": local.hour,
            "minute": local.minute,
            "weekday": local.isoweekday(),
        }
        if question.caller == EDGE and question.source is not None and _is_address(question.source):
            context["source"] = {"__extn": {"fn": "ip", "arg": question.source}}
        elif question.caller == EDGE and reads.source:
            return {}, "a policy reads the client's address, which is not known"
        return context, ""


def _default_deny(ruling: _Ruling, misses: tuple[Miss, ...]) -> Answer:
    """Say what the nearest permits wanted."""
    near = tuple(ruling.deciding(miss.policy) for miss in misses)
    reasons = tuple(
        f"{policy.source} needs: {text}" for policy, miss in zip(near, misses, strict=True) for text in miss.unmet
    )
    missing = tuple(dict.fromkeys(fact for miss in misses for fact in miss.missing))
    return Answer(allowed=False, reasons=reasons or ("no policy permits this",), missing=missing, near=near)


def _principal(question: Question, subject: Subject | None) -> dict[str, str]:
    if subject is not None:
        return {"type": USER, "id": subject.uid}
    if question.caller == EDGE:
        return {"type": GUEST, "id": GUEST_ID}
    return {"type": WORKLOAD, "id": question.caller}


def _refused(reason: str) -> Answer:
    return Answer(allowed=False, reasons=(reason,))


def _millis(moment: datetime) -> str:
    return f"{moment.microsecond // 1000:03d}Z"


def _is_address(text: str) -> bool:
    """Return whether Cedar reads this as one address; a zone, as in `fe80::1%eth0`, it does not."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
