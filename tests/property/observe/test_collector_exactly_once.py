"""A collector that is killed at any step, any number of times, stores every line once."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.observe_lines import numbered
from tests.support.observe_spool import Bench

from ringwall.observe import tail
from ringwall.observe.store import EventStore
from ringwall.observe.tail import SpoolLimits

LINE = len(numbered(0))
LIMITS = SpoolLimits(rotate_bytes=LINE * 6, grace_seconds=1)


class KilledError(BaseException):
    """The process ends here; nobody catches this."""


class Killer:
    """Ends the collector just before or just after its nth step that changes something outside of it."""

    def __init__(self) -> None:
        self.left = -1

    def step(self) -> None:
        self.left -= 1
        if self.left == -1:
            raise KilledError

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any, **more: Any) -> Any:
            self.step()
            result = function(*args, **more)
            self.step()
            return result

        return stepping


@contextlib.contextmanager
def killable(killer: Killer) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (EventStore, "write"),
            (EventStore, "forget"),
            (EventStore, "prune"),
            (tail, "delete"),
            (Path, "rename"),
        ):
            patch.setattr(owner, name, killer.around(getattr(owner, name)))
        yield


def survive(bench: Bench, killer: Killer, rounds: int, kill_after: int) -> bool:
    """Let the collector work; return whether it was killed, in which case a new one takes its place."""
    killer.left = kill_after
    try:
        bench.rounds(rounds)
    except KilledError:
        bench.restart()
        return True
    finally:
        killer.left = -1
    return False


def test_killed_once_at_every_step(tmp_path: Path) -> None:
    killer = Killer()
    with killable(killer):
        for kill_after in range(400):
            folder = tmp_path / str(kill_after)
            folder.mkdir()
            bench = Bench(folder, LIMITS)
            killed = False
            for start in range(0, 30, 5):
                bench.writer.write(b"".join(numbered(n) for n in range(start, start + 5)))
                # Steps are counted over the whole run, so the number left carries over from burst to burst.
                killer.left = killer.left if start else kill_after
                try:
                    bench.rounds(3)
                except KilledError:
                    killed = True
                    bench.restart()
            killer.left = -1
            bench.rounds(8)
            stored, files = bench.ids(), bench.files()
            bench.close()
            assert sorted(stored) == [f"request-{n:06d}" for n in range(30)], kill_after
            assert files == ["edge.jsonl"]
            if not killed:
                assert kill_after > 30, "the run must have many steps to be killed at"
                return
    raise AssertionError("there is always one more step")


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 8)),
        st.tuples(st.just("part"), st.integers(1, LINE - 1)),
        st.tuples(st.just("collect"), st.integers(0, 12)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("unreachable"), st.just(0)),
        st.tuples(st.just("reachable"), st.just(0)),
    ),
    max_size=40,
)


@given(ACTIONS)
@settings(max_examples=150, deadline=None)
def test_any_order_of_writing_rotating_and_dying(tmp_path_factory: pytest.TempPathFactory, actions: list[Any]) -> None:
    bench = Bench(tmp_path_factory.mktemp("spool"), LIMITS)
    killer = Killer()
    number, rest = 0, b""
    with killable(killer):
        for action, amount in actions:
            if action == "write":
                bench.writer.write(rest + b"".join(numbered(n) for n in range(number, number + amount)))
                number, rest = number + amount, b""
            elif action == "part":
                bench.writer.write(rest)
                bench.writer.write(numbered(number)[:amount])
                number, rest = number + 1, numbered(number)[amount:]
            elif action == "collect":
                survive(bench, killer, 3, amount)
            elif action == "restart":
                bench.restart()
            else:
                bench.writer.reachable = action == "reachable"
        bench.writer.reachable = True
        bench.writer.write(rest)
        bench.rounds(10)
    stored, status = bench.ids(), bench.collector.status()
    bench.close()
    assert sorted(stored) == [f"request-{n:06d}" for n in range(number)]
    assert (status.drops, status.bad_lines, status.lag_bytes) == (0, 0, 0)
