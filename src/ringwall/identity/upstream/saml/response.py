"""From what a browser brings to the assertion that the provider has signed.

The answer to signature wrapping: what is read is parsed anew from the very bytes whose digest was signed, and has to be
the answer itself or the one assertion in it.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.upstream.identity import UpstreamDeclinedError, UpstreamRefusedError
from ringwall.identity.upstream.saml.document import (
    ASSERTION,
    MAX_BYTES,
    PROTOCOL,
    SIGNATURE,
    children,
    is_named,
    only_child,
    parse,
)

if TYPE_CHECKING:
    from signxml.verifier import SignatureConfiguration, VerifyResult

    Element = Any

_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_TRANSFORMS: Final = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    }
)
"""saml-core-2.0-os, section 5.4.4."""
_METHODS: Final = ("RSA_SHA256", "RSA_SHA384", "RSA_SHA512", "ECDSA_SHA256", "ECDSA_SHA384", "ECDSA_SHA512")
_DIGESTS: Final = ("SHA256", "SHA384", "SHA512")
_MAX_STATUS: Final = 200


class SignedAssertion:
    """An assertion that the provider has signed. Nothing but `signed_assertion` makes one."""

    def __init__(self, element: "Element") -> None:
        self.element = element


def signed_assertion(answer: str, *, certificates: Iterable[str], request: str, return_to: str) -> SignedAssertion:
    """Return the assertion of an answer, once its signature holds.

    1. It is base64 of a plain document (saml-bindings-2.0-os, section 3.5.4), which is a response of SAML 2.0.
    2. It answers our request, at our address (saml-core-2.0-os, section 3.2.2).
    3. It tells of success (saml-core-2.0-os, section 3.2.2.2).
    4. It holds one assertion, which is not encrypted (saml-profiles-2.0-os, section 4.1.4.2 allows others).
    5. The response or the assertion is signed, or both, and each signature holds by a key that the plan names
       (saml-core-2.0-os, section 5.4); the key that a signature brings along counts for nothing.

    Args:
        answer: `SAMLResponse`.
        certificates: base64 DER of the provider's, from its metadata.
        request: the `ID` of our request.
        return_to: our assertion consumer service.
    """
    root = parse(_decoded(answer))  # 1
    if not is_named(root, PROTOCOL, "Response") or root.get("Version") != "2.0":
        raise UpstreamRefusedError("document", "the answer is no response of SAML 2.0")
    if root.get("InResponseTo") != request:  # 2
        raise UpstreamRefusedError("request", "the answer is not to our request", hint="sign-ins begin here")
    if root.get("Destination", return_to) != return_to:
        raise UpstreamRefusedError("destination", "the answer is for another address")
    _check_status(root)  # 3
    if children(root, ASSERTION, "EncryptedAssertion"):  # 4
        hint = "let the provider sign assertions and leave their encryption to TLS"
        raise UpstreamRefusedError("encrypted", "the assertion is encrypted", hint=hint)
    assertion = only_child(root, ASSERTION, "Assertion")
    keys = tuple(certificates)
    found = [
        _verified(element, keys) for element in (root, assertion) if children(element, SIGNATURE, "Signature")
    ]  # 5
    if not found:
        raise UpstreamRefusedError("unsigned", "neither the answer nor its assertion is signed")
    signed = found[-1]
    if is_named(signed, PROTOCOL, "Response"):
        signed = only_child(signed, ASSERTION, "Assertion")
    return SignedAssertion(signed)


def _decoded(answer: str) -> bytes:
    if len(answer) > MAX_BYTES * 4 // 3:
        raise UpstreamRefusedError("document", "the answer is too large")
    try:
        return base64.b64decode("".join(answer.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UpstreamRefusedError("document", "the answer is not base64") from None


def _check_status(root: "Element") -> None:
    code = only_child(only_child(root, PROTOCOL, "Status"), PROTOCOL, "StatusCode")
    if code.get("Value") != _SUCCESS:
        inner = [each.get("Value", "") for each in code.iter(f"{{{PROTOCOL}}}StatusCode")]
        said = ", ".join(value.rpartition(":")[2][:_MAX_STATUS] for value in inner[:3])
        raise UpstreamDeclinedError("declined", f"the provider answers: {said}")


def _verified(element: "Element", certificates: tuple[str, ...]) -> "Element":
    """Return what an element's own signature covers, which is that element, parsed from the signed bytes.

    1. The signature has one reference, and only the transforms that SAML knows. 2. It holds by one of the keys.
    3. What it covers is this element and no other. A certificate's end date does not matter: the plan names the key
    (SAML V2.0 Metadata Interoperability Profile 1.0, section 2.6.1).
    """
    from cryptography import x509  # noqa: PLC0415  # only where SAML is spoken
    from lxml import etree  # noqa: PLC0415  # as above
    from signxml.exceptions import SignXMLException  # noqa: PLC0415  # as above
    from signxml.verifier import XMLVerifier  # noqa: PLC0415  # as above

    raw = etree.tostring(element, with_tail=False)
    signature = only_child(element, SIGNATURE, "Signature")
    used = {each.get("Algorithm") for each in signature.iter(f"{{{SIGNATURE}}}Transform")}
    if not used or not used <= _TRANSFORMS:  # 1
        raise UpstreamRefusedError("signature", "the signature uses transforms that SAML does not allow")
    for text in certificates:  # 2
        certificate = x509.load_der_x509_certificate(base64.b64decode(text))
        try:
            result = XMLVerifier().verify(
                raw, x509_cert=certificate, id_attribute="ID", expect_config=_config(certificate)
            )
        except (SignXMLException, ValueError, TypeError, AttributeError, etree.LxmlError):
            continue
        return _covered(result, element)  # 3
    raise UpstreamRefusedError(
        "signature",
        "the signature is by none of the provider's keys, or what was signed has been changed",
        hint="fetch the provider's metadata anew",
    )


def _config(certificate: Any) -> "SignatureConfiguration":
    from signxml.algorithms import DigestAlgorithm, SignatureMethod  # noqa: PLC0415  # only where SAML is spoken
    from signxml.verifier import SignatureConfiguration  # noqa: PLC0415  # as above

    return SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset(SignatureMethod[name] for name in _METHODS),
        digest_algorithms=frozenset(DigestAlgorithm[name] for name in _DIGESTS),
        ignore_ambiguous_key_info=True,
        verification_time=certificate.not_valid_before_utc,
    )


def _covered(result: "VerifyResult | list[VerifyResult]", element: "Element") -> "Element":
    if isinstance(result, list):
        raise UpstreamRefusedError("signature", "the signature covers several things")
    signed = parse(result.signed_data)
    if signed.tag != element.tag or not signed.get("ID") or signed.get("ID") != element.get("ID"):
        raise UpstreamRefusedError("signature", "the signature covers something else")
    return signed
