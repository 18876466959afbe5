"""Run the benchmarks: `python benchmarks/run.py [NAME ...]`.

Prints a table, writes `.ringwall/bench.json`, and exits 1 where a goal is missed. Each benchmark is a module of this
folder with a function `measure()` that returns figures; NAMEs choose among them.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from figures import Figure

BENCHMARKS = (
    "check_plan",
    "startup",
    "throughput",
    "policies_scale",
    "live_edit",
    "memory",
    "decision_log",
    "mending",
    "issuer",
    "issuer_kill",
    "revocation",
)
NOT_OF_USERS = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""Settings that slow Python down, of build machines and not of users: what is measured starts without them."""
RESULT = Path(__file__).resolve().parents[1] / ".ringwall" / "bench.json"


def run(name: str) -> list[Figure]:
    """Run one benchmark; one that breaks gives a figure that does not hold."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        figures = importlib.import_module(name).measure()
    except Exception:  # noqa: BLE001  # the others are still to be run
        traceback.print_exc()
        figures = [Figure(f"{name}-failed", None, "", at_most=0)]
    print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return figures


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all, and report."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped on the way out
    for name in NOT_OF_USERS:
        os.environ.pop(name, None)
    figures = [figure for name in names or BENCHMARKS for figure in run(name)]
    width = max(len(figure.name) for figure in figures)
    print(f"{'FIGURE':<{width}}  {'VALUE':>10}  {'UNIT':<6}  {'GOAL':<9}  HOLDS")
    for figure in figures:
        holds = {None: "", True: "yes", False: "NO"}[figure.holds]
        print(f"{figure.name:<{width}}  {figure.text:>10}  {figure.unit:<6}  {figure.goal:<9}  {holds}")
    RESULT.parent.mkdir(mode=0o700, exist_ok=True)
    RESULT.write_text(json.dumps([figure.record() for figure in figures], indent=1) + "\n")
    print(f"written: {RESULT.relative_to(RESULT.parents[1])}", file=sys.stderr)
    return 1 if any(figure.holds is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
