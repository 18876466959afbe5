"""A client's server on this machine that takes logout tokens, and misbehaves on request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from tests.support.misbehaving_issuer import Answer, send

PATH = "/signed-out?app=7"


class LogoutReceiver:
    """Takes what is posted to it.

    Attributes:
        tokens: the logout tokens that came, in order.
        asked: method and path of every request.
        answer: what is done in place of answering 200.
    """

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._take(self)

            def do_GET(self) -> None:
                outer._take(self)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                """Clients that hang up are what is tested."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.uri = f"{self.origin}{PATH}"
        self.tokens: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.answer: Answer = lambda handler: send(handler, b"")
        self.thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append((handler.command, handler.path))
        body = handler.rfile.read(int(handler.headers.get("content-length", "0")))
        if handler.command == "POST":
            assert handler.headers["content-type"] == "application/x-www-form-urlencoded"
            (token,) = parse_qs(body.decode("ascii"), strict_parsing=True)["logout_token"]
            self.tokens.append(token)
        self.answer(handler)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.thread.join()


@contextmanager
def logout_receiver() -> Iterator[LogoutReceiver]:
    receiver = LogoutReceiver()
    receiver.thread.start()
    try:
        yield receiver
    finally:
        receiver.stop()
