from random import Random

from ringwall.bootstrap.backoff import LONGEST_SECONDS, STABLE_SECONDS, Backoff


def test_the_first_restart_after_a_good_run_is_immediate() -> None:
    backoff = Backoff(Random(1))
    assert backoff.after(STABLE_SECONDS) == 0.0
    assert backoff.after(STABLE_SECONDS) == 0.0


def test_delays_double_and_are_bounded() -> None:
    backoff = Backoff(Random(1))
    delays = [backoff.after(0.1) for _ in range(30)]
    assert delays[0] == 0.0
    assert all(later > earlier * 1.2 for earlier, later in zip(delays[1:4], delays[2:5], strict=True))
    assert max(delays) <= LONGEST_SECONDS * 1.2
    assert min(delays[15:]) >= LONGEST_SECONDS * 0.8


def test_restarts_are_spread() -> None:
    assert len({Backoff(Random(seed)).after(0) + 0 for seed in range(3)}) == 1
    spread = set()
    for seed in range(10):
        backoff = Backoff(Random(seed))
        backoff.after(0)
        spread.add(backoff.after(0))
    assert len(spread) > 5


def test_a_crash_loop_is_three_failures_in_a_row() -> None:
    backoff = Backoff(Random(1))
    backoff.after(0)
    backoff.after(0)
    assert not backoff.crash_loop
    backoff.after(0)
    assert backoff.crash_loop
    backoff.after(STABLE_SECONDS)
    assert not backoff.crash_loop
