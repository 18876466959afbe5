"""Each step of the validation refuses what it is there for; every token here is otherwise good."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from spiffe import JwtBundle, JwtSvid, TrustDomain

from ringwall.identity.workload.certificates import new_key
from ringwall.identity.workload.jwt_svid import JwtSvidError, jwk_set, sign, verify
from ringwall.model.spiffe import SpiffeId

NOW = 1_700_000_000.0
PATIENTS = SpiffeId("clinic", "/patients")
KEY = new_key()
KEYS = {"k1": KEY.public_key()}
CLAIMS: dict[str, Any] = {"sub": str(PATIENTS), "aud": ["billing"], "exp": NOW + 300, "iat": NOW}
HEADER: dict[str, Any] = {"alg": "ES256", "kid": "k1", "typ": "JWT"}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_by(key: ec.EllipticCurvePrivateKey, text: str) -> bytes:
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def make(header: object = None, claims: object = None, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    head = header if isinstance(header, bytes) else json.dumps(HEADER if header is None else header).encode()
    body = claims if isinstance(claims, bytes) else json.dumps(CLAIMS if claims is None else claims).encode()
    text = f"{b64(head)}.{b64(body)}"
    return f"{text}.{b64(signed_by(key, text))}"


def check(token: str, audience: str = "billing", now: float = NOW) -> SpiffeId:
    return verify(token, KEYS, "clinic", audience, now).spiffe_id


def test_what_is_issued_passes() -> None:
    token = sign(KEY, "k1", PATIENTS, ["billing"], NOW)
    verified = verify(token, KEYS, "clinic", "billing", NOW)
    assert verified.spiffe_id == PATIENTS
    assert verified.claims == {"sub": str(PATIENTS), "aud": ["billing"], "iat": NOW, "exp": NOW + 300}


def test_the_token_made_by_hand_passes_when_nothing_is_wrong_with_it() -> None:
    assert check(make()) == PATIENTS
    assert check(make({"alg": "ES256", "kid": "k1"})) == PATIENTS
    assert check(make({**HEADER, "typ": "JOSE"})) == PATIENTS
    assert check(make(claims={**CLAIMS, "aud": "billing"})) == PATIENTS


def test_the_spiffe_package_believes_it_too() -> None:
    bundle = JwtBundle.parse(TrustDomain("clinic"), jwk_set(KEYS))
    future = 4_000_000_000.0
    svid = JwtSvid.parse_and_validate(sign(KEY, "k1", PATIENTS, ["billing"], future), bundle, {"billing"})
    assert str(svid.spiffe_id) == str(PATIENTS)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c.d", "é.b.c", "x" * 9_000, "{}", "e30.e30.", "\x00.\x00.\x00"]
)
def test_step_1_and_2_only_the_compact_form(token: str) -> None:
    with pytest.raises(JwtSvidError):
        check(token)


def test_step_1_a_good_token_that_is_too_long() -> None:
    with pytest.raises(JwtSvidError, match="too long"):
        check(make(claims={**CLAIMS, "note": "x" * 8_000}))


def test_step_2_the_json_form_is_refused() -> None:
    protected, payload, signature = make().split(".")
    with pytest.raises(JwtSvidError, match="compact"):
        check(json.dumps({"protected": protected, "payload": payload, "signature": signature}))


@pytest.mark.parametrize("header", [b"[]", b"1", b"null", b"{", b'"x"', b"\xff", b"[" * 4_000])
def test_step_2_a_header_that_is_no_object(header: bytes) -> None:
    with pytest.raises(JwtSvidError):
        check(make(header))


@pytest.mark.parametrize("alg", ["none", "None", "", "HS256", "RS256", "ES384", "es256", None, 1, ["ES256"]])
def test_step_3_any_other_algorithm(alg: object) -> None:
    with pytest.raises(JwtSvidError):
        check(make({**HEADER, "alg": alg}))


def test_step_3_no_signature_at_all() -> None:
    for alg in ("none", "ES256"):
        text = f"{b64(json.dumps({**HEADER, 'alg': alg}).encode())}.{b64(json.dumps(CLAIMS).encode())}."
        with pytest.raises(JwtSvidError):
            check(text)


def test_step_3_a_public_key_is_no_shared_secret() -> None:
    text = f"{b64(json.dumps({**HEADER, 'alg': 'HS256'}).encode())}.{b64(json.dumps(CLAIMS).encode())}"
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        mac = hmac.HMAC(
            KEY.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo), hashes.SHA256()
        )
        mac.update(text.encode())
        with pytest.raises(JwtSvidError, match="algorithm"):
            check(f"{text}.{b64(mac.finalize())}")


def test_step_3_no_other_kind_of_key() -> None:
    text = f"{b64(json.dumps({**HEADER, 'alg': 'RS256'}).encode())}.{b64(json.dumps(CLAIMS).encode())}"
    key = rsa.generate_private_key(65537, 2048)
    with pytest.raises(JwtSvidError, match="algorithm"):
        check(f"{text}.{b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}")


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": {"kty": "EC"}},
        {"jku": "https://attacker.example/keys"},
        {"x5c": ["AAAA"]},
        {"x5u": "https://attacker.example"},
        {"crit": ["exp"]},
        {"b64": False},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"typ": "at+jwt"},
        {"typ": ""},
        {"typ": None},
    ],
)
def test_step_4_no_other_header(extra: dict[str, object]) -> None:
    with pytest.raises(JwtSvidError):
        check(make({**HEADER, **extra}))


@pytest.mark.parametrize("kid", ["", "k2", None, 1, ["k1"], "../k1"])
def test_step_5_the_key_id_is_of_an_authority(kid: object) -> None:
    with pytest.raises(JwtSvidError):
        check(make({**HEADER, "kid": kid}))


def test_step_5_a_missing_key_id() -> None:
    with pytest.raises(JwtSvidError, match="key id"):
        check(make({"alg": "ES256"}))


def test_step_6_another_key_and_any_change() -> None:
    with pytest.raises(JwtSvidError, match="signature"):
        check(make(key=new_key()))
    head, body, signature = make().split(".")
    other = b64(json.dumps({**CLAIMS, "sub": "spiffe://clinic/admin"}).encode())
    for token in (f"{head}.{other}.{signature}", f"{head}.{body}.{'A' * len(signature)}", f"{head}.{body}.AAAA"):
        with pytest.raises(JwtSvidError, match="signature"):
            check(token)


@pytest.mark.parametrize(
    "claims", [b"", b"[]", b"null", b"\xff", b'{"exp": NaN}', b'{"sub": 1, "sub": 2}', b"[" * 5_000]
)
def test_claims_that_are_no_object(claims: bytes) -> None:
    with pytest.raises(JwtSvidError, match="claims"):
        check(make(claims=claims))


@pytest.mark.parametrize(
    "sub",
    [
        None,
        "",
        1,
        ["spiffe://clinic/patients"],
        "patients",
        "spiffe://clinic",
        "spiffe://other/patients",
        "spiffe://clinic/patients/",
        "https://clinic/patients",
    ],
)
def test_step_7_the_subject_is_a_workload_of_the_trust_domain(sub: object) -> None:
    with pytest.raises(JwtSvidError, match="subject"):
        check(make(claims={**CLAIMS, "sub": sub}))


@pytest.mark.parametrize(
    "aud", [None, [], "", "bill", ["Billing"], ["other"], 7, [7], ["billing", 7], {"billing": 1}, "billing2"]
)
def test_step_8_the_audience_holds_the_verifier(aud: object) -> None:
    with pytest.raises(JwtSvidError, match="audience"):
        check(make(claims={**CLAIMS, "aud": aud}))


def test_step_8_a_verifier_without_a_name_believes_nothing() -> None:
    with pytest.raises(JwtSvidError, match="audience"):
        check(make(claims={**CLAIMS, "aud": [""]}), audience="")


@pytest.mark.parametrize("name", ["sub", "aud", "exp"])
def test_step_7_to_9_nothing_may_be_missing(name: str) -> None:
    with pytest.raises(JwtSvidError):
        check(make(claims={key: value for key, value in CLAIMS.items() if key != name}))


@pytest.mark.parametrize("exp", [None, str(NOW + 300), True, [NOW + 300], NOW - 31, 0, -1])
def test_step_9_expiry(exp: object) -> None:
    with pytest.raises(JwtSvidError, match="exp"):
        check(make(claims={**CLAIMS, "exp": exp}))


def test_step_9_a_little_leeway_and_no_more() -> None:
    token = sign(KEY, "k1", PATIENTS, ["billing"], NOW)
    assert check(token, now=NOW + 329) == PATIENTS
    with pytest.raises(JwtSvidError, match="expired"):
        check(token, now=NOW + 330)
    assert check(token, now=NOW - 30) == PATIENTS
    with pytest.raises(JwtSvidError, match="not valid yet"):
        check(token, now=NOW - 31)


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_step_9_not_before_its_time(name: str) -> None:
    with pytest.raises(JwtSvidError, match="not valid yet"):
        check(make(claims={**CLAIMS, name: NOW + 60}))
    with pytest.raises(JwtSvidError, match=name):
        check(make(claims={**CLAIMS, name: "soon"}))


def test_numbers_of_any_size_are_no_traceback() -> None:
    assert check(make(claims=json.dumps(CLAIMS).replace(str(NOW + 300), "1" + "0" * 400).encode())) == PATIENTS
    with pytest.raises(JwtSvidError):
        check(make(claims=json.dumps(CLAIMS).replace(str(NOW + 300), "9" * 5_000).encode()))


@given(st.text(max_size=80) | st.binary(max_size=60).map(b64) | st.lists(st.binary(max_size=30).map(b64)).map(".".join))
def test_no_text_is_a_traceback(token: str) -> None:
    with pytest.raises(JwtSvidError):
        check(token)


@pytest.mark.parametrize("audience", [[], [""], ["a", ""], [f"a{i}" for i in range(9)], ["x" * 513]])
def test_what_is_not_issued(audience: list[str]) -> None:
    with pytest.raises(JwtSvidError):
        sign(KEY, "k1", PATIENTS, audience, NOW)


def test_the_bundle_holds_public_keys_only() -> None:
    keys = json.loads(jwk_set({"k1": KEY.public_key(), "k2": new_key().public_key()}))["keys"]
    assert [entry["kid"] for entry in keys] == ["k1", "k2"]
    for entry in keys:
        assert set(entry) == {"kty", "crv", "x", "y", "kid", "use"}
        assert (entry["kty"], entry["crv"], entry["use"]) == ("EC", "P-256", "jwt-svid")
