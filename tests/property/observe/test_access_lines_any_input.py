"""Whatever stands in a log, reading it ends in an event or in BadLineError, and what is kept is harmless."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.observe_lines import FULL, line

from ringwall.model.events import DecisionEvent
from ringwall.observe.access_lines import BadLineError, excerpt, parse, recover
from ringwall.observe.rows import event_of, row_of

PIECES = st.sampled_from([line(), b'{"', b'"', b"\\", b'{"h":"edge","t":"1"}', b"\xff", b"\x1b", b"eyJ", b"}", b"null"])
BYTES = st.one_of(
    st.binary(max_size=300), st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=12).map(b"".join)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(st.sampled_from(sorted(FULL)), JSON, max_size=6)


def check(event: DecisionEvent) -> None:
    for name in DecisionEvent.__slots__:
        value = getattr(event, name)
        assert not isinstance(value, str) or value.isprintable(), name
    assert "?" not in event.path
    assert event_of((1, *row_of(event, 1)), event.plan) == event


@given(BYTES)
@settings(max_examples=400, deadline=None)
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(BadLineError):
        check(parse(data))
    recovered = recover(data)
    if recovered is not None:
        check(recovered)
    assert excerpt(data).isprintable()


@given(RECORDS)
@settings(max_examples=400, deadline=None)
def test_a_record_with_any_values(changes: dict[str, object]) -> None:
    with contextlib.suppress(BadLineError):
        check(parse(json.dumps({**FULL, **changes}).encode()))


@given(st.text(max_size=50), st.integers(min_value=1, max_value=200))
@settings(max_examples=300, deadline=None)
def test_what_is_left_of_a_record_never_yields_one_that_a_client_wrote(text: str, cut: int) -> None:
    forged = line(u="mallory", p=text).decode()
    whole = line(p=f"/{text}{forged}", u=text, a=forged)
    event = recover(whole[cut:])
    assert event is None or event.subject != "mallory"
