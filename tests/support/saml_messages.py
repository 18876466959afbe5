"""What SAML providers send besides answers: encrypted assertions, and messages about logging out."""

import base64
import secrets
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from tests.support.saml_provider import ENTITY, SamlAnswer, Signer, encoded, signer

from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.upstream.saml.keys import SamlKey, SamlKeys
from ringwall.model.clock import ManualClock

_NS = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
_SHA1 = hashes.SHA1()  # noqa: S303  # that it is refused is tested
_XENC = "http://www.w3.org/2001/04/xmlenc#"
_XENC11 = "http://www.w3.org/2009/xmlenc11#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"


@cache
def _store() -> MemoryKeyStore:
    store = MemoryKeyStore()
    SamlKeys(store, ManualClock()).ring()
    return store


def saml_keys(clock: ManualClock | None = None, *, fresh: bool = False) -> SamlKeys:
    """Return keys of our own; the same for all tests that do not change them, as making some takes a while."""
    keys = SamlKeys(MemoryKeyStore() if fresh else _store(), clock or ManualClock())
    keys.ring()
    return keys


def encrypted(
    plain: bytes,
    certificate: str,
    *,
    content: str = f"{_XENC11}aes256-gcm",
    transport: str = f"{_XENC}rsa-oaep-mgf1p",
    size: int = 32,
    more: str = "",
    digest: str = "SHA1",
    mask: str = "SHA1",
    beside: bool = False,
) -> Any:
    """Return an `EncryptedAssertion`."""
    public: Any = x509.load_der_x509_certificate(base64.b64decode(certificate)).public_key()
    secret, nonce = secrets.token_bytes(size), secrets.token_bytes(12)
    oaep = padding.OAEP(mgf=padding.MGF1(getattr(hashes, mask)()), algorithm=getattr(hashes, digest)(), label=None)
    wrapped = base64.b64encode(public.encrypt(secret, oaep)).decode()
    hidden = base64.b64encode(nonce + AESGCM(secret[:32].ljust(16, b"\0")).encrypt(nonce, plain, None)).decode()
    key = (
        f'<xenc:EncryptedKey xmlns:xenc="{_XENC}"><xenc:EncryptionMethod Algorithm="{transport}">{more}'
        f"</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedKey>"
    )
    within = "" if beside else f'<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{key}</ds:KeyInfo>'
    return etree.fromstring(
        f'<saml:EncryptedAssertion {_NS}><xenc:EncryptedData xmlns:xenc="{_XENC}" Type="{_XENC}Element">'
        f'<xenc:EncryptionMethod Algorithm="{content}"/>{within}<xenc:CipherData><xenc:CipherValue>{hidden}'
        f"</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>{key if beside else ''}</saml:EncryptedAssertion>"
    )


def answer_encrypted(answer: SamlAnswer, certificate: str, **options: Any) -> str:
    """Return `SAMLResponse` with its assertion encrypted, and the answer signed after that, as providers do."""
    parts, answer.sign = answer.sign, tuple(part for part in answer.sign if part != "response")
    tree = answer.tree()
    assertion = tree.find(f"{ASSERTION}Assertion")
    tree.replace(assertion, encrypted(etree.tostring(assertion), certificate, **options))
    answer.sign = parts
    return encoded(answer.signed(tree) if "response" in parts else tree)


@dataclass
class LogoutAsked:
    """A right logout request; change its attributes to make it a wrong one."""

    destination: str
    now: float
    issuer: str = ENTITY
    name: str = "_out1"
    person: str = "<saml:NameID>ines</saml:NameID>"
    sessions: tuple[str, ...] = ("s1",)
    issued: float = 0
    until: float | None = 60
    version: str = "2.0"
    tag: str = "LogoutRequest"
    algorithm: str = "rsa-sha256"
    by: Signer = field(default_factory=lambda: signer("right"))

    def xml(self) -> str:
        until = "" if self.until is None else f' NotOnOrAfter="{self._at(self.until)}"'
        sessions = "".join(f"<samlp:SessionIndex>{each}</samlp:SessionIndex>" for each in self.sessions)
        return (
            f'<samlp:{self.tag} {_NS} ID="{self.name}" Version="{self.version}" IssueInstant="{self._at(self.issued)}"'
            f'{until} Destination="{self.destination}"><saml:Issuer>{self.issuer}</saml:Issuer>'
            f"{self.person}{sessions}</samlp:{self.tag}>"
        )

    def _at(self, offset: float) -> str:
        return datetime.fromtimestamp(self.now + offset, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def query(self, state: str = "there") -> str:
        """Return the query of a redirect."""
        fields = {"SAMLRequest": packed(self.xml().encode()), "RelayState": state, "SigAlg": _MORE + self.algorithm}
        text = urlencode(fields)
        digest: Any = {"256": hashes.SHA256(), "512": hashes.SHA512(), "ha1": _SHA1}[self.algorithm[-3:]]
        if isinstance(self.by.key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.by.key.sign(text.encode(), ec.ECDSA(digest)))
            signature = r.to_bytes(32) + s.to_bytes(32)
        else:
            signature = self.by.key.sign(text.encode(), padding.PKCS1v15(), digest)
        return f"{text}&{urlencode({'Signature': base64.b64encode(signature).decode()})}"

    def form(self) -> str:
        """Return `SAMLRequest` of a form."""
        answer = SamlAnswer(request="", return_to="", audience="", now=self.now, by=self.by)
        return encoded(answer.signed(etree.fromstring(self.xml())))


def packed(content: bytes) -> str:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(content) + packer.flush()).decode()


def brought(location: str, kind: str, certificate: str) -> tuple[Any, str]:
    """Return the message that a redirect of ours brings, and its `RelayState`, once its signature holds."""
    query = urlsplit(location).query
    signed, _, signature = query.rpartition("&Signature=")
    signed = signed[signed.index(f"{kind}=") :]
    fields = dict(parse_qsl(query, strict_parsing=True))
    assert fields["SigAlg"] == f"{_MORE}rsa-sha256"
    public: Any = x509.load_der_x509_certificate(base64.b64decode(certificate)).public_key()
    public.verify(base64.b64decode(fields["Signature"]), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert signature
    raw = zlib.decompress(base64.b64decode(fields[kind], validate=True), -zlib.MAX_WBITS)
    return etree.fromstring(raw), fields.get("RelayState", "")


def decryption_key(keys: SamlKeys) -> SamlKey:
    return keys.ring().active.decryption
