import random
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.observe_lines import line

from ringwall.model.events import DecisionEvent, Outcome
from ringwall.observe import request_index
from ringwall.observe.access_lines import parse
from ringwall.observe.query import Query
from ringwall.observe.reader import Aside, CorruptStoreError, EventReader, NoStoreError, StoreError
from ringwall.observe.schema import MIGRATIONS, NewerStoreError
from ringwall.observe.store import EventStore, Position, PositionConflictError, Retention

PLAN = "ab" * 32


def event(number: int = 0, **changes: Any) -> DecisionEvent:
    made = parse(line(id=f"id-{number:05d}"), lambda _: PLAN)
    return replace(made, **({"time": 1000.0 + number} | changes))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    opened = EventStore.open(tmp_path / "events.db")
    yield opened
    opened.close()


def position(offset: int, inode: int = 7) -> Position:
    return Position(1, inode, "edge", offset, 3, b"head")


def test_an_event_comes_back_as_it_was(store: EventStore) -> None:
    put = event(shadow="denied", detail="x", flags="UF", claims={"a": [1, "ü", {"b": None}]})
    assert store.write([put]) == 1
    assert store.by_request("id-00000") == (put,)


def test_all_hops_of_a_request_come_in_the_order_in_which_they_began(store: EventStore) -> None:
    late, early = event(hop="patients", time=5.0), event(hop="edge", time=4.0)
    store.write([late, event(1), early])
    assert [e.hop for e in store.by_request("id-00000")] == ["edge", "patients"]


def test_events_without_a_request_id_are_no_request(store: EventStore) -> None:
    store.write([event(request_id="")])
    assert store.by_request("") == ()
    assert store.latest(5) == ()
    assert len(store.find(Query(), limit=5)) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), [0, 1, 2, 3]),
        (Query(service="patients"), [0, 1, 2]),
        (Query(service="patient"), []),
        (Query(operation="patients/get"), [0, 1]),
        (Query(operation="get"), [0, 1]),
        (Query(subject="bob"), [1]),
        (Query(subject="b%"), []),
        (Query(caller="spiffe://clinic/service/portal"), [2]),
        (Query(caller="portal"), [2]),
        (Query(caller="ortal"), []),
        (Query(outcome=Outcome.DENIED), [3]),
        (Query(status=403), [3]),
        (Query(since=1001.0), [1, 2, 3]),
        (Query(until=1001.0), [0]),
        (Query(since=1001.0, until=1003.0, service="patients"), [1, 2]),
    ],
)
def test_queries_find_what_they_say(store: EventStore, query: Query, found: list[int]) -> None:
    store.write(
        [
            event(0, hop="edge", caller=""),
            event(1, subject="bob"),
            event(2, operation="patients/list", caller="spiffe://clinic/service/portal"),
            event(3, hop="billing", operation="billing/get it", outcome=Outcome.DENIED, status=403, caller=""),
        ]
    )
    assert [int(stored.event.time) - 1000 for stored in store.find(query, limit=10)] == found
    assert [int(stored.event.time) - 1000 for stored in store.after(0, query, limit=10)] == found


def test_a_limit_keeps_the_latest_in_order(store: EventStore) -> None:
    store.write(event(n) for n in range(10))
    assert [int(s.event.time) for s in store.find(Query(), limit=3)] == [1007, 1008, 1009]


def test_following_goes_by_rows_not_by_time(store: EventStore) -> None:
    store.write([event(9)])
    row = store.last_row()
    store.write([event(3)])
    assert [s.event.time for s in store.after(row, Query(), limit=10)] == [1003.0]


def test_ids_are_found_by_their_beginning(store: EventStore) -> None:
    store.write([event(1), event(1), event(12), event(2, request_id="other")])
    assert store.request_ids("id-0000") == ("id-00001",)
    assert set(store.request_ids("id-")) == {"id-00001", "id-00012"}
    assert store.request_ids("id-%") == ()
    assert [e.request_id for e in store.latest(2)] == ["other", "id-00012"]


def test_requests_are_found_in_any_block_and_after_pruning(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_index, "BLOCK_ROWS", 16)
    chooser = random.Random(7)  # noqa: S311  # the same ids in every run
    names = ["".join(chooser.choices("ab0-ü", k=chooser.randint(0, 12))) for _ in range(400)]
    for start in range(0, 400, 7):
        store.write(event(n, request_id=names[n]) for n in range(start, min(start + 7, 400)))
    kept = 400
    for _ in range(3):
        kept -= store.prune(Retention(seconds=350), now=1400.0 + 400 - kept, at_most=61)
        for name in {*names, "a", "ab", "absent", "ü", "aaaaaaaaaaaaa"}:
            times = [1000.0 + n for n in range(400 - kept, 400) if names[n] == name and name]
            assert [found.time for found in store.by_request(name)] == times
            beginning = {found for found in names[400 - kept :] if found.startswith(name) and name}
            ids = store.request_ids(name)
            assert set(ids) <= beginning
            assert len(ids) == min(20, len(beginning))
    blocks = store._connection.execute("SELECT min(first), count(*) FROM request_blocks").fetchone()
    assert blocks[0] > 16, "blocks go with their rows"
    assert blocks[1] >= 10


def test_ids_that_look_alike_are_told_apart(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_index, "BLOCK_ROWS", 4)
    names = ["a" * 12, "a" * 12, "a" * 13, "abcdefgh-1", "abcdefgh-2", "x" * 8, "x", "xx"]
    store.write(event(n, request_id=name) for n, name in enumerate(names))
    assert [found.time for found in store.by_request("a" * 12)] == [1000.0, 1001.0]
    assert store.request_ids("abcdefgh-1") == ("abcdefgh-1",)
    assert store.request_ids("a" * 9) == ("a" * 13, "a" * 12)
    assert len(store.by_request("x")) == 1


def test_a_reader_finds_a_request_that_moves_into_a_block_meanwhile(
    store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_index, "BLOCK_ROWS", 8)
    store.write(event(n) for n in range(7))
    reader = EventReader.open(tmp_path / "events.db")
    found = reader._beginning_with("id-")
    first = next(found)
    store.write(event(n) for n in range(7, 30))
    assert [first.request_id, *(event.request_id for event in found)] == [f"id-{n:05d}" for n in range(6, -1, -1)]
    assert len(reader.by_request("id-00003")) == 1
    reader.close()


def test_a_batch_is_stored_with_its_position_or_not_at_all(store: EventStore) -> None:
    def breaks() -> Iterator[DecisionEvent]:
        yield event(1)
        raise RuntimeError("killed in the middle")

    store.write([event(0)], position=position(10))
    with pytest.raises(RuntimeError):
        store.write(breaks(), position=position(20), expected=position(10), counts={"x": 1})
    assert len(store.find(Query(), limit=10)) == 1
    assert store.positions("edge") == (position(10),)
    assert store.counters() == {}
    assert store.write([event(1)], position=position(20), expected=position(10)) == 1


def test_a_plan_first_named_in_a_batch_that_failed_is_named_again(store: EventStore) -> None:
    def breaks() -> Iterator[DecisionEvent]:
        yield event(1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(breaks())
    store.write([event(1)])
    assert store.by_request("id-00001")[0].plan == PLAN


@pytest.mark.parametrize("expected", [None, position(9), position(10, inode=8)])
def test_lines_that_somebody_else_stored_are_not_stored_again(store: EventStore, expected: Position | None) -> None:
    store.write([event(0)], position=position(10))
    with pytest.raises(PositionConflictError):
        store.write([event(0)], position=position(10), expected=expected)
    assert len(store.find(Query(), limit=10)) == 1


def test_a_position_is_forgotten(store: EventStore) -> None:
    store.write(position=position(10))
    store.forget(position(10))
    assert store.positions("edge") == ()


def test_counters_add_up(store: EventStore) -> None:
    store.write(counts={"a": 2})
    store.write(counts={"a": 3, "b": 1})
    assert store.counters() == {"a": 5, "b": 1}


def test_only_the_newest_bad_lines_are_kept(store: EventStore) -> None:
    for start in range(0, 3000, 500):
        store.write(bad=[Aside(1.0, "edge", "not JSON", str(n)) for n in range(start, start + 500)])
    kept = store.bad_lines(limit=5000)
    assert len(kept) == 1000
    assert kept[0] == Aside(1.0, "edge", "not JSON", "2999")


def test_old_events_go_a_few_at_a_time(store: EventStore) -> None:
    store.write(event(n) for n in range(100))
    retention = Retention(seconds=50)
    assert store.prune(retention, now=1100.0, at_most=30) == 30
    assert store.prune(retention, now=1100.0, at_most=30) == 20
    assert store.prune(retention, now=1100.0, at_most=30) == 0
    assert [int(s.event.time) for s in store.find(Query(), limit=100)] == list(range(1050, 1100))


def test_rows_are_not_given_out_again_after_everything_was_deleted(store: EventStore) -> None:
    store.write(event(n) for n in range(5))
    before = store.last_row()
    store.prune(Retention(seconds=0), now=10_000.0, at_most=100)
    store.write([event(6)])
    assert store.last_row() > before, "or `log --follow` would miss it"


def test_a_store_that_is_too_large_loses_its_oldest(store: EventStore) -> None:
    store.write(event(n, authority="x" * 500) for n in range(3000))
    limit = store.used_bytes() // 2
    while store.prune(Retention(max_bytes=limit), now=1100.0, at_most=200):
        pass
    left = [int(s.event.time) for s in store.find(Query(), limit=5000)]
    assert store.used_bytes() <= limit
    assert left == list(range(4000 - len(left), 4000))
    assert len(left) > 1000


def test_readers_do_not_wait_for_the_writer(store: EventStore, tmp_path: Path) -> None:
    store.write([event(0)])
    reader = EventReader.open(tmp_path / "events.db")

    def reading() -> Iterator[DecisionEvent]:
        yield event(1)
        assert len(reader.find(Query(), limit=10)) == 1, "what is not committed is not seen"

    store.write(reading())
    assert len(reader.find(Query(), limit=10)) == 2
    reader.close()


def test_a_reader_writes_nothing(store: EventStore, tmp_path: Path) -> None:
    store.write([event(0)])
    reader = EventReader.open(tmp_path / "events.db")
    with pytest.raises(sqlite3.OperationalError):
        reader._connection.execute("DELETE FROM events")
    reader.close()


def test_there_is_no_store_before_one_was_written(tmp_path: Path) -> None:
    with pytest.raises(NoStoreError, match="no decision has been recorded"):
        EventReader.open(tmp_path / "events.db")
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_for_its_owner_only(store: EventStore, tmp_path: Path) -> None:
    store.write([event(0)])
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    EventStore.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(NewerStoreError, match="this Ringwall knows"):
        EventStore.open(path)


def test_several_that_open_at_once_migrate_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def use(number: int) -> None:
        try:
            opened = EventStore.open(tmp_path / "events.db")
            opened.write([event(number)])
            opened.close()
        except BaseException as error:  # noqa: BLE001  # told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    reader = EventReader.open(tmp_path / "events.db")
    assert len(reader.find(Query(), limit=100)) == 8
    reader.close()


def test_a_damaged_store_is_said_to_be_damaged_and_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"this is not a database, but long enough to be looked at" * 100)
    with pytest.raises(CorruptStoreError, match="damaged"):
        EventStore.open(path)
    aside = EventStore.set_aside(path, 17)
    assert aside.read_bytes().startswith(b"this is not")
    EventStore.open(path).close()


def test_damage_in_the_middle_is_found_when_it_is_met(store: EventStore, tmp_path: Path) -> None:
    store.write(event(n) for n in range(5000))
    store.close()
    path = tmp_path / "events.db"
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    path.write_bytes(data)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    reader = EventReader.open(path)
    with pytest.raises(CorruptStoreError):
        reader.find(Query(), limit=10_000)
    reader.close()


def test_a_full_disk_stores_nothing_of_a_batch_and_says_so(store: EventStore) -> None:
    store.write([event(0)], position=position(10))
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full") as caught:
        store.write((event(n) for n in range(5000)), position=position(20), expected=position(10))
    assert "make room" in caught.value.hint
    assert store.positions("edge") == (position(10),)
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.write((event(n) for n in range(5000)), position=position(20), expected=position(10)) == 5000
    assert len(store.find(Query(), limit=10_000)) == 5001


def test_a_folder_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        EventStore.open(tmp_path / "file" / "events.db")
