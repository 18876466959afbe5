"""The parser against the standard, and against the parser of the `spiffe` package."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spiffe import SpiffeId as TheirSpiffeId
from spiffe.spiffe_id.spiffe_id import SpiffeIdError as TheirSpiffeIdError

from ringwall.model.spiffe import SpiffeId, SpiffeIdError, check_trust_domain

SEGMENT_CHARACTERS = string.ascii_letters + string.digits + "-._"
domains = st.text(string.ascii_lowercase + string.digits + "-._", min_size=1, max_size=255)
segments = st.text(SEGMENT_CHARACTERS, min_size=1, max_size=30).filter(lambda text: text not in {".", ".."})
paths = st.lists(segments, max_size=8).map(lambda parts: "".join(f"/{part}" for part in parts))
near_misses = st.text(string.ascii_letters + string.digits + "-._/:%?#@ \n\x00é[]", max_size=40)


@given(domains, paths)
def test_what_the_standard_allows_is_parsed_and_printed_back(domain: str, path: str) -> None:
    parsed = SpiffeId.parse(f"spiffe://{domain}{path}")
    assert (parsed.trust_domain, parsed.path) == (domain, path)
    assert str(parsed) == f"spiffe://{domain}{path}"


@given(near_misses)
@example("td/a%2fb")
@example("td:8080/a")
@example("user@td/a")
@example("td/a?b=c")
@example("td/a#b")
@example("TD/a")
@example("td/")
@example("td//a")
@example("td/a/")
@example("td/./a")
@example("td/../a")
@example("td/...")
@example("td/a\n")
@example("/a")
@example("")
def test_agrees_with_the_spiffe_package(rest: str) -> None:
    text = f"spiffe://{rest}"
    ours, theirs = accepted_here(text), accepted_there(text)
    # Two differences, both stricter here: it takes capitals in the trust domain, and a line end after the path.
    lenient = theirs is not None and (theirs != text or text.endswith("\n"))
    assert ours == (None if lenient else theirs)


def accepted_here(text: str) -> str | None:
    try:
        return str(SpiffeId.parse(text))
    except SpiffeIdError:
        return None


def accepted_there(text: str) -> str | None:
    try:
        return str(TheirSpiffeId(text))
    except TheirSpiffeIdError:
        return None


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_as_an_error_of_ours(text: str) -> None:
    try:
        parsed = SpiffeId.parse(text)
    except SpiffeIdError:
        return
    assert str(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "td",
        "/td",
        "spiffe:/td",
        "spiffe:td/a",
        "SPIFFE://td/a",
        "https://td/a",
        " spiffe://td/a",
        "spiffe://td/a ",
        "spiffe://td/é",
        "spiffe://t\u217e/a",
        "spiffe://td/a\x00",
        "spiffe://[::1]/a",
        "spiffe://td/%2e%2e/a",
        "spiffe://td\\a",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(SpiffeIdError):
        SpiffeId.parse(text)


def test_length_limits() -> None:
    assert SpiffeId.parse("spiffe://" + "a" * 255).trust_domain == "a" * 255
    with pytest.raises(SpiffeIdError):
        SpiffeId.parse("spiffe://" + "a" * 256)
    prefix = "spiffe://td/"
    assert len(str(SpiffeId.parse(prefix + "a" * (2048 - len(prefix))))) == 2048
    with pytest.raises(SpiffeIdError, match="2048"):
        SpiffeId.parse(prefix + "a" * (2049 - len(prefix)))


def test_parts_are_checked_however_an_id_is_made() -> None:
    for domain, path in (("TD", "/a"), ("td", "a"), ("td", "/"), ("td", "/a//b"), ("td", "/a/.."), ("", "/a")):
        with pytest.raises(SpiffeIdError):
            SpiffeId(domain, path)


def test_case_of_the_path_counts() -> None:
    assert SpiffeId.parse("spiffe://td/Api") != SpiffeId.parse("spiffe://td/api")


@pytest.mark.parametrize("name", ["clinic", "a", "prod.example.org", "a_b-c.9", "1.2.3.4", "a" * 255])
def test_trust_domains_that_may_be(name: str) -> None:
    assert check_trust_domain(name) == name


@pytest.mark.parametrize("name", ["", "Clinic", "a b", "a/b", "a:1", "é", "a" * 256, "a\n"])
def test_trust_domains_that_may_not_be(name: str) -> None:
    with pytest.raises(SpiffeIdError, match="not a trust domain") as caught:
        check_trust_domain(name)
    assert caught.value.hint
