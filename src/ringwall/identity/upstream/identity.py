"""What a provider has proven about somebody, and why it may not have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ringwall.identity.store.origins import Origin
from ringwall.model.errors import RingwallError


class UpstreamError(RingwallError):
    """Nobody is signed in. The message is for the operator; pages say less.

    Attributes:
        reason: short stable name of what was wrong, for events.
    """

    code = "upstream"

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class UpstreamRefusedError(UpstreamError):
    """What the browser brought, or the provider answered, is not believed."""

    code = "upstream-refused"


class UpstreamUnavailableError(UpstreamError):
    """The provider cannot be asked, or Ringwall is not set up for it."""

    code = "upstream-unavailable"


class UpstreamDeclinedError(UpstreamError):
    """The provider itself says no, or the person does, there."""

    code = "upstream-declined"


class NoAccountError(UpstreamError):
    """The provider knows the person, but no account here is theirs."""

    code = "upstream-no-account"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamIdentity:
    """Somebody whom a provider has just signed in for us. Made only by a `SignInSource`.

    Attributes:
        issuer: who the provider is: `iss`, or an entity ID.
        subject: who they are there; the provider never gives it to another person.
        claims: what it says of them.
        authenticated: when they proved who they are, seconds since the epoch; None where the provider does not say.
        session: what is needed to sign them out there; JSON values.
        origin: by what the provider can end the session that they get here; None where it cannot.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(repr=False)
    authenticated: float | None = None
    session: Mapping[str, Any] = field(default_factory=dict, repr=False)
    origin: Origin | None = None
