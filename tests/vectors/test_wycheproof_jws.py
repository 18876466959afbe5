"""C2SP Wycheproof: JSON Web Signatures and JSON Web Keys, judged by our own verification.

The third file of the set, json_web_encryption_test.json, is judged in test_wycheproof_jwe.py.
"""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from ringwall.identity.tokens.encoding import decode_base64url, decode_json_object
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.identity.tokens.keys import KeySet

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"

# Vectors that contradict themselves; the reason stands in the README beside them.
CONFLICTING_ALG = {346, 347, 350, 351}  # marked valid, though the key's own `alg` is another (RFC 8725, 3.1)
ILLEGAL_CHARACTERS = {372, 373}  # marked valid, though the text is not base64url (RFC 7515, 2)
LOST_PADDING = {367, 370}  # marked invalid for their padding, which is gone: byte for byte the valid vector 357


def groups(name: str) -> list[dict[str, Any]]:
    path = VECTORS / name
    if not path.is_file():
        pytest.skip(f"no Wycheproof vectors at {path}", allow_module_level=True)
    loaded: list[dict[str, Any]] = json.loads(path.read_text())["testGroups"]
    return loaded


def as_set(key: dict[str, Any]) -> str:
    return json.dumps(key if "keys" in key else {"keys": [key]})


def is_symmetric(group: dict[str, Any]) -> bool:
    """No public key is given where there is none: these groups hold only shared secrets, or mix them in."""
    return "public" not in group


def verdict(jws: str, keys: dict[str, Any]) -> str:
    try:
        verify_signature(UnverifiedToken.parse(jws), KeySet.parse(as_set(keys)))
    except (TokenRefusedError, KeyRefusedError):
        return "invalid"
    return "valid"


CASES = [
    pytest.param(group, case, id=f"{kind}-{case['tcId']}-{case['comment'][:40]}")
    for kind in ("signature", "key")
    for group in groups(f"json_web_{kind}_test.json")
    for case in group["tests"]
]


def expected(group: dict[str, Any], case: dict[str, Any]) -> str:
    if is_symmetric(group):
        return "invalid"  # whoever verifies could also sign: refused altogether (RFC 8725, 3.1)
    if case["tcId"] in CONFLICTING_ALG and group["comment"].startswith("rfc7520"):
        return "invalid"
    return str(case["result"])


@pytest.mark.parametrize(("group", "case"), CASES)
def test_our_verdict_is_wycheproofs(group: dict[str, Any], case: dict[str, Any]) -> None:
    keys = group.get("public", group["private"])
    assert verdict(case["jws"], keys) == expected(group, case), case["comment"]


def test_the_vectors_without_their_padding_are_still_the_valid_one() -> None:
    texts = {case["tcId"]: case["jws"] for group in groups("json_web_signature_test.json") for case in group["tests"]}
    assert {texts[number] for number in LOST_PADDING} == {texts[357]}


def test_the_files_are_whole_and_both_verdicts_occur() -> None:
    verdicts = [expected(*case.values) for case in CASES]  # type: ignore[arg-type]  # pytest types values loosely
    assert len(verdicts) == 401 + 26
    assert verdicts.count("valid") == 33


SYMMETRIC = [
    pytest.param(group["private"], case, id=f"{case['tcId']}-{case['comment'][:40]}")
    for group in groups("json_web_signature_test.json")
    if is_symmetric(group) and group["comment"] in {"base64", "hs256"}
    for case in group["tests"]
    if case["tcId"] not in ILLEGAL_CHARACTERS | LOST_PADDING
]


@pytest.mark.parametrize(("key", "case"), SYMMETRIC)
def test_our_reading_of_text_is_wycheproofs(key: dict[str, Any], case: dict[str, Any]) -> None:
    """These vectors are about text, not keys: read by our decoders, and given the MAC that we do not offer."""
    parts = case["jws"].split(".")
    try:
        header, payload, mac = (decode_base64url(part) for part in parts)
        same_algorithm = decode_json_object(header).get("alg") == key["alg"]
    except ValueError:  # EncodingError, and a wrong number of parts
        assert case["result"] == "invalid"
        return
    assert payload is not None
    computed = hmac.digest(decode_base64url(key["k"]), ".".join(parts[:2]).encode(), "sha256")
    assert (same_algorithm and hmac.compare_digest(mac, computed)) is (case["result"] == "valid")
