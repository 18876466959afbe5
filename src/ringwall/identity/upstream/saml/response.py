"""From what a browser brings to the assertion that the provider has signed.

The answer to signature wrapping: what is read is parsed anew from the very bytes whose digest was signed, and has to be
the answer itself or the one assertion in it.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.upstream.identity import UpstreamDeclinedError, UpstreamRefusedError
from ringwall.identity.upstream.saml.decryption import decrypted_assertion
from ringwall.identity.upstream.saml.document import (
    ASSERTION,
    MAX_BYTES,
    PROTOCOL,
    SIGNATURE,
    SUCCESS,
    children,
    is_named,
    only_child,
    parse,
)
from ringwall.identity.upstream.saml.signature import verified_element

if TYPE_CHECKING:
    from ringwall.identity.upstream.saml.keys import SamlKey

    Element = Any

_MAX_STATUS: Final = 200


class SignedAssertion:
    """An assertion that the provider has signed. Nothing but `signed_assertion` makes one."""

    def __init__(self, element: "Element") -> None:
        self.element = element


def signed_assertion(
    answer: str,
    *,
    certificates: Iterable[str],
    request: str,
    return_to: str,
    decryption_keys: "Iterable[SamlKey] | None" = None,
) -> SignedAssertion:
    """Return the assertion of an answer, once its signature holds.

    1. It is base64 of a plain document (saml-bindings-2.0-os, section 3.5.4), which is a response of SAML 2.0.
    2. It answers our request, at our address (saml-core-2.0-os, section 3.2.2).
    3. It tells of success (saml-core-2.0-os, section 3.2.2.2).
    4. Where the response is signed, that signature holds by a key that the plan names (saml-core-2.0-os, section 5.4);
       the key that a signature brings along counts for nothing. From here on only what it covers is read.
    5. It holds one assertion (saml-profiles-2.0-os, section 4.1.4.2 allows others), which is encrypted where the plan
       says so, and else is not. What was encrypted is not believed for that: anybody can encrypt for us.
    6. Where the assertion is signed, that signature holds, too; one of the two is there.

    Args:
        answer: `SAMLResponse`.
        certificates: base64 DER of the provider's, from its metadata.
        request: the `ID` of our request.
        return_to: our assertion consumer service.
        decryption_keys: ours, where the assertion must be encrypted.
    """
    root = parse(decoded(answer))  # 1
    if not is_named(root, PROTOCOL, "Response") or root.get("Version") != "2.0":
        raise UpstreamRefusedError("document", "the answer is no response of SAML 2.0")
    if root.get("InResponseTo") != request:  # 2
        raise UpstreamRefusedError("request", "the answer is not to our request", hint="sign-ins begin here")
    if root.get("Destination", return_to) != return_to:
        raise UpstreamRefusedError("destination", "the answer is for another address")
    _check_status(root)  # 3
    keys = tuple(certificates)
    signed = is_signed(root)
    if signed:  # 4
        root = verified_element(root, keys)
    assertion = _assertion(root, decryption_keys)  # 5
    if is_signed(assertion):  # 6
        assertion = verified_element(assertion, keys)
    elif not signed:
        raise UpstreamRefusedError("unsigned", "neither the answer nor its assertion is signed")
    return SignedAssertion(assertion)


def is_signed(element: "Element") -> bool:
    """Return whether an element has a signature of its own, which is not to say that it holds."""
    return bool(children(element, SIGNATURE, "Signature"))


def _assertion(root: "Element", decryption_keys: "Iterable[SamlKey] | None") -> "Element":
    encrypted = children(root, ASSERTION, "EncryptedAssertion")
    if decryption_keys is None:
        if encrypted:
            hint = "say `encrypted: true`, or let the provider leave their encryption to TLS"
            raise UpstreamRefusedError("encrypted", "the assertion is encrypted", hint=hint)
        return only_child(root, ASSERTION, "Assertion")
    if not encrypted:
        raise UpstreamRefusedError(
            "encrypted", "the assertion is not encrypted", hint="the provider needs our metadata"
        )
    if len(encrypted) > 1 or children(root, ASSERTION, "Assertion"):
        raise UpstreamRefusedError("document", "the answer has several assertions, and must have one")
    return decrypted_assertion(encrypted[0], decryption_keys)


def decoded(answer: str) -> bytes:
    """Return the document that a form brings (saml-bindings-2.0-os, section 3.5.4)."""
    if len(answer) > MAX_BYTES * 4 // 3:
        raise UpstreamRefusedError("document", "the answer is too large")
    try:
        return base64.b64decode("".join(answer.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UpstreamRefusedError("document", "the answer is not base64") from None


def _check_status(root: "Element") -> None:
    code = only_child(only_child(root, PROTOCOL, "Status"), PROTOCOL, "StatusCode")
    if code.get("Value") != SUCCESS:
        inner = [each.get("Value", "") for each in code.iter(f"{{{PROTOCOL}}}StatusCode")]
        said = ", ".join(value.rpartition(":")[2][:_MAX_STATUS] for value in inner[:3])
        raise UpstreamDeclinedError("declined", f"the provider answers: {said}")
