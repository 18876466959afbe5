"""A load generator that costs little, so that a proxy on another core is what saturates.

HTTP/1.1 over several kept-alive TLS connections, one request in flight on each (no pipelining). Every request is
encrypted before the clock starts. Where answers come in one piece, as from a proxy that has them at hand, none is
decrypted before the clock stops, so the timed part is one `send` and one `recv` for each request; afterwards
every answer is decrypted and counted by status. Answers of real services come in pieces and are read as they come.
"""

import select
import socket
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field

_CHUNK = 65_536


@dataclass
class Outcome:
    """What one run gave: seconds on the wall, and how often each status was answered."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def _is_whole(answer: bytes) -> bool:
    """Return whether an answer with Content-Length, or chunked, is complete."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    head = head.lower()
    if b"transfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    _, _, length = head.partition(b"content-length: ")
    return len(body) >= int(length.split(b"\r", 1)[0] or b"0")


class Connection:
    """One TLS connection whose records are made and read by hand."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._handshake()
        self._ready: list[bytes] = []
        self._received: list[bytes] = []
        self._partial = b""
        self.read_statuses: Counter[int] = Counter()

    def _handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(self.socket.recv(_CHUNK))
            else:
                self._flush()
                return

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.socket.sendall(self._outgoing.read())

    def ask(self, request: bytes) -> bytes:
        """Send one request the ordinary way and return the answer, decrypted; reads session tickets as well."""
        self._tls.write(request)
        self._flush()
        answer = b""
        while not _is_whole(answer):
            data = self.socket.recv(_CHUNK)
            if not data:
                raise ConnectionError("the proxy closed a connection")
            self._incoming.write(data)
            answer += self._decrypted()
        return answer

    def _decrypted(self) -> bytes:
        text = b""
        while True:
            try:
                piece = self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                return text
            if not piece:
                return text
            text += piece

    def prepare(self, request: bytes, times: int) -> None:
        """Encrypt `request` as often as it is to be sent."""
        for _ in range(times):
            self._tls.write(request)
            self._ready.append(self._outgoing.read())
        self._ready.reverse()

    def send(self) -> bool:
        """Send the next request; False where there is none left."""
        if not self._ready:
            return False
        self.socket.send(self._ready.pop())
        return True

    def receive(self) -> None:
        """Take one answer, unread."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the proxy closed a connection during the run")
        self._received.append(data)

    def read(self) -> bool:
        """Take a piece of an answer; True where that completes it."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the proxy closed a connection during the run")
        self._incoming.write(data)
        self._partial += self._decrypted()
        if not _is_whole(self._partial):
            return False
        self.read_statuses[int(self._partial[9:12])] += 1
        self._partial = b""
        return True

    def statuses(self) -> Counter[int]:
        """Decrypt what was received and count it by status."""
        self._incoming.write(b"".join(self._received))
        self._received.clear()
        found = self._decrypted().split(b"HTTP/1.1 ")[1:]
        return Counter(int(answer[:3]) for answer in found)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


class Load:
    """Requests over a fixed number of connections; `sent` counts all of them, the first one of each connection too.

    Args:
        address: where the proxy listens.
        context: a TLS client context that trusts it.
        host: host name to ask for.
        request: the bytes of one request.
        connections: how many requests are in flight at once.
        expect: what the first request on each connection must be answered with.
        in_pieces: whether answers may come in several pieces.
    """

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        host: str,
        request: bytes,
        connections: int = 64,
        *,
        expect: int = 200,
        in_pieces: bool = False,
    ) -> None:
        self._in_pieces = in_pieces
        self._request = request
        self._connections = [Connection(address, context, host) for _ in range(connections)]
        self.sent = connections
        for connection in self._connections:
            answer = connection.ask(request)
            if not answer.startswith(b"HTTP/1.1 %d" % expect):
                raise RuntimeError(f"the proxy answers {answer[:200]!r}")

    def run(self, requests: int) -> Outcome:
        """Send `requests` requests as fast as answers come back."""
        each = requests // len(self._connections)
        for connection in self._connections:
            connection.prepare(self._request, each)
        poll = select.epoll()
        by_fd = {connection.socket.fileno(): connection for connection in self._connections}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        left = each * len(by_fd)
        started = time.perf_counter()
        for connection in self._connections:
            connection.send()
        while left:
            for fd, _ in poll.poll(10):
                connection = by_fd[fd]
                if self._in_pieces:
                    if not connection.read():
                        continue
                else:
                    connection.receive()
                connection.send()
                left -= 1
        outcome = Outcome(time.perf_counter() - started)
        poll.close()
        for connection in self._connections:
            outcome.statuses += connection.read_statuses if self._in_pieces else connection.statuses()
            connection.read_statuses = Counter()
        self.sent += each * len(by_fd)
        if outcome.requests != each * len(by_fd):
            raise RuntimeError(f"{each * len(by_fd)} requests were sent, {outcome.requests} were answered")
        return outcome

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()
