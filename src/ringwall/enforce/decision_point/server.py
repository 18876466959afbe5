"""The decision point's HTTP server: asks the judges of the two questions, and says no where one fails."""

import asyncio
import logging
import threading
from http import HTTPStatus
from pathlib import Path
from typing import cast

import httptools
import uvloop

from ringwall.enforce.decision_point import binding
from ringwall.enforce.decision_point.judge import Judge, RefusedError
from ringwall.model.presented import BindingJudge
from ringwall.plan.model import Plan

_LOG = logging.getLogger(__name__)

_ALLOWED = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_REFUSED = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
_FAILED = binding.Answer(503, ())
_MAX_HEADER_BYTES = 256 * 1024


class DecisionPoint:
    """Listens on a Unix socket in a thread of its own. `change` may be called from any thread."""

    def __init__(self, plan: Plan, *, holders: BindingJudge | None = None, port: int | None = None) -> None:
        """Decide by a plan.

        Args:
            plan: the plan.
            holders: judges who holds the keys of bound tokens; without it nobody does.
            port: where the edge listens; None where the plan says so.
        """
        self._judge = Judge(plan)
        self._holders = holders
        self._port = port
        self._public = binding.public(plan.edge, port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def change(self, plan: Plan) -> None:
        """Decide by this plan; call it before the plan is published to the proxies."""
        self._judge.change(plan)
        self._public = binding.public(plan.edge, self._port)

    def allows(self, method: str, target: str, headers: dict[str, str]) -> bool:
        """Return whether the policies allow a request; False whatever goes wrong."""
        try:
            return self._judge.decide(method, target, headers)
        except RefusedError as refusal:
            _LOG.warning("refused without a decision: %s", refusal)
        except Exception:  # noqa: BLE001  # the proxy must hear a no, whatever happened
            _LOG.exception("refused, because the decision failed")
        return False

    def holds(self, method: str, target: str, headers: dict[str, str]) -> binding.Answer:
        """Return whether the sender of a bound token holds its key; a refusal whatever goes wrong."""
        try:
            return binding.answer(method, target, headers, at=self._public, judge=self._holders)
        except Exception:  # noqa: BLE001  # the proxy must hear a no, whatever happened
            _LOG.exception("refused, because a bound token could not be judged")
        return _FAILED

    def start(self, socket: Path) -> None:
        """Listen on a Unix socket, which only this user may open; OSError if that fails."""
        socket.unlink(missing_ok=True)
        self._failure = None
        self._thread = threading.Thread(target=self._run, args=(socket,), name="decision-point", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        socket.chmod(0o600)

    def stop(self) -> None:
        """Stop listening and end the thread; from then on the proxies refuse what they cannot ask about."""
        if self._loop is not None and self._ended is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)
        if self._thread is not None:
            self._thread.join()

    def _run(self, socket: Path) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(self._serve(socket))
            except OSError as error:
                self._failure = error
                self._ready.set()

    async def _serve(self, socket: Path) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        connections: set[_Connection] = set()
        server = await self._loop.create_unix_server(lambda: _Connection(self, connections), str(socket))
        self._ready.set()
        try:
            await self._ended.wait()
        finally:
            server.close()
            for connection in list(connections):
                connection.close()
            await server.wait_closed()


class _Connection(asyncio.Protocol):
    """One kept-alive connection of a proxy."""

    def __init__(self, point: DecisionPoint, connections: "set[_Connection]") -> None:
        self._point = point
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._size = 0
        self._target = b""
        self._headers: dict[str, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own type derives from neither
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the interface of Protocol
        self._connections.discard(self)

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > _MAX_HEADER_BYTES:
            _LOG.warning("a question of more than %d bytes was dropped", _MAX_HEADER_BYTES)
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            _LOG.warning("a question that is not HTTP was dropped: %s", error)
            self.close()

    # What the parser calls

    def on_message_begin(self) -> None:
        """A new question begins."""
        self._target, self._headers = b"", {}

    def on_url(self, url: bytes) -> None:
        """Take in a piece of the request target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header; one that comes twice is kept as if empty, since no fact does."""
        key = name.decode("latin-1").lower()
        self._headers[key] = "" if key in self._headers else value.decode("utf-8", "replace")

    def on_message_complete(self) -> None:
        """Decide and answer."""
        self._size = 0
        method, target = self._parser.get_method().decode("latin-1"), self._target.decode("utf-8", "replace")
        if binding.CONFIRMATION in self._headers:
            answer = _written(self._point.holds(method, target, self._headers))
        else:
            answer = _ALLOWED if self._point.allows(method, target, self._headers) else _REFUSED
        if self._transport is not None:
            self._transport.write(answer)


def _written(answer: binding.Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", "content-length: 0"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
