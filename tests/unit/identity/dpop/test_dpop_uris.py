"""What RFC 3986, section 6.2, says is one URI is one; nothing else is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.identity.dpop.uris import UriRefusedError, normal_uri


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTPS://Example.COM:443/a/b", "https://example.com/a/b"),
        ("http://example.com:80", "http://example.com/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("https://example.com:/x", "https://example.com/x"),
        ("https://example.com?q", "https://example.com/"),
        ("https://example.com/a?q#f", "https://example.com/a"),
        ("https://example.com/a#f?q", "https://example.com/a"),
        ("https://example.com/%7euser/%c3%a9", "https://example.com/~user/%C3%A9"),
        ("https://example.com/a%2Fb", "https://example.com/a%2Fb"),
        ("https://example.com/a/./b/../c", "https://example.com/a/c"),
        ("https://example.com/a/%2E%2e/c", "https://example.com/c"),
        ("https://example.com/../..", "https://example.com/"),
        ("https://example.com/a/b/..", "https://example.com/a/"),
        ("https://example.com/a//b", "https://example.com/a//b"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
    ],
)
def test_equivalent_uris_are_one(text: str, normal: str) -> None:
    assert normal_uri(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "//example.com/a",
        "ftp://example.com/",
        "https:///a",
        "https://user@example.com/",
        "https://example.com:x/",
        "https://example.com:123456/",
        "https://example.com/a b",
        "https://example.com/\u00e9",
        "https://example.com/%zz",
        "https://example.com/\\evil",
        "https://exa%6dple.com/",
        "https://example.com/" + "a" * 3000,
    ],
)
def test_what_no_request_has_is_refused(text: str) -> None:
    with pytest.raises(UriRefusedError):
        normal_uri(text)


PIECES = st.sampled_from(
    ["/", ".", "..", "a", "%41", "%2e", "%2F", "?", "#", ":", "@", "//", "%", "é", "[", "]", "443", "A"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=20))
def test_the_normal_form_is_its_own(rest: str) -> None:
    for text in (f"https://h{rest}", rest):
        try:
            normal = normal_uri(text)
        except UriRefusedError:
            continue
        assert normal_uri(normal) == normal
        assert not set("?#") & set(normal)
