"""Encrypted assertions: what is decrypted, and that nothing is believed for having been encrypted."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.support.saml_messages import answer_encrypted, encrypted, saml_keys
from tests.support.saml_provider import ASSERTION, SamlAnswer, encoded, provider, signer
from tests.unit.identity.upstream.test_saml_answers import NOW, answer_to, wish

from ringwall.identity.upstream.identity import UpstreamError, UpstreamIdentity, UpstreamRefusedError
from ringwall.identity.upstream.saml.source import SamlSource
from ringwall.plan.upstream import Upstream

KEYS = saml_keys()
OURS = KEYS.ring().encryption_certificate
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SIGNATURES = [("assertion",), ("response",), ("assertion", "response")]
Make = Callable[[SamlAnswer], str]


def sign_in(make: Make | None = None, *, keys: Any = KEYS, encrypts: bool = True, **changes: Any) -> UpstreamIdentity:
    options = changes.pop("options", {})

    async def run() -> UpstreamIdentity:
        upstream = Upstream(name="adfs", title="ADFS", saml=provider(encrypted=encrypts))
        source = SamlSource(upstream, keys)
        begun = await source.begin(wish())
        answer = answer_to(begun.kept["request"], **changes)
        text = make(answer) if make else answer_encrypted(answer, OURS, **options)
        return await source.finish(begun.kept, {"SAMLResponse": text}, now=NOW)

    return asyncio.run(run())


def refused(make: Make | None = None, **changes: Any) -> UpstreamRefusedError:
    with pytest.raises(UpstreamRefusedError) as caught:
        sign_in(make, **changes)
    return caught.value


@pytest.mark.parametrize("sign", SIGNATURES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"content": f"{XENC11}aes128-gcm", "size": 16},
        {"beside": True},
        {
            "transport": f"{XENC11}rsa-oaep",
            "digest": "SHA256",
            "mask": "SHA256",
            "more": f'<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="{XENC}sha256"/>'
            f'<x:MGF xmlns:x="{XENC11}" Algorithm="{XENC11}mgf1sha256"/>',
        },
    ],
    ids=["aes256", "aes128", "key beside", "oaep sha256"],
)
def test_who_signed_in_is_known(sign: tuple[str, ...], options: dict[str, Any]) -> None:
    who = sign_in(sign=sign, options=options, attributes={"groups": ("doctors",)})
    assert (who.subject, who.claims["groups"]) == ("ines", "doctors")


def test_what_is_encrypted_and_not_signed_is_refused() -> None:
    """Our key for encryption is in our metadata: anybody can encrypt for us."""
    assert refused(sign=()).reason == "unsigned"


@pytest.mark.parametrize(
    ("sign", "inner"),
    [*((sign, ("assertion",)) for sign in SIGNATURES), (("response",), ()), (("assertion", "response"), ())],
)
def test_another_assertion_in_its_place_is_refused(sign: tuple[str, ...], inner: tuple[str, ...]) -> None:
    def make(answer: SamlAnswer) -> str:
        tree = etree.fromstring(base64.b64decode(answer_encrypted(answer, OURS)))
        evil = answer_to(answer.request, name_id="root", sign=inner, by=signer("evil"))
        other = encrypted(etree.tostring(evil.tree().find(f"{ASSERTION}Assertion")), OURS)
        tree.replace(tree.find(f"{ASSERTION}EncryptedAssertion"), other)
        return encoded(tree)

    assert refused(make, sign=sign).reason == "signature"


def test_wrapping_within_what_is_encrypted_is_refused() -> None:
    """A signed assertion within another one, which is not."""

    def make(answer: SamlAnswer) -> str:
        right = answer.tree().find(f"{ASSERTION}Assertion")
        evil = answer_to(answer.request, name_id="root", sign=()).tree().find(f"{ASSERTION}Assertion")
        evil.append(right.find("{http://www.w3.org/2000/09/xmldsig#}Signature"))
        evil.append(right)
        tree = answer_to(answer.request, sign=()).tree()
        tree.replace(tree.find(f"{ASSERTION}Assertion"), encrypted(etree.tostring(evil), OURS))
        return encoded(tree)

    assert refused(make).reason == "signature"


def test_several_assertions_are_refused() -> None:
    def twice(answer: SamlAnswer) -> str:
        tree = etree.fromstring(base64.b64decode(answer_encrypted(answer, OURS)))
        tree.append(encrypted(b"<a/>", OURS))
        return encoded(tree)

    def both(answer: SamlAnswer) -> str:
        tree = etree.fromstring(base64.b64decode(answer_encrypted(answer, OURS)))
        tree.append(answer.tree().find(f"{ASSERTION}Assertion"))
        return encoded(tree)

    assert refused(twice).reason == "document"
    assert refused(both).reason == "document"


def test_what_is_not_encrypted_is_refused_where_it_must_be_and_the_other_way_round() -> None:
    assert refused(lambda answer: answer.text()).reason == "encrypted"
    error = refused(encrypts=False)
    assert error.reason == "encrypted"
    assert "encrypted: true" in error.hint


@pytest.mark.parametrize(
    "options",
    [
        {"content": f"{XENC}aes128-cbc", "size": 16},
        {"content": f"{XENC}aes256-cbc"},
        {"content": f"{XENC}tripledes-cbc"},
        {"transport": f"{XENC}rsa-1_5"},
        {"transport": "x"},
        {"more": f'<x:OAEPparams xmlns:x="{XENC}">AAAA</x:OAEPparams>'},
        {"more": '<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="md5"/>'},
        {"transport": f"{XENC11}rsa-oaep", "more": f'<x:MGF xmlns:x="{XENC11}" Algorithm="mgf1md5"/>'},
    ],
    ids=str,
)
def test_other_algorithms_are_refused_in_clear_words(options: dict[str, Any]) -> None:
    error = refused(options=options)
    assert error.reason == "algorithm"
    assert "which is not taken" in error.message
    assert "let the provider use" in error.hint


def _changed(answer: SamlAnswer, at: int) -> str:
    """Return the answer with a bit of its cipher text changed."""
    tree = etree.fromstring(base64.b64decode(answer_encrypted(answer, OURS)))
    value = tree.findall(f".//{{{XENC}}}CipherValue")[-1]
    raw = bytearray(base64.b64decode(value.text))
    raw[at] ^= 1
    value.text = base64.b64encode(bytes(raw)).decode()
    return encoded(tree)


def test_whoever_asks_learns_no_difference_between_what_fails() -> None:
    """What cannot be opened, has been changed, is of the wrong size, or is no assertion, is all refused alike."""
    other = saml_keys(fresh=True).ring().encryption_certificate
    wrong: list[Make] = [
        lambda answer: answer_encrypted(answer, other),
        lambda answer: _changed(answer, 0),
        lambda answer: _changed(answer, 20),
        lambda answer: _changed(answer, -1),
        lambda answer: answer_encrypted(answer, OURS, size=16),
        lambda answer: answer_encrypted(answer, OURS, digest="SHA256"),
        *(lambda answer, plain=plain: _holding(answer, plain) for plain in (b"", b"<a/>", b"x", b"<!DOCTYPE a><a/>")),
    ]
    errors = {(error.reason, error.message, error.hint) for error in (refused(make) for make in wrong)}
    assert len(errors) == 1, errors
    assert errors.pop()[0] == "encrypted"


def _holding(answer: SamlAnswer, plain: bytes) -> str:
    tree = answer.tree()
    tree.replace(tree.find(f"{ASSERTION}Assertion"), encrypted(plain, OURS))
    return encoded(tree)


def test_former_and_coming_keys_decrypt_until_they_are_gone() -> None:
    keys = saml_keys(fresh=True)
    certificates = [keys.ring().encryption_certificate]
    for _ in range(4):
        keys.rotate()
        certificates.append(keys.ring().encryption_certificate)
    first, second, after, third, last = certificates
    assert (second, third) == (after, last), "a key is announced before it takes over"
    for known in (second, third):
        assert sign_in(_for(known), keys=keys).subject == "ines"
    assert refused(_for(first), keys=keys).reason == "encrypted"


def _for(certificate: str) -> Make:
    return lambda answer: answer_encrypted(answer, certificate)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_is_in_it_it_is_refused_and_nothing_else_happens(content: bytes) -> None:
    with pytest.raises(UpstreamError):
        sign_in(lambda answer: _holding(answer, content))
