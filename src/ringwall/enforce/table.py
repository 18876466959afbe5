"""Route tables whose cost does not grow with the number of operations.

Envoy tries the routes of a list one by one. So the routes of a table are grouped under the literal text that
their paths begin with, in a map that Envoy searches by longest prefix. Under each text stand, in the plan's order of
precedence, all routes that could match a path beginning with it, those of shorter texts included; the
meaning is that of the whole list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from envoy.config.route.v3 import route_components_pb2
from envoy.type.matcher.v3 import http_inputs_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from xds.core.v3 import extension_pb2
from xds.type.matcher.v3 import matcher_pb2

from ringwall.enforce.proto import pack


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation's routes in a table.

    Attributes:
        order: sort key; a lower one is tried first.
        template: of the paths that these routes match, the service's prefix included.
        routes: serialised `RouteList`.
    """

    order: tuple[Any, ...]
    template: str
    routes: bytes

    @property
    def literal(self) -> str:
        """Text that every path of these routes begins with."""
        return self.template.partition("{")[0]

    @property
    def segment(self) -> str | None:
        """The first segment of every path of these routes, None where a parameter is in it."""
        first = self.template.split("/", 2)[1]
        return None if "{" in first else first


def matcher(entries: Iterable[Entry], otherwise: bytes) -> Any:
    """Return the matcher of a virtual host; `otherwise` is a serialised `RouteList` that ends every list."""
    by_literal: dict[str, list[Entry]] = {}
    for entry in entries:
        by_literal.setdefault(entry.literal, []).append(entry)
    tree = matcher_pb2.Matcher.MatcherTree(
        input=extension_pb2.TypedExtensionConfig(
            name="path", typed_config=pack(http_inputs_pb2.HttpRequestHeaderMatchInput(header_name=":path"))
        )
    )
    for text in sorted(by_literal):
        candidates = [e for begin in _beginnings(text) for e in by_literal.get(begin, ())]
        candidates.sort(key=lambda e: e.order)
        tree.prefix_match_map.map[text].CopyFrom(_action([e.routes for e in candidates] + [otherwise]))
    if not by_literal:
        return matcher_pb2.Matcher(on_no_match=_action([otherwise]))
    return matcher_pb2.Matcher(matcher_tree=tree, on_no_match=_action([otherwise]))


def route_list(routes: Sequence[Any]) -> bytes:
    """Return routes in the serialised form that `Entry` takes."""
    return bytes(route_components_pb2.RouteList(routes=routes).SerializeToString(deterministic=True))


def _beginnings(text: str) -> Iterable[str]:
    return (text[:end] for end in range(len(text) + 1))


def _action(lists: Sequence[bytes]) -> Any:
    # Serialised messages of one type may be joined: repeated fields add up.
    packed = AnyMessage(type_url=_ROUTE_LIST, value=b"".join(lists))
    return matcher_pb2.Matcher.OnMatch(action=extension_pb2.TypedExtensionConfig(name="routes", typed_config=packed))


_ROUTE_LIST = pack(route_components_pb2.RouteList()).type_url
