"""What a provider has to know about us (saml-metadata-2.0-os, section 2.4.4)."""

from typing import Final
from xml.sax.saxutils import quoteattr

from ringwall.identity.upstream.saml.document import PROTOCOL

MEDIA_TYPE: Final = "application/samlmetadata+xml"
_METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def service_provider(*, entity_id: str, return_to: str) -> str:
    """Return our metadata for one provider.

    Args:
        entity_id: who we are.
        return_to: our assertion consumer service.
    """
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<md:EntityDescriptor xmlns:md="{_METADATA}" entityID={quoteattr(entity_id)}>\n'
        f'  <md:SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true"'
        f' protocolSupportEnumeration="{PROTOCOL}">\n'
        "    <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>\n"
        f'    <md:AssertionConsumerService index="0" isDefault="true" Binding="{_POST}"'
        f" Location={quoteattr(return_to)}/>\n"
        "  </md:SPSSODescriptor>\n"
        "</md:EntityDescriptor>\n"
    )
