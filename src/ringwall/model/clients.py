"""What holds for every client of the built-in issuer, whether the blueprint names it or it has registered itself."""

import re
from typing import Final

from ringwall.model.errors import RingwallError

REGISTERED_PREFIX: Final = "dyn-"
"""Begins the id of every client that has registered itself, and no name of a blueprint."""
LONGEST_URI: Final = 408
_MAX_PORT: Final = 65_535


class RedirectUriError(RingwallError):
    """A URI is none that an issuer may send people to."""

    code = "redirect-uri"


def check_redirect_uri(text: str) -> None:
    """Raise RedirectUriError unless an issuer may send people there (RFC 6749, section 3.1.2; RFC 8252, section 7.3).

    It is compared as text, so it must be written as browsers and URL libraries write it: what they would change, or
    read in more than one way, is refused.
    """
    if not re.fullmatch(r"https?://[!-~]{1,400}", text, re.ASCII):
        raise RedirectUriError("a redirect URI is https, or http on loopback, and has no spaces")
    scheme, _, rest = text.partition("://")
    authority, slash, after = rest.partition("/")
    host = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)(?::([1-9][0-9]{0,4}))?", authority)
    if "#" in text:
        raise RedirectUriError("a redirect URI has no fragment")
    if "*" in text:
        raise RedirectUriError("a redirect URI has no wildcard: it is compared letter by letter", hint="list every one")
    if "@" in authority:
        raise RedirectUriError("a redirect URI has no user name")
    if host is None or int(host[3] or 1) > _MAX_PORT:
        raise RedirectUriError("a redirect URI has a host in lower case, and a port of at most 65535 if any")
    if not slash:
        raise RedirectUriError("a redirect URI has a path", hint=f"for instance {text}/")
    if re.search(r"""[\\"'<>^`{|}]""", after) or {".", ".."} & set(after.partition("?")[0].split("/")):
        raise RedirectUriError("a redirect URI has no '.' or '..' as a path segment, and none of \\ \" ' < > ^ ` { | }")
    if scheme == "http" and host[1] not in {"localhost", "127.0.0.1", "[::1]"}:
        raise RedirectUriError("a redirect URI is https, or http on loopback (localhost, 127.0.0.1, [::1])")
