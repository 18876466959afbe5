"""C2SP Wycheproof: JSON Web Encryption, judged by our own reader."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from joserfc.jwk import ECKey, RSAKey

from ringwall.identity.tokens.content_encryption import CONTENT_ALGORITHMS, NotAuthenticError, Sealed
from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.encoding import decode_base64url, decode_json_object
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.identity.tokens.jwe import decrypt

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "json_web_encryption_test.json"
KEY_TYPES: dict[str, type[ECKey | RSAKey]] = {"EC": ECKey, "RSA": RSAKey}

# Valid vectors for what is not offered, which is refused whatever it holds.
WITH_A_PASSPHRASE_OR_SECRET = "oct"  # `kty`: a symmetric key, known to whoever writes (RFC 8725, 3.1)
NOT_OFFERED = {
    "RSA1_5": "its padding can be asked about (RFC 8725, 3.2)",
    "RSA-OAEP": "with SHA-1; RSA-OAEP-256 is there",
    "ECDH-ES+A192KW": "keys of 192 bits, which hardly anybody has",
    "A192GCM": "the same",
    "A192CBC-HS384": "the same",
}
ALL: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (group, case)
    for group in (json.loads(VECTORS.read_text())["testGroups"] if VECTORS.is_file() else [])
    for case in group["tests"]
]
CASES = [pytest.param(*both, id=f"{both[1]['tcId']}-{both[1]['comment'][:40]}") for both in ALL]

pytestmark = pytest.mark.skipif(not VECTORS.is_file(), reason=f"no Wycheproof vectors at {VECTORS}")


def offered(group: dict[str, Any], case: dict[str, Any]) -> bool:
    key = group["private"]
    return key["kty"] != WITH_A_PASSPHRASE_OR_SECRET and NOT_OFFERED.keys().isdisjoint({key["alg"], case.get("enc")})


def expected(group: dict[str, Any], case: dict[str, Any]) -> str:
    return str(case["result"]) if offered(group, case) else "invalid"


def opened(group: dict[str, Any], case: dict[str, Any]) -> bytes | None:
    key = group["private"]
    if key["kty"] == WITH_A_PASSPHRASE_OR_SECRET:
        return None  # there is no way to make one of these a key of ours
    try:
        private = KEY_TYPES[key["kty"]].import_key(key).private_key
        assert private is not None
        return decrypt(case["jwe"], [DecryptionKey(private, key["alg"], kid=key.get("kid", ""))])
    except (TokenRefusedError, KeyRefusedError):
        return None


@pytest.mark.parametrize(("group", "case"), CASES)
def test_our_verdict_is_wycheproofs(group: dict[str, Any], case: dict[str, Any]) -> None:
    found = opened(group, case)
    assert ("invalid" if found is None else "valid") == expected(group, case), case["comment"]
    if found is not None:
        assert found.hex() == case["pt"]


def test_the_file_is_whole_and_both_verdicts_occur() -> None:
    verdicts = [expected(*both) for both in ALL]
    assert (len(verdicts), verdicts.count("valid")) == (139, 24)
    exempt = [case["result"] for group, case in ALL if not offered(group, case)]
    assert exempt.count("valid") == 41


WRAPPED = [
    pytest.param(group["private"], case, id=f"{case['tcId']}-{case['comment'][:40]}")
    for group, case in ALL
    if group["private"]["alg"] in {"A128KW", "A256KW"}
    and case.get("enc") in CONTENT_ALGORITHMS
    and "CompressedPlaintext" not in case["flags"]
]


@pytest.mark.parametrize(("key", "case"), WRAPPED)
def test_our_reading_of_the_content_is_wycheproofs(key: dict[str, Any], case: dict[str, Any]) -> None:
    """These vectors are about texts, tags and ciphertexts: read by our code, with a key that we would not take."""
    try:
        assert read_with_a_secret(key, case["jwe"]).hex() == case.get("pt")
    except (ValueError, InvalidUnwrap):  # EncodingError, NotAuthenticError, and a wrong number of parts
        assert case["result"] == "invalid"
    else:
        assert case["result"] == "valid"


def read_with_a_secret(key: dict[str, Any], text: str) -> bytes:
    protected, *rest = text.split(".")
    wrapped, iv, ciphertext, tag = (decode_base64url(part) for part in rest)
    header = decode_json_object(decode_base64url(protected))
    if header.get("alg") != key["alg"] or header.get("enc") not in CONTENT_ALGORITHMS:
        raise NotAuthenticError
    content = CONTENT_ALGORITHMS[header["enc"]]
    found = aes_key_unwrap(decode_base64url(key["k"]), wrapped)
    if len(found) != content.key_bytes:
        raise NotAuthenticError
    return content.open(found, Sealed(iv=iv, ciphertext=ciphertext, tag=tag, aad=protected.encode()))
