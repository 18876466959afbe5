"""Where an answer may be sent: exactly the URIs that a client registered (RFC 6749, section 3.1.2; RFC 9700, 2.1)."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from ringwall.plan.client import Client, ClientKind

_LOOPBACK: Final = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::([0-9]{1,5}))?(/[!-~]*)")
_MAX_PORT: Final = 65_535
_SAFE: Final = "-._~"


@dataclass(frozen=True, slots=True)
class RegisteredUri:
    """A URI that is known to be the client's. Nothing else is ever redirected to. Only `find_registered` makes it."""

    text: str

    @property
    def origin(self) -> str:
        """Its `scheme://host[:port]` (RFC 6454, section 6.2)."""
        parts = urlsplit(self.text)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def loopback(self) -> bool:
        """Whether it leads to the person's own machine, where any program may listen (RFC 8252, section 8.6)."""
        return _LOOPBACK.match(self.text) is not None

    def with_query(self, parameters: dict[str, str]) -> str:
        """Return it with parameters added to its query (RFC 6749, section 4.1.2)."""
        added = "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in parameters.items())
        return f"{self.text}{'&' if '?' in self.text else '?'}{added}" if added else self.text


def find_registered(client: Client, presented: str) -> RegisteredUri | None:
    """Return the redirect URI that is presented, if it is one of the client's.

    Compared as text, letter by letter (RFC 6749, section 3.1.2.3; RFC 9700, section 2.1). The port of a loopback URI
    is free for native applications alone, which take whichever they get (RFC 8252, section 7.3).
    """
    if presented in client.redirect_uris:
        return RegisteredUri(presented)
    if client.kind is ClientKind.NATIVE and (asked := _LOOPBACK.fullmatch(presented)):
        if asked[2] is not None and not 0 < int(asked[2]) <= _MAX_PORT:
            return None
        for registered in client.redirect_uris:
            known = _LOOPBACK.fullmatch(registered)
            if known is not None and (known[1], known[3]) == (asked[1], asked[3]):
                return RegisteredUri(presented)
    return None


def find_after_logout(client: Client, presented: str) -> RegisteredUri | None:
    """Return where to go after signing out, if it is registered (OpenID Connect RP-Initiated Logout 1.0, section 3)."""
    return RegisteredUri(presented) if presented in client.post_logout_redirect_uris else None
