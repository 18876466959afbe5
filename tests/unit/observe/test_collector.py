import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.observe_lines import line, numbered
from tests.support.observe_spool import Bench

from ringwall.model.clock import SystemClock
from ringwall.observe.collector import Collector
from ringwall.observe.reader import EventReader
from ringwall.observe.spool import CHUNK, Spool
from ringwall.observe.store import EventStore, Retention
from ringwall.observe.tail import SpoolLimits

Make = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Bench] = []

    def bench(**limits: float) -> Bench:
        made.append(Bench(tmp_path, SpoolLimits(**limits)))  # type: ignore[arg-type]
        return made[-1]

    yield bench
    for each in made:
        each.close()


def ids(start: int, end: int) -> list[str]:
    return [f"request-{n:06d}" for n in range(start, end)]


def write(bench: Bench, start: int, end: int) -> None:
    bench.writer.write(b"".join(numbered(n) for n in range(start, end)))


def test_lines_are_stored_once_over_many_rounds_and_restarts(make: Make) -> None:
    bench = make()
    for start in range(0, 50, 10):
        write(bench, start, start + 10)
        bench.rounds(2)
        bench.restart()
    assert bench.ids() == ids(0, 50)
    status = bench.collector.status()
    assert (status.bad_lines, status.drops, status.problem) == (0, 0, "")


def test_a_line_waits_until_it_is_whole(make: Make) -> None:
    bench = make()
    whole = numbered(1)
    for byte in range(0, len(whole), 7):
        bench.writer.write(whole[byte : byte + 7])
        bench.rounds()
        if byte + 7 < len(whole):
            assert bench.ids() == []
            assert bench.collector.status().lag_bytes == byte + 7
    assert bench.ids() == ids(1, 2)
    assert bench.collector.status().lag_bytes == 0


def test_lag_is_told_in_seconds_since_everything_was_stored(make: Make) -> None:
    bench = make()
    bench.rounds(3, seconds=10)
    bench.writer.write(b'{"unfinished')
    bench.rounds(3, seconds=10)
    assert bench.collector.status().lag_seconds == 30
    bench.writer.write(b'"}\n')
    bench.rounds()
    assert bench.collector.status().lag_seconds == 0


def test_a_large_log_is_renamed_and_read_to_its_end_and_deleted(make: Make) -> None:
    bench = make(rotate_bytes=2000, grace_seconds=2)
    write(bench, 0, 10)
    bench.rounds()
    assert bench.writer.reopened == 1
    write(bench, 10, 12)
    bench.rounds(6)
    assert bench.files() == ["edge.jsonl"]
    assert bench.ids() == ids(0, 12)


def test_what_the_proxy_writes_to_the_renamed_file_is_not_lost(make: Make) -> None:
    bench = make(rotate_bytes=2000, grace_seconds=2)
    bench.writer.reachable = False
    write(bench, 0, 10)
    bench.rounds()
    assert bench.files() == ["edge.jsonl.000001"]
    assert "cannot be told" in bench.collector.status().problem
    for start in range(10, 40, 10):
        write(bench, start, start + 10)
        bench.rounds(5)
    assert bench.files() == ["edge.jsonl.000001"], "nobody deletes what may still be written to"
    bench.writer.reachable = True
    bench.rounds()
    write(bench, 40, 41)
    bench.rounds(6)
    assert bench.ids() == ids(0, 41)
    assert bench.files() == ["edge.jsonl"]
    assert bench.collector.status().problem == ""


def test_a_file_that_is_still_written_to_is_not_deleted(make: Make) -> None:
    bench = make(rotate_bytes=1000, grace_seconds=3)
    other = bench.writer.path.open("ab", buffering=0)
    write(bench, 0, 10)
    bench.rounds()
    for number in range(10, 20):
        other.write(numbered(number))
        bench.rounds(2)
    assert "edge.jsonl.000001" in bench.files()
    other.close()
    bench.rounds(6)
    assert bench.files() == ["edge.jsonl"]
    assert bench.ids() == ids(0, 20)


def test_many_renamed_files_are_found_after_a_restart(make: Make) -> None:
    bench = make(rotate_bytes=1)
    for number in range(12):
        write(bench, number * 10, number * 10 + 10)
        if number % 2:
            bench.rounds()
        else:
            bench.writer.path.rename(bench.writer.path.with_name(f"edge.jsonl.{100 + number:06d}"))
            bench.writer.reopen()
        bench.restart()
    bench.rounds(8)
    assert sorted(bench.ids()) == ids(0, 120)
    assert bench.files() == ["edge.jsonl"]


def test_an_unfinished_last_line_of_a_finished_file_is_counted(make: Make) -> None:
    bench = make(rotate_bytes=1000, grace_seconds=1)
    write(bench, 0, 5)
    bench.writer.write(line(id="torn")[:60])
    bench.writer.path.rename(bench.writer.path.with_name("edge.jsonl.000009"))  # the proxy was killed and started anew
    bench.writer.revive()
    bench.rounds(5)
    write(bench, 5, 6)
    bench.rounds(5)
    assert bench.ids() == ids(0, 6)
    assert bench.collector.status().bad_lines == 1


def test_a_last_line_without_its_line_end_is_a_record_all_the_same(make: Make) -> None:
    bench = make(rotate_bytes=100, grace_seconds=1)
    bench.writer.write(numbered(0) + numbered(1).rstrip())
    bench.rounds()
    bench.writer.revive()
    bench.rounds(5)
    assert bench.ids() == ids(0, 2)
    assert bench.collector.status().bad_lines == 0


def test_a_killed_proxy_costs_the_torn_line_only(make: Make) -> None:
    bench = make()
    bench.writer.write(numbered(0) + numbered(1)[:100] + numbered(2) + numbered(3))
    bench.rounds()
    assert bench.ids() == ["request-000000", "request-000002", "request-000003"]
    status = bench.collector.status()
    assert (status.bad_lines, status.recovered_lines) == (1, 1)


def test_garbage_is_counted_and_kept_aside_and_stops_nothing(make: Make) -> None:
    bench = make()
    bench.writer.write(b"\x00\xff\n" + numbered(0) + b"\n\n[]\n" + b'{"h":1}\n' + os.urandom(300) + b"\n" + numbered(1))
    bench.rounds()
    assert bench.ids() == ids(0, 2)
    count = bench.collector.status().bad_lines
    assert count >= 4
    reader = EventReader.open(bench.store)
    kept = reader.bad_lines(limit=50)
    reader.close()
    assert len(kept) == count
    assert {bad.reason for bad in kept} >= {"not JSON", "not a JSON object"}
    assert all(bad.spool == "edge" and bad.excerpt.isprintable() for bad in kept)


def test_a_line_without_end_does_not_stop_the_log(make: Make) -> None:
    bench = make()
    bench.writer.write(numbered(0) + b"x" * (3 * CHUNK) + b"\n" + numbered(1))
    bench.rounds(2)
    assert bench.ids() == ids(0, 2)
    assert 1 <= bench.collector.status().bad_lines <= 8


@pytest.mark.parametrize("regrown", [3, 30, 300])
def test_a_log_that_somebody_emptied_is_read_from_its_beginning(make: Make, regrown: int) -> None:
    bench = make()
    write(bench, 0, 30)
    bench.rounds()
    os.truncate(bench.writer.path, 0)
    write(bench, 1000, 1000 + regrown)
    bench.rounds(2)
    assert bench.ids() == ids(0, 30) + ids(1000, 1000 + regrown)
    assert bench.collector.status().truncated_files == 1


@pytest.mark.parametrize("regrown", [3, 30, 300])
def test_a_log_that_was_emptied_while_nobody_looked(make: Make, regrown: int) -> None:
    bench = make()
    write(bench, 0, 30)
    bench.rounds()
    bench.collector.close()
    os.truncate(bench.writer.path, 0)
    write(bench, 1000, 1000 + regrown)
    bench.restart()
    bench.rounds(2)
    assert bench.ids() == ids(0, 30) + ids(1000, 1000 + regrown)
    assert bench.collector.status().truncated_files == 1


@pytest.mark.parametrize("looking", [True, False])
def test_a_log_that_somebody_cut_is_read_on_from_its_end(make: Make, looking: bool) -> None:  # noqa: FBT001  # a case
    bench = make()
    write(bench, 0, 30)
    bench.rounds()
    if not looking:
        bench.collector.close()
    os.truncate(bench.writer.path, len(numbered(0)) * 20)
    if looking:
        bench.rounds()
    else:
        bench.restart()
        bench.rounds()
    write(bench, 30, 35)
    bench.rounds()
    assert bench.ids() == ids(0, 35)
    assert bench.collector.status().truncated_files == 1


def test_positions_of_files_that_are_gone_are_forgotten(make: Make) -> None:
    bench = make()
    write(bench, 0, 3)
    bench.rounds()
    bench.collector.close()
    bench.writer.path.rename(bench.writer.path.with_name("taken-away"))
    bench.writer.reopen()
    bench.restart()
    write(bench, 3, 5)
    bench.rounds()
    store = EventStore.open(bench.store)
    positions = store.positions("edge")
    store.close()
    assert [position.inode for position in positions] == [bench.writer.path.stat().st_ino]
    assert bench.ids() == ids(0, 5)


def test_a_log_that_somebody_deleted_is_read_to_its_end_and_begun_anew(make: Make) -> None:
    bench = make(grace_seconds=1)
    write(bench, 0, 5)
    bench.rounds()
    bench.writer.path.unlink()
    write(bench, 5, 10)
    bench.rounds(2)
    write(bench, 10, 15)
    bench.rounds(5)
    assert bench.ids() == ids(0, 15)
    assert bench.writer.reopened == 1
    assert bench.files() == ["edge.jsonl"], "the new file is not taken for the deleted one"


def test_above_the_cap_the_oldest_lines_are_dropped_and_counted(make: Make) -> None:
    size = len(numbered(0))
    bench = make(rotate_bytes=size * 10, total_bytes=size * 45, grace_seconds=1000)
    bench.store.mkdir()  # nothing can be stored
    for start in range(0, 100, 10):
        write(bench, start, start + 10)
        bench.writer.path.rename(bench.writer.path.with_name(f"edge.jsonl.{start // 10 + 1:06d}"))
        bench.writer.reopen()
    bench.rounds()
    assert "cannot be used" in bench.collector.status().problem
    bench.store.rmdir()
    store = EventStore.open(bench.store)
    tail = bench.collector._tails[0]
    tail.discover(store)
    bench.collector._enforce_cap(store)
    store.close()
    bench.rounds(2)
    assert bench.collector.status().drops == 60
    assert bench.ids() == ids(60, 100)


def test_drops_count_only_what_was_not_stored(make: Make) -> None:
    size = len(numbered(0))
    bench = make(rotate_bytes=size * 10, total_bytes=size * 15, grace_seconds=1000)
    write(bench, 0, 10)
    bench.rounds()
    write(bench, 10, 20)
    bench.rounds(3)
    assert bench.ids() == ids(0, 20)
    assert bench.collector.status().drops == 0


def test_dropping_works_while_nothing_can_be_stored(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(numbered(0))
    bench = make(rotate_bytes=size * 10, total_bytes=size * 15, grace_seconds=1000)
    bench.rounds()
    for number in (1, 2, 3):
        write(bench, number * 10, number * 10 + 10)
        bench.writer.path.rename(bench.writer.path.with_name(f"edge.jsonl.{number:06d}"))
        bench.writer.reopen()
    store = EventStore.open(bench.store)
    tail = bench.collector._tails[0]
    tail.discover(store)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    monkeypatch.setattr(store, "write", _full(store))
    bench.collector._enforce_cap(store)
    monkeypatch.undo()
    store.close()
    assert bench.files() == ["edge.jsonl", "edge.jsonl.000003"]
    bench.rounds()
    assert bench.collector.status().drops == 20
    assert bench.ids() == ids(30, 40)


def _full(store: EventStore) -> Callable[..., int]:
    from ringwall.observe.reader import StoreError  # noqa: PLC0415  # only this stand-in raises it

    def write(*_: object, **__: object) -> int:
        raise StoreError(f"{store} is full")

    return write


def test_a_damaged_store_is_replaced_and_the_log_read_again(make: Make) -> None:
    bench = make()
    write(bench, 0, 2000)
    bench.rounds()
    bench.collector.close()
    for suffix in ("-wal", "-shm"):
        bench.store.with_name(bench.store.name + suffix).unlink(missing_ok=True)
    bench.store.write_bytes(b"damaged" * 5000)
    bench.restart()
    write(bench, 2000, 2010)
    bench.rounds(3)
    assert bench.ids() == ids(0, 2010)
    assert len(bench.collector.status().set_aside) == 1
    assert len(list(bench.store.parent.glob("events.db.damaged-*"))) == 1


def test_a_store_that_somebody_deleted_is_begun_anew(make: Make) -> None:
    bench = make()
    write(bench, 0, 10)
    bench.rounds()
    for path in bench.store.parent.glob("events.db*"):
        path.unlink()
    write(bench, 10, 20)
    bench.rounds(2)
    assert bench.ids() == ids(0, 20)


def test_two_collectors_store_nothing_twice(make: Make) -> None:
    bench = make()
    other = bench.new_collector()
    for start in range(0, 100, 10):
        write(bench, start, start + 5)
        bench.rounds()
        write(bench, start + 5, start + 10)
        other.round()
        other.round()
    bench.rounds(2)
    other.close()
    assert bench.ids() == ids(0, 100)


def test_what_the_proxies_could_not_write_is_counted_over_their_restarts(make: Make) -> None:
    bench = make()
    for failed, expected in ((0, 0), (3, 3), (5, 5), (2, 7), (2, 7)):
        bench.counters = {"filesystem.write_failed": failed}
        bench.rounds(seconds=6)
        bench.rounds(seconds=6)
        bench.restart()
        bench.rounds()
        assert bench.collector.status().proxy_write_failures == expected


def test_a_proxy_that_is_away_gives_no_counters(tmp_path: Path) -> None:
    def away() -> dict[str, int]:
        raise ConnectionRefusedError

    bench = Bench(tmp_path)
    collector = Collector(bench.store, [Spool("edge", bench.writer.path, bench.writer.reopen, away)], bench.clock)
    write(bench, 0, 3)
    collector.round()
    assert collector.status().problem == ""
    collector.close()
    bench.close()


def test_old_events_are_deleted_while_new_ones_come(tmp_path: Path) -> None:
    bench = Bench(tmp_path, retention=Retention(seconds=100))
    bench.clock.jump(1_795_322_079 - bench.clock.now())
    for start in range(0, 5000, 500):
        write(bench, start, start + 500)
        bench.rounds(seconds=20)
        bench.writer.write(line(id=f"later-{start}", t=str(bench.clock.now())) + b"\n")
    bench.rounds(10, seconds=0)
    bench.close()
    left = bench.ids()
    assert not [name for name in left if name.startswith("request")]
    assert len(left) == 6


def test_the_thread_collects_until_it_is_stopped_and_stores_what_is_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    spool = Spool("edge", bench.writer.path, bench.writer.reopen)
    collector = Collector(bench.store, [spool], SystemClock())
    collector.start()
    try:
        write(bench, 0, 10)
        deadline = time.monotonic() + 20
        while collector.status().stored < 10:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert collector.status().running
        write(bench, 10, 5000)
    finally:
        collector.stop()
    assert not collector.status().running
    assert bench.ids() == ids(0, 5000)
    collector.start()
    write(bench, 5000, 5001)
    collector.stop()
    assert bench.ids() == ids(0, 5001)
    bench.close()


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("do not read\n")
    (tmp_path / "edge.jsonl").symlink_to(tmp_path / "secret")
    collector = Collector(tmp_path / "events.db", [Spool("edge", tmp_path / "edge.jsonl", lambda: None)], SystemClock())
    collector.round()
    assert "cannot be read" in collector.status().problem
    collector.close()


@pytest.mark.parametrize("reason", ["Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt", "Jwt_verification_fails"])
def test_a_token_that_a_new_key_would_explain_is_told_once_a_round(make: Make, reason: str) -> None:
    bench = make()
    for number in range(50):
        bench.writer.write(numbered(number, s=401, d=f"jwt_authn_access_denied{{{reason}}}"))
    bench.rounds(3)
    assert bench.unknown_keys == 1
    bench.writer.write(numbered(50, s=401, d=f"jwt_authn_access_denied{{{reason}}}"))
    bench.rounds(3)
    assert bench.unknown_keys == 2


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"s": 401, "d": "jwt_authn_access_denied{Jwt_is_expired}"},
        {"s": 403, "d": "jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}"},
        {"s": 401, "d": "via_upstream"},
    ],
    ids=repr,
)
def test_nothing_else_makes_anybody_look_for_new_keys(make: Make, changes: dict[str, Any]) -> None:
    bench = make()
    bench.writer.write(numbered(1, **changes))
    bench.rounds(3)
    assert bench.ids() == ids(1, 2)
    assert bench.unknown_keys == 0
