"""One line of a proxy's log → one decision event; strict, bounded, and never fatal.

What clients send reaches this log, so nothing in a line is trusted: sizes are bounded, control and format
characters are written out, and what looks like a token is removed wherever it stands.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from ringwall.model import access_log as key
from ringwall.model.errors import RingwallError
from ringwall.model.events import DecisionEvent
from ringwall.observe.outcomes import outcome_of

LONGEST_LINE: Final = 64 * 1024
"""Bytes; the proxies limit all headers of a request to half of this."""

_TOKEN_MARK: Final = b"eyJ"
"""How every JWT begins: base64url of `{"`."""
_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*")
_REDACTED: Final = b"[token]"
_QUERY = re.compile(rb"[?#][^\"]*")

_PATH: Final = 8192
_LONG: Final = 1024
_SHORT: Final = 64
_LATEST: Final = 253_402_300_800.0
"""The year 10000."""
_HIGHEST_STATUS: Final = 999
_LONGEST_DURATION: Final = 2**53
_SHADOW = frozenset({"allowed", "denied"})
_EXCERPT: Final = 300
_DEEPEST_CLAIMS: Final = 16
_RECOVERY_ATTEMPTS: Final = 8


class BadLineError(RingwallError):
    """A line of a proxy's log is not one of its records."""

    code = "bad-log-line"


def no_plan(_rule: str) -> str:
    """Name no plan."""
    return ""


def parse(line: bytes, plan_of: Callable[[str], str] = no_plan) -> DecisionEvent:
    """Read one line, without its line end.

    Args:
        line: bytes as they stand in the file.
        plan_of: gives the digest of the plan in force, by the id of the rule that was applied.

    Raises:
        BadLineError: where the line is not a record; the message says why and repeats nothing of the line.
    """
    if len(line) > LONGEST_LINE:
        raise BadLineError(f"longer than {LONGEST_LINE} bytes")
    if _TOKEN_MARK in line:
        line = _TOKEN.sub(_REDACTED, line)
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLineError("not JSON") from error
    if type(record) is not dict:
        raise BadLineError("not a JSON object")
    return _event(record, plan_of)


def recover(line: bytes, plan_of: Callable[[str], str] = no_plan) -> DecisionEvent | None:
    """Return the whole record at the end of a line that begins with a torn one, None where there is none.

    A proxy that was killed while it wrote leaves half a line, and the next record is appended to it. Inside a
    record's strings every quote is escaped, so no client can make a record begin where none does.
    """
    start = 0
    for _ in range(_RECOVERY_ATTEMPTS):
        start = line.find(b'{"', start + 1)
        if start < 0:
            return None
        try:
            return parse(line[start:], plan_of)
        except BadLineError:
            continue
    return None


def excerpt(line: bytes) -> str:
    """Return the beginning of a bad line without queries and tokens, for the operator to look at."""
    shown = _QUERY.sub(b"?", _TOKEN.sub(_REDACTED, line[: _EXCERPT * 4]))[:_EXCERPT]
    return visible(shown.decode("utf-8", "backslashreplace"))


def visible(text: str) -> str:
    """Return a text with control, format and surrogate characters written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _event(record: dict[str, Any], plan_of: Callable[[str], str]) -> DecisionEvent:
    get = record.get
    status = _count(get(key.STATUS), _HIGHEST_STATUS, "status")
    method = _text(get(key.METHOD), _SHORT)
    details = _optional(get(key.DETAILS), _LONG)
    flags = _optional(get(key.FLAGS), _SHORT)
    rule = _text(get(key.RULE), _SHORT)
    shadow = _marked(get(key.SHADOW), _SHORT)
    claims = get(key.CLAIMS)
    hop = _text(get(key.HOP), _LONG)
    if not hop:
        raise BadLineError("no hop")
    if claims is None:
        claims = {}
    elif type(claims) is not dict:
        raise BadLineError("claims are not an object")
    elif not _shallow(claims, _DEEPEST_CLAIMS):
        raise BadLineError("claims are nested too deeply")
    return DecisionEvent(
        request_id=_text(get(key.REQUEST_ID), _SHORT * 2),
        time=_time(get(key.TIME)),
        hop=hop,
        method=method,
        path=_path(get(key.PATH)),
        status=status,
        outcome=outcome_of(status, details, flags, method),
        operation=_text(get(key.OPERATION), _LONG),
        rule=rule,
        plan=plan_of(rule),
        subject=_marked(get(key.SUBJECT), _LONG),
        issuer=_marked(get(key.ISSUER), _LONG),
        caller=_text(get(key.CALLER), _LONG * 2),
        source=_optional(get(key.SOURCE), _SHORT),
        duration_ms=_count(get(key.DURATION), _LONGEST_DURATION, "duration"),
        detail=details,
        flags=flags,
        authority=_text(get(key.AUTHORITY), _LONG).rpartition("@")[2],
        shadow=shadow if shadow in _SHADOW else "",
        claims=claims,
    )


def _text(value: Any, longest: int) -> str:
    if value is None:
        return ""
    if type(value) is not str:
        raise BadLineError("a field that should be a text is not")
    if len(value) > longest:
        value = value[:longest] + "…"
    return value if value.isprintable() else visible(value)


def _marked(value: Any, longest: int) -> str:
    """As `_text`, of a value that the mark stands before."""
    return _text(value[1:] if type(value) is str and value[:1] == key.MARK else value, longest)


def _optional(value: Any, longest: int) -> str:
    """As `_text`, where a proxy writes `-` for nothing."""
    return "" if value == "-" else _text(value, longest)


def _path(value: Any) -> str:
    path = _text(value, _PATH)
    if "?" in path or "#" in path:  # the format leaves queries out; a change there must not let one in here
        return re.split("[?#]", path, maxsplit=1)[0]
    return path


def _time(value: Any) -> float:
    if type(value) not in {str, int, float}:
        raise BadLineError("no time")
    try:
        seconds = float(value)
    except ValueError as error:
        raise BadLineError("a time that is no number") from error
    if not 0 <= seconds < _LATEST:
        raise BadLineError("a time that cannot be")
    return seconds


def _shallow(value: dict[str, Any] | list[Any], levels: int) -> bool:
    inner = value.values() if type(value) is dict else value
    return levels > 0 and all(_shallow(v, levels - 1) for v in inner if type(v) is dict or type(v) is list)


def _count(value: Any, highest: int, what: str) -> int:
    if value is None:
        return 0
    if type(value) is not int and type(value) is not float:
        raise BadLineError(f"{what} is not a number")
    if not 0 <= value <= highest:
        raise BadLineError(f"{what} is out of range")
    return int(value)
