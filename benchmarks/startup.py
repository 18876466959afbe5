"""From `ringwall up` to the first secured request of the clinic, as somebody sees it who waits for it."""

import time

from figures import Figure, median
from running import copied, running

ROUNDS = 5
OK = 200


def measure() -> list[Figure]:
    """Start the clinic anew several times; each start makes its keys, its certificates and its databases."""
    first, up = [], []
    for _ in range(ROUNDS):
        with copied("clinic") as folder:
            begun = time.perf_counter()
            with running(folder) as system:
                up.append(system.seconds)
                token = system.ringwall("token", "--as", "alice").strip()
                status = system.status("/api/patients/7", token)
                if status != OK:
                    raise RuntimeError(f"the first request was answered with {status}")
                first.append(time.perf_counter() - begun)
    return [
        Figure("startup-to-first-secured-request", median(first), "s", at_most=5.0),
        Figure("startup-until-up-says-so", median(up), "s"),
        Figure("startup-slowest", max(first), "s"),
    ]
