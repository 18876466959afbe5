from itertools import pairwise
from random import Random

from ringwall.bootstrap.backoff import LONGEST_SECONDS, STABLE_SECONDS, Backoff


def backoff_with(seed: int) -> Backoff:
    return Backoff(Random(seed))  # noqa: S311  # jitter


def test_the_first_restart_after_a_good_run_is_immediate() -> None:
    backoff = backoff_with(1)
    assert backoff.after(STABLE_SECONDS) == 0.0
    assert backoff.after(STABLE_SECONDS) == 0.0


def test_delays_double_and_are_bounded() -> None:
    backoff = backoff_with(1)
    delays = [backoff.after(0.1) for _ in range(30)]
    assert delays[0] == 0.0
    assert all(later > earlier * 1.2 for earlier, later in pairwise(delays[1:5]))
    assert max(delays) <= LONGEST_SECONDS * 1.2
    assert min(delays[15:]) >= LONGEST_SECONDS * 0.8


def test_restarts_are_spread() -> None:
    spread = set()
    for seed in range(10):
        backoff = backoff_with(seed)
        backoff.after(0)
        spread.add(backoff.after(0))
    assert len(spread) > 5


def test_a_crash_loop_is_three_failures_in_a_row() -> None:
    backoff = backoff_with(1)
    backoff.after(0)
    backoff.after(0)
    assert not backoff.crash_loop
    backoff.after(0)
    assert backoff.crash_loop
    backoff.after(STABLE_SECONDS)
    assert not backoff.crash_loop
