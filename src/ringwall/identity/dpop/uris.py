"""URIs as `htu` compares them: what RFC 3986 says is equivalent is one text (RFC 9449, section 4.3)."""

import re
from typing import Final

MAX_URI: Final = 2048

_URI: Final = re.compile(r"https?://[\x21-\x7e]+", re.ASCII | re.IGNORECASE)
_PATH: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_AUTHORITY: Final = re.compile(r"(?P<host>[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{0,5}))?", re.ASCII)
_ENCODED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class UriRefusedError(ValueError):
    """A text is no absolute http(s) URI as a request can have it."""


def normal_uri(text: str) -> str:
    """Return a URI without query and fragment in its one normal form; UriRefusedError where it is none.

    1. Query and fragment are left out (RFC 9449, section 4.2).
    2. Scheme and host in lower case, escapes in upper case (RFC 3986, section 6.2.2.1).
    3. What need not be escaped is not (section 6.2.2.2). 4. Then dot segments are removed (section 6.2.2.3).
    5. The scheme's own port is left out, and an empty path is `/` (section 6.2.3).

    A URI with user information is refused: no request has one (RFC 9110, section 4.2.4).
    """
    if len(text) > MAX_URI or not _URI.fullmatch(text):
        raise UriRefusedError("not an absolute http or https URI")
    scheme, _, rest = re.split(r"[?#]", text, maxsplit=1)[0].partition("://")  # 1
    authority, slash, path = rest.partition("/")
    scheme, host = scheme.lower(), _host(authority, _DEFAULT_PORTS[scheme.lower()])  # 2, 5
    if not _PATH.fullmatch(path):
        raise UriRefusedError("the path is malformed")
    return f"{scheme}://{host}{_without_dots(_ENCODED.sub(_unescaped, slash + path or '/'))}"  # 2, 3, 4, 5


def _host(authority: str, default_port: int) -> str:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise UriRefusedError("the authority is malformed")
    host, port = found["host"].lower(), int(found["port"] or default_port)
    return host if port == default_port else f"{host}:{port}"


def _unescaped(found: re.Match[str]) -> str:
    character = chr(int(found.group(1), 16))
    return character if character in _UNRESERVED else found.group(0).upper()


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986, section 5.2.4); never leaves the root."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    ends_as_folder = segments[-1] in {".", ".."}
    return "/" + "/".join(kept) + ("/" if ends_as_folder and kept else "")
