"""Tells whether a resource satisfies a filter (RFC 7644, section 3.4.2.2)."""

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from ringwall.identity.issuer.scim.attributes import Attribute, ResourceType
from ringwall.identity.issuer.scim.errors import ScimError
from ringwall.identity.issuer.scim.filter import Compare, Filter, Logical, Not, Present, Value, ValueFilter
from ringwall.identity.issuer.scim.resolve import IGNORED, Place, resolve

Predicate = Callable[[dict[str, Any]], bool]
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_WITHIN: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "co": lambda value, part: part in value,
    "sw": str.startswith,
    "ew": str.endswith,
}


def compile_filter(
    tree: Filter, of: ResourceType, *, within: Attribute | None = None, kind: str = "invalidFilter"
) -> Predicate:
    """Return what tells whether a resource (or, `within` an attribute, one of its values) satisfies a filter.

    Raises:
        ScimError: of the `kind`, where the filter names what is not there, or compares what has no order.
    """
    if isinstance(tree, Logical):
        parts = [compile_filter(part, of, within=within, kind=kind) for part in tree.of]
        joined = all if tree.op == "and" else any
        return lambda resource: joined(part(resource) for part in parts)
    if isinstance(tree, Not):
        inner = compile_filter(tree.of, of, within=within, kind=kind)
        return lambda resource: not inner(resource)
    place = resolve(tree.path, of, kind=kind, within=within)
    if place is IGNORED:
        return lambda _: False
    if place.attribute is None or place.leaf.returned == "never":
        raise ScimError(400, kind, f"{tree.path.name[:80]!r} cannot be filtered by")
    return _about(tree, place, of, single=within is not None, kind=kind)


def _about(
    tree: Compare | Present | ValueFilter, place: Place, of: ResourceType, *, single: bool, kind: str
) -> Predicate:
    if isinstance(tree, ValueFilter):
        return _some_value(tree, place, of, kind)
    values = _reader(place, single=single)
    if isinstance(tree, Present):
        return lambda resource: any(value not in (None, "", [], {}) for value in values(resource))
    return _comparison(tree, place, values, kind)


def _some_value(tree: ValueFilter, place: Place, of: ResourceType, kind: str) -> Predicate:
    attribute = place.attribute
    if attribute is None or not attribute.sub or place.sub is not None:
        raise ScimError(400, kind, f"{tree.path.name[:80]!r} has no values to select from")
    inner = compile_filter(tree.of, of, within=attribute, kind=kind)

    def holds(resource: dict[str, Any]) -> bool:
        return any(inner(value) for value in listed(place.holder(resource).get(attribute.name)))

    return holds


def listed(value: Any) -> list[Any]:
    """Return the values of an attribute, of which one that is not multi-valued has one or none."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _reader(place: Place, *, single: bool) -> Callable[[dict[str, Any]], Iterator[Any]]:
    """Return what yields the values that are compared; `single` reads one value of a multi-valued attribute."""
    attribute, sub = place.attribute, place.sub
    assert attribute is not None  # noqa: S101  # checked by the only caller
    if single:
        name = place.leaf.name
        return lambda value: iter([value.get(name)] if isinstance(value, dict) else [])
    part = place.leaf.name if attribute.sub and (sub is not None or attribute.find("value")) else ""

    def read(resource: dict[str, Any]) -> Iterator[Any]:
        for value in listed(place.holder(resource).get(attribute.name)):
            yield value.get(part) if part and isinstance(value, dict) else value

    return read


def _comparison(tree: Compare, place: Place, values: Callable[[dict[str, Any]], Iterator[Any]], kind: str) -> Predicate:
    leaf = place.leaf
    wanted = key_of(leaf, tree.value)
    if tree.op in {"eq", "ne"}:
        if tree.value is None:

            def equals(resource: dict[str, Any]) -> bool:
                return all(value in (None, "") for value in values(resource))
        else:

            def equals(resource: dict[str, Any]) -> bool:
                return any(value is not None and key_of(leaf, value) == wanted for value in values(resource))

        return equals if tree.op == "eq" else lambda resource: not equals(resource)
    if leaf.type in {"boolean", "complex"} or not isinstance(wanted, str | int | float) or isinstance(wanted, bool):
        raise ScimError(400, kind, f"`{tree.op}` cannot compare {tree.path.name[:80]!r} with this")
    if tree.op in _WITHIN:
        if leaf.type == "dateTime" or not isinstance(wanted, str):
            raise ScimError(400, kind, f"`{tree.op}` compares texts")
        compare: Callable[[Any, Any], bool] = _WITHIN[tree.op]
    else:
        compare = _ORDER[tree.op]

    def ordered(resource: dict[str, Any]) -> bool:
        found = (key_of(leaf, value) for value in values(resource) if value is not None)
        return any(type(value) is type(wanted) and compare(value, wanted) for value in found)

    return ordered


def key_of(leaf: Attribute, value: Value) -> Any:
    """Return a value as it is compared: texts by case unless they are case exact, times as seconds."""
    if leaf.type == "boolean" and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value)
    if not isinstance(value, str):
        return value
    if leaf.type == "dateTime":
        return _seconds(value)
    return value if leaf.case_exact else value.casefold()


def _seconds(text: str) -> float | str:
    """Return a dateTime (RFC 7643, section 2.3.5) as seconds since the epoch; what is none stays as it is."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        return text
