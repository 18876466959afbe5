import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.identity.tokens.encoding import (
    MAX_DEPTH,
    EncodingError,
    decode_base64url,
    decode_json_object,
    encode_base64url,
    encode_json,
)


@given(st.binary(max_size=200))
def test_base64url_round_trip_agrees_with_the_library(data: bytes) -> None:
    text = encode_base64url(data)
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert decode_base64url(text) == data


@pytest.mark.parametrize(
    "text",
    ["QQ==", "QQ=", "Q", "QQA=A", "QR", "QUF", "Q Q", "QQ\n", "\nQQ", "Q+", "Q/", "Qé", "QQ.", "ＱＱ", "٣٣"],  # noqa: RUF001  # look-alikes on purpose
)
def test_base64url_that_is_not_the_one_text_for_its_bytes_is_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        decode_base64url(text)


@given(st.text(alphabet="QRSTUVWXYZ-_09", max_size=12))
def test_no_two_texts_mean_the_same_bytes(text: str) -> None:
    try:
        data = decode_base64url(text)
    except EncodingError:
        return
    assert encode_base64url(data) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":{"b":1,"b":2}}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":-Infinity}', "not JSON"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"a"', "not a JSON object"),
        (b"", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "deeper"),
        (b'{"a":' * 100_000, "deeper"),
        (b"[" * 100_000, "deeper"),
    ],
)
def test_json_that_is_not_one_plain_object_is_refused(text: bytes, problem: str) -> None:
    with pytest.raises(EncodingError, match=problem):
        decode_json_object(text)


def test_the_deepest_allowed_nesting_and_brackets_in_strings_are_read() -> None:
    deepest = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert "a" in decode_json_object(deepest)
    assert decode_json_object(b'{"a":"[[[[[[[[[[[[[[[[[[[[[[\\"{{{{{{"}')["a"].count("[") == 22
    assert decode_json_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "\U0001f600"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_json_round_trip(value: dict[str, object]) -> None:
    assert decode_json_object(encode_json(value)) == json.loads(json.dumps(value))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_an_object_or_the_declared_error(data: bytes) -> None:
    with contextlib.suppress(EncodingError):
        assert isinstance(decode_json_object(data), dict)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_does_not_know_is_not_encoded(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json({"a": [None, {"b": number}]})


def test_what_is_written_is_compact_and_in_order_whatever_it_holds() -> None:
    assert (
        encode_json({"b": None, "a": ("é", 2**70, True)}) == '{"b":null,"a":["é",1180591620717411303424,true]}'.encode()
    )
    assert encode_json({"b": 1.5, "a": "null"}) == b'{"b":1.5,"a":"null"}'
