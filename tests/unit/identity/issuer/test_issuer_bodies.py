"""Bodies of requests: whole, and bounded while they come."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from ringwall.identity.issuer.request import RequestRefusedError, read_body

GONE: Message = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def read(*messages: Message) -> bytes:
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    found = asyncio.run(read_body(Request({"type": "http"}, receive), 10))
    assert not waiting
    return found


def test_a_body_is_read_to_its_end() -> None:
    assert read(part(b"", more=False)) == b""
    assert read({"type": "http.request"}) == b""
    assert read(part(b"a=1"), part(b""), part(b"&b=2", more=False)) == b"a=1&b=2"


def test_a_body_that_is_broken_off_counts_for_nothing() -> None:
    with pytest.raises(RequestRefusedError, match="broken off"):
        read(part(b"a=1"), GONE)


def test_a_body_is_refused_as_soon_as_it_is_too_large() -> None:
    assert read(part(b"12345"), part(b"12345", more=False)) == b"1234512345"
    with pytest.raises(RequestRefusedError, match="too large"):
        read(part(b"12345"), part(b"123456"))  # and nobody waits for the rest
