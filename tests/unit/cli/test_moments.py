from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ringwall.cli.main import UsageError
from ringwall.cli.moments import ago, moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 4, 15, 30, tzinfo=BERLIN).timestamp()
"""A Wednesday."""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-01T10:00", datetime(2026, 3, 1, 10, tzinfo=BERLIN)),
        ("2026-03-01 10:00", datetime(2026, 3, 1, 10, tzinfo=BERLIN)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=BERLIN)),
        ("2026-03-01T10:00Z", datetime(2026, 3, 1, 11, tzinfo=BERLIN)),
        ("2026-07-01T10:00+02:00", datetime(2026, 7, 1, 10, tzinfo=BERLIN)),
        ("10:00", datetime(2026, 3, 4, 10, tzinfo=BERLIN)),
        ("9:05:07", datetime(2026, 3, 4, 9, 5, 7, tzinfo=BERLIN)),
        ("monday 10:00", datetime(2026, 3, 2, 10, tzinfo=BERLIN)),
        ("Sunday 23:59", datetime(2026, 3, 8, 23, 59, tzinfo=BERLIN)),
    ],
)
def test_times_as_people_write_them(text: str, meant: datetime) -> None:
    assert moment(text, now=NOW, timezone="Europe/Berlin") == meant.timestamp()
    assert ago(text, now=NOW, timezone="Europe/Berlin") == meant.timestamp()


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("1.5h", 5400), ("2d", 172_800)])
def test_a_while_ago(text: str, seconds: float) -> None:
    assert ago(text, now=NOW, timezone="UTC") == NOW - seconds


@pytest.mark.parametrize("text", ["", "soon", "25:00", "10:61", "someday 10:00", "2026-13-01", "-5m", "5 m", "9" * 30])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        ago(text, now=NOW, timezone="UTC")
