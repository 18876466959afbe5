"""Path templates: what they match, and which one is meant where several do.

Every stage uses this order, so a path can never mean one operation at the edge and another one at the
service. A literal segment goes before `prefix{param}suffix`, that before
`{param}`, that before `{rest...}`; the first segment that differs decides, then a named method goes before `*`.
What takes GET takes HEAD as well (RFC 9110, section 9.3.2), unless HEAD is declared for itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

_PARAM = re.compile(r"\{([^{}]*)\}")

Kind = Literal["literal", "partial", "param", "rest"]
_ORDER: dict[Kind, int] = {"literal": 0, "partial": 1, "param": 2, "rest": 3}


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a template between two slashes.

    Attributes:
        kind: how it matches.
        text: as written in the template.
        names: parameters in it.
        regex: RE2 expression for the whole segment; a rest matches any number of segments.
    """

    kind: Kind
    text: str
    names: tuple[str, ...]
    regex: str


@lru_cache(maxsize=8192)
def segments(template: str) -> tuple[Segment, ...]:
    """Return the segments of a template; `/` has one, the empty literal."""
    return tuple(_segment(text) for text in template.removeprefix("/").split("/"))


def _segment(text: str) -> Segment:
    names = tuple(_PARAM.findall(text))
    if not names:
        return Segment("literal", text, (), re.escape(text))
    if text == f"{{{names[0]}}}":
        if names[0].endswith("..."):
            return Segment("rest", text, (names[0].removesuffix("..."),), ".*")
        return Segment("param", text, names, "[^/]+")
    literals = _PARAM.split(text)[::2]
    return Segment("partial", text, names, "[^/]+".join(re.escape(literal) for literal in literals))


@lru_cache(maxsize=8192)
def template_regex(template: str) -> str:
    """Return the RE2 expression that a whole normalised path of this template matches."""
    return "/" + "/".join(segment.regex for segment in segments(template))


@lru_cache(maxsize=8192)
def _compiled(template: str) -> re.Pattern[str]:
    return re.compile(template_regex(template))


def matches(template: str, path: str) -> bool:
    """Return whether a normalised path, without query, is of this template."""
    return _compiled(template).fullmatch(path) is not None


def edge_template(prefix: str, template: str) -> str:
    """Return the template of an operation as the edge's clients see it."""
    return prefix + template


def shape(template: str) -> tuple[str, ...]:
    """Return the template with parameter names left out: two templates of one shape match the same paths."""
    return tuple(_PARAM.sub("{}", s.text) if s.kind != "rest" else "{...}" for s in segments(template))


def takes(declared: str, method: str) -> bool:
    """Return whether an operation declared with this method, or `*`, answers requests of a method."""
    return declared in {method, "*"} or (declared, method) == ("GET", "HEAD")


def answered(declared: Iterable[str]) -> tuple[str, ...]:
    """Return the methods that a path answers whose operations are declared with these, sorted; `*` stays."""
    named = {*declared}
    return tuple(sorted(named | {"HEAD"} if "GET" in named else named))


_AFTER_OTHERS = {"GET": 1, "*": 2}
"""GET comes after a HEAD that is declared for itself."""


AUTHORIZATION_SERVER_METADATA: Final = "/.well-known/oauth-authorization-server"
"""Where an issuer's metadata are: between its host and its path (RFC 8414, section 3.1), and below its path too."""

ISSUER_HEALTH: Final = "/health"
"""Where the proxy asks a process of the built-in issuer whether it answers."""


def precedence(method: str, template: str) -> tuple[tuple[tuple[int, str], ...], int, str, str]:
    """Return the sort key of a route; of two routes that match, the one with the lower key is meant."""
    kinds = (_ORDER[segment.kind] for segment in segments(template))
    return tuple(zip(kinds, shape(template), strict=True)), _AFTER_OTHERS.get(method, 0), method, template


def overlap(first: str, second: str) -> bool:
    """Return whether some path matches both templates; partial segments are taken to overlap with anything."""
    return _overlap(segments(first), segments(second))


def _overlap(first: tuple[Segment, ...], second: tuple[Segment, ...]) -> bool:
    for one, other in zip(first, second, strict=False):
        if "rest" in {one.kind, other.kind}:
            return True
        if one.kind == other.kind == "literal" and one.text != other.text:
            return False
        if not one.text or not other.text:  # an empty segment matches only itself
            if one.text != other.text:
                return False
            continue
        literal, pattern = (one, other) if one.kind == "literal" else (other, one)
        if literal.kind == "literal" and not re.fullmatch(pattern.regex, literal.text):
            return False
    return len(first) == len(second)
