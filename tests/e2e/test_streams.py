"""A server from PyPI behind `ringwall up`: server-sent events, WebSockets, long uploads and downloads."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets.sync.client
from tests.support.system import System

BLUEPRINT = """
ringwall: 1
system: streams
edge:
  listen: 127.0.0.1:8443
roles: {reader: }
people:
  alice: {roles: [reader]}
services:
  app:
    run: python -m uvicorn app:app --port {port}
    expose: /app
    timeout: 2s
    max_body: 220MiB
    contract: contract.yaml
    operations: [live: GET /live]
    websockets: [live]
    allow:
      - {roles: [reader]}
"""

CONTRACT = """
openapi: 3.1.0
info: {title: streams, version: "1"}
paths:
  /events: {get: {operationId: events}}
  /silent: {get: {operationId: silent}}
  /large: {get: {operationId: large}}
  /upload: {put: {operationId: upload}}
"""

APP = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

async def ticks():
    for number in range(8):
        yield f"data: {number}\\n\\n"
        await asyncio.sleep(0.5)

async def events(request):
    return StreamingResponse(ticks(), media_type="text/event-stream")

async def silent(request):
    await asyncio.sleep(10)
    return JSONResponse("too late")

async def large(request):
    async def chunks():
        for _ in range(200):
            yield b"x" * (1 << 20)
    return StreamingResponse(chunks())

async def upload(request):
    got = 0
    async for chunk in request.stream():
        got += len(chunk)
    return JSONResponse(got)

async def live(websocket):
    await websocket.accept()
    await websocket.send_json([str(websocket.url), websocket.headers["x-ringwall-subject"]])
    async for text in websocket.iter_text():
        await websocket.send_text(text)

app = Starlette(routes=[Route("/events", events), Route("/silent", silent), Route("/large", large),
                        Route("/upload", upload, methods=["PUT"]), WebSocketRoute("/live", live)])
"""

MIB = 1 << 20
SIZE = 200


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("streams")
    for name, text in (("ringwall.yaml", BLUEPRINT), ("contract.yaml", CONTRACT), ("app.py", APP)):
        (folder / name).write_text(text)
    with System(folder) as started:
        yield started


def _peaks(system: System) -> dict[str, int]:
    """Return the most memory that each proxy has had so far, in bytes."""
    found = {}
    for name, pid in system.processes().items():
        status = Path(f"/proc/{pid}/status").read_text()
        if "\nName:\tenvoy" in f"\n{status}":
            found[name] = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    assert len(found) == 2, found
    return found


def test_events_come_as_they_are_sent_and_for_longer_than_the_timeout(system: System) -> None:
    connection = system.connect()
    connection.request("GET", "/app/events", headers=system.authorization("alice"))
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    arrived = []
    while line := answer.readline():
        if line.startswith(b"data:"):
            arrived.append(time.monotonic())
    connection.close()
    assert len(arrived) == 8
    assert arrived[-1] - arrived[0] > 2.5, "they were held back, or came all at once"


def test_silence_is_what_ends_an_answer(system: System) -> None:
    assert system.ask("GET", "/app/silent", "alice").status == 504


def test_large_bodies_are_passed_on_and_not_kept(system: System) -> None:
    before = _peaks(system)
    connection = system.connect()
    block = b"y" * MIB
    connection.request("PUT", "/app/upload", body=(block for _ in range(SIZE)), headers=system.authorization("alice"))
    assert json.loads(connection.getresponse().read()) == SIZE * MIB
    connection.request("GET", "/app/large", headers=system.authorization("alice"))
    answer, size = connection.getresponse(), 0
    while chunk := answer.read(MIB):
        size += len(chunk)
    connection.close()
    assert size == SIZE * MIB
    grown = {name: peak - before[name] for name, peak in _peaks(system).items()}
    assert max(grown.values()) < 30 * MIB, grown


def test_a_websocket_of_an_application_that_knows_nothing_of_ringwall(system: System) -> None:
    raw = socket.create_connection(("127.0.0.1", system.port), timeout=30)
    with websockets.sync.client.connect(
        f"wss://localhost:{system.port}/app/live",
        sock=raw,
        ssl=system.trust,
        additional_headers=system.authorization("alice"),
        proxy=None,
    ) as connection:
        url, subject = json.loads(connection.recv(30))
        assert (url, subject) == (f"wss://localhost:{system.port}/live", "alice")
        connection.send("hello")
        assert connection.recv(30) == "hello"
