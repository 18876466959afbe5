"""How decisions and their reasons are shown, by `log`, `explain` and `can` alike."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from ringwall.cli.output import Style
from ringwall.model.events import Outcome
from ringwall.observe.explain import HopExplanation
from ringwall.plan.decision import DecidingPolicy

STYLES: Final = {
    Outcome.ALLOWED: Style.GOOD,
    Outcome.DENIED: Style.BAD,
    Outcome.UNAUTHENTICATED: Style.BAD,
    Outcome.LIMITED: Style.WARN,
    Outcome.NO_ROUTE: Style.WARN,
    Outcome.REJECTED: Style.WARN,
    Outcome.FAILED: Style.WARN,
}
"""The colour of each outcome."""


def places(policies: Sequence[DecidingPolicy]) -> str:
    """Return where policies stand, `file:line` each."""
    return ", ".join(dict.fromkeys(str(policy.source) for policy in policies))


def policy_data(policies: Sequence[DecidingPolicy]) -> list[dict[str, str]]:
    """Return policies as JSON data."""
    return [{"id": p.id, "effect": p.effect, "source": str(p.source)} for p in policies]


def hop_data(hop: HopExplanation) -> dict[str, Any]:
    """Return one hop's decision with its reasons as JSON data."""
    return {
        **asdict(hop.event),
        "kind": hop.kind,
        "who": hop.who,
        "known_by": hop.known_by,
        "caller_name": hop.caller,
        "what": hop.what,
        "todo": hop.todo,
        "policies": policy_data(hop.policies),
        "near": policy_data(hop.near),
        "reasons": list(hop.reasons),
        "missing": list(hop.missing),
        "alarm": hop.alarm,
        "note": hop.note,
    }


def local_time(seconds: float, timezone: str, *, date: bool = True) -> str:
    """Return a time with milliseconds, in a zone; with or without the date."""
    at = datetime.fromtimestamp(seconds, ZoneInfo(timezone))
    text = at.isoformat(sep=" ", timespec="milliseconds")
    return text if date else text[11:23]
