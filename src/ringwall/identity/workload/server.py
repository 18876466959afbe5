"""The SPIFFE Workload API on a Unix socket, in a thread of its own."""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import threading
from collections import Counter
from pathlib import Path
from typing import Final, cast

from grpclib.config import Configuration
from grpclib.encoding.proto import ProtoCodec
from grpclib.events import _DispatchServerEvents
from grpclib.protocol import H2Protocol
from grpclib.server import Handler
from h2.config import H2Configuration

from ringwall.identity.workload.attestation import AttestationError, Attestor
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.processes import Caller, ProcFs
from ringwall.identity.workload.session import News, Session
from ringwall.model.errors import RingwallError

MAX_CONNECTIONS: Final = 1_024
MAX_CONNECTIONS_PER_PROCESS: Final = 16
MAX_UNKNOWN_CONNECTIONS: Final = 64
"""Connections of processes that are no registered workload (yet); so they cannot crowd out those that are."""

_MAX_SOCKET_PATH: Final = 107
_GRACE_SECONDS: Final = 0.5
_WINDOW: Final = 65_536

_log = logging.getLogger(__name__)


class WorkloadApiError(RingwallError):
    """The Workload API cannot be served."""

    code = "workload-api"


class WorkloadApiServer:
    """Serves the Workload API until stopped; can be started again."""

    def __init__(self, authority: WorkloadAuthority, attestor: Attestor, socket_path: Path) -> None:
        """Put the parts together; nothing runs yet.

        Args:
            authority: issues what is served.
            attestor: says who calls.
            socket_path: where to listen; the folder must exist and let the workloads in.
        """
        self._authority = authority
        self._attestor = attestor
        self._path = socket_path
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._news: News | None = None
        authority.subscribe(self.tell)

    @property
    def address(self) -> str:
        """What `SPIFFE_ENDPOINT_SOCKET` is to be set to for workloads."""
        return f"unix://{self._path.absolute()}"

    def start(self) -> None:
        """Listen; raise WorkloadApiError where that cannot be."""
        if self._thread is not None:
            return
        listener = _listen(self._path)
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listener, ready), name="workload-api", daemon=True)
        self._thread.start()
        ready.wait()
        if self._loop is None:
            self.stop()
            raise WorkloadApiError("the Workload API did not start", hint="the log has the reason")

    def stop(self) -> None:
        """End every stream, stop listening and remove the socket; clients reconnect when it is started again."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        self._path.unlink(missing_ok=True)

    def tell(self) -> None:
        """Let every stream look again at who its caller is and what it is to have; from any thread."""
        loop, news = self._loop, self._news
        if loop is not None and news is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed: nobody is left to be told
                loop.call_soon_threadsafe(news.tell)

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve(listener, ready))
        except Exception:  # noqa: BLE001  # a thread has nobody to raise to; `start` or the operator sees the log
            _log.exception("the Workload API has ended")
        finally:
            self._loop = None
            listener.close()
            ready.set()

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._stopping, self._news = asyncio.Event(), News()
        loop = asyncio.get_running_loop()
        doors = _Doors(self._attestor)
        connections: set[_Connection] = set()
        news = self._news

        def connect() -> _Connection:
            return _Connection(Session(self._authority, self._attestor, news), doors, connections)

        server = await loop.create_unix_server(connect, sock=listener)
        self._loop = loop
        ready.set()
        try:
            await self._stopping.wait()
        finally:
            self._loop = None
            # asyncio leaks a connection that is being taken while its server closes: take no more, then close.
            loop.remove_reader(listener.fileno())
            await asyncio.sleep(_GRACE_SECONDS / 10)
            server.close()
            await asyncio.gather(*(connection.end() for connection in tuple(connections)))
            await server.wait_closed()


class _Doors:
    """Counts connections by process, and refuses too many."""

    def __init__(self, attestor: Attestor) -> None:
        self._attestor = attestor
        self._by_process: Counter[int] = Counter()
        self._unknown = 0

    def enter(self, caller: Caller) -> bool | None:
        """Return whether the caller is a known workload; None where it must be sent away."""
        if self._by_process.total() >= MAX_CONNECTIONS or self._by_process[caller.pid] >= MAX_CONNECTIONS_PER_PROCESS:
            return None
        try:
            self._attestor.attest(caller)
            known = True
        except AttestationError:
            known = False
            if self._unknown >= MAX_UNKNOWN_CONNECTIONS:
                return None
            self._unknown += 1
        self._by_process[caller.pid] += 1
        return known

    def leave(self, caller: Caller, *, known: bool) -> None:
        self._by_process[caller.pid] -= 1
        self._by_process += Counter()  # drops the zeros
        self._unknown -= not known


class _Connection(H2Protocol):
    """One connection of HTTP/2, with the process that made it."""

    def __init__(self, session: Session, doors: _Doors, connections: set["_Connection"]) -> None:
        self._session = session
        self._doors = doors
        self._connections = connections
        self._known: bool | None = None
        self._gone = asyncio.Event()
        self._grpc = Handler(session.mapping(), ProtoCodec(), None, _DispatchServerEvents())
        configuration = Configuration(http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW)
        super().__init__(
            self._grpc,
            configuration.__for_server__(),
            H2Configuration(client_side=False, header_encoding="ascii", validate_inbound_headers=True),
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        transport = cast("asyncio.Transport", transport)
        self._session.abort = transport.abort
        self._connections.add(self)
        try:
            caller = Caller.of(transport.get_extra_info("socket"), ProcFs())
        except OSError:
            transport.abort()
            return
        self._session.caller = caller
        self._known = self._doors.enter(caller)
        if self._known is None:
            _log.warning("Workload API: too many connections, process %d was sent away", caller.pid)
            transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001  # malformed HTTP/2 that the library does not foresee ends the connection
            _log.debug("Workload API: malformed input: %r", error)
            self._session.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)
        caller, self._session.caller = self._session.caller, None
        if caller is not None:
            if self._known is not None:
                self._doors.leave(caller, known=self._known)
            caller.close()
        self._gone.set()

    async def end(self) -> None:
        """Cancel every call, let it finish, and close; a client that does not read gets no more than a moment."""
        self._grpc.close()
        await self._grpc.wait_closed()
        self.processor.close("the server is stopping")
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._gone.wait()
        except TimeoutError:
            self._session.abort()
            await self._gone.wait()


def _listen(path: Path) -> socket.socket:
    """Return a Unix socket that listens at `path`, which only this user can connect to; a stale one is replaced."""
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        raise WorkloadApiError(
            f"the socket path {path} is longer than the {_MAX_SOCKET_PATH} bytes that Linux allows",
            hint="put the system in a folder with a shorter path",
        )
    try:
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            listener.bind(str(path))
            path.chmod(0o600)  # before `listen`: nobody can connect until then
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise WorkloadApiError(f"cannot listen at {path}: {error.strerror}") from error
    return listener


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise WorkloadApiError(f"{path} is in the way and is not a socket", hint="move it elsewhere")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise WorkloadApiError(f"another process listens at {path}", hint="is this system running already?")
