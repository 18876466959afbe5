"""The list of what is revoked now. It is on disk before anybody is told that something is revoked."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from ringwall.model.clock import Clock
from ringwall.model.durable import StorageError, remove_leftovers, replace_file
from ringwall.model.errors import RingwallError
from ringwall.model.revocation import MOST, Revocation, Revoked

_FORMAT: Final = "revoked.1"
_LONGEST: Final = 512
MOST_TOKENS: Final = MOST // 2
"""Single tokens, which clients revoke by themselves; so room is left for what people and operators end."""
_TICK_SECONDS: Final = 1.0
_Time = TypeVar("_Time", float | None, int | None)

_log = logging.getLogger(__name__)


class RevocationError(RingwallError):
    """Something cannot be revoked, or not be lifted."""

    code = "revocation"


class RevocationList:
    """Everything that is revoked in one system; a `ringwall.model.revocation.RevocationSource`.

    Every method may be called from any thread. One process owns the file.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        """Take up what the file holds.

        Raises:
            StorageError: the file is damaged. A list that cannot be read must not become an empty one.
        """
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        remove_leftovers(file.parent, file.name)
        self._known = {each.about: each for each in read_revocations(file)}

    def start(self) -> None:
        """Begin to forget what has run out."""
        self._thread = threading.Thread(target=self._forget, name="revocations", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop forgetting."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def revocations(self) -> tuple[Revocation, ...]:
        """Return everything that is revoked now, sorted."""
        now = self._clock.now()
        with self._lock:
            return tuple(sorted((each for each in self._known.values() if not _over(each, now)), key=lambda r: r.about))

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread, whenever something was revoked, lifted or forgotten."""
        with self._lock:
            self._subscribers.append(changed)

    def revoke(self, revocations: Iterable[Revocation]) -> int:
        """Revoke these too; return how many were not revoked for as long before.

        Raises:
            RevocationError: there would be too many, or one says nothing that a request could be recognised by.
            StorageError: they cannot be kept; nothing has changed then.
        """
        new = [_checked(each) for each in revocations]
        with self._lock:
            known = dict(self._known)
            for each in new:
                former = known.get(each.about)
                known[each.about] = each if former is None else _both(former, each)
            changed = sum(known[about] != self._known.get(about) for about in known)
            if len(known) > MOST:
                raise RevocationError(
                    f"more than {MOST} revocations at once are not kept: proxies compare each request with every one",
                    hint="revoke sessions or users instead of single tokens, or `ringwall rotate keys --compromised`",
                )
            tokens = _tokens(known)
            if tokens > MOST_TOKENS and tokens > _tokens(self._known):
                raise RevocationError(
                    f"more than {MOST_TOKENS} tokens cannot be revoked one by one",
                    hint="revoke their session, user or client",
                )
            if changed:
                self._become(known)
        self._tell(changed)
        return changed

    def lift(self, kind: Revoked, value: str, issuer: str = "") -> None:
        """Believe this again; RevocationError where it is not revoked."""
        with self._lock:
            if (kind, issuer, value) not in self._known:
                raise RevocationError(f"the {kind} {value[:80]!r} is not revoked", hint="see `ringwall revoke list`")
            self._become({about: each for about, each in self._known.items() if about != (kind, issuer, value)})
        self._tell(1)

    def _become(self, known: dict[tuple[Revoked, str, str], Revocation]) -> None:
        entries = [
            [each.kind, each.issuer, each.value, each.until, each.before] for each in sorted(known.values(), key=_about)
        ]
        replace_file(self._file, orjson.dumps({_FORMAT: entries}))
        self._known = known

    def _tell(self, changed: int) -> None:
        with self._lock:
            subscribers = list(self._subscribers) if changed else []
        for subscriber in subscribers:
            subscriber()

    def _forget(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            now = self._clock.now()
            with self._lock:
                kept = {about: each for about, each in self._known.items() if not _over(each, now)}
                gone = len(self._known) - len(kept)
                if gone:
                    try:
                        self._become(kept)
                    except StorageError as error:
                        _log.warning("what has run out could not be forgotten: %s", error)
                        gone = 0
            self._tell(gone)


def _tokens(known: Iterable[tuple[Revoked, str, str]]) -> int:
    return sum(kind is Revoked.TOKEN for kind, _, _ in known)


def _about(revocation: Revocation) -> tuple[Revoked, str, str]:
    return revocation.about


def _over(revocation: Revocation, now: float) -> bool:
    return revocation.until is not None and revocation.until <= now


def _both(one: Revocation, other: Revocation) -> Revocation:
    """Return the least that refuses all that either does."""
    return replace(one, until=_later(one.until, other.until), before=_later(one.before, other.before))


def _later(one: _Time, other: _Time) -> _Time | None:
    return None if one is None or other is None else max(one, other)


def _checked(revocation: Revocation) -> Revocation:
    if not 0 < len(revocation.value) <= _LONGEST or not revocation.value.isprintable():
        raise RevocationError(f"a {revocation.kind} is named by 1 to {_LONGEST} printable characters")
    if not revocation.issuer and revocation.kind is not Revoked.WORKLOAD:
        raise RevocationError(f"a {revocation.kind} is revoked for the tokens of an issuer, and none was named")
    return revocation


def read_revocations(file: Path) -> list[Revocation]:
    """Return what a list has kept in its file, also what has run out since; StorageError where it is damaged."""
    try:
        content = orjson.loads(file.read_bytes())
        return [_checked(_revocation(*entry)) for entry in content[_FORMAT]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RevocationError) as error:
        raise StorageError(
            f"{file} is damaged, so nobody knows what is revoked",
            hint="restore it; or remove it, revoke again what must be, and `ringwall rotate keys --compromised`",
        ) from error


def _revocation(kind: Any, issuer: Any, value: Any, until: Any, before: Any) -> Revocation:
    if not isinstance(issuer, str) or not isinstance(value, str) or not isinstance(until, int | float | None):
        raise TypeError("an entry is no revocation")
    if not isinstance(before, int | None):
        raise TypeError("an entry is no revocation")
    return Revocation(Revoked(kind), value, issuer, until, before)
