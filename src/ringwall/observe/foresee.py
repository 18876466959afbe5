"""What would happen to a request that nobody sends: over which hops it would go, and what each would say."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from ringwall.model.events import Outcome
from ringwall.model.route import answered
from ringwall.observe.askers import Asker, ForeseeError
from ringwall.observe.connections import decide_connection
from ringwall.observe.verdict import Verdict, decide
from ringwall.plan.decision import Question
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.model import EDGE, Plan, Protocol, Service
from ringwall.plan.operation import Operation
from ringwall.plan.paths import UnroutablePathError, normalised
from ringwall.plan.routes import edge_template, match_edge, match_operation

TCP: Final = "TCP"
_WRONG_METHOD: Final = 405
_STATUS: Final = {
    Outcome.ALLOWED: 200,
    Outcome.DENIED: 403,
    Outcome.UNAUTHENTICATED: 401,
    Outcome.NO_ROUTE: 404,
    Outcome.REJECTED: 400,
}

_REVOKED: Final = Verdict(
    outcome=Outcome.DENIED, reasons=("the calling workload is revoked; `ringwall revoke list` says until when",)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request.

    Attributes:
        method: HTTP method, or `TCP`.
        path: as a client would send it: at the edge with the exposure's prefix, otherwise the service's own path.
        time: when it begins, seconds since the epoch.
        source: the client's address.
        via: workload that calls; empty for the edge.
        service: service that is asked; empty to find it by the path.
    """

    method: str
    path: str
    time: float
    source: str = "127.0.0.1"
    via: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What one hop would say.

    Attributes:
        hop: `edge`, or the service whose listener decides.
        caller: who calls this hop.
        operation: id; empty where there is none.
        path: as the service would see it.
        todo: what to do about a refusal; may be empty.
        methods: where there is no such operation, the methods that the path does take.
    """

    hop: str
    caller: str
    path: str
    verdict: Verdict
    operation: str = ""
    todo: str = ""
    methods: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """What would be answered; 200 stands for whatever the service answers."""
        return _WRONG_METHOD if self.methods else _STATUS[self.verdict.outcome]


def _no_route(reason: str) -> Verdict:
    return Verdict(outcome=Outcome.NO_ROUTE, reasons=(reason,))


def _methods(service: Service, path: str) -> tuple[str, ...]:
    methods = answered(operation.method for operation in service.operations)
    return tuple(sorted(m for m in methods if m != "*" and match_operation(service, m, path) is not None))


class Foresight:
    """Answers for one plan."""

    def __init__(self, plan: Plan, evaluator: Evaluator, *, revoked: Collection[str] = ()) -> None:
        """Answer for a plan; `revoked` are the names of services that are believed no more."""
        self._plan = plan
        self._revoked = revoked
        self._evaluator = evaluator

    def hops(self, asker: Asker, asked: Asked) -> tuple[Foreseen, ...]:
        """Return what each hop would say, up to the first one that refuses.

        Raises:
            ForeseeError: the request names a service that does not exist, or could be for several.
        """
        caller = asker.workload or asked.via or EDGE
        if caller != EDGE:
            self._service(caller)
        if asked.method == TCP:
            return (self._tcp(caller, asked),)
        try:
            path = normalised(asked.path)
        except UnroutablePathError as error:
            verdict = Verdict(outcome=Outcome.REJECTED, reasons=(error.message,))
            return (Foreseen(hop=caller, caller=caller, path=asked.path, verdict=verdict, todo=error.hint),)
        asked = replace(asked, path=path)
        if caller == EDGE and not asked.service:
            return self._through_the_edge(asker, asked)
        service = self._service(asked.service) if asked.service else self._callee(caller, asked)
        return self._at_service(asker, asked, service, caller)

    def _through_the_edge(self, asker: Asker, asked: Asked) -> tuple[Foreseen, ...]:
        found = match_edge(self._plan, asked.method, asked.path)
        if found is None:
            methods = self._methods_at_the_edge(asked.path)
            return (
                Foreseen(
                    hop=EDGE,
                    caller=EDGE,
                    path=asked.path,
                    verdict=_no_route(f"no exposed operation is {asked.method} {asked.path}"),
                    methods=methods,
                    todo=f"the path takes {', '.join(methods)}" if methods else self._elsewhere(asked),
                ),
            )
        service, operation, inner = found
        return self._both_hops(asker, replace(asked, path=inner), service, operation)

    def _at_service(self, asker: Asker, asked: Asked, service: Service, caller: str) -> tuple[Foreseen, ...]:
        operation = match_operation(service, asked.method, asked.path)
        if caller == EDGE and operation is not None:
            return self._both_hops(asker, asked, service, operation)
        return (self._inbound(asker, asked, service, caller),)

    def _both_hops(self, asker: Asker, asked: Asked, service: Service, operation: Operation) -> tuple[Foreseen, ...]:
        question = self._question(asker, asked, operation, hop=EDGE, caller=EDGE)
        verdict = self._decide(asker, service, operation, question)
        edge = Foreseen(hop=EDGE, caller=EDGE, operation=operation.id, path=asked.path, verdict=verdict)
        if verdict.outcome is not Outcome.ALLOWED:
            return (edge,)
        return (edge, self._inbound(asker, asked, service, EDGE))

    def _inbound(self, asker: Asker, asked: Asked, service: Service, caller: str) -> Foreseen:
        asked = replace(asked, path=normalised(asked.path))  # each hop does so, and a second time may change more
        operation = match_operation(service, asked.method, asked.path)
        if operation is None:
            return Foreseen(
                hop=service.name,
                caller=caller,
                path=asked.path,
                verdict=_no_route(f"no operation of {service.name} is {asked.method} {asked.path}"),
                methods=_methods(service, asked.path),
            )
        question = self._question(asker, asked, operation, hop="inbound", caller=caller)
        verdict = self._decide(asker, service, operation, question)
        return Foreseen(hop=service.name, caller=caller, operation=operation.id, path=asked.path, verdict=verdict)

    def _decide(self, asker: Asker, service: Service, operation: Operation, question: Question) -> Verdict:
        if asker.disbelieved:
            return Verdict(outcome=Outcome.UNAUTHENTICATED, reasons=(asker.disbelieved,))
        if question.caller in self._revoked:
            return _REVOKED
        verdict = decide(self._evaluator, service, operation, question)
        if verdict.outcome is not Outcome.ALLOWED or verdict.only_reports or operation.step_up is None:
            return verdict
        asked = f"the sign-in has to be so, which is not judged here: {operation.step_up}"
        return replace(verdict, reasons=(*verdict.reasons, asked))

    def _question(self, asker: Asker, asked: Asked, operation: Operation, *, hop: str, caller: str) -> Question:
        return Question(
            operation=operation.id,
            hop=hop,
            caller=caller,
            time=asked.time,
            path=asked.path,
            claims=asker.claims,
            source=asked.source if caller == EDGE else None,
        )

    def _callee(self, caller: str, asked: Asked) -> Service:
        """Return the one service that has such an operation; those that the caller may call go first."""
        called = [self._plan.by_name[name] for name in self._plan.by_name[caller].calls]
        others = [service for service in self._plan.services if not service.builtin]
        for candidates in (called, others):
            having = [s for s in candidates if match_operation(s, asked.method, asked.path) is not None]
            if len(having) == 1:
                return having[0]
            if having:
                names = ", ".join(service.name for service in having)
                raise ForeseeError(
                    f"{asked.method} {asked.path} is an operation of {names}", hint="say which with --service"
                )
        names = ", ".join(service.name for service in called) or "nobody"
        raise ForeseeError(
            f"no service has an operation {asked.method} {asked.path}",
            hint=f"{caller!r} calls {names}; the path is the service's own, without the edge's prefix",
        )

    def _tcp(self, caller: str, asked: Asked) -> Foreseen:
        service = self._service(asked.service or asked.path.strip("/"))
        if service.protocol is not Protocol.TCP:
            raise ForeseeError(f"{service.name} speaks {service.protocol}", hint="ask with an HTTP method and a path")
        verdict = _REVOKED if caller in self._revoked else decide_connection(self._plan, service, caller)
        todo = (
            ""
            if verdict.outcome is Outcome.ALLOWED or caller == EDGE or verdict is _REVOKED
            else f"add {service.name!r} to the `calls` of {caller!r}"
        )
        return Foreseen(hop=service.name, caller=caller, path="", verdict=verdict, todo=todo)

    def _methods_at_the_edge(self, path: str) -> tuple[str, ...]:
        methods = answered(operation.method for service in self._plan.services for operation in service.operations)
        return tuple(sorted(m for m in methods if m != "*" and match_edge(self._plan, m, path) is not None))

    def _elsewhere(self, asked: Asked) -> str:
        """Say where an operation with this path is, if not at the edge under it."""
        for service in self._plan.services:
            operation = match_operation(service, asked.method, asked.path)
            if operation is None or operation.template.startswith("/{"):
                continue  # what takes any path says nothing about this one
            if service.prefix and operation.edge is not None:
                return f"did you mean {edge_template(service.prefix, asked.path)}?"
            return f"{service.name} has it, and does not expose it: ask with --via CALLER"
        return "`ringwall plan` lists what there is"

    def _service(self, name: str) -> Service:
        if name not in self._plan.by_name:
            close = difflib.get_close_matches(name, self._plan.by_name, n=1)
            raise ForeseeError(
                f"there is no service {name!r}",
                hint=f"did you mean {close[0]!r}?" if close else f"there are {', '.join(self._plan.by_name)}",
            )
        return self._plan.by_name[name]
