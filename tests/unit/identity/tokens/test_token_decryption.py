"""Encrypted tokens are read if everything about them is right, and say nothing about why not if anything is wrong."""

import json
import tracemalloc
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.jwk import import_key
from tests.support.jwe_maker import join, make_jwe

from ringwall.identity.tokens import content_encryption
from ringwall.identity.tokens import jwe as reading
from ringwall.identity.tokens.content_encryption import CONTENT_ALGORITHMS, ContentAlgorithm, NotAuthenticError, Sealed
from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.encoding import decode_base64url, encode_base64url
from ringwall.identity.tokens.encryption import CONTENT, KEY_MANAGEMENT, EncryptionKey, encrypt, is_encrypted
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.identity.tokens.jwe import MAX_JWE_BYTES, decrypt
from ringwall.identity.tokens.jwk_members import public_members
from ringwall.model.secret import Secret

KEYS = {algorithm: DecryptionKey.generate(algorithm) for algorithm in KEY_MANAGEMENT}
ALL = list(KEYS.values())
DIRECT, WRAPPED, RSA = KEYS["ECDH-ES"], KEYS["ECDH-ES+A256KW"], KEYS["RSA-OAEP-256"]
TEXT = b"header.payload.signature"
UNREADABLE = ("decryption", "the encrypted token cannot be decrypted")


def why(text: str, *keys: DecryptionKey) -> tuple[str, str]:
    with pytest.raises(TokenRefusedError) as refused:
        decrypt(text, keys or ALL)
    return refused.value.reason, refused.value.message


@pytest.mark.parametrize("content", CONTENT)
@pytest.mark.parametrize("algorithm", KEY_MANAGEMENT)
def test_what_another_library_encrypts_is_read(algorithm: str, content: str) -> None:
    theirs = encrypt(TEXT.decode(), EncryptionKey.of(KEYS[algorithm].public_jwk(), algorithm), content=content)
    assert is_encrypted(theirs)
    assert decrypt(theirs, ALL) == TEXT
    assert decrypt(make_jwe(KEYS[algorithm], TEXT, content=content), ALL) == TEXT


@pytest.mark.parametrize("algorithm", KEY_MANAGEMENT)
def test_a_key_that_is_not_named_is_found_among_all_of_its_algorithm(algorithm: str) -> None:
    text = make_jwe(KEYS[algorithm], TEXT, header={"kid": None})
    fresh = DecryptionKey.generate(algorithm)
    assert decrypt(text, [fresh, *ALL]) == TEXT
    assert why(text, fresh) == UNREADABLE


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_other_curves(curve: ec.EllipticCurve) -> None:
    key = DecryptionKey(ec.generate_private_key(curve), "ECDH-ES+A128KW")
    assert decrypt(make_jwe(key, TEXT), [key]) == TEXT


def test_parties_are_part_of_what_is_agreed_on() -> None:
    public = import_key({**DIRECT.public_jwk()})
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "apu": encode_base64url(b"client"), "apv": encode_base64url(b"us")}
    assert decrypt(jwe.encrypt_compact(header, TEXT, public, algorithms=["ECDH-ES", "A128GCM"]), ALL) == TEXT
    assert why(make_jwe(DIRECT, TEXT, header={"apu": encode_base64url(b"x")})) == UNREADABLE
    assert why(make_jwe(DIRECT, TEXT, header={"apu": 7})) == UNREADABLE
    assert why(make_jwe(DIRECT, TEXT, header={"apv": "x"})) == UNREADABLE


@pytest.mark.parametrize("algorithm", KEY_MANAGEMENT)
def test_a_key_is_for_its_own_algorithm(algorithm: str) -> None:
    key = KEYS[algorithm]
    for other in set(KEY_MANAGEMENT) - {algorithm}:
        assert why(make_jwe(key, TEXT, header={"alg": other}), key)[0] == "unknown-key"
    for unfit in ({"RSA-OAEP-256"} if algorithm != "RSA-OAEP-256" else {"ECDH-ES"}) | {"RSA1_5", "dir"}:
        with pytest.raises(KeyRefusedError):
            DecryptionKey(key.private, unfit)
    assert why(make_jwe(key, TEXT, header={"kid": "another"}))[0] == "unknown-key"


BAD_HEADERS: dict[str, dict[str, Any]] = {
    "none": {"alg": "none"},
    "direct": {"alg": "dir"},
    "with a secret": {"alg": "A256KW"},
    "PKCS 1.5": {"alg": "RSA1_5"},
    "OAEP with SHA-1": {"alg": "RSA-OAEP"},
    "a password": {"alg": "PBES2-HS512+A256KW", "p2c": 2**31 - 1, "p2s": "AAAA"},
    "a cost": {"p2c": 2**31 - 1},
    "salt": {"p2s": "AAAA"},
    "algorithm in a list": {"alg": ["ECDH-ES"]},
    "no algorithm": {"alg": None},
    "no content": {"enc": None},
    "a signature's algorithm": {"enc": "ES256"},
    "key management as content": {"enc": "ECDH-ES"},
    "content in a list": {"enc": ["A256GCM"]},
    "critical": {"crit": ["exp"], "exp": 1},
    "critical and empty": {"crit": []},
    "compressed": {"zip": "DEF"},
    "keys elsewhere": {"jku": "https://evil.example/jwks"},
    "a certificate elsewhere": {"x5u": "https://evil.example/crt"},
    "a key": {"jwk": WRAPPED.public_jwk()},
    "certificates": {"x5c": ["AAAA"]},
    "a long name": {"kid": "k" * 257},
    "a number as name": {"kid": 1},
    "another content type": {"cty": "text/plain"},
    "an access token inside": {"cty": "at+jwt"},
    "a list as content type": {"cty": ["JWT"]},
    "a long header": {"x": "x" * 2048},
    "a deep header": {"x": json.loads("[" * 20 + "]" * 20)},
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_headers_that_are_never_taken(header: dict[str, Any]) -> None:
    assert why(make_jwe(WRAPPED, TEXT, header=header))[0] in {"algorithm", "header", "size", "malformed"}


@pytest.mark.parametrize("kind", ["JWT", "jwt", "application/jwt", "oauth-authz-req+jwt", None])
def test_content_types_of_signed_tokens(kind: str | None) -> None:
    assert decrypt(make_jwe(WRAPPED, TEXT, header={"cty": kind}), ALL) == TEXT


def test_a_name_twice_in_the_header_is_refused() -> None:
    header = encode_base64url(b'{"alg":"ECDH-ES","alg":"ECDH-ES","enc":"A128GCM"}')
    assert why(join(header, b"", b"i" * 12, b"c", b"t" * 16))[0] == "malformed"


def test_a_decompression_bomb_does_not_go_off() -> None:
    public = import_key({**WRAPPED.public_jwk()})
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": WRAPPED.kid, "zip": "DEF"}
    bomb = jwe.encrypt_compact(header, bytes(12_000_000), public, algorithms=["ECDH-ES+A256KW", "A256GCM", "DEF"])
    assert len(bomb) < MAX_JWE_BYTES
    tracemalloc.start()
    try:
        assert why(bomb)[0] == "header"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def epk_of(curve: ec.EllipticCurve) -> dict[str, str]:
    return public_members(ec.generate_private_key(curve))


GOOD_EPK = epk_of(ec.SECP256R1())
ZEROS = encode_base64url(bytes(32))
BAD_EPK: dict[str, Any] = {
    "none": None,
    "a list": [GOOD_EPK],
    "a text": "epk",
    "empty": {},
    "not of the curve": {**GOOD_EPK, "y": GOOD_EPK["x"]},
    "of another curve": epk_of(ec.SECP384R1()),
    "named as another curve": {**GOOD_EPK, "crv": "P-384"},
    "another curve's by our name": {**epk_of(ec.SECP384R1()), "crv": "P-256"},
    "of a curve that nobody knows": {**GOOD_EPK, "crv": "secp256k1"},
    "of several curves": {**GOOD_EPK, "crv": ["P-256"]},
    "of X25519": {"kty": "OKP", "crv": "X25519", "x": ZEROS},
    "the origin": {**GOOD_EPK, "x": ZEROS, "y": ZEROS},
    "a short coordinate": {**GOOD_EPK, "x": encode_base64url(b"x")},
    "too large a coordinate": {**GOOD_EPK, "x": encode_base64url(b"\xff" * 32)},
    "a number": {**GOOD_EPK, "x": 1},
    "symmetric": {"kty": "oct", "k": ZEROS},
    "RSA": {key: value for key, value in RSA.public_jwk().items() if key in {"kty", "e"}},
}


@pytest.mark.parametrize("epk", BAD_EPK.values(), ids=BAD_EPK.keys())
@pytest.mark.parametrize("key", [DIRECT, WRAPPED], ids=["direct", "wrapped"])
def test_points_that_would_tell_about_our_key(key: DecryptionKey, epk: object) -> None:
    assert why(make_jwe(key, TEXT, header={"epk": epk})) == UNREADABLE


def test_a_sender_who_shows_a_private_key_is_not_heard() -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    private = encode_base64url(own.private_numbers().private_value.to_bytes(32))
    public = public_members(own)
    assert decrypt(make_jwe(WRAPPED, TEXT, sender=own, header={"epk": {**public, "use": "enc"}}), ALL) == TEXT
    assert why(make_jwe(WRAPPED, TEXT, sender=own, header={"epk": {**public, "d": private}})) == UNREADABLE


SAME_ANSWER: dict[str, str] = {
    "no key that OAEP knows": make_jwe(RSA, TEXT, sent_key=bytes(256)),
    "a short RSA key": make_jwe(RSA, TEXT, sent_key=b"x"),
    "no RSA key": make_jwe(RSA, TEXT, sent_key=b""),
    "RSA, key too short": make_jwe(RSA, TEXT, content="A256GCM", key=b"k" * 16),
    "RSA, key too long": make_jwe(RSA, TEXT, content="A128GCM", key=b"k" * 32),
    "RSA, key of another content": make_jwe(RSA, TEXT, content="A128CBC-HS256", key=b"k" * 64),
    "wrapping, wrong": make_jwe(WRAPPED, TEXT, sent_key=bytes(40)),
    "wrapping, short": make_jwe(WRAPPED, TEXT, sent_key=bytes(8)),
    "wrapping, odd": make_jwe(WRAPPED, TEXT, sent_key=bytes(41)),
    "wrapping, none": make_jwe(WRAPPED, TEXT, sent_key=b""),
    "wrapping, key too short": make_jwe(WRAPPED, TEXT, content="A256GCM", key=b"k" * 16),
    "agreed, and one sent": make_jwe(DIRECT, TEXT, sent_key=bytes(32)),
    "content named otherwise": make_jwe(WRAPPED, TEXT, content="A256GCM", header={"enc": "A128GCM"}),
    "same size named otherwise": make_jwe(WRAPPED, TEXT, content="A256GCM", header={"enc": "A128CBC-HS256"}),
    "padding of zero": make_jwe(WRAPPED, TEXT, content="A128CBC-HS256", padded=bytes(32)),
    "padding too long": make_jwe(WRAPPED, TEXT, content="A128CBC-HS256", padded=b"\x11" * 32),
    "padding not even": make_jwe(WRAPPED, TEXT, content="A256CBC-HS512", padded=b"\x01\x02" * 16),
}


@pytest.mark.parametrize("text", SAME_ANSWER.values(), ids=SAME_ANSWER.keys())
def test_why_it_cannot_be_decrypted_is_not_told(text: str) -> None:
    assert why(text) == UNREADABLE


@pytest.mark.parametrize("content", CONTENT)
@pytest.mark.parametrize("algorithm", KEY_MANAGEMENT)
def test_whatever_is_changed_makes_the_same_answer(algorithm: str, content: str) -> None:
    header, *rest = make_jwe(KEYS[algorithm], TEXT, content=content).split(".")
    parts = [decode_base64url(part) for part in rest]
    for number, part in enumerate(parts):
        for at in {0, len(part) - 1} if part else ():
            changed = part[:at] + bytes([part[at] ^ 1]) + part[at + 1 :]
            assert why(join(header, *parts[:number], changed, *parts[number + 1 :])) == UNREADABLE
    spaced = encode_base64url(decode_base64url(header) + b" ")
    assert why(join(spaced, *parts)) == UNREADABLE  # the header is authenticated as it is written


@pytest.mark.parametrize("content", CONTENT)
def test_the_parts_end_where_they_end(content: str) -> None:
    header, *rest = make_jwe(WRAPPED, TEXT, content=content).split(".")
    key, iv, ciphertext, tag = (decode_base64url(part) for part in rest)
    moved = [
        (iv, ciphertext[:-1], ciphertext[-1:] + tag),
        (iv, ciphertext + tag[:1], tag[1:]),
        (iv, ciphertext, tag[:8]),
        (iv, ciphertext, tag + b"\0"),
        (iv + ciphertext[:1], ciphertext[1:], tag),
        (iv[:-1], iv[-1:] + ciphertext, tag),
        (iv + ciphertext[:16], ciphertext[16:], tag),
    ]
    for parts in moved:
        assert why(join(header, key, *parts)) == UNREADABLE


def test_nothing_is_decrypted_before_its_tag_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def used(*_: object) -> None:
        raise AssertionError

    header, key, iv, ciphertext, _ = make_jwe(WRAPPED, TEXT, content="A128CBC-HS256").split(".")
    monkeypatch.setattr(content_encryption, "Cipher", used)
    assert why(f"{header}.{key}.{iv}.{ciphertext}.{encode_base64url(bytes(16))}") == UNREADABLE


@pytest.mark.parametrize(
    "text",
    [SAME_ANSWER["no key that OAEP knows"], SAME_ANSWER["RSA, key too short"], SAME_ANSWER["wrapping, wrong"]],
)
def test_a_key_that_is_not_there_goes_the_same_way(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7516, section 11.5: another key is taken, so that it takes as long and ends as a wrong tag does."""
    tried: list[bytes] = []

    def open_(key: bytes, _: Sealed) -> bytes:
        tried.append(key)
        raise NotAuthenticError

    monkeypatch.setattr(reading, "CONTENT_ALGORITHMS", {"A256GCM": ContentAlgorithm(32, open_)})
    assert [why(text), why(text)] == [UNREADABLE] * 2
    assert len(set(tried)) == 2
    assert {len(key) for key in tried} == {32}


@pytest.mark.parametrize(
    "text",
    ["", "....", "a.b.c", "a.b.c.d", "a.b.c.d.e.f", "a..b.c.d", " a.b.c.d.e", "é.b.c.d.e", "a.b.c.d.e\n"],
)
def test_what_is_no_encrypted_token(text: str) -> None:
    assert why(text)[0] == "malformed"


def test_one_text_for_one_token() -> None:
    text = make_jwe(WRAPPED, TEXT)
    assert decrypt(text, ALL) == TEXT
    for other in (f"{text}=", f"{text} ", text.replace(".", ".\n", 1)):
        assert why(other)[0] == "malformed"
    assert why(text + "A" * MAX_JWE_BYTES)[0] == "size"


def test_as_much_as_a_signed_token_may_be_fits() -> None:
    assert len(decrypt(make_jwe(RSA, b"x" * 16_384), ALL)) == 16_384


def test_the_algorithms_that_are_written_are_read() -> None:
    assert tuple(CONTENT_ALGORITHMS) == CONTENT


def test_keys_are_stored_and_read_again() -> None:
    for algorithm, key in KEYS.items():
        again = DecryptionKey.from_pem(key.to_pem(), algorithm)
        assert again.public_jwk() == key.public_jwk()
        assert {"use": "enc", "alg": algorithm, "kid": key.kid}.items() <= key.public_jwk().items()
        assert "d" not in key.public_jwk()
    with pytest.raises(KeyRefusedError):
        DecryptionKey.from_pem(RSA.to_pem(), "ECDH-ES")
    with pytest.raises(KeyRefusedError):
        DecryptionKey.from_pem(Secret("x"), "ECDH-ES")
