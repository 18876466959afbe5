"""The memory of used proofs: it forgets none that could still be used, whatever happens to clock, process and disk."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.identity.dpop import seen
from ringwall.identity.dpop.proof import AHEAD_SECONDS, PROOF_SECONDS, ProofRefusedError
from ringwall.identity.dpop.seen import WINDOW_SECONDS, MemoryFullError, SeenProofs
from ringwall.model.clock import ManualClock


def _taken(memory: SeenProofs, jti: str, until: float) -> bool:
    try:
        memory.once("key", jti, until)
    except ProofRefusedError:
        return False
    return True


def test_a_proof_is_taken_once_and_by_its_key(tmp_path: Path) -> None:
    clock = ManualClock()
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        memory.once("a", "1", clock.now() + 60)
        with pytest.raises(ProofRefusedError, match="used before"):
            memory.once("a", "1", clock.now() + 60)
        memory.once("b", "1", clock.now() + 60)
        memory.once("a", "2", clock.now() + 60)


def test_another_process_knows_what_the_killed_one_took(tmp_path: Path) -> None:
    clock = ManualClock()
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert _taken(memory, "1", clock.now() + 60)
        with contextlib.closing(SeenProofs(tmp_path, clock)) as later:
            assert not _taken(later, "1", clock.now() + 60)
            assert _taken(later, "2", clock.now() + 60)


def test_a_torn_last_entry_costs_no_other(tmp_path: Path) -> None:
    clock = ManualClock()
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert _taken(memory, "1", clock.now() + 60)
    with (tmp_path / "newer").open("ab") as file:
        file.write(b"torn")
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert not _taken(memory, "1", clock.now() + 60)
        assert _taken(memory, "2", clock.now() + 60)


@pytest.mark.parametrize("content", [b"", b"x" * 10, b"x" * 100])
def test_an_unreadable_file_means_that_nothing_made_until_now_is_taken(tmp_path: Path, content: bytes) -> None:
    clock = ManualClock()
    (tmp_path / "newer").write_bytes(content)
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert not _taken(memory, "1", clock.now() + AHEAD_SECONDS + PROOF_SECONDS)
        clock.advance(AHEAD_SECONDS + 1)
        assert _taken(memory, "1", clock.now() + PROOF_SECONDS)


def test_a_crash_of_the_machine_may_have_lost_the_end_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    SeenProofs(tmp_path, clock).close()
    monkeypatch.setattr(seen, "_boot_id", lambda: b"another start".ljust(36))
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert not _taken(memory, "1", clock.now() + PROOF_SECONDS)


def test_it_holds_so_many_and_then_takes_no_more_until_time_has_passed(tmp_path: Path) -> None:
    clock = ManualClock()
    with contextlib.closing(SeenProofs(tmp_path, clock, most=20)) as memory:
        assert sum(_taken(memory, str(number), clock.now() + 60) for number in range(100)) == 20
        with pytest.raises(MemoryFullError, match="than can be remembered"):
            memory.once("key", "x", clock.now() + 60)
        assert not _taken(memory, "0", clock.now() + 60)
        clock.advance(WINDOW_SECONDS)
        assert _taken(memory, "x", clock.now() + 60)
        assert (tmp_path / "older").stat().st_size + (tmp_path / "newer").stat().st_size < 2000


def test_what_cannot_be_written_is_not_taken(tmp_path: Path) -> None:
    clock = ManualClock()
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert _taken(memory, "1", clock.now() + 60)
        assert memory._file is not None  # there is no other way to a disk that is full
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, memory._file.fileno())
        os.close(full)
        with pytest.raises(MemoryFullError, match="No space left"):
            memory.once("key", "2", clock.now() + 60)
        assert _taken(memory, "2", clock.now() + 60), "there is room again"
        assert not _taken(memory, "1", clock.now() + 60)
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert not _taken(memory, "1", clock.now() + 60)
        assert not _taken(memory, "2", clock.now() + 60)


_ACTS = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 5), st.integers(-60, 10)),
    st.tuples(st.sampled_from(["advance", "jump"]), st.integers(-300, 300), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
)


@settings(max_examples=150, deadline=None)
@given(acts=st.lists(_ACTS, max_size=40))
def test_no_proof_is_taken_twice(tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, int]]) -> None:
    """Under any clock and any restarts, of a memory so small that it turns over often."""
    folder, clock, taken = tmp_path_factory.mktemp("seen"), ManualClock(), set()
    memory = SeenProofs(folder, clock, most=4)
    made: dict[int, float] = {}
    for act, number, ahead in acts:
        if act == "take":
            issued = made.setdefault(number, clock.now() + ahead)
            if not clock.now() - PROOF_SECONDS < issued <= clock.now() + AHEAD_SECONDS:
                continue  # the proof's own check refuses it
            if _taken(memory, str(number), issued + PROOF_SECONDS):
                assert number not in taken
                taken.add(number)
        elif act == "restart":
            memory.close()
            memory = SeenProofs(folder, clock, most=4)
        elif act == "jump":
            clock.jump(number)
        else:
            clock.advance(abs(number))
    memory.close()


def test_where_nobody_knows_when_the_machine_started_nothing_made_until_now_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(seen, "_BOOT", tmp_path / "missing")
    SeenProofs(tmp_path, clock).close()
    with contextlib.closing(SeenProofs(tmp_path, clock)) as memory:
        assert not _taken(memory, "1", clock.now() + PROOF_SECONDS)
