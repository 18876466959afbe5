"""How much memory the control plane takes on the clinic, and whether it grows with the requests it records."""

from envoys import private_bytes, resident_bytes
from figures import Figure
from running import copied, running

WARM_UP = 5_000
REQUESTS = 100_000
MB = 1e6


def measure() -> list[Figure]:
    """Half of the requests are allowed and reach a service, half are denied at the edge; all are recorded."""
    with copied("clinic") as folder, running(folder) as system:
        token = system.ringwall("token", "--as", "alice").strip()
        control = system.pid("ringwall-control")
        loads = [
            system.load("/api/patients/7", token, expect=200, connections=8),
            system.load("/api/patients/8", token, expect=403, connections=8),
        ]

        def send(requests: int) -> int:
            for load in loads:
                load.run(requests // 2)
            sent = sum(load.sent for load in loads)
            system.await_recorded("edge", sent)
            return sent

        send(WARM_UP)
        before = private_bytes(control)
        sent = send(REQUESTS)
        missing = sent - system.recorded("edge")
        return [
            Figure("control-plane-memory", resident_bytes(control) / MB, "MB", at_most=150),
            Figure("control-plane-memory-private", private_bytes(control) / MB, "MB"),
            Figure(
                "control-plane-growth-over-100000-requests", (private_bytes(control) - before) / MB, "MB", at_most=5
            ),
            Figure("control-plane-requests-not-recorded", missing, "count", at_most=0),
        ]
