"""One proxy's stream as a state machine without I/O: requests and targets go in, responses come out.

Protocol: xDS, incremental, aggregated (Envoy's `xds_protocol`, section "Incremental xDS"). Rules kept here:

1. A request with a nonce answers the response of that nonce: with an error it is a NACK, otherwise an ACK.
2. A name newly subscribed is answered at once; so is a name subscribed again, even if nothing changed.
3. Updates go out in the order clusters, secrets, listeners, scopes, routes and filters, each kind when all before it
   were answered; removals come last, listeners and scopes before clusters. So nothing ever points at what is not there.
4. While nothing is chosen by scope, scopes stay: a listener that closes its connections may still need them. When they
   come back, all are sent again, because Envoy may have dropped them with that listener.
5. Of a refused response with several resources each is sent again alone, so that one bad one does not hold
   back the others. A resource refused alone is not sent again until it changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envoy.service.discovery.v3 import discovery_pb2

from ringwall.enforce.snapshot import (
    CLUSTER,
    FILTER,
    LISTENER,
    ROUTES,
    SCOPES,
    SECRET,
    TYPES,
    WILDCARD_TYPES,
    Snapshot,
)
from ringwall.enforce.xds.status import Rejection

_STAGES: tuple[tuple[str, ...], ...] = ((CLUSTER,), (SECRET,), (LISTENER,), (SCOPES,), (ROUTES, FILTER))
_REMOVALS = (LISTENER, SCOPES, CLUSTER)
_MANY = 1000


@dataclass(slots=True)
class _Sent:
    """A response that was not answered yet."""

    nonce: str
    versions: dict[str, str]
    removed: tuple[str, ...]


@dataclass(slots=True)
class _Kind:
    """What a proxy has, wants and was sent of one type."""

    asked: bool = False
    names: set[str] = field(default_factory=set)
    acked: dict[str, str] = field(default_factory=dict)
    sent: _Sent | None = None
    alone: list[str] = field(default_factory=list)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    """Names to answer even if nothing changed, or if there is no such resource."""


class Session:
    """The state of one stream. Not thread-safe: the server serialises its use."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._kinds = {kind: _Kind() for kind in TYPES}
        self._target: Snapshot | None = None
        self._remove = False
        self._counter = 0

    def aim(self, target: Snapshot, *, remove: bool) -> None:
        """Set what the proxy is to have; nothing is taken away before `remove`."""
        if self._target is not None and not self._target.of_type(SCOPES):  # rule 4
            self._kinds[SCOPES].acked.clear()
        self._target, self._remove = target, remove
        for kind, state in self._kinds.items():
            current = target.of_type(kind)
            state.refused = {
                name: refusal
                for name, refusal in state.refused.items()
                if name in current and current[name].version == refusal[0]
            }

    def receive(self, request: Any) -> None:
        """Take in one request of the proxy; types that are not served are ignored."""
        state = self._kinds.get(request.type_url)
        if state is None:
            return
        if request.response_nonce:
            self._answered(state, request)
        first, state.asked = not state.asked, True
        if first:
            state.acked = dict(request.initial_resource_versions)
        subscribed = set(request.resource_names_subscribe) - {"*"}
        state.names |= subscribed
        for name in subscribed:
            if not (first and name in state.acked):
                state.acked.pop(name, None)
                state.due.add(name)
        for name in request.resource_names_unsubscribe:
            state.names.discard(name)
            state.acked.pop(name, None)
            state.due.discard(name)
            state.refused.pop(name, None)

    def _answered(self, state: _Kind, request: Any) -> None:
        sent = state.sent
        if sent is None or sent.nonce != request.response_nonce:
            return
        state.sent = None
        if not request.HasField("error_detail"):
            state.acked.update(sent.versions)
            for name in sent.removed:
                state.acked.pop(name, None)
            return
        if len(sent.versions) > 1:
            state.alone = sorted(sent.versions)
        wanted = self._target.of_type(request.type_url) if self._target is not None else {}
        for name, version in sent.versions.items():
            # What is not wanted any more may be refused as it likes: the proxy has kept what it had.
            if len(sent.versions) == 1 and name in wanted and wanted[name].version == version:
                state.refused[name] = (version, request.error_detail.message)

    def responses(self) -> Iterable[Any]:
        """Return what is to be sent now; empty until something is received or aimed at."""
        if self._target is None:
            return
        yield from self._first_answers()
        for stage in _STAGES:  # rule 3
            for kind in stage:
                state = self._kinds[kind]
                if state.asked and state.sent is None and (names := self._outdated(kind, state)):
                    yield self._send(kind, state, names)
            if any(self._kinds[kind].sent for kind in stage):
                return
        yield from self._removals()

    def _first_answers(self) -> Iterable[Any]:
        """Rule 2."""
        for kind, state in self._kinds.items():
            if state.asked and state.sent is None and state.due and kind not in WILDCARD_TYPES:
                names, state.due = state.due, set()
                yield self._send(kind, state, names, missing=True)

    def _removals(self) -> Iterable[Any]:
        """The end of rule 3: one kind at a time."""
        for kind in _REMOVALS if self._remove else ():
            state = self._kinds[kind]
            gone = self._gone(kind, state)
            if state.asked and gone:
                yield self._response(kind, state, {}, gone)
                return

    def _gone(self, kind: str, state: _Kind) -> tuple[str, ...]:
        """Return what the proxy has and is to have no more."""
        available = self._target.of_type(kind) if self._target else {}
        if kind == SCOPES and not available:  # rule 4
            return ()
        return tuple(sorted(name for name in state.acked if name not in available))

    def _outdated(self, kind: str, state: _Kind) -> set[str]:
        current = self._wanted(kind, state)
        outdated = {
            name
            for name, version in current.items()
            if state.acked.get(name) != version and state.refused.get(name, ("", ""))[0] != version
        }
        while state.alone:  # rule 5
            if (name := state.alone[0]) in outdated:
                return {name}
            state.alone.pop(0)
        return outdated

    def _wanted(self, kind: str, state: _Kind) -> Mapping[str, str]:
        assert self._target is not None  # noqa: S101  # callers have checked; for the type checker
        available = self._target.of_type(kind)
        if kind in WILDCARD_TYPES:
            return {name: resource.version for name, resource in available.items()}
        return {name: available[name].version for name in state.names if name in available}

    def _send(self, kind: str, state: _Kind, names: set[str], *, missing: bool = False) -> Any:
        assert self._target is not None  # noqa: S101  # as above
        available = self._target.of_type(kind)
        there = {name: available[name].version for name in sorted(names)[:_MANY] if name in available}
        state.due |= set(sorted(names)[_MANY:]) if missing else set()
        absent = tuple(sorted(name for name in names if name not in available)) if missing else ()
        return self._response(kind, state, there, absent)

    def _response(self, kind: str, state: _Kind, versions: dict[str, str], removed: tuple[str, ...]) -> Any:
        assert self._target is not None  # noqa: S101  # as above
        self._counter += 1
        state.sent = _Sent(str(self._counter), versions, removed)
        available = self._target.of_type(kind)
        return discovery_pb2.DeltaDiscoveryResponse(
            type_url=kind,
            nonce=state.sent.nonce,
            system_version_info=self._target.plan[:16],
            resources=[
                discovery_pb2.Resource(name=name, version=version, resource=available[name].body)
                for name, version in versions.items()
            ],
            removed_resources=removed,
        )

    @property
    def target(self) -> Snapshot | None:
        """What the proxy is being brought to."""
        return self._target

    def pending(self) -> tuple[str, ...]:
        """Return names of resources of the target that the proxy has not acknowledged nor refused."""
        if self._target is None:
            return ()
        waiting = []
        for kind, state in self._kinds.items():
            for name, resource in self._target.of_type(kind).items():
                if state.acked.get(name) != resource.version and name not in state.refused:
                    waiting.append(name)
            if self._remove and kind in _REMOVALS:
                waiting += self._gone(kind, state)
        return tuple(sorted(waiting))

    def rejections(self) -> tuple[Rejection, ...]:
        """Return what the proxy refused of the target."""
        plan = self._target.plan if self._target else ""
        return tuple(
            Rejection.of(self.node, kind, name, message, plan)
            for kind, state in self._kinds.items()
            for name, (_, message) in sorted(state.refused.items())
        )

    def settled(self) -> bool:
        """Whether the target is reached, or as near as the proxy's refusals let it come."""
        if self._target is None:
            return False
        if any(state.refused for state in self._kinds.values()):
            return not any(state.sent or state.due for state in self._kinds.values())
        return not self.pending()

    def versions(self) -> dict[str, dict[str, str]]:
        """Return the acknowledged version of every resource by type."""
        return {kind: dict(state.acked) for kind, state in self._kinds.items()}
