"""Stands for a process of the issuer: counts what it receives, and answers, cuts off or hangs as it is told."""

import contextlib
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

_HEALTHY = b"HTTP/1.1 204 No Content\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class StandIn:
    """Listens on a Unix socket until the block ends.

    Attributes:
        received: how many requests came, without questions for its health.
        delay: seconds until it answers.
    """

    def __init__(self, path: Path, does: Literal["answer", "cut", "hang"] = "answer") -> None:
        self.received = 0
        self.does = does
        self.delay = 0.0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._held:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._held.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while (header := stream.readline()) not in {b"\r\n", b""}:
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                stream.read(length)
                if self.does == "hang":
                    return
                if b" /health " in line:
                    connection.sendall(_HEALTHY)
                    continue
                self.received += 1
                if self.does == "cut":
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                time.sleep(self.delay)
                connection.sendall(_ANSWER)
