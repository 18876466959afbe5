"""The server around the roll-out: it builds snapshots when something has changed, and serves the proxies' streams."""

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from envoy.service.discovery.v3 import discovery_pb2

from ringwall.enforce import names
from ringwall.enforce.memo import Memo
from ringwall.enforce.resources import snapshot
from ringwall.enforce.xds.rollout import RollOut, Snapshots, Stream
from ringwall.enforce.xds.session import Session
from ringwall.enforce.xds.status import ServerStatus
from ringwall.model.credentials import CredentialSource, TokenKeySource
from ringwall.model.revocation import RevocationSource
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_STREAMS = 16

_SETTLE_SECONDS = 0.02
"""Changes of credentials that come within this time go out together."""

_RETRY_SECONDS = 1.0
"""How long after a failure credentials are asked for again."""

_LOG = logging.getLogger(__name__)


class XdsServer:
    """Serves the two proxies of one system over a Unix socket. Every public method may be called from any thread."""

    def __init__(
        self,
        credentials: CredentialSource,
        keys: TokenKeySource,
        revoked: RevocationSource,
    ) -> None:
        self._credentials = credentials
        self._keys = keys
        self._revoked = revoked
        self._memo = Memo()
        self._building = threading.Lock()
        self._rollout = RollOut()
        self._changed = self._rollout.changed
        # Under _changed:
        self._source: tuple[Plan, Bindings] | None = None
        self._dirty = False
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
        for name, target in (("xds-rollout", self._rollout.run), ("xds-refresh", self._refresh)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._credentials.subscribe(self.refresh)
        self._keys.subscribe(self.refresh)
        self._revoked.subscribe(self.refresh)

    def stop(self) -> None:
        """Close every stream and end every thread; the proxies keep enforcing what they have."""
        self._rollout.stop()
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
                self._rollout.want(wanted)

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

    def _refresh(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._rollout.stopping or (self._dirty and self._source is not None))
                self._changed.wait_for(lambda: self._rollout.stopping, timeout=_SETTLE_SECONDS)
                if self._rollout.stopping:
                    return
                self._dirty = False
            if not self._rebuild():
                with self._changed:
                    self._changed.wait_for(lambda: self._rollout.stopping, timeout=_RETRY_SECONDS)
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
            self._rollout.want(wanted)
            return True

    # --- streams ---

    def _serve(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        first = next(requests, None)
        if first is None:
            return
        node = first.node.id
        if node not in names.NODES:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "this node id is not one of this system's proxies")
        stream = Stream(Session(node))
        stream.inbox.put(first)
        threading.Thread(target=_pump, args=(requests, stream.inbox), name=f"xds-{node}", daemon=True).start()
        self._rollout.enter(stream)
        try:
            while (event := stream.inbox.get()) is not None:
                yield from self._rollout.answer(stream, event)
        finally:
            self._rollout.leave(stream)

    # --- questions ---

    def status(self) -> ServerStatus:
        """Return where every proxy stands."""
        return self._rollout.status()

    def wait_in_force(self, digest: str, timeout: float) -> None:
        """Return when every proxy of the system enforces the plan of this digest.

        Raises:
            PlanRejectedError: a proxy refused a part of it.
            PlanNotInForceError: it did not happen within `timeout` seconds.
        """
        self._rollout.wait_in_force(digest, timeout)


def _pump(requests: Iterator[Any], inbox: "queue.SimpleQueue[Any]") -> None:
    """Move requests to the inbox until the stream ends, however it ends."""
    with contextlib.suppress(Exception):  # grpcio raises a bare Exception for a cancelled stream
        for request in requests:
            inbox.put(request)
    inbox.put(None)
