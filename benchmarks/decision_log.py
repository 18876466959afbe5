"""Whether every request of a minute at full speed is in the decision log."""

import json
import time

from figures import Figure
from running import copied, running

SECONDS = 60
CHUNK = 9_600


def measure() -> list[Figure]:
    """Send what the edge denies by itself: nothing makes records faster."""
    with copied("clinic") as folder, running(folder) as system:
        token = system.ringwall("token", "--as", "alice").strip()
        load = system.load("/api/patients/8", token, expect=403)
        begun, busy = time.perf_counter(), 0.0
        while time.perf_counter() < begun + SECONDS:
            busy += load.run(CHUNK).seconds
        late = system.await_recorded("edge", load.sent)
        recorded = system.recorded("edge")
        control = json.loads(system.ringwall("status", "--json"))["data"]["control_plane"]
        collector = control["collector"]
        dropped = collector["drops"] + collector["bad_lines"] + collector["proxy_write_failures"]
        return [
            Figure("decision-log-requests", load.sent, "count"),
            Figure("decision-log-rate", load.sent / busy, "req/s"),
            Figure("decision-log-missing", load.sent - recorded, "count", at_most=0),
            Figure("decision-log-dropped-by-its-own-count", dropped, "count", at_most=0),
            Figure("decision-log-catches-up-after", late, "s"),
        ]
