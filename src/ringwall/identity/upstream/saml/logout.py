"""Single logout (saml-profiles-2.0-os, section 4.4): what a provider asks and we answer, and what we ask ourselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.saml.assertion import SKEW_SECONDS, time_of
from ringwall.identity.upstream.saml.document import (
    ASSERTION,
    PROTOCOL,
    SUCCESS,
    children,
    is_named,
    only_child,
    text_of,
)
from ringwall.identity.upstream.saml.request import moment

if TYPE_CHECKING:
    Element = Any

OLDEST_SECONDS: Final = 600.0
_MAX_SESSIONS: Final = 100
_MAX_NAME: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """What a provider ends.

    Attributes:
        name: the request's `ID`, which the answer names, and which counts once.
        person: the `NameID`.
        sessions: each `SessionIndex`; none for all of the person's.
        until: when it would be refused anyway, seconds since the epoch.
    """

    name: str
    person: str
    sessions: tuple[str, ...]
    until: float


def read_logout_request(root: "Element", *, issuer: str, address: str, now: float) -> LogoutRequest:
    """Return what a request ends, whose signature has been verified (saml-core-2.0-os, section 3.7.1).

    1. It is a request to log somebody out, of SAML 2.0, by the provider. 2. It is for our address: a signed one must
    say so (saml-bindings-2.0-os, sections 3.4.5.2 and 3.5.5.2). 3. It was made just now, and is not over. 4. It has a
    name. 5. It names somebody, in the clear.

    Args:
        root: the document, as it was signed.
        issuer: the provider's entity ID.
        address: our single logout service.
        now: seconds since the epoch.
    """
    if not is_named(root, PROTOCOL, "LogoutRequest") or root.get("Version") != "2.0":  # 1
        raise UpstreamRefusedError("document", "this is no logout request of SAML 2.0")
    if text_of(only_child(root, ASSERTION, "Issuer")) != issuer:
        raise UpstreamRefusedError("issuer", "the logout request is another provider's", hint="compare the entity IDs")
    if root.get("Destination") != address:  # 2
        raise UpstreamRefusedError("destination", "the logout request is for another address")
    issued = time_of(root.get("IssueInstant"))
    until = (
        min(
            time_of(root.get("NotOnOrAfter")) if root.get("NotOnOrAfter") else issued + OLDEST_SECONDS,
            issued + OLDEST_SECONDS,
        )
        + SKEW_SECONDS
    )
    if issued > now + SKEW_SECONDS or until <= now:  # 3
        raise UpstreamRefusedError("issued", "the logout request is old, or not good yet", hint="compare the clocks")
    name = root.get("ID") or ""
    if not 0 < len(name) <= _MAX_NAME:  # 4
        raise UpstreamRefusedError("document", "the logout request has no name")
    person = text_of(only_child(root, ASSERTION, "NameID"))  # 5
    sessions = tuple(text_of(each) for each in children(root, PROTOCOL, "SessionIndex"))
    if not 0 < len(person) <= _MAX_NAME or len(sessions) > _MAX_SESSIONS or not all(sessions):
        raise UpstreamRefusedError("subject", "the logout request names nobody, or too many sessions")
    return LogoutRequest(name=name, person=person, sessions=sessions, until=until)


def logout_response(*, name: str, request: str, now: float, issuer: str, location: str) -> str:
    """Return the answer to a request: whom it names has no session here any more (saml-core-2.0-os, section 3.7.2)."""
    return (
        f'<samlp:LogoutResponse xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID={quoteattr(name)} Version="2.0"'
        f' IssueInstant="{moment(now)}" Destination={quoteattr(location)} InResponseTo={quoteattr(request)}>'
        f"<saml:Issuer>{escape(issuer)}</saml:Issuer>"
        f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status></samlp:LogoutResponse>'
    )


def logout_request(*, name: str, now: float, issuer: str, location: str, session: Mapping[str, Any]) -> str:
    """Return a request to end a session there (saml-core-2.0-os, section 3.7.1).

    Args:
        name: its `ID`.
        now: seconds since the epoch.
        issuer: our entity ID.
        location: where it is sent.
        session: what `kept_session` has made of the assertion that began it.
    """
    named = "".join(f" {key}={quoteattr(str(value))}" for key, value in session["attributes"].items())
    index = f"<samlp:SessionIndex>{escape(session['index'])}</samlp:SessionIndex>" if session["index"] else ""
    return (
        f'<samlp:LogoutRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID={quoteattr(name)} Version="2.0"'
        f' IssueInstant="{moment(now)}" NotOnOrAfter="{moment(now + OLDEST_SECONDS)}"'
        f" Destination={quoteattr(location)}><saml:Issuer>{escape(issuer)}</saml:Issuer>"
        f"<saml:NameID{named}>{escape(session['name_id'])}</saml:NameID>{index}</samlp:LogoutRequest>"
    )
