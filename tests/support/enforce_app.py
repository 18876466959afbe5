"""An application that records every request and answers with what it saw."""

import json
import socket
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ringwall.plan.bindings import Address


@dataclass(frozen=True)
class Seen:
    """A request as an application got it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) < 2, (name, values)
        return values[0] if values else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    def _any(self) -> None:
        app = self.server.app
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("transfer-encoding", "") == "chunked":
            body = self._chunks()
        app.seen.append(Seen(self.command, self.path, list(self.headers.items()), body))
        time.sleep(app.delay)
        answer = json.dumps({"path": self.path, "headers": dict(self.headers.items())}).encode()
        self.send_response(app.status)
        for name, value in app.reply_headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, app: "App", where: Address) -> None:
        self.app = app
        self.address_family = socket.AF_UNIX if where.socket else socket.AF_INET
        address: Any = where.socket or (where.host, where.port)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)

    def get_request(self) -> tuple[Any, Any]:
        connection, peer = super().get_request()
        if self.address_family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, peer or ("unix", 0)

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no failure of the test."""


class App:
    """A server on a port or a Unix socket; `seen` holds what reached it, the other attributes bend its answers."""

    def __init__(self, where: Address) -> None:
        self.seen: list[Seen] = []
        self.status = 200
        self.reply_headers: dict[str, str] = {}
        self.delay = 0.0
        self._server = _Server(self, where)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
