"""Distinguished names, compared by the rule `distinguishedNameMatch` (RFC 4517, section 4.2.15).

Two names are the same where they have the same relative names in the same order, each with the same attributes in any
order. Text is compared without regard to case and to how much space is where, however its certificate encodes it
(RFC 4518, section 2). Characters that nobody sees, which RFC 4518 passes over, fit nothing here.
"""

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography import x509

DistinguishedName = tuple[tuple[tuple[str, str], ...], ...]
"""Relative names, the first of the certificate first; each with (OID, text prepared for comparison), ordered."""

_NAMES: Final = {
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "serialNumber": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "title": "2.5.4.12",
    "description": "2.5.4.13",
    "businessCategory": "2.5.4.15",
    "postalCode": "2.5.4.17",
    "GN": "2.5.4.42",
    "dnQualifier": "2.5.4.46",
    "organizationIdentifier": "2.5.4.97",
    "UID": "0.9.2342.19200300.100.1.1",
    "DC": "0.9.2342.19200300.100.1.25",
    "emailAddress": "1.2.840.113549.1.9.1",
}
"""Attributes that are compared without regard to case (RFC 4519, X.520), by the names that they have in text."""
_FOLDED: Final = frozenset(_NAMES.values())
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Categories of Unicode: control, format, surrogate, private use, unassigned."""


def read_name(text: str) -> DistinguishedName:
    """Return the name that text of RFC 4514 stands for; ValueError for text that is none, or an empty one."""
    from cryptography import x509  # noqa: PLC0415  # only where somebody has such a name

    known = {
        spelt: x509.ObjectIdentifier(oid)
        for name, oid in _NAMES.items()
        for spelt in (name, name.upper(), name.lower())
    }
    try:
        found = comparable(x509.Name.from_rfc4514_string(text, known))
    except (ValueError, TypeError, IndexError):
        found = None
    if not found:
        raise ValueError("this is no distinguished name as RFC 4514 writes it")
    return found


def comparable(name: "x509.Name") -> DistinguishedName | None:
    """Return a name so that equal ones are the same; None where it holds what cannot be compared."""
    found = []
    for relative in name.rdns:
        attributes = []
        for attribute in relative:
            oid, value = attribute.oid.dotted_string, attribute.value
            if not isinstance(value, str):
                return None
            text = _prepared(value) if oid in _FOLDED else value
            if not text:
                return None
            attributes.append((oid, text))
        found.append(tuple(sorted(attributes)))
    return tuple(found)


def _prepared(text: str) -> str:
    """Return text as it is compared (RFC 4518, sections 2.2 to 2.6); empty where it fits nothing."""
    if any(unicodedata.category(character) in _UNSEEN for character in text):
        return ""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())
