"""The reference of the proxies is held to the code."""

import re
from pathlib import Path

from ringwall.enforce import http_manager, tokens, websockets
from ringwall.enforce.problems import TITLES
from ringwall.model import headers

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "proxies.md").read_text()


def test_every_header_that_a_service_is_told_is_documented() -> None:
    told = set(re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE))
    assert told >= {*headers.IDENTITY_HEADERS, headers.REQUEST_ID, *headers.FORWARDED}


def test_every_status_is_one_that_the_proxies_have_words_for() -> None:
    assert {int(code) for code in re.findall(r"\b[45]\d\d\b", TEXT)} <= set(TITLES)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"{http_manager.MAX_HEADER_KB} KiB and {http_manager.MAX_HEADERS} headers" in TEXT
    assert f"sent within {http_manager.HEADER_SECONDS} s" in TEXT
    minutes = [f"{seconds // 60} minutes" for seconds in (websockets.IDLE_SECONDS, websockets.MAX_SECONDS)]
    assert f"silent for {minutes[0]}, and at an age of {minutes[1]}" in TEXT
    assert f"{tokens.CLOCK_SKEW_SECONDS} s of skew" in TEXT
