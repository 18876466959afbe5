from ringwall.identity.issuer.throttle import BUCKETS, BURST, PER_SECOND, Throttle
from ringwall.model.clock import ManualClock


def test_a_burst_then_a_steady_rate() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    assert [throttle.wrong("a") for _ in range(int(BURST))] == [0] * int(BURST)
    assert throttle.wrong("a") == 1 / PER_SECOND
    clock.advance(1 / PER_SECOND)
    assert throttle.wrong("a") == 0
    assert throttle.wrong("a") > 0
    clock.advance(BURST / PER_SECOND * 10)
    assert [throttle.wrong("a") for _ in range(int(BURST) + 1)][-1] > 0


def test_the_wall_clock_does_not_matter() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for _ in range(int(BURST)):
        throttle.wrong("a")
    clock.jump(1e6)
    assert throttle.wrong("a") > 0


def test_memory_is_bounded_whatever_names_are_made_up() -> None:
    throttle = Throttle(ManualClock())
    for number in range(3 * BUCKETS):
        throttle.wrong(f"name {number} \ud800")
    assert len(throttle._left) == len(throttle._when) == BUCKETS
