import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.identity.people.totp import (
    SECRET_BYTES,
    base32_of,
    code_of,
    matching_step,
    new_secret,
    otpauth_uri,
    step_at,
)
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0
SECRET = Secret(b"12345678901234567890")


@pytest.mark.parametrize(
    ("digest", "size", "codes"),
    [
        (hashlib.sha1, 20, "94287082 07081804 14050471 89005924 69279037 65353130"),
        (hashlib.sha256, 32, "46119246 68084774 67062674 91819424 90698825 77737706"),
        (hashlib.sha512, 64, "90693936 25091201 99943326 93441116 38618901 47863826"),
    ],
)
def test_the_vectors_of_rfc_6238_appendix_b(digest: Callable[..., Any], size: int, codes: str) -> None:
    secret = Secret((b"1234567890" * 7)[:size])
    moments = (59, 1_111_111_109, 1_111_111_111, 1_234_567_890, 2_000_000_000, 20_000_000_000)
    for moment, code in zip(moments, codes.split(), strict=True):
        assert code_of(secret, step_at(moment), digits=8, digest=digest) == code


@given(st.binary(min_size=14, max_size=64), st.integers(0, 2**37))
def test_codes_are_those_of_a_library_that_is_not_ours(raw: bytes, moment: int) -> None:
    assert code_of(Secret(raw), step_at(moment)) == pyotp.TOTP(base32_of(Secret(raw))).at(moment)


def test_a_code_is_taken_one_step_early_and_late_and_no_further() -> None:
    for shift in (-1, 0, 1):
        step = step_at(NOW) + shift
        assert matching_step(SECRET, code_of(SECRET, step), now=NOW, after=-1) == step
    for shift in (-2, 2, 100):
        assert matching_step(SECRET, code_of(SECRET, step_at(NOW) + shift), now=NOW, after=-1) is None


def test_a_used_step_is_refused_and_so_is_every_earlier_one() -> None:
    step = step_at(NOW)
    for used in (step, step - 1):
        code = code_of(SECRET, used)
        assert matching_step(SECRET, code, now=NOW, after=step) is None
    assert matching_step(SECRET, code_of(SECRET, step + 1), now=NOW, after=step) == step + 1


def test_spaces_do_not_matter() -> None:
    code = code_of(SECRET, step_at(NOW))
    assert matching_step(SECRET, f" {code[:3]} {code[3:]} ", now=NOW, after=-1) is not None


@pytest.mark.parametrize(
    "typed",
    ["", "1", "1234567", "abcdef", "١٢٣٤٥٦", "12345\n", "-12345", "\uff11\uff12\uff13\uff14\uff15\uff16", "9" * 9999],
)
def test_what_is_no_code_matches_nothing(typed: str) -> None:
    assert matching_step(SECRET, typed, now=NOW, after=-1) is None


def test_the_beginning_of_time_has_codes_too() -> None:
    assert matching_step(SECRET, code_of(SECRET, 0), now=0.0, after=-1) == 0


def test_an_app_takes_the_uri() -> None:
    secret = new_secret()
    uri = otpauth_uri(secret, issuer="Clinic: north & south", user_name="alice@example.org")
    parsed = pyotp.parse_uri(uri)
    assert isinstance(parsed, pyotp.TOTP)
    assert parsed.secret == base32_of(secret)
    assert parsed.name == "alice@example.org"
    assert (parsed.digits, parsed.interval) == (6, 30)
    assert "+" not in urlsplit(uri).query
    assert parsed.at(int(NOW)) == code_of(secret, step_at(NOW))


def test_secrets_are_long_and_new() -> None:
    assert len({new_secret().reveal() for _ in range(50)}) == 50
    assert len(new_secret().reveal()) == SECRET_BYTES
