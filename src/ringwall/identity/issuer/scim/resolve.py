"""Finds the attribute that a path means in a type of resource (RFC 7644, section 3.10)."""

from dataclasses import dataclass
from typing import Any

from ringwall.identity.issuer.scim.attributes import ENTERPRISE, Attribute, ResourceType, find
from ringwall.identity.issuer.scim.errors import ScimError
from ringwall.identity.issuer.scim.filter import Path


@dataclass(frozen=True, slots=True)
class Place:
    """An attribute within a resource.

    Attributes:
        extension: URN of the extension that it belongs to; empty for the schema itself.
        attribute: the attribute; None for the extension as a whole.
        sub: the part of it that is meant; None for all of it.
    """

    extension: str
    attribute: Attribute | None
    sub: Attribute | None = None

    @property
    def leaf(self) -> Attribute:
        """The attribute whose values are compared: a complex one without a part stands for its `value`."""
        assert self.attribute is not None  # noqa: S101  # asked of filters only, which name an attribute
        if self.sub is not None:
            return self.sub
        return self.attribute.find("value") or self.attribute

    def holder(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Return the object whose member the attribute is; an empty one where there is none."""
        return resource.get(self.extension, {}) if self.extension else resource


IGNORED = Place("", None)
"""An attribute that RFC 7643 knows and that is not kept."""


def resolve(path: Path, of: ResourceType, *, kind: str, within: Attribute | None = None) -> Place:
    """Return what a path means; ScimError of the `kind` where the type has no such attribute.

    Args:
        path: as it was written.
        of: the type of the resource.
        kind: `invalidFilter` or `invalidPath`.
        within: the attribute in whose brackets the path stands.
    """
    if within is not None:
        sub = within.find(path.name)
        if path.schema or path.sub or sub is None:
            raise _unknown(path, kind)
        return Place("", within, sub)
    schema = path.schema.lower()
    if f"{schema}:{path.name}".lower() == ENTERPRISE.lower():
        return Place(ENTERPRISE, None) if of.extension else IGNORED
    if schema == ENTERPRISE.lower() and of.name == "User":
        attribute = find(of.extension, path.name)
        return IGNORED if attribute is None else Place(ENTERPRISE, attribute, _sub(attribute, path, kind))
    if schema not in {"", of.schema.lower()}:
        raise _unknown(path, kind)
    attribute = of.find(path.name)
    if attribute is None:
        if path.name.lower() in of.ignored:
            return IGNORED
        raise _unknown(path, kind)
    return Place("", attribute, _sub(attribute, path, kind))


def _sub(attribute: Attribute, path: Path, kind: str) -> Attribute | None:
    if not path.sub:
        return None
    sub = attribute.find(path.sub)
    if sub is None:
        raise _unknown(path, kind)
    return sub


def _unknown(path: Path, kind: str) -> ScimError:
    shown = ".".join(part for part in (path.name, path.sub) if part)
    return ScimError(400, kind, f"there is no attribute {shown[:80]!r} here")
