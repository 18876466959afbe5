"""The small texts of a blueprint: names, limits, durations, sizes, addresses, path prefixes, time zones.

Each function takes the text as written and returns its value, or raises BadValueError.
"""

import base64
import ipaddress
import re
import shlex
import zoneinfo
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ringwall.blueprint.report import suggest
from ringwall.blueprint.shape import BadValueError
from ringwall.model import colours
from ringwall.model.clients import RedirectUriError, check_redirect_uri

NAME: Final = r"^[a-z][a-z0-9-]{0,62}$"
IDENTIFIER: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$"
LIMIT: Final = r"^[0-9]{1,9}/(s|m|h|[0-9]{1,6}s)( burst [0-9]{1,9})?$"
DURATION: Final = r"^[0-9]{1,6}(s|m|h)$"
SIZE: Final = r"^[0-9]{1,9}(B|KiB|MiB|GiB)$"
ADDRESS: Final = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"
SOCKET_OR_ADDRESS: Final = r"^(unix:[^\0]{1,100}|(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5})$"
PREFIX: Final = r"^/[A-Za-z0-9._~/-]*$"
HOST: Final = r"^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$"
REDIRECT_HOST: Final = r"^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,20}$"
URL: Final = r"^https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?$"
ORIGIN: Final = (
    r"^(https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|http://(localhost|127\.0\.0\.1|\[::1\]))(:[1-9][0-9]{0,4})?$"
)
"""As a browser writes it (RFC 6454, section 6.2); without TLS only on this machine."""
FINGERPRINT: Final = r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$"
"""As `openssl x509 -noout -fingerprint -sha256` prints it; the colons may be left out."""
HEADER: Final = r"^[A-Za-z0-9-]{1,64}$"
REDIRECT: Final = r"^https?://[!-~]{1,400}$"
COLOUR: Final = r"^#[0-9A-Fa-f]{6}$"
SCOPE: Final = r"^[!#-\[\]-~]{1,128}$"

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_MAX_PORT: Final = 65_535

EDGE: Final = "edge"
PROTOCOLS: Final = ("http1", "http2", "grpc", "tcp")
MODES: Final = ("enforce", "shadow")
CLAIM_TYPES: Final = ("string", "long", "bool", "set<string>")
PROFILES: Final = ("fapi2", "oidc_certification")
CLIENT_PROFILES: Final = ("fapi2",)
SUBJECT_TYPES: Final = ("public", "pairwise")
CLIENT_KINDS: Final = ("machine", "web", "native", "browser")
ID_TOKEN_ALGORITHMS: Final = ("ES256", "RS256")
KEY_MANAGEMENT: Final = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
CONTENT_ENCRYPTION: Final = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`host:port`, or a Unix socket where `socket` is set."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.socket is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.socket is not None:
            return f"unix:{self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `requests` per `seconds`, with at most `burst` at once."""

    requests: int
    seconds: int
    burst: int


def limit(text: str) -> Rate:
    """Return the limit that `100/s burst 200` says; without a burst as many at once as in one period."""
    rate, _, burst = text.partition(" burst ")
    requests, _, unit = rate.partition("/")
    seconds = _SECONDS.get(unit) or int(unit.removesuffix("s"))
    if not int(requests) or not seconds or (burst and not int(burst)):
        raise BadValueError(
            "a limit lets through at least one request", hint="to close an operation, permit it nowhere"
        )
    return Rate(requests=int(requests), seconds=seconds, burst=int(burst or requests))


def duration(text: str) -> int:
    """Return the seconds that `30s`, `5m` or `1h` say; at least one."""
    seconds = int(text[:-1]) * _SECONDS[text[-1]]
    if not seconds:
        raise BadValueError("a duration is at least one second")
    return seconds


def size(text: str) -> int:
    """Return the bytes that `512KiB` or `1MiB` say."""
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * _BYTES[unit]


def fingerprint(text: str) -> str:
    """Return a fingerprint as tokens and proxies write it: base64url without padding (RFC 8705, section 3.1)."""
    return base64.urlsafe_b64encode(bytes.fromhex(text.replace(":", ""))).rstrip(b"=").decode()


def ip_address(text: str) -> str:
    """Return an IP address as RFC 5952 writes it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadValueError("this is no IP address", hint="for instance 192.0.2.7") from None


def address(text: str) -> Endpoint:
    """Return the endpoint of `host:port`; an IPv6 host is written in brackets."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if int(port) > _MAX_PORT:
        raise BadValueError(f"a port is at most {_MAX_PORT}")
    if host == "localhost":
        return Endpoint("127.0.0.1", int(port))
    try:
        return Endpoint(str(ipaddress.ip_address(host)), int(port))
    except ValueError:
        raise BadValueError("an address names an IP address to bind", hint="for instance 127.0.0.1:8443") from None


def socket_or_address(text: str) -> Endpoint:
    """Return the endpoint of `host:port` or `unix:path`; a relative path lies below the blueprint's folder."""
    if not text.startswith("unix:"):
        return address(text)
    path = text.removeprefix("unix:")
    if ".." in path.split("/"):
        raise BadValueError("the socket's path leads out of the folder", hint="name it without '..'")
    return Endpoint(socket=path)


def prefix(text: str) -> str:
    """Return a path prefix without its last slash; the root is the empty text."""
    plain = text.rstrip("/")
    if any(part in {"", ".", ".."} for part in plain.split("/")[1:]):
        raise BadValueError("a path prefix has no empty segment, '.' or '..'")
    return plain


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def timezone(text: str) -> str:
    """Return the name of an IANA time zone."""
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValueError(f"there is no time zone {text!r}", hint=_near_zone(text)) from None
    return text


def _near_zone(text: str) -> str:
    return suggest(text, _zones()) or "for instance Europe/Berlin"


def command(text: str) -> tuple[str, ...]:
    """Return the words of a command line, split as a POSIX shell does; no shell runs it."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadValueError(f"the command cannot be split into words ({error})") from None
    if not words:
        raise BadValueError("the command is empty")
    for word in words:
        if word in {"&&", "||", "|", ";", ">", "<", "&"}:
            raise BadValueError(
                f"no shell runs this command, so {word!r} would be an argument",
                hint=f"write `sh -c '…'`, or put it in a script; a literal {word!r} needs the list form",
            )
    return words


def arguments(words: tuple[str, ...]) -> None:
    """Raise BadValueError for a placeholder that nothing is filled in for."""
    for word in words:
        for name in re.findall(r"\{([a-z_]+)\}", word):
            if name not in {"port", "socket", "prefix"}:
                raise BadValueError(
                    f"there is no placeholder {{{name}}}", hint="known here: {port}, {socket}, {prefix}"
                )


def redirect(text: str) -> str:
    """Return a URI that an issuer may send people to."""
    return _address(text, "a redirect URI")


def back_channel(text: str) -> str:
    """Return a URI that an issuer sends logout tokens to (OpenID Connect Back-Channel Logout 1.0, section 2.2)."""
    return _address(text, "an address for logout tokens")


def document(text: str) -> str:
    """Return the URL of a document that the issuer fetches from a client."""
    return _address(text, "an address of a document")


def audience(text: str) -> str:
    """Return the URL of a service of others, an absolute URI without a fragment (RFC 8707, section 2)."""
    _address(text if text.count("/") > 2 else f"{text}/", "the URL of an audience")  # noqa: PLR2004  # scheme://host
    return text


def _address(text: str, what: str) -> str:
    try:
        check_redirect_uri(text)
    except RedirectUriError as error:
        raise BadValueError(error.message.replace("a redirect URI", what), hint=error.hint) from None
    return text


def dotted(text: str) -> tuple[str, ...]:
    """Return the path inside a token that `realm_access.roles` says."""
    parts = tuple(text.split("."))
    if not all(parts):
        raise BadValueError("a claim path has no empty part", hint="write names that hold dots as a list")
    return parts


def colour(text: str) -> str:
    """Return a colour in lower case, in which text can be read on white."""
    found = text.lower()
    if (ratio := colours.contrast(found, colours.LIGHT)) < colours.ENOUGH:
        raise BadValueError(
            f"{found} is too light to be read on white: the contrast is {ratio:.1f}",
            hint=f"text needs a contrast of {colours.ENOUGH} (WCAG 2.2, 1.4.3); take a darker one",
        )
    return found
