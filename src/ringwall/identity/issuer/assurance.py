"""How sure the issuer is of who somebody is: values of `acr`, and of `amr` by RFC 8176."""

from dataclasses import dataclass
from typing import Final

NOT_PROVEN: Final = "0"
"""Nobody checked anything (OpenID Connect Core 1.0, section 2): development users."""
ONE_FACTOR: Final = "1"
"""A password."""
TWO_FACTORS: Final = "2"
"""A password and a one-time code."""
PHISHING_RESISTANT: Final = "3"
"""A passkey that verified its user."""
LEVELS: Final = (NOT_PROVEN, ONE_FACTOR, TWO_FACTORS, PHISHING_RESISTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How somebody has proven who they are.

    Attributes:
        subject: who, as `sub` says it.
        acr: one of LEVELS.
        amr: methods, such as `pwd` (RFC 8176, section 2).
    """

    subject: str
    acr: str
    amr: tuple[str, ...]


def satisfies(acr: str, wanted: tuple[str, ...]) -> bool:
    """Return whether a level is one of those wanted, or above; what is not a level of ours is not looked at."""
    known = [LEVELS.index(level) for level in wanted if level in LEVELS]
    return not known or (acr in LEVELS and LEVELS.index(acr) >= min(known))
