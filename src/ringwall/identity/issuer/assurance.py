"""How sure the issuer is of who somebody is: values of `acr`, and of `amr` by RFC 8176."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringwall.identity.store.origins import Origin

NOT_PROVEN: Final = "0"
"""Nobody checked anything (OpenID Connect Core 1.0, section 2): development users."""
SETTING_UP: Final = "invitation"
"""Somebody followed an administrator's link: good for making a passkey or a password, and for nothing else."""
LEVELS: Final = (NOT_PROVEN, SETTING_UP, "pwd", "mfa", "phr")
"""From the least sure to the surest; all but the first are those of `people.sign_in.Acr`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How somebody has proven who they are.

    Attributes:
        subject: who, as `sub` says it.
        acr: one of LEVELS.
        amr: methods, such as `pwd` (RFC 8176, section 2).
        device: lets this browser be known as one in which they signed in before; empty for nothing.
        authenticated: when they did, seconds since the epoch; None for now.
        upstream: at which provider of others they signed in, and what is needed to sign them out there; empty for none.
        origin: by what that provider can end the session; None for none.
        lasts: for how many seconds it is good; None for as long as any.
    """

    subject: str
    acr: str
    amr: tuple[str, ...]
    device: str = ""
    authenticated: float | None = None
    upstream: Mapping[str, Any] = field(default_factory=dict, repr=False)
    origin: Origin | None = None
    lasts: float | None = None


def admits(acr: str) -> bool:
    """Return whether a sign-in is good for letting clients act for the person."""
    return acr != SETTING_UP


def satisfies(acr: str, wanted: tuple[str, ...]) -> bool:
    """Return whether a level is one of those wanted, or above; what is not a level of ours is not looked at."""
    known = [LEVELS.index(level) for level in wanted if level in LEVELS]
    return not known or (acr in LEVELS and LEVELS.index(acr) >= min(known))
