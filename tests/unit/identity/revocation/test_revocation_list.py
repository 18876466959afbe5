"""The list of what is revoked: on disk first, forgotten in time, never silently empty."""

import time
from pathlib import Path
from typing import Any

import pytest

from ringwall.identity.revocation.revoked import MOST_TOKENS, RevocationError, RevocationList
from ringwall.model.clock import ManualClock
from ringwall.model.durable import StorageError
from ringwall.model.revocation import MOST, Revocation, Revoked

ISSUER = "https://localhost/auth"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "overlay" / "revocations.json"


def token(jti: str = "a", until: float | None = 2000) -> Revocation:
    return Revocation(Revoked.TOKEN, jti, ISSUER, until)


def test_what_was_revoked_is_still_so_after_a_restart(file: Path, clock: ManualClock) -> None:
    first = RevocationList(file, clock)
    told: list[str] = []
    first.subscribe(lambda: told.append(file.read_text()))
    user = Revocation(Revoked.USER, "alice", ISSUER)
    assert first.revoke([token(), user]) == 2
    assert len(told) == 1
    assert "alice" in told[0], "it is on disk before anybody is told"
    assert RevocationList(file, clock).revocations() == first.revocations() == (token(), user)
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_ran_out_is_forgotten(file: Path, clock: ManualClock) -> None:
    revoked = RevocationList(file, clock)
    revoked.revoke([token("a", until=1001), token("b", until=None)])
    clock.advance(1)
    assert [each.value for each in revoked.revocations()] == ["b"]
    revoked.start()
    try:
        while b'"a"' in file.read_bytes():
            time.sleep(0.01)
    finally:
        revoked.stop()


def test_the_longer_one_holds(file: Path, clock: ManualClock) -> None:
    revoked = RevocationList(file, clock)
    for until, changed, holds in ((2000, 1, 2000), (1500, 0, 2000), (3000, 1, 3000), (None, 1, None), (4000, 0, None)):
        assert revoked.revoke([token(until=until)]) == changed
        assert revoked.revocations()[0].until == holds


def test_lifting(file: Path, clock: ManualClock) -> None:
    revoked = RevocationList(file, clock)
    revoked.revoke([token()])
    with pytest.raises(RevocationError, match="not revoked"):
        revoked.lift(Revoked.TOKEN, "a", "https://other")
    revoked.lift(Revoked.TOKEN, "a", ISSUER)
    assert RevocationList(file, clock).revocations() == ()


def test_there_is_an_end_and_nothing_is_kept_beyond_it(file: Path, clock: ManualClock) -> None:
    revoked = RevocationList(file, clock)
    revoked.revoke([Revocation(Revoked.USER, str(number), ISSUER) for number in range(MOST)])
    with pytest.raises(RevocationError, match="more than"):
        revoked.revoke([Revocation(Revoked.USER, "one more", ISSUER)])
    assert len(revoked.revocations()) == MOST


def test_single_tokens_leave_room_for_people_and_sessions(file: Path, clock: ManualClock) -> None:
    revoked = RevocationList(file, clock)
    revoked.revoke([token(str(number)) for number in range(MOST_TOKENS)])
    with pytest.raises(RevocationError, match="one by one"):
        revoked.revoke([token("one more")])
    revoked.revoke([token("1")])
    revoked.revoke([Revocation(Revoked.SESSION, str(number), ISSUER) for number in range(MOST - MOST_TOKENS)])
    assert len(revoked.revocations()) == MOST


@pytest.mark.parametrize(
    "bad",
    [
        Revocation(Revoked.TOKEN, "", ISSUER),
        Revocation(Revoked.TOKEN, "x" * 513, ISSUER),
        Revocation(Revoked.USER, "a\nb", ISSUER),
        Revocation(Revoked.USER, "alice"),
    ],
)
def test_what_nothing_can_be_recognised_by_is_refused(file: Path, clock: ManualClock, bad: Revocation) -> None:
    revoked = RevocationList(file, clock)
    with pytest.raises(RevocationError):
        revoked.revoke([token(), bad])
    assert revoked.revocations() == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"revoked.2": []}',
        b'{"revoked.1": [["token"]]}',
        b'{"revoked.1": [["x","i","v",1]]}',
        b'{"revoked.1": [["token","i",1,1]]}',
        b'{"revoked.1": [["token","i","v","x"]]}',
        b'{"revoked.1": [["token","","v",1]]}',
    ],
)
def test_a_damaged_list_does_not_become_an_empty_one(file: Path, clock: ManualClock, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        RevocationList(file, clock)


def test_a_full_disk_changes_nothing(file: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    revoked = RevocationList(file, clock)
    told: list[Any] = []
    revoked.subscribe(lambda: told.append(1))

    def full(*_: object, **__: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr("ringwall.identity.revocation.revoked.replace_file", full)
    with pytest.raises(StorageError):
        revoked.revoke([token()])
    assert revoked.revocations() == ()
    assert not told


def test_one_for_earlier_tokens_never_weakens_one_for_all(file: Path, clock: ManualClock) -> None:
    revoked = RevocationList(file, clock)
    for before, holds in ((10, 10), (5, 10), (20, 20), (None, None), (30, None)):
        revoked.revoke([Revocation(Revoked.USER, "alice", ISSUER, 2000, before)])
        assert revoked.revocations()[0].before == holds
    assert RevocationList(file, clock).revocations() == revoked.revocations()
