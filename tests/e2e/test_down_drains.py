"""`ringwall down` while requests are in flight: they are answered, nothing new is taken, and it ends all the same."""

import http.client
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.system import Reply, System

BLUEPRINT = """\
ringwall: 1
system: slow

edge:
  listen: 127.0.0.1:8443

services:
  slow:
    run: python service.py
    expose: /
    operations: [{quick: GET /quick}, {slow: "GET /slow/{name}"}]
    allow: [{public: true}]
"""

SERVICE = """\
import os, pathlib, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/slow/"):
            until = pathlib.Path(self.path.rpartition("/")[2])
            until.with_suffix(".begun").touch()
            while not until.exists():
                time.sleep(0.02)
        self.send_response(200)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


class Asking(threading.Thread):
    """One slow request, on a connection of its own."""

    def __init__(self, system: System, name: str) -> None:
        super().__init__(daemon=True)
        self.reply: Reply | None = None
        self.error: Exception | None = None
        self._system, self._path = system, f"/slow/{name}"
        self.start()
        until((system.folder / f"{name}.begun").exists)

    def run(self) -> None:
        try:
            self.reply = self._system.ask("GET", self._path)
        except (OSError, http.client.HTTPException) as error:
            self.error = error


@pytest.fixture
def system(tmp_path: Path) -> System:
    (tmp_path / "ringwall.yaml").write_text(BLUEPRINT)
    (tmp_path / "service.py").write_text(SERVICE)
    return System(tmp_path)


def refused(system: System) -> bool:
    try:
        system.ask("GET", "/quick")
    except OSError:
        return True
    return False


def test_a_request_in_flight_is_answered_and_nothing_new_is_taken(system: System) -> None:
    with system:
        idle = system.connect()
        assert system.ask("GET", "/quick", over=idle).status == 200
        asking = Asking(system, "one")
        down = threading.Thread(target=lambda: system.ringwall("down"))
        down.start()
        until(lambda: refused(system))
        (system.folder / "one").touch()
        asking.join(60)
        down.join(60)
        assert asking.reply is not None, asking.error
        assert (asking.reply.status, asking.reply.body) == (200, b"done")
        assert asking.reply.headers["connection"] == "close"
        idle.close()


def test_a_request_that_does_not_end_holds_nothing_up(system: System) -> None:
    with system:
        asking = Asking(system, "never")
        began = time.monotonic()
        system.ringwall("down")
        assert time.monotonic() - began < 30
        asking.join(60)
        assert asking.reply is None or asking.reply.status >= 500


def test_without_requests_it_ends_at_once(system: System) -> None:
    with system:
        idle = system.connect()
        assert system.ask("GET", "/quick", over=idle).status == 200
        began = time.monotonic()
        system.ringwall("down")
        assert time.monotonic() - began < 20
        idle.close()
