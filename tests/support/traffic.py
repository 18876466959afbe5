"""Steady requests from several kept-alive connections while something is done to the system."""

import http.client
import socket
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Tally:
    """What came back: how often each status, and what went wrong otherwise."""

    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class Traffic:
    """Requests that run until the block ends; `tally` then holds every outcome.

    A request that a closed connection swallowed counts as an error, also where HTTP would allow to try again:
    a client should never notice what is done behind its back.

    Args:
        port: where the edge listens.
        context: a client context that trusts it.
        path: what is asked for, with GET unless there is a body.
        headers: sent with each request.
        body: sent with each request, which is then a POST.
        connections: how many there are at once.
        pause: seconds between the requests of one connection.
    """

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext,
        path: str,
        headers: dict[str, str],
        *,
        body: bytes | None = None,
        connections: int = 4,
        pause: float = 0.005,
    ) -> None:
        self.tally = Tally()
        self._where = (port, context, path, headers)
        self._body = body
        self._pause = pause
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(connections)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.settle(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    @property
    def count(self) -> int:
        """How many requests have an outcome by now."""
        with self._lock:
            return self.tally.statuses.total() + len(self.tally.errors)

    def settle(self, requests: int = 100, seconds: float = 120) -> None:
        """Return after that many more requests."""
        goal, end = self.count + requests, time.monotonic() + seconds
        while self.count < goal:
            assert time.monotonic() < end, f"no progress: {self.tally.statuses} {self.tally.errors[-3:]}"
            time.sleep(0.01)

    def _ask(self) -> None:
        port, context, path, headers = self._where
        connection: http.client.HTTPSConnection | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)
                    connection.connect()
                    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.request("GET" if self._body is None else "POST", path, self._body, headers)
                response = connection.getresponse()
                response.read()
                with self._lock:
                    self.tally.statuses[response.status] += 1
                    self.tally.ids.append(response.headers.get("x-request-id", ""))
                if response.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.tally.errors.append(f"{type(error).__name__}: {error}")
                if connection is not None:
                    connection.close()
                connection = None
            self._stop.wait(self._pause)
        if connection is not None:
            connection.close()
