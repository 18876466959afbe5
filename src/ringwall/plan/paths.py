"""What a request's path becomes before any route sees it, exactly as the proxies do it.

The proxies run with `normalize_path`, `merge_slashes` and `path_with_escaped_slashes_action: REJECT_REQUEST`.
Answering "may alice GET this path?" without sending anything needs the same steps; the tests hold this module to
the pinned Envoy, byte for byte. Source of the steps: RFC 3986, section 6.2.2, and what Envoy was seen to do.
"""

import re
import string
from typing import Final

from ringwall.model.errors import RingwallError

LONGEST_PATH: Final = 60 * 1024
"""Bytes; a request line that is longer than the proxies' header limit never becomes a route."""

_SENT = re.compile(r"[!-~]*")
_ESCAPED_SLASH = re.compile(r"%(?:2f|5c)", re.IGNORECASE)
_DOTS_WITH_PARAMETERS = re.compile(r"(?<=/)(\.{1,2});[^/]*")
_DISGUISED = re.compile(r"/\.{1,2}(?:;|%3[bB])")
_PIECE = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_HEX = frozenset(string.hexdigits)
_DECODED = frozenset(string.ascii_letters + string.digits + "-._~")
"""Characters that lose their escape: RFC 3986, section 2.3."""
_ESCAPED = frozenset('"<>^`{|}')
"""Characters that are given an escape."""


class UnroutablePathError(RingwallError):
    """No request with this path gets as far as a route: the proxies answer 400."""

    code = "unroutable-path"


def normalised(path: str) -> str:
    """Return the path that routes and policies see; `path` is what a client sends, a query is left out.

    Raises:
        UnroutablePathError: where the proxies refuse the request.
    """
    if not path.startswith("/"):
        raise UnroutablePathError(f"the path {path[:80]!r} does not begin with '/'")
    if len(path) > LONGEST_PATH or not _SENT.fullmatch(path) or "#" in path:
        raise UnroutablePathError(
            "the path holds a character that cannot be sent, or is too long",
            hint="escape spaces, '#' and everything outside ASCII as %XX",
        )
    path = path.partition("?")[0]
    if _ESCAPED_SLASH.search(path):
        raise UnroutablePathError("the path holds an escaped slash (%2F or %5C), which is refused")
    if "%00" in path:
        raise UnroutablePathError("the path holds %00, which is refused")
    path = _merge_slashes(_resolve(_DOTS_WITH_PARAMETERS.sub(r"\1", path)))
    if _DISGUISED.search(path):
        raise UnroutablePathError("the path holds a dot segment with a parameter (`/..;`), which is refused")
    return path


def _resolve(path: str) -> str:
    """Unescape what needs no escape, turn backslashes, resolve `.` and `..`."""
    done: list[str] = []
    stray = -3
    """Where a `%` that begins no escape was written: what follows must not complete it into one."""
    pieces = _PIECE.findall(path)
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        char = _char(piece)
        if char == "." and done[-1] == "/":
            taken, levels = _dots(pieces, index)
            if taken:
                _climb(done, levels)
                index += taken
                continue
        if piece == "\\":
            done.append("/")
        elif len(piece) == 1 and piece == "%":
            stray = len(done)
            done.append("%")
        elif len(piece) == 1:
            done.extend(f"%{ord(piece):02X}" if piece in _ESCAPED else piece)
        elif char is not None:
            done.append(char)
            if stray >= len(done) - 3:
                _defuse(done, stray, pieces[index + 1] if index + 1 < len(pieces) else "")
        else:
            done.extend(piece)
        index += 1
    return "".join(done)


def _char(piece: str) -> str | None:
    """Return the character that a piece stands for, None where it keeps its escape."""
    if len(piece) == 1:
        return piece
    char = chr(int(piece[1:], 16))
    return char if char in _DECODED else None


def _dots(pieces: list[str], index: int) -> tuple[int, int]:
    """Return how many pieces a `.` or `..` segment takes here, with its slash, and how many levels it climbs."""
    for levels in (0, 1):
        after = index + levels + 1
        if levels and (after - 1 >= len(pieces) or _char(pieces[after - 1]) != "."):
            break
        if after >= len(pieces):
            return levels + 1, levels
        if pieces[after] in {"/", "\\"}:
            return levels + 2, levels
    return 0, 0


def _climb(done: list[str], levels: int) -> None:
    """Go back to the slash before the last one; never above the root."""
    if levels and len(done) > 1:
        done.pop()
        while done[-1] != "/":
            done.pop()


def _defuse(done: list[str], stray: int, following: str) -> None:
    """Escape a stray `%` that would, with what was just unescaped, read as an escape itself."""
    pair = done[stray + 1 :]
    if len(pair) == 1 and following and following != "%" and len(following) == 1:
        pair = [*pair, following]
    if len(pair) == 2 and done[stray] == "%" and all(char in _HEX for char in pair):  # noqa: PLR2004  # an escape has two digits
        done[stray + 1 : stray + 1] = ["2", "5"]


def _merge_slashes(path: str) -> str:
    if "//" not in path:
        return path
    return "/" + "/".join(part for part in path.split("/") if part) + ("/" if path.endswith("/") else "")
