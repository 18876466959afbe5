"""PATCH (RFC 7644, section 3.5.2): operations on a resource in the form in which it is answered with.

What Entra ID and Okta send instead of what the RFC says is taken too: operations in capitals, truth as text, an object
of paths without a path, `remove` with the values to remove.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

from ringwall.identity.issuer.scim.attributes import ENTERPRISE, Attribute, ResourceType
from ringwall.identity.issuer.scim.errors import ScimError, invalid_syntax
from ringwall.identity.issuer.scim.filter import Compare, Filter, Logical, PatchPath, parse_patch_path
from ringwall.identity.issuer.scim.match import Predicate, compile_filter, listed
from ringwall.identity.issuer.scim.resolve import IGNORED, Place, resolve
from ringwall.identity.issuer.scim.values import MAX_VALUES, checked, checked_object

MAX_OPERATIONS: Final = 100
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def operations(body: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Return the operations of a request as (`add`, `remove` or `replace`; path or empty; value or None)."""
    members = {name.lower(): value for name, value in body.items()}
    schemas, listing = members.get("schemas"), members.get("operations")
    if not isinstance(schemas, list) or PATCH_OP.lower() not in [str(each).lower() for each in schemas]:
        raise invalid_syntax(f"`schemas` does not name {PATCH_OP}")
    if not isinstance(listing, list) or not 0 < len(listing) <= MAX_OPERATIONS:
        raise invalid_syntax(f"`Operations` is a list of 1 to {MAX_OPERATIONS} operations")
    found = []
    for each in listing:
        if not isinstance(each, dict):
            raise invalid_syntax("an operation is an object")
        op, path = str(each.get("op")).lower(), each.get("path") or ""
        if op not in {"add", "remove", "replace"} or not isinstance(path, str):
            raise invalid_syntax("an operation has `op`: add, remove or replace, and a `path` that is a text")
        if op != "remove" and "value" not in each:
            raise invalid_syntax(f"`{op}` needs a value")
        if op == "remove" and not path:
            raise ScimError(400, "noTarget", "`remove` needs a path")
        found.append((op, path, each.get("value")))
    return found


def patched(resource: dict[str, Any], asked: list[tuple[str, str, Any]], of: ResourceType) -> dict[str, Any]:
    """Return a resource after all operations; ScimError where one cannot be, and then none is."""
    after = deepcopy(resource)
    for op, path, value in asked:
        if path:
            _apply(after, op, parse_patch_path(path), value, of)
        else:
            _without_path(after, op, value, of)
    return after


def _without_path(resource: dict[str, Any], op: str, value: Any, of: ResourceType) -> None:
    """Act on the resource itself; members of the value are attributes, or paths of such."""
    if not isinstance(value, dict):
        raise invalid_syntax("an operation without a path has an object as its value")
    for name, member in value.items():
        if name.lower() == ENTERPRISE.lower():
            if of.extension:
                _extend(resource, op, checked_object(member, of.extension, ENTERPRISE))
            continue
        path = parse_patch_path(name)
        place = resolve(path.path, of, kind="invalidPath")
        if place is not IGNORED and (place.attribute is None or not place.attribute.read_only):
            _apply(resource, op, path, member, of)


def _extend(resource: dict[str, Any], op: str, members: dict[str, Any]) -> None:
    if op == "remove":
        resource.pop(ENTERPRISE, None)
    else:
        resource[ENTERPRISE] = {**resource.get(ENTERPRISE, {}), **members}


def _apply(resource: dict[str, Any], op: str, path: PatchPath, value: Any, of: ResourceType) -> None:
    place = resolve(path.path, of, kind="invalidPath")
    if place is IGNORED:
        return
    attribute = place.attribute
    if attribute is None:
        _extend(resource, op, {} if op == "remove" else checked_object(value, of.extension, ENTERPRISE))
        return
    if attribute.read_only or (place.sub is not None and place.sub.read_only):
        raise ScimError(400, "mutability", f"{attribute.name!r} is set by the server alone")
    holder = resource.setdefault(ENTERPRISE, {}) if place.extension else resource
    if path.of is not None:
        _selected(holder, op, place, value, picks=_picks(path.of, place, of), chosen=path.of)
    elif place.sub is not None:
        _part(holder, op, attribute, place.sub, value)
    elif op == "remove":
        _remove(holder, attribute, value)
    else:
        _assign(holder, op, attribute, value)
    if attribute.multi_valued and attribute.name != "members" and len(holder.get(attribute.name) or ()) > MAX_VALUES:
        raise ScimError(400, "invalidValue", f"{attribute.name!r} has more than {MAX_VALUES} values")


def _assign(holder: dict[str, Any], op: str, attribute: Attribute, value: Any) -> None:
    """Add to an attribute, or replace it (sections 3.5.2.1 and 3.5.2.3)."""
    given = checked(value, attribute)
    if attribute.multi_valued and op == "add":
        there = list(holder.get(attribute.name) or [])
        new = [each for each in given or [] if each not in there]
        if any(isinstance(each, dict) and each.get("primary") for each in new):
            there = [_not_primary(each) for each in there]
        given = there + new
    elif attribute.type == "complex" and not attribute.multi_valued and given is not None:
        given = {**(holder.get(attribute.name) or {}), **given}
    _put(holder, attribute.name, given)


def _remove(holder: dict[str, Any], attribute: Attribute, value: Any) -> None:
    """Remove an attribute (section 3.5.2.2), or only those of its values that are named."""
    if attribute.required:
        raise ScimError(400, "mutability", f"{attribute.name!r} is required")
    if not attribute.multi_valued or value in (None, []):
        holder.pop(attribute.name, None)
        return
    gone = [_identity(each) for each in checked(value, attribute) or []]
    _put(holder, attribute.name, [each for each in listed(holder.get(attribute.name)) if _identity(each) not in gone])


def _part(holder: dict[str, Any], op: str, attribute: Attribute, sub: Attribute, value: Any) -> None:
    """Act on one sub-attribute, of every value where there are several."""
    given = None if op == "remove" else checked(value, sub)
    if attribute.multi_valued:
        values = [_with(each, sub.name, given) for each in listed(holder.get(attribute.name))]
        if not values and given is not None:
            values = [{sub.name: given}]
        _put(holder, attribute.name, [each for each in values if each])
    else:
        _put(holder, attribute.name, _with(holder.get(attribute.name) or {}, sub.name, given))


def _picks(chosen: Filter, place: Place, of: ResourceType) -> Predicate:
    if place.attribute is None or not place.attribute.multi_valued or not place.attribute.sub:
        raise ScimError(400, "invalidPath", "only values of a multi-valued attribute can be selected")
    return compile_filter(chosen, of, within=place.attribute, kind="invalidPath")


def _selected(holder: dict[str, Any], op: str, place: Place, value: Any, *, picks: Predicate, chosen: Filter) -> None:
    """Act on the values that a filter picks."""
    attribute, sub = place.attribute, place.sub
    assert attribute is not None  # noqa: S101  # `_picks` has checked that
    there = listed(holder.get(attribute.name))
    if not any(picks(each) for each in there):
        if op == "remove":
            return
        if op == "replace":
            raise ScimError(400, "noTarget", f"no value of {attribute.name!r} is selected")
        there = [*there, _described(chosen, attribute)]
        picks = _is(there[-1])
    if op == "remove":
        change: Callable[[dict[str, Any]], dict[str, Any]] = lambda each: _with(each, sub.name, None) if sub else {}  # noqa: E731  # one of three
    elif sub is not None:
        given = checked(value, sub)
        change = lambda each: _with(each, sub.name, given)  # noqa: E731
    else:
        members = checked_object(value, attribute.sub, attribute.name)
        change = lambda each: {**each, **members} if op == "add" else members  # noqa: E731
    after, primary = [], None
    for each in there:
        picked = picks(each)
        new = change(each) if picked else each
        if picked and new.get("primary"):
            primary = new
        after.append(new)
    if primary is not None:
        after = [each if each is primary else _not_primary(each) for each in after]
    _put(holder, attribute.name, [each for each in after if each])


def _is(one: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    return lambda each: each is one


def _described(tree: Filter, attribute: Attribute) -> dict[str, Any]:
    """Return a new value of which a filter says how it is: some `eq` joined by `and`; else noTarget."""
    if isinstance(tree, Logical) and tree.op == "and":
        return {name: value for part in tree.of for name, value in _described(part, attribute).items()}
    if isinstance(tree, Compare) and tree.op == "eq" and (sub := attribute.find(tree.path.name)) is not None:
        return {sub.name: checked(tree.value, sub)}
    raise ScimError(400, "noTarget", f"no value of {attribute.name!r} is selected")


def _with(value: dict[str, Any], name: str, given: Any) -> dict[str, Any]:
    rest = {key: member for key, member in value.items() if key != name}
    return rest if given is None else {**rest, name: given}


def _not_primary(value: Any) -> Any:
    return {**value, "primary": False} if isinstance(value, dict) and value.get("primary") else value


def _identity(value: Any) -> Any:
    """Return by what a value is told from others: its `value`, where it has one."""
    return value.get("value", sorted(value.items())) if isinstance(value, dict) else value


def _put(holder: dict[str, Any], name: str, value: Any) -> None:
    if value in (None, [], {}):
        holder.pop(name, None)
    else:
        holder[name] = value
