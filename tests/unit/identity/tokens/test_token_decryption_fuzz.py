"""Whatever is thrown at the reader of encrypted tokens, it answers with its own error, soon, and with no other."""

import contextlib
import json
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.jwe_maker import join, make_jwe

from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.identity.tokens.encryption import CONTENT, KEY_MANAGEMENT
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jwe import MAX_JWE_BYTES, decrypt

KEYS = [DecryptionKey.generate(algorithm) for algorithm in KEY_MANAGEMENT]
GOOD = [make_jwe(key, b"a.b.c", content=content) for key in KEYS for content in CONTENT]
BOUNDED = settings(deadline=timedelta(seconds=2))
"""Many times what it takes, so that a busy machine does not matter, and far less than a loop or a bomb would take."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.binary(max_size=70).map(encode_base64url)
EPK = JSON | st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(["EC", "OKP", "RSA", "oct"]),
        "crv": st.sampled_from(["P-256", "P-384", "P-521", "X25519"]),
        "x": TEXTS | JSON,
        "y": TEXTS | JSON,
        "d": TEXTS,
    },
)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(KEY_MANAGEMENT) | JSON, "enc": st.sampled_from(CONTENT) | JSON},
    optional={
        "kid": st.sampled_from([key.kid for key in KEYS]) | JSON,
        "epk": EPK,
        "apu": TEXTS | JSON,
        "apv": TEXTS | JSON,
        "zip": JSON,
        "cty": JSON,
        "crit": JSON,
    },
)


def attempt(text: str) -> None:
    with contextlib.suppress(TokenRefusedError):
        assert decrypt(text, KEYS) == b"a.b.c"


@BOUNDED
@given(st.text(max_size=300))
def test_arbitrary_text(text: str) -> None:
    attempt(text)


@BOUNDED
@given(st.sampled_from(GOOD), st.integers(0, 800), st.integers(0, 20), st.text(max_size=5))
def test_damaged_tokens(good: str, at: int, length: int, put: str) -> None:
    attempt(good[:at] + put + good[at + length :])


@BOUNDED
@given(HEADERS, st.lists(st.binary(max_size=300), min_size=4, max_size=4))
def test_arbitrary_headers_and_parts(header: dict[str, Any], parts: list[bytes]) -> None:
    text = join(encode_base64url(json.dumps(header).encode("utf-8", "surrogatepass")), *parts)
    attempt(text)


@BOUNDED
@given(st.sampled_from(GOOD), HEADERS)
def test_other_headers_before_good_parts(good: str, header: dict[str, Any]) -> None:
    _, rest = good.split(".", 1)
    attempt(f"{encode_base64url(json.dumps(header).encode('utf-8', 'surrogatepass'))}.{rest}")


@BOUNDED
@given(st.sampled_from(KEYS), st.dictionaries(st.sampled_from(["epk", "apu", "apv", "kid", "cty"]), EPK, max_size=2))
def test_headers_that_the_sender_has_authenticated(key: DecryptionKey, header: dict[str, Any]) -> None:
    attempt(make_jwe(key, b"a.b.c", header=header))


@BOUNDED
@given(st.sampled_from(GOOD), st.integers(0, 4), st.integers(MAX_JWE_BYTES - 2000, MAX_JWE_BYTES + 10))
def test_the_longest_parts(good: str, number: int, size: int) -> None:
    parts = good.split(".")
    parts[number] = "A" * (size - size % 4)
    attempt(".".join(parts))
