"""Base64url and JSON as the JOSE specifications mean them: one text, one value, bounded."""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

MAX_DEPTH: Final = 16
"""How deep arrays and objects may lie inside each other."""

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


class EncodingError(ValueError):
    """A text is not what the strict readers of this module take; callers turn it into their own error."""


def encode_base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """Return the bytes of an unpadded base64url text (RFC 7515, section 2).

    Padding, white space, foreign characters and unused bits that are not zero (RFC 4648, section 3.5) are
    refused with EncodingError, so that no two texts mean the same bytes.
    """
    if not _ALPHABET.fullmatch(text):
        raise EncodingError("not base64url without padding")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise EncodingError("not base64url: the length is impossible") from None
    if encode_base64url(data) != text:
        raise EncodingError("not base64url: unused bits are set")
    return data


def decode_json_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object that UTF-8 `data` holds (RFC 8259), or raise EncodingError.

    Stricter than the json module: no duplicate member names (RFC 7515, section 4), no NaN or infinity, no
    lone surrogates, nesting of at most MAX_DEPTH. The caller bounds the size.
    """
    value = _decode_json(data)
    if not isinstance(value, dict):
        raise EncodingError("not a JSON object")
    return value


def decode_json_array(data: bytes) -> list[Any]:
    """Return the JSON array that UTF-8 `data` holds, as strictly as `decode_json_object`, or raise EncodingError."""
    value = _decode_json(data)
    if not isinstance(value, list):
        raise EncodingError("not a JSON array")
    return value


def _decode_json(data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise EncodingError("not UTF-8") from None
    _check_depth(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_unique_members, parse_constant=_refuse_constant, parse_float=_finite_float
        )
    except EncodingError:
        raise
    except ValueError:  # JSONDecodeError, and an integer of more digits than Python converts
        raise EncodingError("not JSON") from None
    if "\\u" in text:
        _check_surrogates(value)
    return value


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encode_json(value: Mapping[str, Any]) -> bytes:
    """Return compact UTF-8 JSON, members in the order given; ValueError where a number has no JSON."""
    try:
        encoded = orjson.dumps(value)
    except TypeError:  # integers of more than 64 bits, among others
        return _ENCODER.encode(value).encode()
    # orjson writes NaN and infinity as null, and the other encoder refuses them; both agree on everything else.
    return _ENCODER.encode(value).encode() if b"null" in encoded else encoded


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise EncodingError(f"JSON nested deeper than {MAX_DEPTH} levels")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise EncodingError("a JSON member name occurs twice")
    return members


def _refuse_constant(name: str) -> Any:
    raise EncodingError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise EncodingError("a number is out of range")
    return number


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise EncodingError("a JSON string holds half a surrogate pair") from None
