"""What a SAML provider's answer must be to be believed."""

import asyncio
import base64
import copy
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from tests.support.saml_messages import brought, saml_keys
from tests.support.saml_provider import ASSERTION, ENTITY, SIGNATURE, SamlAnswer, asked, encoded, provider, signer

from ringwall.identity.upstream.identity import UpstreamDeclinedError, UpstreamIdentity, UpstreamRefusedError
from ringwall.identity.upstream.saml.source import SamlSource
from ringwall.identity.upstream.source import Wish
from ringwall.plan.upstream import Upstream

NOW = 1_800_000_000.0
RETURN_TO = "https://localhost:8443/auth/upstream/adfs/callback"
AUDIENCE = "https://localhost:8443/auth/upstream/adfs/metadata"
KEYS = saml_keys()
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


def upstream(**changes: Any) -> Upstream:
    return Upstream(name="adfs", title="ADFS", saml=provider(**changes))


def wish(**changes: Any) -> Wish:
    return Wish(**{"return_to": RETURN_TO, "now": NOW, **changes})


def answer_to(request: str, **changes: Any) -> SamlAnswer:
    fields = {"request": request, "return_to": RETURN_TO, "audience": AUDIENCE, "now": NOW}
    return SamlAnswer(**{**fields, **changes})


def sign_in(make: Any = None, *, plan: Upstream | None = None, **changes: Any) -> UpstreamIdentity:
    """Sign somebody in; `make` gets the answer and returns `SAMLResponse`."""

    async def run() -> UpstreamIdentity:
        source = SamlSource(plan or upstream(), KEYS)
        begun = await source.begin(wish())
        answer = answer_to(**{"request": begun.kept["request"], **changes})
        return await source.finish(begun.kept, {"SAMLResponse": make(answer) if make else answer.text()}, now=NOW)

    return asyncio.run(run())


def refused(make: Any = None, **changes: Any) -> str:
    with pytest.raises(UpstreamRefusedError) as caught:
        sign_in(make, **changes)
    return caught.value.reason


@pytest.mark.parametrize("sign", [("assertion",), ("response",), ("assertion", "response")])
def test_who_signed_in_is_known_whatever_of_it_is_signed(sign: tuple[str, ...]) -> None:
    who = sign_in(sign=sign, attributes={"groups": ("staff", "doctors"), "mail": ("i@a.example",)})
    assert (who.issuer, who.subject, who.authenticated) == (ENTITY, "ines", NOW)
    assert who.claims["groups"] == ["staff", "doctors"]
    assert who.claims["mail"] == "i@a.example"


@pytest.mark.parametrize("signs", [False, True])
def test_a_request_is_signed_where_the_plan_says_so(*, signs: bool) -> None:
    async def run() -> str:
        begun = await SamlSource(upstream(sign_requests=signs), KEYS).begin(wish())
        return begun.location("the state&")

    location = asyncio.run(run())
    assert asked(location)[1] == "the state&"
    assert ("Signature=" in location) is signs
    if signs:
        certificate = KEYS.ring().signing_certificates[0]
        assert brought(location, "SAMLRequest", certificate)[1] == "the state&"
        with pytest.raises(InvalidSignature):
            brought(location.replace("RelayState=the", "RelayState=a"), "SAMLRequest", certificate)


def test_a_second_key_and_another_algorithm_will_do() -> None:
    new = signer("new", "ec")
    plan = upstream(certificates=(signer("right").text, new.text))
    assert sign_in(plan=plan, by=new, method=SignatureMethod.ECDSA_SHA256).subject == "ines"


def test_the_request_says_who_asks_for_what() -> None:
    async def run() -> None:
        plan = upstream().model_copy(update={"acr": (("urn:silver", "pwd"), ("urn:gold", "mfa"))})
        begun = await SamlSource(plan, KEYS).begin(wish(again=True, levels=("mfa",)))
        request, state = asked(begun.location("the state&"))
        assert state == "the state&"
        assert request.get("ID") == begun.kept["request"]
        assert (request.get("AssertionConsumerServiceURL"), request.get("ForceAuthn")) == (RETURN_TO, "true")
        assert request.findtext(f"{ASSERTION}Issuer") == AUDIENCE
        assert [each.text for each in request.iter(f"{ASSERTION}AuthnContextClassRef")] == ["urn:gold"]

    asyncio.run(run())


def test_an_unsigned_answer_is_refused() -> None:
    assert refused(sign=()) == "unsigned"


def test_a_signature_of_anybody_else_is_refused() -> None:
    """It brings its own certificate along, which counts for nothing."""
    assert refused(by=signer("wrong")) == "signature"
    assert refused(sign=("assertion", "response"), by=signer("wrong")) == "signature"


def test_one_right_signature_does_not_make_up_for_a_wrong_one() -> None:
    def make(answer: SamlAnswer) -> str:
        tree = answer.tree()
        tree.find(f"{ASSERTION}Assertion//{ASSERTION}NameID").text = "root"
        signed = SamlAnswer(**{**vars(answer), "sign": ("response",)})
        return encoded(signed.signed(tree))  # by the provider itself, for what that is worth

    assert refused(make, sign=("assertion",)) == "signature"


@pytest.mark.parametrize("what", ["NameID", "Audience", "AttributeValue"])
@pytest.mark.parametrize("sign", [("assertion",), ("response",)])
def test_whatever_is_changed_breaks_the_signature(what: str, sign: tuple[str, ...]) -> None:
    def make(answer: SamlAnswer) -> str:
        tree = answer.tree()
        next(tree.iter(f"{ASSERTION}{what}")).text = "root"
        return encoded(tree)

    assert refused(make, sign=sign, attributes={"groups": ("staff",)}) == "signature"


def _evil(answer: SamlAnswer, name: str = "_evil") -> Any:
    evil = etree.fromstring(SamlAnswer(**{**vars(answer), "name_id": "root"}).assertion())
    evil.set("ID", name)
    return evil


def _beside(tree: Any, right: Any, evil: Any) -> None:
    tree.insert(tree.index(right), evil)


def _after(tree: Any, right: Any, evil: Any) -> None:
    del right
    tree.append(evil)


def _around(tree: Any, right: Any, evil: Any) -> None:
    tree.replace(right, evil)
    evil.append(right)


def _with_its_signature(tree: Any, right: Any, evil: Any) -> None:
    signature = right.find(SIGNATURE)
    tree.replace(right, evil)
    right.remove(signature)
    evil.insert(1, signature)
    signature.append(right)


def _with_its_signature_and_object(tree: Any, right: Any, evil: Any) -> None:
    signature = right.find(SIGNATURE)
    tree.replace(right, evil)
    right.remove(signature)
    evil.insert(1, signature)
    holder = etree.SubElement(signature, f"{SIGNATURE.rpartition('}')[0]}}}Object")
    holder.append(right)


def _in_extensions(tree: Any, right: Any, evil: Any) -> None:
    tree.replace(right, evil)
    extensions = etree.Element("{urn:oasis:names:tc:SAML:2.0:protocol}Extensions")
    tree.insert(1, extensions)
    extensions.append(right)


@pytest.mark.parametrize(
    "wrap", [_beside, _after, _around, _with_its_signature, _with_its_signature_and_object, _in_extensions]
)
@pytest.mark.parametrize("name", ["_evil", "_assertion"])
def test_a_signed_assertion_lends_nothing_to_another_one(wrap: Any, name: str) -> None:
    """Signature wrapping (Somorovsky et al., "On Breaking SAML", USENIX Security 2012)."""

    def make(answer: SamlAnswer) -> str:
        tree = answer.tree()
        wrap(tree, tree.find(f"{ASSERTION}Assertion"), _evil(answer, name))
        return encoded(tree)

    assert refused(make) in {"document", "signature", "unsigned"}


@pytest.mark.parametrize("place", ["Extensions", "Object"])
def test_a_signed_answer_lends_nothing_to_another_one(place: str) -> None:
    def make(answer: SamlAnswer) -> str:
        right = answer.tree()
        evil = copy.deepcopy(right)
        evil.set("ID", "_evil")
        next(evil.iter(f"{ASSERTION}NameID")).text = "root"
        if place == "Object":
            holder = etree.SubElement(evil.find(SIGNATURE), f"{SIGNATURE.rpartition('}')[0]}}}Object")
        else:
            holder = etree.SubElement(evil, "{urn:oasis:names:tc:SAML:2.0:protocol}Extensions")
        holder.append(right)
        return encoded(evil)

    assert refused(make, sign=("response",)) in {"document", "signature"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issuer": "https://other.example"}, "issuer"),
        ({"audience": "https://other.example"}, "audience"),
        ({"restrictions": ""}, "audience"),
        ({"destination": "https://other.example"}, "destination"),
        ({"recipient": "https://other.example"}, "confirmation"),
        ({"confirmed_request": "_other"}, "confirmation"),
        ({"confirmed_request": ""}, "confirmation"),
        ({"confirmed_until": -61}, "confirmation"),
        ({"confirmation": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}, "confirmation"),
        ({"not_after": -61}, "expired"),
        ({"not_before": 61}, "early"),
        ({"session_until": -61}, "expired"),
        ({"extra_conditions": '<x:New xmlns:x="urn:x"/>'}, "condition"),
        ({"name_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}, "subject"),
        ({"name_id": ""}, "subject"),
        ({"name_id": "a<saml:b/>"}, "document"),
        ({"method": SignatureMethod.RSA_SHA224}, "signature"),
        ({"digest": DigestAlgorithm.SHA224}, "signature"),
        ({"statement": False}, "statement"),
        ({"attributes": {"large": ("x" * 140_000,)}}, "document"),
    ],
)
@pytest.mark.parametrize("sign", [("assertion",), ("response",)])
def test_an_assertion_is_held_to_this_sign_in(changes: dict[str, Any], reason: str, sign: tuple[str, ...]) -> None:
    assert refused(sign=sign, **changes) == reason


def test_an_audience_beside_others_counts_and_every_restriction_must_name_us() -> None:
    def restriction(*names: str) -> str:
        named = "".join(f"<saml:Audience>{name}</saml:Audience>" for name in names)
        return f"<saml:AudienceRestriction>{named}</saml:AudienceRestriction>"

    assert sign_in(restrictions=restriction("https://other.example", AUDIENCE)).subject == "ines"
    assert refused(restrictions=restriction(AUDIENCE) + restriction("https://other.example")) == "audience"


def test_an_answer_to_another_request_is_refused() -> None:
    """Also one that nobody asked for."""
    assert refused(request="_other") == "request"

    def unasked(answer: SamlAnswer) -> str:
        tree = answer.tree()
        del tree.attrib["InResponseTo"]
        return encoded(tree)

    assert refused(unasked) == "request"


def test_a_signature_over_something_made_of_the_assertion_is_refused() -> None:
    """Another transform could leave out of the signature what is read later."""

    def make(answer: SamlAnswer) -> str:
        tree = answer.tree()
        transform = next(tree.iter(f"{SIGNATURE.rpartition('}')[0]}}}Transform"))
        transform.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#base64")
        return encoded(tree)

    with pytest.raises(UpstreamRefusedError, match="transforms"):
        sign_in(make)


def test_a_provider_that_says_no_is_heard() -> None:
    with pytest.raises(UpstreamDeclinedError, match="AuthnFailed"):
        sign_in(status="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed")


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">',
        "<!-- note -->",
        "<?php x?>",
    ],
)
def test_a_document_type_and_what_is_no_element_are_refused(prolog: str) -> None:
    assert refused(lambda answer: _raw(prolog.encode() + etree.tostring(answer.tree()))) == "document"


def test_a_comment_does_not_cut_a_name_in_two() -> None:
    """Signatures leave comments out, and some readers stop at one: `root<!-- -->.x` was signed as `root.x`."""

    def make(answer: SamlAnswer) -> str:
        return _raw(etree.tostring(answer.tree()).replace(b">root.x<", b">root<!-- -->.x<"))

    assert sign_in(name_id="root.x").subject == "root.x"
    assert refused(make, name_id="root.x") == "document"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "PA==",
        base64.b64encode(b"<r/>").decode(),
        base64.b64encode(b"<a>" * 5000 + b"</a>" * 5000).decode(),
        base64.b64encode(b"<a>" + b"<b/>" * 5000 + b"</a>").decode(),
        base64.b64encode(b"<a>" + b"x" * 200_000 + b"</a>").decode(),
        base64.b64encode(b"\xff\xfe\x00").decode(),
        "A" * 500_000,
        "\u00e4",
    ],
)
def test_what_is_no_answer_is_refused(text: str) -> None:
    assert refused(lambda _: text) == "document"


def test_an_encrypted_assertion_is_refused_and_the_operator_told_what_to_do() -> None:
    def make(answer: SamlAnswer) -> str:
        tree = answer.tree()
        tree.replace(tree.find(f"{ASSERTION}Assertion"), etree.Element(f"{ASSERTION}EncryptedAssertion"))
        return encoded(tree)

    assert refused(make) == "encrypted"


def test_who_was_to_sign_in_anew_has() -> None:
    async def run(**changes: Any) -> UpstreamIdentity:
        source = SamlSource(upstream(), KEYS)
        begun = await source.begin(wish(**changes))
        answer = answer_to(begun.kept["request"], authenticated=-120)
        return await source.finish(begun.kept, {"SAMLResponse": answer.text()}, now=NOW)

    assert asyncio.run(run()).authenticated == NOW - 120
    for changes in ({"again": True}, {"max_age": 60}):
        with pytest.raises(UpstreamRefusedError, match="anew"):
            asyncio.run(run(**changes))


def test_an_attribute_can_say_who_somebody_is() -> None:
    plan = upstream(subject="objectid")
    assert sign_in(plan=plan, attributes={"objectid": ("17",)}).subject == "17"
    for values in ((), ("17", "18"), ("",)):
        assert refused(plan=plan, attributes={"objectid": values}) == "subject"


def _raw(content: bytes) -> str:
    return base64.b64encode(content).decode()
