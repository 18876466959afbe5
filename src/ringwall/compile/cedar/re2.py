"""Regular expressions for Envoy: quoting, and how large Envoy's RE2 makes them.

Envoy 1.40 compiles them over bytes (Latin-1) and refuses a program of more than 100 instructions
(runtime key `re2.max_program_size.error_level`), with which it would refuse the whole route table.
"""

from typing import Final

from ringwall.plan.rule import PathMatches

LARGEST_PROGRAM: Final = 90
"""Below Envoy's limit of 100, because `program_size` is an estimate."""

_BASE, _REST, _SKIP = 4, 7, 3


def quote(text: str) -> str:
    """Return an expression that matches exactly this text."""
    return "".join(_quoted(char) for char in text)


def program_size(expression_bytes: int, *, wildcards: int = 0, segments: int = 0) -> int:
    """Return about how many instructions RE2 makes of that many literal bytes, wildcards and skipped segments."""
    return _BASE + expression_bytes + 2 * wildcards + _SKIP * segments + _REST


def segment_matches(number: int, expression: str) -> PathMatches:
    """Return the matcher for paths whose segment of this number, counted from 0, matches as a whole."""
    skip = f"(?:/[^/]*){{{number}}}" if number else ""
    return PathMatches(regex=f"(?s){skip}/{expression}(?:/.*)?")


def size_of(text: str) -> int:
    """Return how many bytes a text has for Envoy."""
    return len(text.encode())


def _quoted(char: str) -> str:
    if char.isalnum() or char == "_" or ord(char) > 0x7F:  # noqa: PLR2004  # beyond ASCII nothing is special
        return char
    return f"\\{char}" if char.isprintable() else f"\\x{ord(char):02x}"
