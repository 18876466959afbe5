"""Where the facts of a request lie in CEL, by the names that Envoy gives them."""

from functools import lru_cache
from typing import Final

from ringwall.compile.cedar.cel import Cel, call, const, every, index, infix, method, name, select
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE
from ringwall.plan.subject import LONGEST_LONG

_TOKEN: Final = index(index(select(name("metadata"), "filter_metadata"), JWT_NAMESPACE), CLAIMS_KEY)
_PATH: Final = select(name("request"), "url_path")

TIME: Final = select(name("request"), "time")
"""When the request began."""

CALLER: Final = select(name("connection"), "uri_san_peer_certificate")
"""URI SAN of the peer's certificate; an error where there is no mutual TLS."""


@lru_cache(maxsize=4096)
def claim(path: tuple[str, ...]) -> Cel:
    """Return the claim at a path; an error where it is absent."""
    found: Cel = _TOKEN
    for key in path:
        found = index(found, key)
    return found


@lru_cache(maxsize=4096)
def present(path: tuple[str, ...]) -> Cel:
    """Return whether the claim at a path is there; false, not an error, where something on the way is no object."""
    parts: list[Cel] = []
    for length, key in enumerate(path):
        holder = claim(path[:length])
        if length:
            parts.append(has_type(holder, "map"))
        parts.append(infix("in", const(key), holder))
    return every(parts)


def has_type(value: Cel, type_name: str) -> Cel:
    """Return whether a value has a CEL type: `string`, `double`, `bool`, `list` or `map`."""
    return infix("==", call("type", value), name(type_name))


@lru_cache(maxsize=4096)
def is_whole(path: tuple[str, ...]) -> Cel:
    """Return whether the claim is a number that a `long` may be: whole, and exact as a double."""
    value = claim(path)
    return every(
        [
            has_type(value, "double"),
            infix(">=", value, const(float(-LONGEST_LONG))),
            infix("<=", value, const(float(LONGEST_LONG))),
            infix("==", call("double", whole(path)), value),
        ]
    )


@lru_cache(maxsize=4096)
def whole(path: tuple[str, ...]) -> Cel:
    """Return the claim as an int."""
    return call("int", claim(path))


@lru_cache(maxsize=4096)
def segment(number: int) -> Cel:
    """Return one segment of the path, counted from 0; an error where the path is shorter."""
    return index(method(_PATH, "split", const("/")), number + 1)
