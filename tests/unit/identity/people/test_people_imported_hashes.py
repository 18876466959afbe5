import hashlib

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.identity.people.imported_hashes import (
    ImportedHashError,
    argon2,
    checked,
    pbkdf2,
    verify_bcrypt,
    verify_pbkdf2,
)
from ringwall.model.secret import Secret


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("size", [16, 64])
def test_a_pbkdf2_hash_matches_its_password_only(digest: str, size: int) -> None:
    value = hashlib.pbkdf2_hmac(digest, b"right", b"salt", 100, size)
    kept = pbkdf2(digest, 100, b"salt", value)
    assert verify_pbkdf2(Secret("right"), kept)
    assert not verify_pbkdf2(Secret("wrong"), kept)


def test_the_vector_of_rfc_7914_section_11() -> None:
    value = bytes.fromhex(
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"
    )
    assert verify_pbkdf2(Secret("Password"), pbkdf2("sha256", 80_000, b"NaCl", value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$pbkdf2-sha256$i=0$c2FsdA$" + "A" * 43,
        "$pbkdf2-sha256$i=10000001$c2FsdA$" + "A" * 43,
        "$pbkdf2-sha256$i=1000$c2FsdA$AAAA",
        "$pbkdf2-sha256$i=1000$c2FsdA$" + "A" * 45,
        "$pbkdf2-md5$i=1000$c2FsdA$" + "A" * 43,
        "$pbkdf2-sha256$i=1000$c2FsdA$" + "A" * 43 + "\n",
        "$argon2id$v=19$m=9999999,t=2,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "$argon2id$v=19$m=4,t=2,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "$argon2id$v=19$m=1024,t=100000,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "$argon2x$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43,
    ],
)
def test_hashes_that_cannot_be_verified_or_cost_too_much_are_refused(text: str) -> None:
    with pytest.raises(ImportedHashError):
        checked(text)


def test_an_argon2_hash_becomes_a_phc_string() -> None:
    text = argon2("id", version=19, memory=7168, passes=5, lanes=1, salt=b"0123456789abcdef", value=b"v" * 32)
    assert text.startswith("$argon2id$v=19$m=7168,t=5,p=1$MDEyMzQ1Njc4OWFiY2RlZg$dnZ2")


@pytest.mark.parametrize("kind", [b"2a", b"2b", b"2y"])
def test_a_bcrypt_hash_matches_its_password_only(kind: bytes) -> None:
    made = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).replace(b"$2b$", b"$" + kind + b"$")
    kept = checked(made.decode())
    assert verify_bcrypt(Secret("right"), kept)
    assert not verify_bcrypt(Secret("wrong"), kept)
    assert not verify_bcrypt(Secret(""), kept)


def test_bcrypt_looks_at_the_first_bytes_of_a_long_password_alone() -> None:
    kept = checked(bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode())
    assert verify_bcrypt(Secret("x" * 100), kept)
    assert not verify_bcrypt(Secret("x" * 71), kept)


@pytest.mark.parametrize(
    "text", ["$2b$03$" + "A" * 53, "$2b$15$" + "A" * 53, "$2x$10$" + "A" * 53, "$2b$10$" + "A" * 52]
)
def test_bcrypt_hashes_that_cannot_be_right_are_refused(text: str) -> None:
    with pytest.raises(ImportedHashError):
        checked(text)


@given(st.text(max_size=60) | st.from_regex(r"\$(pbkdf2-sha256|argon2id)\$[a-z0-9=,$/+A-Z]{0,60}"))
def test_any_text_is_a_hash_or_refused(text: str) -> None:
    try:
        kept = checked(text)
    except ImportedHashError:
        return
    assert kept == text
