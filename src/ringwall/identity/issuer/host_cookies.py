"""Cookies of this host alone, each under a name that `model.cookies` reserves for Ringwall.

`__Host-` in the name makes browsers refuse one without TLS, with a domain, or with another path, so that no other host
can set it (RFC 6265bis, section 4.1.3.2). The edge takes every one of them out of requests that are not the issuer's.
"""

from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from ringwall.model.cookies import PREFIX

SESSION: Final = f"{PREFIX}issuer"
"""Somebody is signed in: a handle."""
BROWSER: Final = f"{PREFIX}browser"
"""Tells apart browsers in which nobody is signed in. Worth nothing else."""
DEVICES: Final = f"{PREFIX}devices"
"""What the browser was given at sign-ins before."""
START: Final = f"{PREFIX}start"
"""What the edge began for this browser, and has not finished yet."""
UPSTREAM: Final = f"{PREFIX}upstream"
"""Tells apart browsers that were sent to sign in at a provider of others. Worth nothing else."""

_LONGEST: Final = 128


def read_cookie(request: Request, name: str, *, longest: int = _LONGEST) -> str | None:
    """Return a cookie; None where it is absent, there twice, or too long to be ours.

    Two of one name mean that somebody has put one beside ours, and nobody can tell which is which.
    """
    found = [
        value
        for header in request.headers.getlist("cookie")
        for key, equals, value in (pair.strip().partition("=") for pair in header.split(";"))
        if key == name and equals
    ]
    return found[0] if len(found) == 1 and 0 < len(found[0]) <= longest and found[0].isascii() else None


def write_cookie(
    response: Response,
    name: str,
    value: str,
    *,
    seconds: int | None = None,
    same_site: Literal["Lax", "Strict"] = "Lax",
) -> None:
    """Set a cookie, for as long as the browser runs or for `seconds`.

    `Lax` lets it come along where people arrive by a link on another site, as they do from clients.
    """
    age = "" if seconds is None else f"; Max-Age={seconds}"
    text = f"{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{age}"
    response.headers.append("set-cookie", text)


def clear_cookie(response: Response, name: str) -> None:
    """Take a cookie away."""
    write_cookie(response, name, "", seconds=0)
