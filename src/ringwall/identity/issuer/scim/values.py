"""What clients may write: one form of names and types, whatever dialect a client speaks."""

from typing import Any, Final

from ringwall.identity.issuer.scim.attributes import ENTERPRISE, Attribute, ResourceType, find
from ringwall.identity.issuer.scim.errors import invalid_syntax, invalid_value

MAX_TEXT: Final = 1024
MAX_VALUES: Final = 32
"""Of one multi-valued attribute; members of groups are not counted here."""
_TRUTHS: Final = {"true": True, "false": False}


def checked_resource(body: dict[str, Any], of: ResourceType) -> dict[str, Any]:
    """Return what a POST or PUT says (RFC 7644, sections 3.3 and 3.5.1), under the attributes' own names.

    1. `schemas`, where it is there, names the schema. 2. What only the server sets is passed over, and so is what no
    schema knows (RFC 7644, section 3.3). 3. Every value has its attribute's type.
    """
    found: dict[str, Any] = {}
    for name, value in body.items():
        if name.lower() == "schemas":
            if not isinstance(value, list) or of.schema.lower() not in [str(each).lower() for each in value]:  # 1
                raise invalid_syntax(f"`schemas` does not name {of.schema}")
        elif name.lower() == ENTERPRISE.lower():
            if of.extension:
                found[ENTERPRISE] = checked_object(value, of.extension, ENTERPRISE)
        elif (attribute := of.find(name)) is not None and not attribute.read_only:  # 2
            if attribute.name in found:
                raise invalid_syntax(f"{attribute.name!r} is there twice")
            found[attribute.name] = checked(value, attribute)  # 3
    return found


def checked_object(value: Any, attributes: tuple[Attribute, ...], what: str) -> dict[str, Any]:
    """Return an object with the members that are among `attributes`."""
    if not isinstance(value, dict):
        raise invalid_value(f"{what!r} is an object")
    found = {}
    for name, member in value.items():
        attribute = find(attributes, name)
        if attribute is not None and not attribute.read_only:
            found[attribute.name] = checked(member, attribute)
    return {name: member for name, member in found.items() if member is not None}


def checked(value: Any, attribute: Attribute) -> Any:
    """Return a value of an attribute; None for one that is to be unassigned (RFC 7643, section 2.5)."""
    if not attribute.multi_valued:
        return _one(value, attribute)
    if value is None:
        return None
    values = [_one(each, attribute) for each in (value if isinstance(value, list) else [value])]
    if attribute.name != "members" and len(values) > MAX_VALUES:
        raise invalid_value(f"{attribute.name!r} has more than {MAX_VALUES} values")
    kept = [each for each in values if each not in (None, {})]
    if sum(1 for each in kept if isinstance(each, dict) and each.get("primary") is True) > 1:
        raise invalid_value(f"{attribute.name!r} has several primary values")
    return kept


def _one(value: Any, attribute: Attribute) -> Any:
    """Return one value, of its type; booleans and numbers may come as texts, as Entra ID sends them."""
    if value is None:
        return None
    if attribute.type == "complex":
        if attribute.multi_valued and isinstance(value, str) and attribute.find("value"):
            value = {"value": value}
        return checked_object(value, attribute.sub, attribute.name)
    if attribute.type == "boolean":
        truth = _TRUTHS.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(truth, bool):
            raise invalid_value(f"{attribute.name!r} is true or false")
        return truth
    if not isinstance(value, str):
        raise invalid_value(f"{attribute.name!r} is a text")
    if len(value) > MAX_TEXT or "\0" in value:
        raise invalid_value(f"{attribute.name!r} has at most {MAX_TEXT} characters, none of them NUL")
    return value
