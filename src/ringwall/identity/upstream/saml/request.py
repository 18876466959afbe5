"""Asks a provider to sign somebody in (saml-core-2.0-os, section 3.4.1; saml-bindings-2.0-os, section 3.4)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ringwall.identity.upstream.saml.document import ASSERTION, PROTOCOL

_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def authn_request(
    *, name: str, now: float, issuer: str, location: str, return_to: str, again: bool, classes: Iterable[str]
) -> str:
    """Return an authentication request.

    Args:
        name: its `ID`; unguessable, as the answer is held to it.
        now: seconds since the epoch.
        issuer: our entity ID.
        location: where it is sent.
        return_to: our assertion consumer service.
        again: whether the person must prove anew who they are.
        classes: authentication contexts of which one is wanted; none for any.
    """
    context = "".join(f"<saml:AuthnContextClassRef>{escape(each)}</saml:AuthnContextClassRef>" for each in classes)
    wanted = f'<samlp:RequestedAuthnContext Comparison="exact">{context}</samlp:RequestedAuthnContext>'
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID={quoteattr(name)} Version="2.0"'
        f' IssueInstant="{moment(now)}" Destination={quoteattr(location)} ProtocolBinding="{_POST}"'
        f" AssertionConsumerServiceURL={quoteattr(return_to)}"
        + (' ForceAuthn="true"' if again else "")
        + f"><saml:Issuer>{escape(issuer)}</saml:Issuer>"
        + (wanted if context else "")
        + "</samlp:AuthnRequest>"
    )


def moment(now: float) -> str:
    """Return a time as SAML writes it (saml-core-2.0-os, section 1.3.3)."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
