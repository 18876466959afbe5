"""Holds a signed assertion to this sign-in, and takes what it says (saml-profiles-2.0-os, section 4.1.4.3)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.saml.document import ASSERTION, children, only_child, text_of
from ringwall.identity.upstream.saml.response import SignedAssertion

if TYPE_CHECKING:
    Element = Any

SKEW_SECONDS: Final = 60.0
"""How far the provider's clock may be off."""
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_NAMED_WITH: Final = ("Format", "NameQualifier", "SPNameQualifier", "SPProvidedID")
_MAX_VALUES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an assertion is held to.

    Attributes:
        issuer: the provider's entity ID.
        audience: ours.
        request: the `ID` of our request.
        return_to: our assertion consumer service.
        now: seconds since the epoch.
    """

    issuer: str
    audience: str
    request: str
    return_to: str
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asserted:
    """What an assertion says of somebody.

    Attributes:
        name_id: who they are; empty where it is good for one sign-in only.
        authenticated: when they proved it, seconds since the epoch.
        context: how (`AuthnContextClassRef`); empty where it does not say.
        attributes: a text each, or a list of texts where there are several.
        named: the `NameID` as it is, also one that is good for this sign-in only; empty for none.
        named_with: its attributes.
        session: what the provider calls this session (`SessionIndex`); empty where it does not say.
    """

    name_id: str
    authenticated: float
    context: str
    attributes: dict[str, Any] = field(repr=False)
    named: str = ""
    named_with: dict[str, str] = field(default_factory=dict)
    session: str = ""


def read_assertion(signed: SignedAssertion, expected: Expected) -> Asserted:
    """Return what an assertion says.

    1. The provider issued it (saml-core-2.0-os, section 2.3.3).
    2. A bearer confirmation is for our address and our request, and not over (saml-profiles-2.0-os, section 4.1.4.3).
    3. Its conditions hold now (saml-core-2.0-os, section 2.5.1.2).
    4. It is for us: every audience restriction names us, and there is one (saml-core-2.0-os, section 2.5.1.4).
    5. It has no condition that we do not know (saml-core-2.0-os, section 2.5.1.1).
    6. It says when somebody signed in, and that is not over (saml-core-2.0-os, section 2.7.2).
    """
    assertion = signed.element
    if assertion.get("Version") != "2.0" or text_of(only_child(assertion, ASSERTION, "Issuer")) != expected.issuer:  # 1
        raise UpstreamRefusedError("issuer", "the assertion is another provider's", hint="compare the entity IDs")
    subject = only_child(assertion, ASSERTION, "Subject")
    if not any(_confirms(each, expected) for each in children(subject, ASSERTION, "SubjectConfirmation")):  # 2
        raise UpstreamRefusedError("confirmation", "the assertion is not for this sign-in, or is over")
    _check_conditions(only_child(assertion, ASSERTION, "Conditions"), expected)  # 3, 4, 5
    statement = children(assertion, ASSERTION, "AuthnStatement")
    if not statement:  # 6
        raise UpstreamRefusedError("statement", "the assertion does not say that somebody signed in")
    until = statement[0].get("SessionNotOnOrAfter")
    if until is not None and time_of(until) <= expected.now - SKEW_SECONDS:
        raise UpstreamRefusedError("expired", "the session at the provider is over")
    name = _name_id(subject)
    named = text_of(name) if name is not None else ""
    return Asserted(
        name_id=named if name is not None and name.get("Format") != _TRANSIENT else "",
        authenticated=min(time_of(statement[0].get("AuthnInstant")), expected.now),
        context=_context(statement[0]),
        attributes=_attributes(assertion),
        named=named,
        named_with={key: name.get(key) for key in _NAMED_WITH if name.get(key)} if name is not None else {},
        session=statement[0].get("SessionIndex", ""),
    )


def _confirms(confirmation: "Element", expected: Expected) -> bool:
    if confirmation.get("Method") != _BEARER:
        return False
    data = children(confirmation, ASSERTION, "SubjectConfirmationData")
    if len(data) != 1 or data[0].get("NotBefore") is not None or data[0].get("NotOnOrAfter") is None:
        return False
    return (
        data[0].get("Recipient") == expected.return_to
        and data[0].get("InResponseTo") == expected.request
        and time_of(data[0].get("NotOnOrAfter")) > expected.now - SKEW_SECONDS
    )


def _check_conditions(conditions: "Element", expected: Expected) -> None:
    begins, ends = conditions.get("NotBefore"), conditions.get("NotOnOrAfter")
    if begins is not None and time_of(begins) > expected.now + SKEW_SECONDS:  # 3
        raise UpstreamRefusedError("early", "the assertion is not good yet", hint="compare the clocks")
    if ends is not None and time_of(ends) <= expected.now - SKEW_SECONDS:
        raise UpstreamRefusedError("expired", "the assertion has expired", hint="compare the clocks")
    restrictions = children(conditions, ASSERTION, "AudienceRestriction")
    audiences = [[text_of(each) for each in children(one, ASSERTION, "Audience")] for one in restrictions]
    if not audiences or not all(expected.audience in named for named in audiences):  # 4
        raise UpstreamRefusedError("audience", "the assertion is for somebody else", hint="compare the entity IDs")
    known = (*restrictions, *children(conditions, ASSERTION, "OneTimeUse"))
    if len(known) + len(children(conditions, ASSERTION, "ProxyRestriction")) != len(conditions):  # 5
        raise UpstreamRefusedError("condition", "the assertion has a condition that Ringwall does not know")


def _name_id(subject: "Element") -> "Element | None":
    found = children(subject, ASSERTION, "NameID")
    if len(found) > 1:
        raise UpstreamRefusedError("subject", "the assertion names several people")
    return found[0] if found else None


def _context(statement: "Element") -> str:
    found = [
        text_of(each)
        for context in children(statement, ASSERTION, "AuthnContext")
        for each in children(context, ASSERTION, "AuthnContextClassRef")
    ]
    return found[0] if found else ""


def _attributes(assertion: "Element") -> dict[str, Any]:
    """Return the attributes; one that comes in several pieces has the values of all of them."""
    found: dict[str, list[str]] = {}
    for statement in children(assertion, ASSERTION, "AttributeStatement"):
        for attribute in children(statement, ASSERTION, "Attribute"):
            values = [each for each in children(attribute, ASSERTION, "AttributeValue") if not len(each)]
            found.setdefault(attribute.get("Name", ""), []).extend(text_of(each) for each in values[:_MAX_VALUES])
    return {name: values[0] if len(values) == 1 else values for name, values in found.items() if name and values}


def time_of(text: str | None) -> float:
    """Return a time; with an offset or without, it is UTC (saml-core-2.0-os, section 1.3.3)."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        raise UpstreamRefusedError("document", "the assertion has a time that is none") from None
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
