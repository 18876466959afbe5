"""Lists (RFC 7644, section 3.4.2): what is asked for, and how it is found without reading everything.

A filter that says what `userName`, `externalId`, `id` or the like is equal to is answered from an index. Any other
reads resources one after the other, SCAN_MOST at most, and lets others come between; who has more asks by cursor
(RFC 9865).
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from ringwall.identity.issuer.scim.attributes import ResourceType
from ringwall.identity.issuer.scim.errors import ScimError, invalid_value
from ringwall.identity.issuer.scim.filter import Compare, Filter, Logical, named, parse_filter, parse_path
from ringwall.identity.issuer.scim.match import Predicate, compile_filter, key_of, listed
from ringwall.identity.issuer.scim.projection import Projection
from ringwall.identity.issuer.scim.resolve import IGNORED, Place, resolve

LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
MAX_RESULTS: Final = 200
DEFAULT_RESULTS: Final = 100
SCAN_MOST: Final = 10_000
_LOT: Final = 100
_MAX_INDEX: Final = 10_000_000
_MAX_CURSOR: Final = 1024


class Source(Protocol):
    """Where the resources of one type come from, in the order of their names."""

    @property
    def of(self) -> ResourceType:
        """Their type."""
        ...

    async def look_up(self, attribute: str, value: str) -> Sequence[dict[str, Any]] | None:
        """Return those of which an attribute equals a value, from an index; None where there is none for it."""
        ...

    async def page(self, after: str, limit: int) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return resources that follow a key, each with its own; fewer than `limit` also where they are large."""
        ...

    async def key_at(self, place: int) -> str | None:
        """Return the key of the resource at a place, counted from 0; None where there are fewer."""
        ...

    async def count(self) -> int:
        """Return how many there are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What somebody wants to see.

    Attributes:
        filter: a tree; None for everything.
        sort_by: path of the attribute to sort by; empty for the order of names.
        descending: whether the largest comes first.
        start: place of the first result, counted from 1.
        count: the most results.
        cursor: where to go on; None for a query by place.
        projection: what to show of each.
    """

    filter: Filter | None
    sort_by: str
    descending: bool
    start: int
    count: int
    cursor: str | None
    projection: Projection

    def reads(self, name: str) -> bool:
        """Return whether an attribute must be known to answer."""
        if self.projection.shows(name) or self.sort_by.lower().rpartition(":")[2].startswith(name.lower()):
            return True
        return self.filter is not None and name.lower() in named(self.filter)

    @classmethod
    def of(cls, asked: Mapping[str, Any], kind: ResourceType) -> "Query":
        """Return the query of a URL's parameters, or of a search request's members (section 3.4.3)."""
        text, sort_by = asked.get("filter"), asked.get("sortBy")
        order, cursor = str(asked.get("sortOrder", "ascending")).lower(), asked.get("cursor")
        if not all(isinstance(each, str | None) for each in (text, sort_by, cursor)):
            raise invalid_value("`filter`, `sortBy` and `cursor` are texts")
        if order not in {"ascending", "descending"}:
            raise invalid_value("`sortOrder` is ascending or descending")
        return cls(
            filter=parse_filter(text) if text else None,
            sort_by=sort_by or "",
            descending=order == "descending",
            start=max(1, _number(asked, "startIndex", 1)),
            count=min(max(0, _number(asked, "count", DEFAULT_RESULTS)), MAX_RESULTS),
            cursor=cursor,
            projection=Projection.of(_names(asked, "attributes"), _names(asked, "excludedAttributes"), kind),
        )


def _number(asked: Mapping[str, Any], name: str, default: int) -> int:
    value = asked.get(name, default)
    if isinstance(value, str) and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit():
        value = int(value[:9])
    if type(value) is not int:
        raise invalid_value(f"`{name}` is a whole number")
    return min(value, _MAX_INDEX)


def _names(asked: Mapping[str, Any], name: str) -> list[str]:
    value = asked.get(name) or []
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise invalid_value(f"`{name}` is a list of names")
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Some of what was asked for.

    Attributes:
        resources: projected.
        total: how many there are in all; None where a cursor spares counting.
        following: the cursor of the next page; empty for none.
    """

    resources: list[dict[str, Any]]
    total: int | None
    following: str = ""


async def find(query: Query, source: Source) -> Found:
    """Return what a query asks for; ScimError `tooMany` where that would take reading too much."""
    holds = compile_filter(query.filter, source.of) if query.filter is not None else None
    candidates = await _candidates(query.filter, source)
    if candidates is not None and holds is not None:
        return _chosen(query, [each for each in candidates if holds(each)], source.of)
    if query.cursor is not None:
        if query.sort_by:
            raise ScimError(400, "invalidValue", "results of a cursor come in the order of their names")
        return await _from_cursor(query, source, holds)
    if holds is None and not query.sort_by:
        return await _from_place(query, source)
    return _chosen(query, await _scan(source, holds), source.of)


async def find_in_all(queries: Sequence[tuple[Query, Source]]) -> Found:
    """Return what queries find one after the other, as one list.

    Of a type that has not the attributes of the filter nothing is found (section 3.4.2.1); ScimError where none has.
    """
    resources: list[dict[str, Any]] = []
    wrong: list[ScimError] = []
    total = 0
    for query, source in queries:
        if query.cursor is not None:
            raise ScimError(400, "invalidCursor", "a cursor goes through one type of resources")
        part = replace(query, start=max(1, query.start - total), count=query.count - len(resources))
        try:
            found = await find(part, source)
        except ScimError as error:
            if error.scim_type != "invalidFilter":
                raise
            wrong.append(error)
            continue
        resources += found.resources
        total += found.total or 0
    if len(wrong) == len(queries):
        raise wrong[0]
    return Found(resources=resources, total=total)


async def _candidates(tree: Filter | None, source: Source) -> Sequence[dict[str, Any]] | None:
    """Return what some `eq` that must hold finds in an index; None where no such is there."""
    parts = tree.of if isinstance(tree, Logical) and tree.op == "and" else (tree,)
    for part in parts:
        if isinstance(part, Compare) and part.op == "eq" and isinstance(part.value, str):
            place = resolve(part.path, source.of, kind="invalidFilter")
            if place.attribute is None or place.extension:
                continue
            name = place.attribute.name
            if place.attribute.sub:
                name += f".{place.leaf.name}"
            found = await source.look_up(name, part.value)
            if found is not None:
                return found
    return None


async def _scan(source: Source, holds: Predicate | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after, seen = "", 0
    while lot := await source.page(after, _LOT):
        seen += len(lot)
        if seen > SCAN_MOST:
            raise ScimError(
                400,
                "tooMany",
                f"this would read more than {SCAN_MOST} resources; ask for `userName eq`, or by cursor (RFC 9865)",
            )
        found += [resource for _, resource in lot if holds is None or holds(resource)]
        after = lot[-1][0]
        await asyncio.sleep(0)  # others come first
    return found


def _chosen(query: Query, found: list[dict[str, Any]], of: ResourceType) -> Found:
    """Return the page of what was found that a query asks for."""
    if query.sort_by:
        place = resolve(parse_path(query.sort_by, kind="invalidValue"), of, kind="invalidValue")
        if place is not IGNORED:
            found = _sorted(found, place, descending=query.descending)
    shown = [] if query.cursor else found[query.start - 1 : query.start - 1 + query.count]
    return Found(resources=[query.projection.apply(each) for each in shown], total=len(found))


def _sorted(found: list[dict[str, Any]], place: Place, *, descending: bool) -> list[dict[str, Any]]:
    """Return resources by an attribute, those without it last (section 3.4.2.3)."""
    attribute = place.attribute
    if attribute is None or place.leaf.returned == "never":
        raise ScimError(400, "invalidValue", "this cannot be sorted by")

    def value(resource: dict[str, Any]) -> tuple[str, Any] | None:
        values = listed(place.holder(resource).get(attribute.name))
        primary = [each for each in values if isinstance(each, dict) and each.get("primary")]
        first = (primary or values or [None])[0]
        first = first.get(place.leaf.name) if isinstance(first, dict) else first
        if first is None or isinstance(first, dict):
            return None
        key = key_of(place.leaf, first)
        return type(key).__name__, key

    keyed = [(value(resource), resource) for resource in found]
    there = [(key, resource) for key, resource in keyed if key is not None]
    there.sort(key=lambda pair: pair[0], reverse=descending)
    return [resource for _, resource in there] + [resource for key, resource in keyed if key is None]


async def _from_place(query: Query, source: Source) -> Found:
    """Return a page of everything, by its place."""
    if query.count == 0:
        return Found(resources=[], total=await source.count())
    before = "" if query.start == 1 else await source.key_at(query.start - 2)
    lot = [] if before is None else await source.page(before, query.count)
    # The last page tells how many there are, without counting.
    complete = bool(lot) and len(lot) < query.count and len(await source.page(lot[-1][0], 1)) == 0
    total = query.start - 1 + len(lot) if complete else await source.count()
    return Found(resources=[query.projection.apply(resource) for _, resource in lot], total=total)


async def _from_cursor(query: Query, source: Source, holds: Predicate | None) -> Found:
    """Return what follows a cursor (RFC 9865): so much as was asked for, or as could be read."""
    after, seen = _opened(query.cursor or ""), 0
    found: list[dict[str, Any]] = []
    while len(found) < query.count and seen < SCAN_MOST:
        wanted = _LOT if holds is not None else query.count - len(found)
        lot = await source.page(after, wanted)
        if not lot:
            return Found(resources=found, total=None)
        for key, resource in lot:
            after, seen = key, seen + 1
            if holds is None or holds(resource):
                found.append(query.projection.apply(resource))
                if len(found) == query.count:
                    break
        await asyncio.sleep(0)
    more = query.count > 0 and bool(await source.page(after, 1))
    return Found(resources=found, total=None, following=_closed(after) if more else "")


def _closed(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def _opened(cursor: str) -> str:
    try:
        key = base64.urlsafe_b64decode(cursor[:_MAX_CURSOR] + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        key = "\0"
    if "\0" in key:
        raise ScimError(400, "invalidCursor", "this cursor was not given here")
    return key
