import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.identity.issuer.ring import CLOCK_SKEW, KeyRingError, KeyState, Ring, Schedule

SCHEDULE = Schedule(lifetime=1000.0, overlap=100.0)
START = 1_700_000_000.0


def test_a_new_ring_signs_at_once_and_has_its_next_key_published() -> None:
    ring = Ring.begin(START)
    assert [key.state for key in ring.keys] == [KeyState.ACTIVE, KeyState.NEXT]
    assert len(ring.public_set()["keys"]) == 2
    assert ring.next_change(SCHEDULE) == START + 1000


def test_keys_take_over_on_schedule_and_not_before() -> None:
    ring = Ring.begin(START)
    assert ring.advance(START + 999.9, SCHEDULE) is ring
    after = ring.cover(START + 1500).advance(START + 1000, SCHEDULE)
    assert after.active.kid == ring.next.kid
    assert after.next.kid not in {ring.active.kid, ring.next.kid}
    old = next(key for key in after.keys if key.kid == ring.active.kid)
    assert old.state is KeyState.RETIRING
    assert old.pem is None


def test_a_retiring_key_is_published_until_its_last_token_has_expired_and_no_longer() -> None:
    ring = Ring.begin(START).cover(START + 1500)
    last = ring.active.signed_until
    assert last >= START + 1500
    ring = ring.advance(START + 1000, SCHEDULE)
    assert len(ring.advance(last + CLOCK_SKEW - 0.1, SCHEDULE).keys) == 3
    assert len(ring.advance(last + CLOCK_SKEW, SCHEDULE).keys) == 2


def test_a_key_that_signed_nothing_is_gone_at_once() -> None:
    assert len(Ring.begin(START).advance(START + 1000, SCHEDULE).keys) == 2


def test_a_requested_rotation_waits_for_the_overlap() -> None:
    ring = Ring.begin(START).request()
    assert ring.next_change(SCHEDULE) == START + 100
    assert ring.advance(START + 99, SCHEDULE) is ring
    rotated = ring.advance(START + 100, SCHEDULE)
    assert rotated.active.kid == ring.next.kid
    assert not rotated.requested


def test_the_lease_spares_writes_and_never_falls_short() -> None:
    ring = Ring.begin(START).cover(START + 900)
    assert ring.cover(START + 1000) is ring
    assert ring.cover(START + 1201).active.signed_until >= START + 1201


def test_a_ring_survives_storage() -> None:
    ring = Ring.begin(START).cover(START + 1500).advance(START + 1000, SCHEDULE).request()
    again = Ring.from_json(json.loads(json.dumps(ring.to_json())))
    assert again == ring
    assert again.active.pem is not None


def spoil(change: str) -> Any:
    value = Ring.begin(START).to_json()
    other = Ring.begin(START).to_json()
    spoilt: dict[str, Any] = {
        "format": {**value, "format": 2},
        "no-active": {**value, "keys": value["keys"][1:]},
        "two-active": {**value, "keys": [*value["keys"], other["keys"][0]]},
        "no-private": {**value, "keys": [{**value["keys"][0], "pem": None}, value["keys"][1]]},
        "other-private": {**value, "keys": [{**value["keys"][0], "pem": other["keys"][0]["pem"]}, value["keys"][1]]},
        "garbage-private": {**value, "keys": [{**value["keys"][0], "pem": "x"}, value["keys"][1]]},
        "state": {**value, "keys": [{**value["keys"][0], "state": "gone"}, value["keys"][1]]},
        "time": {**value, "keys": [{**value["keys"][0], "published": "then"}, value["keys"][1]]},
        "empty": {},
        "keys": {**value, "keys": 7},
    }
    return spoilt[change]


SPOILT = ("format", "no-active", "two-active", "no-private", "other-private", "garbage-private", "state", "time")


@pytest.mark.parametrize("change", [*SPOILT, "empty", "keys"])
def test_a_ring_that_is_not_whole_is_refused_with_advice(change: str) -> None:
    with pytest.raises(KeyRingError) as raised:
        Ring.from_json(spoil(change))
    assert "backup" in raised.value.hint


STEPS = st.lists(
    st.tuples(st.sampled_from(["sign", "wait", "rotate", "compromised"]), st.floats(0, 1500)), min_size=1, max_size=25
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_no_token_is_ever_without_its_key_and_no_key_signs_unannounced(steps: list[tuple[str, float]]) -> None:
    """The two promises of the ring, over any sequence of events."""
    now = START
    ring = Ring.begin(now)
    unannounced = {ring.active.kid}  # first keys, and those after a compromise, cannot be announced
    seen = {key.kid: now for key in ring.keys}
    tokens: list[tuple[str, float]] = []
    for step, amount in steps:
        if step == "wait":
            now += amount
        elif step == "rotate":
            ring = ring.request()
        elif step == "compromised":
            ring = Ring.begin(now)
            unannounced.add(ring.active.kid)
            tokens = []
        ring = ring.advance(now, SCHEDULE)
        if step == "sign":
            ring = ring.cover(now + amount)
            tokens.append((ring.active.kid, now + amount))
        for key in ring.keys:
            seen.setdefault(key.kid, now)
        published = {key["kid"] for key in ring.public_set()["keys"]}
        assert {kid for kid, expires in tokens if expires + CLOCK_SKEW > now} <= published
        active = ring.active
        assert active.activated is not None
        assert active.kid in unannounced or active.activated - seen[active.kid] >= SCHEDULE.overlap
        assert len(ring.keys) <= 2 + len(tokens)
