"""How long the clinic gives no answer when a proxy is killed, and that killing the control plane is not noticed."""

import os
import signal
import time

from figures import Figure, median
from running import Running, copied, running

ROUNDS = 3
PATH = "/api/patients/7"
OK = 200


def _until_answered(system: Running, token: str) -> float:
    begun = time.perf_counter()
    while system.status(PATH, token) != OK:
        time.sleep(0.005)
    return time.perf_counter() - begun


def _kill(system: Running, process: str) -> int:
    pid = system.pid(process)
    os.kill(pid, signal.SIGKILL)
    return pid


def measure() -> list[Figure]:
    """Kill each proxy several times, and the control plane once under load."""
    away: dict[str, list[float]] = {"ringwall-edge": [], "ringwall-mesh": []}
    with copied("clinic") as folder, running(folder) as system:
        token = system.ringwall("token", "--as", "alice").strip()
        for _ in range(ROUNDS):
            for proxy, times in away.items():
                _kill(system, proxy)
                times.append(_until_answered(system, token))
                time.sleep(2)  # a process that ends at once again is started later each time
        load = system.load(PATH, token, expect=OK, connections=8)
        _kill(system, "ringwall-control")
        statuses = load.run(4_000).statuses
    return [
        Figure("mended-after-killed-edge-proxy", median(away["ringwall-edge"]), "s", at_most=2.0),
        Figure("mended-after-killed-mesh-proxy", median(away["ringwall-mesh"]), "s", at_most=2.0),
        Figure("failed-after-killed-control-plane", statuses.total() - statuses[OK], "count", at_most=0),
    ]
