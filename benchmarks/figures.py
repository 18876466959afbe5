"""What a benchmark gives: named figures, some with a goal, and notes that explain them."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        name: stable name, such as `throughput-ratio`.
        value: what was measured; None where it could not be.
        unit: of the value: `ratio`, `s`, `ms`, `us`, `MB`, `count`, `req/s`.
        at_least: the goal where more is better.
        at_most: the goal where less is better.
    """

    name: str
    value: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal as text; empty where the figure only informs."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    @property
    def text(self) -> str:
        """The value as a table shows it."""
        return (
            "-" if self.value is None else f"{self.value:,.3f}" if self.unit in {"ratio", "s"} else f"{self.value:,.1f}"
        )

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None without a goal. What could not be measured does not hold."""
        if not self.goal:
            return None
        if self.value is None:
            return False
        return self.value >= self.at_least if self.at_least is not None else self.value <= (self.at_most or 0)

    def record(self) -> dict[str, object]:
        """Return the entry for `bench.json`."""
        value = None if self.value is None else round(self.value, 4)
        return {"name": self.name, "value": value, "unit": self.unit, "goal": self.goal, "holds": self.holds}


def median(values: list[float]) -> float:
    """Return the middle value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
