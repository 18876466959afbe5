"""Sessions and what clients may do, as rows of tables."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

SESSION_COLUMNS: Final = ("session", "since", "last seen", "until", "signed in by")
GRANT_COLUMNS: Final = ("grant", "client", "scopes", "since", "last used")


def session_row(session: Mapping[str, Any]) -> list[str]:
    """Return a login session."""
    times = [moment(session[name]) for name in ("created", "seen", "expires")]
    return [session["id"], *times, session["acr"]]


def grant_row(grant: Mapping[str, Any]) -> list[str]:
    """Return what a client may do for a person."""
    return [
        grant["id"],
        grant["client"],
        " ".join(grant["scopes"]),
        moment(grant["created"]),
        moment(grant["used"]),
    ]


def moment(seconds: float | None) -> str:
    """Return a time for people, in their own time zone; empty for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
