import json
from typing import Any

import pytest
from tests.support.joserfc_keys import ALL_ALGORITHMS, make_key, public_jwk, sign

from ringwall.identity.tokens.claims import Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.encoding import decode_base64url, encode_base64url
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import MAX_TOKEN_BYTES, UnverifiedToken, verify_signature
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clock import ManualClock

KEY = make_key("ES256")
KEYS = KeySet.parse(json.dumps({"keys": [public_jwk(KEY)]}))
NOW = 1_700_000_000
CLAIMS: dict[str, Any] = {"iss": "https://i", "sub": "alice", "aud": "clinic", "exp": NOW + 60, "iat": NOW}
EXPECTED = Expected(issuer="https://i", audiences=frozenset({"clinic"}), types=frozenset({"at+jwt"}))


def token(claims: Any = None, *, typ: str | None = "at+jwt", **header: Any) -> str:
    full = {"alg": "ES256", "kid": "k1", **({"typ": typ} if typ else {}), **header}
    return sign(full, json.dumps(CLAIMS if claims is None else claims), KEY)


def verify(text: str | bytes, *, expected: Expected = EXPECTED, now: float = NOW) -> VerifiedClaims:
    return verify_token(text, keys=KEYS, expected=expected, clock=ManualClock(now))


def reason(text: str | bytes, *, expected: Expected = EXPECTED, now: float = NOW) -> str:
    with pytest.raises(TokenRefusedError) as raised:
        verify(text, expected=expected, now=now)
    return raised.value.reason


def raw(header: Any, payload: bytes = b"{}", signature: bytes = b"s") -> str:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return ".".join(encode_base64url(part) for part in (head, payload, signature))


@pytest.mark.parametrize("algorithm", ["none", "NONE", "HS256", "RSA1_5", "ES256K", ""])
def test_an_algorithm_that_is_never_right_is_refused_before_any_key_is_looked_for(algorithm: str) -> None:
    with pytest.raises(TokenRefusedError) as raised:
        UnverifiedToken.parse(raw({"alg": algorithm, "kid": "k1"}))
    assert raised.value.reason == "algorithm"


def changed(**claims: Any) -> str:
    return token({name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...})


def test_a_good_token_gives_its_claims() -> None:
    verified = verify(changed(roles=["patient"], aud=["other", "clinic"]))
    assert (verified.issuer, verified.subject, verified.audiences) == ("https://i", "alice", ("other", "clinic"))
    assert verified.expires == NOW + 60
    assert verified.claims["roles"] == ["patient"]
    assert verify(token().encode()).subject == "alice"


@pytest.mark.parametrize("algorithm", ALL_ALGORITHMS)
def test_tokens_of_another_implementation_verify_with_every_algorithm(algorithm: str) -> None:
    key = make_key(algorithm)
    keys = KeySet.parse(json.dumps({"keys": [public_jwk(key)]}))
    text = sign({"alg": algorithm, "kid": "k1"}, b"payload", key)
    assert verify_signature(UnverifiedToken.parse(text), keys) == b"payload"
    head, body, mac = text.split(".")
    flipped = mac[:-8] + ("A" if mac[-8] != "A" else "B") + mac[-7:]
    for forged in (f"{head}.{encode_base64url(b'other')}.{mac}", f"{head}.{body}.{flipped}"):
        with pytest.raises(TokenRefusedError) as raised:
            verify_signature(UnverifiedToken.parse(forged), keys)
        assert raised.value.reason == "signature"


@pytest.mark.parametrize("algorithm", ALL_ALGORITHMS)
def test_a_signature_has_exactly_one_form(algorithm: str) -> None:
    key = make_key(algorithm)
    keys = KeySet.parse(json.dumps({"keys": [public_jwk(key)]}))
    signed, _, text = sign({"alg": algorithm, "kid": "k1"}, b"payload", key).rpartition(".")
    mac = decode_base64url(text)
    half = len(mac) // 2
    longer = mac[:half] + b"\0" + mac[half:]  # the second number is the same, written longer
    for other in (longer, b"\0" + mac, mac + b"\0", mac[:-1], mac[:half], mac + mac, bytes(len(mac))):
        with pytest.raises(TokenRefusedError) as raised:
            verify_signature(UnverifiedToken.parse(f"{signed}.{encode_base64url(other)}"), keys)
        assert raised.value.reason == "signature"


@pytest.mark.parametrize("name", ["crit", "b64", "jku", "jwk", "x5u", "x5c"])
def test_headers_that_bring_a_key_or_an_extension_are_refused(name: str) -> None:
    assert reason(raw({"alg": "ES256", "kid": "k1", name: ["exp"]})) == "header"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "HS256", "HS512", "ES256K", "RSA1_5", "", None, 1, ["ES256"], {}]
)
def test_algorithms_that_are_not_believed_are_refused(algorithm: Any) -> None:
    assert reason(raw({"alg": algorithm, "kid": "k1"})) == "algorithm"


def test_no_algorithm_is_refused() -> None:
    assert reason(raw({"kid": "k1"})) == "algorithm"


def test_a_token_cannot_choose_an_algorithm_that_is_not_its_keys() -> None:
    rsa = make_key("RS256")
    text = sign({"alg": "RS256", "kid": "k1"}, b"{}", rsa)
    pinned = KeySet.parse(json.dumps({"keys": [{**public_jwk(rsa), "alg": "PS256"}]}))
    with pytest.raises(TokenRefusedError) as raised:
        verify_signature(UnverifiedToken.parse(text), pinned)
    assert raised.value.reason == "algorithm"
    either = KeySet.parse(json.dumps({"keys": [{**public_jwk(rsa), "alg": "PS256"}, public_jwk(rsa)]}))
    assert verify_signature(UnverifiedToken.parse(text), either) == b"{}"


def test_the_key_is_the_one_that_the_token_names() -> None:
    assert reason(token(kid="other")) == "unknown-key"
    text = sign({"alg": "ES256"}, json.dumps(CLAIMS), KEY)
    nameless = UnverifiedToken.parse(text)
    assert verify_signature(nameless, KEYS)
    two = KeySet.parse(json.dumps({"keys": [public_jwk(KEY), public_jwk(make_key("ES256", "k2"))]}))
    for keys in (two, KeySet(())):
        with pytest.raises(TokenRefusedError) as raised:
            verify_signature(nameless, keys)
        assert raised.value.reason == "unknown-key"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        f"{token()}\n",
        f" {token()}",
        f"{token()}=",
        token().replace(".", ".="),
        token().replace(".", " ."),
        token() + ".",
        "." + token().split(".", 1)[1],
        token().rsplit(".", 1)[0] + ".",
        raw(b"[]"),
        raw(b'{"alg":"ES256","alg":"ES256"}'),
        raw(b'{"alg":"ES256","a":' + b"[" * 50 + b"]" * 50 + b"}"),
        raw(b'\xff{"alg":"ES256"}'),
        '{"payload":"e30","signatures":[]}',
        "\ud800.\ud800.\ud800",
    ],
)
def test_what_is_not_exactly_a_compact_token_is_refused(text: str) -> None:
    assert reason(text) == "malformed"


def test_bytes_that_are_no_text_are_refused() -> None:
    assert reason(b"\xff\xfe.a.b") == "malformed"


def test_size_is_bounded_before_anything_is_read() -> None:
    assert reason("A" * (MAX_TOKEN_BYTES + 1)) == "size"
    assert reason("A" * MAX_TOKEN_BYTES) == "malformed"


@pytest.mark.parametrize("header", [{"kid": 1}, {"kid": "k" * 257}, {"typ": ["at+jwt"]}, {"kid": None}])
def test_kid_and_typ_are_short_texts(header: dict[str, Any]) -> None:
    assert reason(raw({"alg": "ES256", "kid": "k1", **header})) == "header"


@pytest.mark.parametrize("typ", [None, "JWT", "dpop+jwt", "at+jwt2"])
def test_another_kind_of_token_cannot_stand_in(typ: str | None) -> None:
    assert reason(token(typ=typ)) == "type"
    anything = Expected(issuer="https://i", audiences=frozenset({"clinic"}))
    assert verify(token(typ=typ), expected=anything).subject == "alice"


@pytest.mark.parametrize("typ", ["AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_the_type_is_compared_as_a_media_type(typ: str) -> None:
    assert verify(token(typ=typ)).subject == "alice"


@pytest.mark.parametrize(
    ("claims", "expected_reason"),
    [
        ({"iss": "https://i/"}, "issuer"),
        ({"iss": "HTTPS://i"}, "issuer"),
        ({"iss": ...}, "issuer"),
        ({"iss": ["https://i"]}, "issuer"),
        ({"sub": ...}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "subject"),
        ({"aud": ...}, "audience"),
        ({"aud": "clinic2"}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": ["clinic", 7]}, "audience"),
        ({"aud": {"clinic": 1}}, "audience"),
        ({"aud": None}, "audience"),
        ({"exp": ...}, "no-expiry"),
        ({"exp": None}, "claims"),
        ({"exp": str(NOW + 60)}, "claims"),
        ({"exp": True}, "claims"),
        ({"exp": 2**53 + 1}, "claims"),
        ({"exp": 1e300}, "claims"),
        ({"exp": NOW - 5}, "expired"),
        ({"exp": -1}, "expired"),
        ({"exp": 0}, "expired"),
        ({"nbf": NOW + 6}, "not-yet"),
        ({"nbf": "soon"}, "claims"),
        ({"iat": "then"}, "claims"),
        ({"iat": None}, "claims"),
    ],
)
def test_claims_that_do_not_hold_are_refused(claims: dict[str, Any], expected_reason: str) -> None:
    assert reason(changed(**claims)) == expected_reason


@pytest.mark.parametrize("payload", [b"", b"[]", b'"x"', b"null", b'{"iss":"a","iss":"b"}', b"\xff", b'{"a":NaN}'])
def test_a_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    assert reason(sign({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}, payload, KEY)) == "claims"


def test_expiry_and_start_follow_the_clock_with_the_leeway_on_either_side() -> None:
    text = changed(nbf=NOW)
    assert verify(text, now=NOW + 64.9).subject == "alice"
    assert reason(text, now=NOW + 65) == "expired"
    assert verify(text, now=NOW - 5).subject == "alice"
    assert reason(text, now=NOW - 5.1) == "not-yet"


def test_nothing_of_a_token_shows_in_errors_or_representations() -> None:
    text = changed(diagnosis="flu")
    assert "flu" not in repr(verify(text))
    unverified = UnverifiedToken.parse(text)
    assert text.split(".")[1] not in repr(unverified)
    with pytest.raises(TokenRefusedError) as raised:
        verify(text, now=NOW + 100)
    assert "flu" not in str(raised.value)
    assert "alice" not in str(raised.value)
