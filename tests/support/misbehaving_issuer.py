"""A real HTTP server on this machine that is an OpenID Connect issuer, and misbehaves on request."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc.jwk import ECKey
from tests.support.joserfc_keys import make_key, public_jwk, sign

DISCOVERY = "/.well-known/openid-configuration"
Answer = Callable[[BaseHTTPRequestHandler], None]


class IssuerServer:
    """Serves a discovery document and a key set.

    Attributes:
        document: the discovery document; change it to misbehave.
        keys: the published keys.
        answers: by path, what is done instead of answering properly.
        asked: the paths that were asked for, in order.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer._answer(self)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                """Clients that hang up are what is tested."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self.document: dict[str, Any] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.keys: list[dict[str, Any]] = []
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self._signers: dict[str, ECKey] = {}
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def discovery(self) -> str:
        return self.url + DISCOVERY

    def add_key(self, kid: str) -> None:
        key = make_key("ES256", kid)
        assert isinstance(key, ECKey)
        self._signers[kid] = key
        self.keys.append(public_jwk(key))

    def drop_key(self, kid: str) -> None:
        self.keys = [key for key in self.keys if key["kid"] != kid]

    def token(self, kid: str, claims: dict[str, Any]) -> str:
        return sign({"alg": "ES256", "kid": kid, "typ": "at+jwt"}, json.dumps(claims), self._signers[kid])

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        special = self.answers.get(handler.path)
        if special is not None:
            special(handler)
        elif handler.path == DISCOVERY:
            send(handler, json.dumps(self.document).encode())
        elif handler.path == "/keys":
            send(handler, json.dumps({"keys": self.keys}).encode())
        else:
            handler.send_error(404)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def issuer_server(tls: ssl.SSLContext | None = None) -> Iterator[IssuerServer]:
    server = IssuerServer(tls)
    server.add_key("k1")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("content-length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def html(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"<html><body>Please sign in</body></html>", content_type="text/html")


def failing(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"secret stack trace", 500)


def huge(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b'{"keys":[' + b" " * 2_000_000 + b"]}")


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Stream without an announced length."""
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    chunk = b" " * 65_536
    for _ in range(100_000):
        handler.wfile.write(b"10000\r\n" + chunk + b"\r\n")


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, so that no single read ever times out."""
    handler.send_response(200)
    handler.send_header("content-length", "100000")
    handler.end_headers()
    for _ in range(2_000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


def dripping_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(2_000):
        handler.wfile.write(f"x-{number}: ".encode())
        handler.wfile.flush()
        time.sleep(0.02)


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)
    handler.close_connection = True


def short(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"keys":[]}')
    handler.close_connection = True


def compressed(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"\x1f\x8b", content_encoding="gzip")


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff this is not HTTP\r\n\r\n")
    handler.close_connection = True


def redirecting(target: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"", 302, location=target)

    return answer
