"""Signatures within documents (saml-core-2.0-os, section 5): what is read is parsed anew from the signed bytes."""

import base64
from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.saml.document import SIGNATURE, only_child, parse

if TYPE_CHECKING:
    from signxml.verifier import SignatureConfiguration, VerifyResult

    Element = Any

_TRANSFORMS: Final = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    }
)
"""saml-core-2.0-os, section 5.4.4."""
_METHODS: Final = ("RSA_SHA256", "RSA_SHA384", "RSA_SHA512", "ECDSA_SHA256", "ECDSA_SHA384", "ECDSA_SHA512")
_DIGESTS: Final = ("SHA256", "SHA384", "SHA512")


def verified_element(element: "Element", certificates: tuple[str, ...]) -> "Element":
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
