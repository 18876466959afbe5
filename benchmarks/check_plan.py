"""Check and plan of a large system: cold (nothing kept from earlier), and each again after an edit of one line."""

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


def _seconds(folder: Path, *words: str) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "ringwall.cli.main", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - begun


def _edit(folder: Path, number: int) -> None:
    """Give what one policy permits to another role."""
    policy = folder / "policies" / f"service-{number:03}.cedar"
    text = policy.read_text()
    old, new = ('Role::"reader"', 'Role::"admin"') if 'Role::"reader"' in text else ('Role::"admin"', 'Role::"reader"')
    policy.write_text(text.replace(old, new, 1))


def measure() -> list[Figure]:
    """Time whole commands, the start of the interpreter included; each edit is followed by one command only."""
    found: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> float:
        found.setdefault(name, []).append(seconds)
        return seconds

    with tempfile.TemporaryDirectory(prefix="rw-bench-") as name:
        small = Path(name)
        write(small, 2, 2, 4)
        _seconds(small, "plan")  # the first of all commands compiles Ringwall's own code to bytecode
        for _ in range(ROUNDS):
            note("help", _seconds(small, "--help"))
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="rw-bench-") as name:
            folder = Path(name)
            write(folder, SERVICES, OPERATIONS, POLICIES)
            cold = note("check-cold", _seconds(folder, "check"))
            note("check-and-plan-cold", cold + note("plan-unchanged", _seconds(folder, "plan")))
            for index, verb in enumerate(("check", "plan")):
                _edit(folder, 17 * number + index)
                note(f"{verb}-after-one-line", _seconds(folder, verb))
    middle = {name: median(values) for name, values in found.items()}
    return [
        Figure("help", middle["help"], "s", at_most=0.3),
        Figure("check-cold", middle["check-cold"], "s"),
        Figure("plan-unchanged", middle["plan-unchanged"], "s"),
        Figure("check-and-plan-cold", middle["check-and-plan-cold"], "s", at_most=4.0),
        Figure("check-after-one-line", middle["check-after-one-line"], "s", at_most=1.0),
        Figure("plan-after-one-line", middle["plan-after-one-line"], "s", at_most=1.0),
        Figure("plan-after-one-line-slowest", max(found["plan-after-one-line"]), "s"),
    ]
