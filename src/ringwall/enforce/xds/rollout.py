"""The roll-out of a plan over the proxies, and the questions about it.

A plan reaches the proxies so that no hop is used before it is there: first the services' proxy gets what is new,
then the edge gets everything, then the services' proxy loses what is gone. New roots reach everybody before any
certificate that needs them. A plan that a proxy refuses in part is taken back everywhere.
"""

import hashlib
import queue
import threading
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ringwall.enforce import names
from ringwall.enforce.snapshot import SECRET, TYPES, Snapshot
from ringwall.enforce.xds.session import Session
from ringwall.enforce.xds.status import NodeStatus, PlanNotInForceError, PlanRejectedError, Rejection, ServerStatus
from ringwall.plan.model import EDGE

_STEP_SECONDS = 5.0
"""How long one step of a roll-out waits for a proxy before the next begins all the same."""

_WAKE: Any = object()

Snapshots = dict[str, Snapshot]


class Stream:
    """A session and the queue that wakes its thread; None in it ends the stream."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()


class RollOut:
    """Brings the newest snapshots to the proxies that are connected. Public methods may be called from any thread.

    Attributes:
        changed: told of every change; a lock for whoever has to look at several things at once.
        stopping: whether `stop` was called; to be read with `changed` held.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        # Under changed:
        self.stopping = False
        self._wanted: Snapshots = {}
        self._generation = 0
        self._brought = 0
        self._judged = 0
        self._aimed: dict[str, tuple[Snapshot, bool]] = {}
        self._good: Snapshots = {}
        self._rejected: tuple[str, tuple[Rejection, ...]] = ("", ())
        self._streams: dict[str, Stream] = {}

    def want(self, wanted: Snapshots) -> None:
        """Make these the snapshots to be brought to the proxies."""
        with self.changed:
            self._want(wanted)

    def stop(self) -> None:
        """End `run` and every stream."""
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
            for stream in self._streams.values():
                stream.inbox.put(None)

    # --- streams ---

    def enter(self, stream: Stream) -> None:
        """Take a proxy's stream in; an older one of the same proxy is ended."""
        with self.changed:
            node = stream.session.node
            if (older := self._streams.get(node)) is not None:
                older.inbox.put(None)
            self._streams[node] = stream

    def leave(self, stream: Stream) -> None:
        """Forget a stream that has ended."""
        with self.changed:
            if self._streams.get(stream.session.node) is stream:
                del self._streams[stream.session.node]
            self.changed.notify_all()

    def answer(self, stream: Stream, event: Any) -> list[Any]:
        """Return what a proxy is sent after something came out of its stream's inbox."""
        with self.changed:
            session = stream.session
            if event is not _WAKE:
                session.receive(event)
            if (aim := self._aimed.get(session.node)) is not None:
                session.aim(aim[0], remove=aim[1])
            out = list(session.responses())
            self.changed.notify_all()
            return out

    # --- bringing it there ---

    def run(self) -> None:
        """Bring what is wanted to the proxies until `stop` is called."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.stopping or self._brought != self._generation or self._verdict_due())
                if self.stopping:
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
        with self.changed:
            for node, target in targets.items():
                self._aimed[node] = (target, remove)
                if node in self._streams:
                    self._streams[node].inbox.put(_WAKE)

            def over() -> bool:
                return self.stopping or self._generation != generation or all(map(self._reached, targets))

            self.changed.wait_for(over, timeout=_STEP_SECONDS)
            return not self.stopping and self._generation == generation

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
        self.changed.notify_all()

    def _want(self, wanted: Snapshots) -> None:
        if self._verdict_due() and not self._refused():  # in force, and overtaken before it was judged
            self._good = self._wanted
        self._wanted = wanted
        self._generation += 1
        self.changed.notify_all()

    # --- questions ---

    def status(self) -> ServerStatus:
        """Return where every proxy stands."""
        with self.changed:
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

        with self.changed:
            if not self.changed.wait_for(known, timeout=timeout):
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
        # Other processes may answer for the same plan: what counts is the last snapshot of it.
        aimed = all(self._aimed[node][0] is wanted for node, wanted in self._wanted.items() if node in self._aimed)
        return aimed and all(self._enforces(node, digest) for node in self._wanted)

    def _enforces(self, node: str, digest: str) -> bool:
        aim, stream = self._aimed.get(node), self._streams.get(node)
        if aim is None or aim[0].plan != digest or stream is None:
            return False
        return self._reached(node) and not stream.session.rejections()


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
