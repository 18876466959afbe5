"""Check and plan of a large system: cold, and again after an edit of one line."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, median
from synthetic import synthetic_system

SERVICES, OPERATIONS, POLICIES = 200, 1_000, 1_000
ROUNDS = 5


def write(folder: Path, services: int, operations: int, policies: int) -> None:
    """Write a made-up system to a folder."""
    files = synthetic_system(services, operations, policies)
    for path in files.glob("**/*"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(files.read(path))


def _seconds(folder: Path, verb: str) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "ringwall.cli.main", verb, str(folder)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - begun


def measure() -> list[Figure]:
    """Time whole commands, the start of the interpreter included."""
    cold, warm, edited = [], [], []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="rw-bench-") as name:
            folder = Path(name)
            write(folder, SERVICES, OPERATIONS, POLICIES)
            cold.append(_seconds(folder, "plan"))
            warm.append(_seconds(folder, "plan"))
            policy = folder / "policies" / f"service-{17 * number:03}.cedar"
            policy.write_text(policy.read_text().replace('Role::"reader"', 'Role::"admin"', 1))
            edited.append(_seconds(folder, "plan"))
    return [
        Figure("check-and-plan-cold", median(cold), "s", at_most=4.0),
        Figure("check-and-plan-after-one-line", median(edited), "s", at_most=1.0),
        Figure("check-and-plan-unchanged", median(warm), "s"),
        Figure("check-and-plan-cold-spread", statistics.pstdev(cold), "s"),
    ]
