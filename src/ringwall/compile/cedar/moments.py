"""The datetime and duration extensions: `context.now` against points in time, `toTime()` against the time of day."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ringwall.compile.cedar import facts
from ringwall.compile.cedar.cel import Cel, call, const, infix, method
from ringwall.compile.cedar.formula import FALSE, TRUE, Atom, Formula, Lit, all_of, negation
from ringwall.compile.cedar.terms import Duration, Moment, Now, TimeOfDay
from ringwall.compile.cedar.unsupported import UnsupportedError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = 253_402_300_799_999
_DAY: Final = 86_400_000
_DATETIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?(?:Z|([+-])(\d\d)(\d\d)))?", re.ASCII
)
_DURATION: Final = re.compile(r"(-?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS: Final = (_DAY, 3_600_000, 60_000, 1_000, 1)


@dataclass(frozen=True, slots=True)
class Before(Atom):
    """The request began before this millisecond since the epoch."""

    millis: int

    def native(self) -> None:
        """Envoy has no native matcher for time."""

    def cel(self) -> Cel:
        """`request.time < timestamp("…")`."""
        moment = _EPOCH + timedelta(milliseconds=self.millis)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
        return infix("<", facts.TIME, call("timestamp", const(stamp)))


@dataclass(frozen=True, slots=True)
class EarlierInDay(Atom):
    """The request began less than this many milliseconds after midnight, UTC."""

    millis: int

    def native(self) -> None:
        """Envoy has no native matcher for time."""

    def cel(self) -> Cel:
        """Return hours, minutes, seconds and milliseconds added up, compared."""
        total = method(facts.TIME, "getMilliseconds")
        for name, weight in (("getSeconds", 1_000), ("getMinutes", 60_000), ("getHours", 3_600_000)):
            total = infix("+", infix("*", method(facts.TIME, name), const(weight)), total)
        return infix("<", total, const(self.millis))


def compare_now(op: str, now: Now, other: Moment) -> Formula:
    """Return `now op other`.

    Cedar's time has whole milliseconds and Envoy's is finer: `now <= t` is therefore `now < t + 1 ms`.
    """
    return _compare(op, other.millis - now.offset, _before)


def compare_time_of_day(op: str, other: Duration) -> Formula:
    """Return `context.now.toTime() op other`."""
    return _compare(op, other.millis, _earlier)


def time_of_day(now: Now) -> TimeOfDay:
    """Return `now.toTime()`."""
    if now.offset:
        raise UnsupportedError("`toTime` of a time that was moved by `offset`")
    return TimeOfDay()


def parse_datetime(text: str) -> Moment:
    """Return the literal `datetime("…")` (Cedar's formats, RFC 80 of cedar-policy)."""
    found = _DATETIME.fullmatch(text)
    if found is None:
        raise UnsupportedError(f"`datetime({text!r})`, a form that is not known")
    year, month, day, hour, minute, second, millis = (int(part or 0) for part in found.groups()[:7])
    sign, offset_hours, offset_minutes = found.groups()[7:]
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise UnsupportedError(f"`datetime({text!r})`, which is no date") from error
    shift = 60 * int(offset_hours or 0) + int(offset_minutes or 0)
    total = (moment - _EPOCH) // timedelta(milliseconds=1) + millis
    return Moment(total + (60_000 * shift if sign == "-" else -60_000 * shift))


def parse_duration(text: str) -> Duration:
    """Return the literal `duration("…")`."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()[1:]):
        raise UnsupportedError(f"`duration({text!r})`, a form that is not known")
    millis = sum(int(count or 0) * unit for count, unit in zip(found.groups()[1:], _UNITS, strict=True))
    return Duration(-millis if found.group(1) else millis)


def _before(millis: int) -> Formula:
    if millis > _LAST:
        return TRUE
    return Lit(Before(millis)) if millis > 0 else FALSE


def _earlier(millis: int) -> Formula:
    if millis >= _DAY:
        return TRUE
    return Lit(EarlierInDay(millis)) if millis > 0 else FALSE


def _compare(op: str, millis: int, before: Callable[[int], Formula]) -> Formula:
    match op:
        case "<":
            return before(millis)
        case "<=":
            return before(millis + 1)
        case ">":
            return negation(before(millis + 1))
        case ">=":
            return negation(before(millis))
        case "==":
            return all_of([negation(before(millis)), before(millis + 1)])
        case _:
            return negation(_compare("==", millis, before))
