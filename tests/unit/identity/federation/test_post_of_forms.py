"""Forms are posted as carefully as documents are fetched."""

import time

import pytest
from tests.support.logout_receiver import logout_receiver
from tests.support.misbehaving_issuer import send

from ringwall.identity.federation.fetch import Fetcher, FetchError


@pytest.mark.parametrize("status", [200, 204, 202, 301, 307, 400, 500])
def test_nothing_but_the_status_of_the_answer_counts(status: int) -> None:
    with logout_receiver() as receiver:
        receiver.answer = lambda handler: send(handler, b"x" * 100_000, status, location="/elsewhere")
        if status in {200, 204}:
            Fetcher(development=True).deliver(receiver.uri, b"logout_token=a")
        else:
            with pytest.raises(FetchError, match="answers with"):
                Fetcher(development=True).deliver(receiver.uri, b"logout_token=a")
        assert receiver.tokens == ["a"]


def test_nothing_is_posted_over_plain_http_outside_development() -> None:
    with logout_receiver() as receiver:
        with pytest.raises(FetchError, match="only https"):
            Fetcher(development=False).deliver(receiver.uri, b"logout_token=a")
        assert receiver.asked == []


def test_nothing_is_posted_to_a_private_address_where_only_public_ones_will_do() -> None:
    with logout_receiver() as receiver:
        with pytest.raises(FetchError, match="private"):
            Fetcher(development=True).deliver(receiver.uri, b"logout_token=a", only_public=True)
        assert receiver.asked == []


def test_who_does_not_answer_is_not_waited_for() -> None:
    with logout_receiver() as receiver:
        receiver.answer = lambda _: time.sleep(5)
        began = time.monotonic()
        with pytest.raises(FetchError):
            Fetcher(development=True, seconds=0.3).deliver(receiver.uri, b"logout_token=a")
        assert time.monotonic() - began < 4  # it would go on for longer
