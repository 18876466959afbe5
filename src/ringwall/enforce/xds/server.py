"""The server around the sessions: streams, the roll-out of a plan over the proxies, and the questions about it.

A plan reaches the proxies so that no hop is used before it is there: first the services' proxy gets what is new,
then the edge gets everything, then the services' proxy loses what is gone. New roots reach everybody before any
certificate that needs them. A plan that a proxy refuses in part is taken back everywhere.
"""

import contextlib
import hashlib
import logging
import queue
import threading
from collections.abc import Iterator
from concurrent import futures
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from envoy.service.discovery.v3 import discovery_pb2

from ringwall.enforce import names
from ringwall.enforce.memo import Memo
from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import SECRET, TYPES, Snapshot
from ringwall.enforce.xds.session import Session
from ringwall.enforce.xds.status import NodeStatus, PlanNotInForceError, PlanRejectedError, Rejection, ServerStatus
from ringwall.model.clock import Clock, SystemClock
from ringwall.model.credentials import CredentialSource, TokenKeySource
from ringwall.model.revocation import RevocationSource
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import EDGE, Plan

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_STREAMS = 16
_STEP_SECONDS = 5.0
"""How long one step of a roll-out waits for a proxy before the next begins all the same."""

_SETTLE_SECONDS = 0.02
"""Changes of credentials that come within this time go out together."""

_RETRY_SECONDS = 1.0
"""How long after a failure credentials are asked for again."""

_LOG = logging.getLogger(__name__)

Snapshots = dict[str, Snapshot]


class _Stream:
    """A session and the queue that wakes its thread."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()


class XdsServer:
    """Serves the two proxies of one system over a Unix socket. Every public method may be called from any thread."""

    def __init__(
        self,
        credentials: CredentialSource,
        keys: TokenKeySource,
        revoked: RevocationSource,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._credentials = credentials
        self._keys = keys
        self._revoked = revoked
        self._clock = clock or SystemClock()
        self._memo = Memo()
        self._building = threading.Lock()
        self._changed = threading.Condition()
        # Under _changed:
        self._source: tuple[Plan, Bindings] | None = None
        self._wanted: Snapshots = {}
        self._generation = 0
        self._brought = 0
        self._judged = 0
        self._aimed: dict[str, tuple[Snapshot, bool]] = {}
        self._good: Snapshots = {}
        self._rejected: tuple[str, tuple[Rejection, ...]] = ("", ())
        self._streams: dict[str, _Stream] = {}
        self._dirty = False
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._server: Any = None

    # --- life ---

    def start(self, socket: Path) -> None:
        """Listen on a Unix socket, which only this user may open."""
        socket.unlink(missing_ok=True)
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve,
            request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString,
            response_serializer=discovery_pb2.DeltaDiscoveryResponse.SerializeToString,
        )
        service, method = _METHOD[1:].split("/")
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_STREAMS, thread_name_prefix="xds"),
            options=[
                ("grpc.max_receive_message_length", 64 * 1024 * 1024),
                ("grpc.max_send_message_length", -1),
                # The proxies ask every ten seconds whether the stream still stands (enforce/bootstrap.py). By default
                # gRPC takes that for an attack after a minute and closes the stream, and an edit that comes then waits.
                ("grpc.http2.max_ping_strikes", 0),
            ],
        )
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
        self._server.add_insecure_port(f"unix:{socket}")
        self._server.start()
        socket.chmod(0o600)
        for name, target in (("xds-rollout", self._roll_out), ("xds-refresh", self._refresh)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._credentials.subscribe(self.refresh)
        self._keys.subscribe(self.refresh)
        self._revoked.subscribe(self.refresh)

    def stop(self) -> None:
        """Close every stream and end every thread; the proxies keep enforcing what they have."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            for stream in self._streams.values():
                stream.inbox.put(None)
        for thread in self._threads:
            thread.join()
        if self._server is not None:
            self._server.stop(grace=1).wait()

    # --- what is to be in force ---

    def publish(self, plan: Plan, bindings: Bindings) -> None:
        """Make this plan the one to be in force; returns when it is built, `wait_in_force` when it is.

        If it cannot be built, the error is raised and everything stays as it was.
        """
        with self._building:
            wanted = self._build(plan, bindings)
            with self._changed:
                self._source = (plan, bindings)
                self._want(wanted)

    def refresh(self) -> None:
        """Fetch credentials and token keys again soon, and push what changed; returns at once."""
        with self._changed:
            self._dirty = True
            self._changed.notify_all()

    def _build(self, plan: Plan, bindings: Bindings) -> Snapshots:
        nodes = names.NODES if plan.edge is not None else (names.MESH,)
        built = {
            node: snapshot(plan, bindings, node, self._credentials, self._keys, revoked=self._revoked, memo=self._memo)
            for node in nodes
        }
        self._memo.turn()
        return built

    def _want(self, wanted: Snapshots) -> None:
        if self._verdict_due() and not self._refused():  # in force, and overtaken before it was judged
            self._good = self._wanted
        self._wanted = wanted
        self._generation += 1
        self._changed.notify_all()

    def _refresh(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or (self._dirty and self._source is not None))
                self._changed.wait_for(lambda: self._stopping, timeout=_SETTLE_SECONDS)
                if self._stopping:
                    return
                self._dirty = False
            if not self._rebuild():
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, timeout=_RETRY_SECONDS)
                    self._dirty = True

    def _rebuild(self) -> bool:
        """Build the plan in force again; if that fails everything stays as it was, and False is returned."""
        with self._building:
            with self._changed:
                source = self._source
            assert source is not None  # noqa: S101  # the caller has waited for it
            try:
                wanted = self._build(*source)
            except Exception:  # noqa: BLE001  # whatever a source of credentials raises must not end the refreshing
                _LOG.exception("credentials or token keys could not be fetched; the last ones stay in force")
                return False
            with self._changed:
                self._want(wanted)
            return True

    # --- bringing it there ---

    def _roll_out(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or self._brought != self._generation or self._verdict_due()
                )
                if self._stopping:
                    return
                wanted, generation = self._wanted, self._generation
                if generation == self._brought:
                    self._judge()
                    continue
            self._bring(wanted, generation)
            self._brought = generation

    def _bring(self, wanted: Snapshots, generation: int) -> bool:
        """Bring every proxy to its snapshot, in order; False if another roll-out has overtaken this one."""
        current = {node: aim[0] for node, aim in self._aimed.items()}
        trusting = {n: _with_bundle(s, wanted[n]) for n, s in current.items() if n in wanted}
        if any(trusting[node] is not current[node] for node in trusting) and not self._step(trusting, generation):
            return False
        mesh = {n: s for n, s in wanted.items() if n == names.MESH}
        edge = {n: s for n, s in wanted.items() if n == EDGE}
        return (
            self._step(mesh, generation)
            and self._step(edge, generation, remove=True)
            and self._step(mesh, generation, remove=True)
        )

    def _step(self, targets: Snapshots, generation: int, *, remove: bool = False) -> bool:
        with self._changed:
            for node, target in targets.items():
                self._aimed[node] = (target, remove)
                if node in self._streams:
                    self._streams[node].inbox.put(_WAKE)

            def over() -> bool:
                return self._stopping or self._generation != generation or all(map(self._reached, targets))

            self._changed.wait_for(over, timeout=_STEP_SECONDS)
            return not self._stopping and self._generation == generation

    def _reached(self, node: str) -> bool:
        stream = self._streams.get(node)
        return stream is None or (stream.session.target is self._aimed[node][0] and stream.session.settled())

    def _refused(self) -> tuple[Rejection, ...]:
        return tuple(r for node in self._wanted for r in self._rejections_of(node))

    def _rejections_of(self, node: str) -> tuple[Rejection, ...]:
        stream, wanted = self._streams.get(node), self._wanted[node]
        if stream is None or stream.session.target is not wanted:
            return ()
        return stream.session.rejections()

    def _work_due(self) -> bool:
        return self._stopping or self._brought != self._generation or self._verdict_due()

    def _verdict_due(self) -> bool:
        if not self._wanted or self._judged == self._generation:
            return False
        return bool(self._refused()) or self._in_force(next(iter(self._wanted.values())).plan)

    def _judge(self) -> None:
        """Keep what is in force as good; take back what a proxy refused, if there is something to go back to."""
        self._judged = self._generation
        refused = self._refused()
        if not refused:
            self._good = self._wanted
        else:
            self._rejected = (refused[0].plan, refused)
            if self._good and self._good is not self._wanted:
                self._want(self._good)
        self._changed.notify_all()

    # --- streams ---

    def _serve(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        first = next(requests, None)
        if first is None:
            return
        node = first.node.id
        if node not in names.NODES:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "this node id is not one of this system's proxies")
        stream = _Stream(Session(node))
        stream.inbox.put(first)
        threading.Thread(target=_pump, args=(requests, stream.inbox), name=f"xds-{node}", daemon=True).start()
        with self._changed:
            if (older := self._streams.get(node)) is not None:
                older.inbox.put(None)
            self._streams[node] = stream
        try:
            while (event := stream.inbox.get()) is not None:
                with self._changed:
                    yield_now = self._handle(stream, event)
                yield from yield_now
        finally:
            with self._changed:
                if self._streams.get(node) is stream:
                    del self._streams[node]
                self._changed.notify_all()

    def _handle(self, stream: _Stream, event: Any) -> list[Any]:
        session = stream.session
        if event is not _WAKE:
            session.receive(event)
        if (aim := self._aimed.get(session.node)) is not None:
            session.aim(aim[0], remove=aim[1])
        out = list(session.responses())
        self._changed.notify_all()
        return out

    # --- questions ---

    def status(self) -> ServerStatus:
        """Return where every proxy stands."""
        with self._changed:
            nodes = {node: self._node_status(node) for node in names.NODES}
            return ServerStatus(nodes, *self._rejected)

    def _node_status(self, node: str) -> NodeStatus:
        stream, aim = self._streams.get(node), self._aimed.get(node)
        target = aim[0].plan if aim else ""
        if stream is None:
            return NodeStatus(node, connected=False, plan="", target=target, versions={}, pending=(), rejected=())
        session = stream.session
        return NodeStatus(
            node,
            connected=True,
            plan=target if self._enforces(node, target) else "",
            target=target,
            versions={kind.rpartition(".")[2]: _digest(v) for kind, v in session.versions().items()},
            pending=session.pending(),
            rejected=session.rejections(),
        )

    def wait_in_force(self, digest: str, timeout: float) -> None:
        """Return when every proxy of the system enforces the plan of this digest.

        Raises:
            PlanRejectedError: a proxy refused a part of it.
            PlanNotInForceError: it did not happen within `timeout` seconds.
        """

        def known() -> bool:
            return self._rejected[0] == digest or self._in_force(digest)

        with self._changed:
            if not self._changed.wait_for(known, timeout=timeout):
                late = [self._late(node) for node in self._wanted or names.NODES]
                raise PlanNotInForceError(
                    f"plan {digest[:12]} is not in force after {timeout:g} s ({'; '.join(late)})",
                    hint="look at the proxies' own logs in .ringwall/log",
                )
            if not self._in_force(digest):
                raise PlanRejectedError(*self._rejected)

    def _late(self, node: str) -> str:
        status = self._node_status(node)
        if not status.connected:
            return f"the {node} proxy is not connected"
        waiting = ", ".join(names.describe(name) for name in status.pending[:3]) or "nothing"
        return f"the {node} proxy still lacks {waiting}"

    def _in_force(self, digest: str) -> bool:
        if not self._wanted or any(wanted.plan != digest for wanted in self._wanted.values()):
            return False
        return all(self._enforces(node, digest) for node in self._wanted)

    def _enforces(self, node: str, digest: str) -> bool:
        aim, stream = self._aimed.get(node), self._streams.get(node)
        if aim is None or aim[0].plan != digest or stream is None:
            return False
        return self._reached(node) and not stream.session.rejections()


_WAKE: Any = object()


def _pump(requests: Iterator[Any], inbox: "queue.SimpleQueue[Any]") -> None:
    """Move requests to the inbox until the stream ends, however it ends."""
    with contextlib.suppress(Exception):  # grpcio raises a bare Exception for a cancelled stream
        for request in requests:
            inbox.put(request)
    inbox.put(None)


def _with_bundle(current: Snapshot, wanted: Snapshot) -> Snapshot:
    """Return the current snapshot with the new trust bundle; itself where the bundle is the same."""
    new, old = (s.of_type(SECRET).get(names.BUNDLE_SECRET) for s in (wanted, current))
    if new is None or old is None or new.version == old.version:
        return current
    secrets = MappingProxyType({**current.of_type(SECRET), names.BUNDLE_SECRET: new})
    resources = {kind: secrets if kind == SECRET else current.of_type(kind) for kind in TYPES}
    return replace(current, resources=MappingProxyType(resources))


def _digest(versions: dict[str, str]) -> str:
    text = "".join(f"{name}={version};" for name, version in sorted(versions.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
