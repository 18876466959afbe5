"""Points in time as people type them: `2026-03-01T10:00`, `10:00`, `monday 10:00`, and `15m` for a while ago.

And lengths of time: `15m`, `8h`, `7d`.
"""

import re
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ringwall.cli.main import UsageError

_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def ago(text: str, *, now: float, timezone: str) -> float:
    """Return the time that a text names, where `15m` is fifteen minutes before `now`; raise UsageError."""
    found = _AGO.fullmatch(text.strip())
    if found:
        return now - float(found[1]) * _SECONDS[found[2]]
    return moment(text, now=now, timezone=timezone)


def duration(text: str) -> float:
    """Return how many seconds `15m`, `8h` or `7d` are; raise UsageError for anything else."""
    found = _AGO.fullmatch(text.strip())
    if not found or not float(found[1]):
        raise UsageError(f"{text!r} is no duration", hint="for instance 90s, 15m, 8h or 7d")
    return float(found[1]) * _SECONDS[found[2]]


def moment(text: str, *, now: float, timezone: str) -> float:
    """Return the time that a text names, in seconds since the epoch; raise UsageError.

    Args:
        text: an ISO 8601 date or date and time; a time of today; or a weekday with a time, this week's.
        now: seconds since the epoch.
        timezone: where a text that names none is meant.
    """
    zone = ZoneInfo(timezone)
    today = datetime.fromtimestamp(now, zone)
    day, _, clock = text.strip().lower().rpartition(" ")
    found = _CLOCK.fullmatch(clock)
    try:
        if found and (not day or day in _DAYS):
            at = today.replace(hour=int(found[1]), minute=int(found[2]), second=int(found[3] or 0), microsecond=0)
            return (at + timedelta(days=_DAYS.index(day) - at.weekday() if day else 0)).timestamp()
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is no time", hint="for instance 2026-03-01T10:00, 10:00, 'monday 10:00', or 15m for a while ago"
        ) from error
