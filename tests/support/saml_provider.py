"""A SAML provider that answers as a test wants, rightly or wrongly, with keys of its own."""

import base64
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from ringwall.plan.upstream import SamlProvider

ENTITY = "https://idp.example/saml"
LOCATION = "https://idp.example/sso?tenant=1"
_NS = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"


@dataclass(frozen=True)
class Signer:
    """A key with its certificate, which is long over: that must not matter."""

    key: Any
    certificate: x509.Certificate

    @property
    def text(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()


@cache
def signer(name: str, kind: str = "rsa") -> Signer:
    bits = {"rsa": 2048, "weak": 1024}
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if kind in bits:
        key = rsa.generate_private_key(65537, bits[kind])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    began = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(began).not_valid_after(began + timedelta(days=30))
    return Signer(key, builder.sign(key, hashes.SHA256()))


@dataclass
class SamlAnswer:
    """A right answer to a request; change its attributes to make it a wrong one.

    Attributes:
        sign: what is signed: `assertion`, `response`, or both.
        attributes: name to texts.
    """

    request: str
    return_to: str
    audience: str
    now: float
    issuer: str = ENTITY
    name_id: str = "ines"
    name_format: str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    destination: str | None = None
    recipient: str | None = None
    confirmed_request: str | None = None
    confirmation: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    not_before: float = -10
    not_after: float = 300
    confirmed_until: float = 300
    authenticated: float = 0
    session_until: float | None = None
    session: str = ""
    context: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    extra_conditions: str = ""
    restrictions: str | None = None
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sign: tuple[str, ...] = ("assertion",)
    method: SignatureMethod = SignatureMethod.RSA_SHA256
    digest: DigestAlgorithm = DigestAlgorithm.SHA256
    statement: bool = True
    by: Signer = field(default_factory=lambda: signer("right"))

    def _at(self, offset: float) -> str:
        return datetime.fromtimestamp(self.now + offset, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _restrictions(self) -> str:
        if self.restrictions is not None:
            return self.restrictions
        return f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"

    def assertion(self) -> str:
        until = f' SessionNotOnOrAfter="{self._at(self.session_until)}"' if self.session_until is not None else ""
        until += f' SessionIndex="{self.session}"' if self.session else ""
        request = self.request if self.confirmed_request is None else self.confirmed_request
        attributes = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        statement = (
            f'<saml:AuthnStatement AuthnInstant="{self._at(self.authenticated)}"{until}><saml:AuthnContext>'
            f"<saml:AuthnContextClassRef>{self.context}</saml:AuthnContextClassRef></saml:AuthnContext>"
            "</saml:AuthnStatement>"
        )
        return (
            f'<saml:Assertion {_NS} ID="_assertion" Version="2.0" IssueInstant="{self._at(0)}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer>"
            f'<saml:Subject><saml:NameID Format="{self.name_format}">{self.name_id}</saml:NameID>'
            f'<saml:SubjectConfirmation Method="{self.confirmation}"><saml:SubjectConfirmationData'
            f' InResponseTo="{request}" Recipient="{self.recipient or self.return_to}"'
            f' NotOnOrAfter="{self._at(self.confirmed_until)}"/></saml:SubjectConfirmation></saml:Subject>'
            f'<saml:Conditions NotBefore="{self._at(self.not_before)}" NotOnOrAfter="{self._at(self.not_after)}">'
            f"{self._restrictions()}{self.extra_conditions}</saml:Conditions>"
            + (statement if self.statement else "")
            + (f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>" if attributes else "")
            + "</saml:Assertion>"
        )

    def tree(self) -> Any:
        """Return the answer, signed."""
        assertion = etree.fromstring(self.assertion())
        if "assertion" in self.sign:
            assertion = self.signed(assertion)
        response = etree.fromstring(
            f'<samlp:Response {_NS} ID="_response" Version="2.0" IssueInstant="{self._at(0)}"'
            f' InResponseTo="{self.request}" Destination="{self.destination or self.return_to}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer><samlp:Status>"
            f'<samlp:StatusCode Value="{self.status}"/></samlp:Status></samlp:Response>'
        )
        response.append(assertion)
        return self.signed(response) if "response" in self.sign else response

    def text(self) -> str:
        """Return `SAMLResponse`."""
        return encoded(self.tree())

    def signed(self, element: Any) -> Any:
        made = XMLSigner(
            signature_algorithm=self.method,
            digest_algorithm=self.digest,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        pem = self.by.certificate.public_bytes(Encoding.PEM).decode()
        return made.sign(element, key=self.by.key, cert=pem, reference_uri=element.get("ID"), id_attribute="ID")


def encoded(tree: Any) -> str:
    return base64.b64encode(etree.tostring(tree)).decode()


def asked(location: str) -> tuple[Any, str]:
    """Return the request that a browser brings, and its `RelayState`."""
    assert location.startswith(LOCATION + "&"), location
    query = {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}
    raw = zlib.decompress(base64.b64decode(query["SAMLRequest"], validate=True), -zlib.MAX_WBITS)
    return etree.fromstring(raw), query["RelayState"]


def provider(**changes: Any) -> SamlProvider:
    fields = {"entity_id": ENTITY, "location": LOCATION, "certificates": (signer("right").text,)}
    return SamlProvider(**{**fields, **changes})


def metadata(*certificates: str, location: str = LOCATION, more: str = "") -> str:
    keys = "".join(
        '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
        f"<ds:X509Certificate>\n{text}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for text in certificates or (signer("right").text,)
    )
    binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}">{more}'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f'{keys}<md:SingleSignOnService Binding="{binding}" Location="{location}"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )
