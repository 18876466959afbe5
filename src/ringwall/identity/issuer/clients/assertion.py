"""A signed statement in place of a secret: how a request shows one (RFC 7521, section 4.2)."""

from dataclasses import dataclass
from typing import Final

from ringwall.identity.issuer.request import Parameters
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken

BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523, section 2.2."""
SPIFFE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
"""draft-ietf-oauth-spiffe-client-auth, section 3.1. Libraries that do not know it send `BEARER`."""
SCHEME: Final = "spiffe://"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client shows; nothing has been checked.

    Attributes:
        kind: `client_assertion_type`.
        text: the assertion.
        subject: whom it says that it is about; empty where it cannot be read.
    """

    kind: str
    text: str
    subject: str

    @property
    def of_workload(self) -> bool:
        """Whether it means to be a workload's identity."""
        return self.kind == SPIFFE or (self.kind == BEARER and self.subject.startswith(SCHEME))


def shown_assertion(form: Parameters) -> Shown | None:
    """Return the assertion of a request; None where it shows none."""
    if "client_assertion" not in form and "client_assertion_type" not in form:
        return None
    text = form.get("client_assertion", "")
    return Shown(form.get("client_assertion_type", ""), text, _subject(text))


def _subject(text: str) -> str:
    try:
        subject = decode_json_object(UnverifiedToken.parse(text).payload).get("sub")
    except (TokenRefusedError, EncodingError):
        return ""
    return subject if isinstance(subject, str) else ""
