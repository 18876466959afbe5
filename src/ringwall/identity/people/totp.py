"""One-time passwords of authenticator apps: TOTP (RFC 6238) over HOTP (RFC 4226)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

from ringwall.model.secret import Secret

PERIOD: Final = 30
"""Seconds of a time step (RFC 6238, section 5.2)."""
DIGITS: Final = 6
WINDOW: Final = 1
"""How many steps before and after the present one are taken (RFC 6238, section 5.2)."""
SECRET_BYTES: Final = 20
"""160 bits, as RFC 4226, section 4 (R6), recommends; SHA-1 because many apps know nothing else."""


def new_secret() -> Secret:
    """Return a fresh secret."""
    return Secret(secrets.token_bytes(SECRET_BYTES))


def step_at(now: float) -> int:
    """Return the number of the time step at `now` (RFC 6238, section 4.2)."""
    return int(now // PERIOD)


def code_of(secret: Secret, step: int, *, digits: int = DIGITS, digest: Callable[..., Any] = hashlib.sha1) -> str:
    """Return the one-time password of a time step (RFC 4226, section 5.3; RFC 6238, section 1.2)."""
    tag = hmac.new(secret.reveal(), step.to_bytes(8, "big"), digest).digest()
    offset = tag[-1] & 0xF
    number = int.from_bytes(tag[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: Secret, typed: str, *, now: float, after: int) -> int | None:
    """Return the time step whose code this is, None where it is none's.

    Steps up to `after`, the last one that was used, are over: a code that somebody has looked at or overheard works
    no second time (RFC 6238, section 5.2). The caller stores the step, if it is still later than what is stored.

    Args:
        secret: of the app.
        typed: spaces are ignored, as apps show them.
        now: seconds since the epoch.
        after: number of the last step that was used; negative for none.
    """
    code = typed.replace(" ", "")
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    present = step_at(now)
    found = None
    for step in range(max(0, present - WINDOW), present + WINDOW + 1):
        if hmac.compare_digest(code_of(secret, step), code) and step > after:
            found = step
    return found


def otpauth_uri(secret: Secret, *, issuer: str, user_name: str) -> str:
    """Return the URI that an app takes from a QR code ("Key Uri Format" of Google Authenticator)."""
    issuer = " ".join(issuer.replace(":", " ").split())
    label = f"{quote(issuer, safe='')}:{quote(user_name, safe='')}"
    query = {"secret": base32_of(secret), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD}
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"


def base32_of(secret: Secret) -> str:
    """Return a secret as people type it into an app: base32 without padding (RFC 4648, section 6)."""
    return base64.b32encode(secret.reveal()).decode("ascii").rstrip("=")
