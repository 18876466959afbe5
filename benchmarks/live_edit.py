"""From a saved edit to its effect at the edge, in a system of 200 services, with other requests going on.

One more service runs for real. One of its operations is asked all the time and must always be answered; the policy
of another one is edited back and forth, and that one is asked until the answer changes.
"""

import http.client
import re
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from check_plan import OPERATIONS, POLICIES, SERVICES, write
from figures import Figure, median, percentile
from running import Running, running

EDITS = 100
PAUSE = 0.2
OK = 200

SERVICE = """
  echo:
    run: python -m http.server {port} --bind 127.0.0.1 --directory .
    expose: /echo
    operations: [open: GET /, guarded: GET /contracts/]
    allow: [{operations: [open], public: true}]
"""
POLICY = 'permit (principal in Role::"ROLE", action == Action::"echo/guarded", resource);\n'


class Traffic:
    """Asks for an open operation over a kept-alive connection until told to stop."""

    def __init__(self, system: Running, path: str = "/echo/") -> None:
        self._path = path
        self.statuses: Counter[int] = Counter()
        self._system = system
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def stop(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        connection = self._system.connect()
        while not self._stop.is_set():
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
                self.statuses[response.status] += 1
            except (OSError, http.client.HTTPException):
                self.statuses[0] += 1
                connection.close()
            time.sleep(0.002)
        connection.close()


def _prepare(folder: Path) -> None:
    write(folder, SERVICES, OPERATIONS, POLICIES)
    blueprint = folder / "ringwall.yaml"
    numbers = iter(range(SERVICES))
    # Nothing is to run but one service; where the others listen, nobody answers.
    text = re.sub(r"    run: .*", lambda _: f"    listen: unix:run/{next(numbers)}.sock", blueprint.read_text())
    blueprint.write_text(text.rstrip("\n") + SERVICE)
    _save(folder, "writer")


def _save(folder: Path, role: str) -> None:
    """Save as editors do: a new file takes the old one's place."""
    fresh = folder / "policies" / "echo.new"
    fresh.write_text(POLICY.replace("ROLE", role))
    fresh.replace(folder / "policies" / "echo.cedar")


def _await(connection: http.client.HTTPSConnection, token: str, status: int, seconds: float = 20) -> float:
    begun = time.perf_counter()
    while True:
        connection.request("GET", "/echo/contracts/", headers={"authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
        taken = time.perf_counter() - begun
        if response.status == status:
            return taken
        if taken > seconds:
            raise RuntimeError(f"an edit had no effect within {seconds} s; the answer is still {response.status}")
        time.sleep(0.001)


def measure() -> list[Figure]:
    """Edit a hundred times."""
    taken = []
    with tempfile.TemporaryDirectory(prefix="rw-bench-") as name:
        folder = Path(name)
        _prepare(folder)
        with running(folder, "--watch") as system:
            token = system.ringwall("token", "--as", "alice").strip()
            connection = system.connect()
            _await(connection, token, 403)
            traffic = Traffic(system)
            try:
                for number in range(EDITS):
                    role, status = ("reader", OK) if number % 2 == 0 else ("writer", 403)
                    _save(folder, role)
                    taken.append(1000 * _await(connection, token, status))
                    time.sleep(PAUSE)
            finally:
                traffic.stop()
                connection.close()
    failed = traffic.statuses.total() - traffic.statuses[OK]
    return [
        Figure("live-edit-p99", percentile(taken, 99), "ms", at_most=500),
        Figure("live-edit-median", median(taken), "ms"),
        Figure("live-edit-failed-requests", failed, "count", at_most=0),
        Figure("live-edit-requests-meanwhile", traffic.statuses.total(), "count"),
    ]
