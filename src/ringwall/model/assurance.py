"""How sure the built-in issuer is of who somebody is: values of `acr` that an operation can ask for (RFC 9470)."""

from typing import Final

STRENGTHS: Final = ("pwd", "mfa", "phr")
"""From the least sure to the surest: a password, two factors, a passkey."""


def at_least(acr: str) -> tuple[str, ...]:
    """Return a level with those above it; what is no level of ours stands for itself."""
    return STRENGTHS[STRENGTHS.index(acr) :] if acr in STRENGTHS else (acr,)
