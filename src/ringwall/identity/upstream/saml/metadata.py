"""What a provider has to know about us (saml-metadata-2.0-os, section 2.4.4)."""

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import quoteattr

from ringwall.identity.upstream.saml.document import PROTOCOL, SIGNATURE

MEDIA_TYPE: Final = "application/samlmetadata+xml"
_METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_METHODS: Final = (
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2009/xmlenc11#rsa-oaep",
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
)
"""What we take, the best first."""


def service_provider(
    *,
    entity_id: str,
    return_to: str,
    logout: str,
    signing: Iterable[str] = (),
    encryption: str = "",
    signs: bool = False,
) -> str:
    """Return our metadata for one provider.

    Args:
        entity_id: who we are.
        return_to: our assertion consumer service.
        logout: our single logout service.
        signing: base64 DER of the certificates of what we sign with.
        encryption: that of what assertions are to be encrypted for; empty where they are not to be.
        signs: whether requests to sign in are signed; logout messages always are.
    """
    keys = "".join(_key("signing", text) for text in signing) + (_key("encryption", encryption) if encryption else "")
    services = "".join(
        f'    <md:SingleLogoutService Binding="{binding}" Location={quoteattr(logout)}/>\n'
        for binding in (_REDIRECT, _POST)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<md:EntityDescriptor xmlns:md="{_METADATA}" entityID={quoteattr(entity_id)}>\n'
        f'  <md:SPSSODescriptor AuthnRequestsSigned="{str(signs).lower()}" WantAssertionsSigned="true"'
        f' protocolSupportEnumeration="{PROTOCOL}">\n{keys}{services}'
        "    <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>\n"
        f'    <md:AssertionConsumerService index="0" isDefault="true" Binding="{_POST}"'
        f" Location={quoteattr(return_to)}/>\n"
        "  </md:SPSSODescriptor>\n"
        "</md:EntityDescriptor>\n"
    )


def _key(use: str, certificate: str) -> str:
    """Return a key (saml-metadata-2.0-os, section 2.4.1.1)."""
    methods = "".join(f'      <md:EncryptionMethod Algorithm="{each}"/>\n' for each in _METHODS if use == "encryption")
    return (
        f'    <md:KeyDescriptor use="{use}">\n      <ds:KeyInfo xmlns:ds="{SIGNATURE}"><ds:X509Data>'
        f"<ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\n{methods}"
        "    </md:KeyDescriptor>\n"
    )
