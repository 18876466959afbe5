"""Which attributes are answered with (RFC 7644, sections 3.4.2.5 and 3.9)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ringwall.identity.issuer.scim.attributes import ENTERPRISE, ResourceType
from ringwall.identity.issuer.scim.errors import ScimError
from ringwall.identity.issuer.scim.filter import MAX_TERMS, parse_path

_ALWAYS = frozenset({"schemas", "id"})


@dataclass(frozen=True, slots=True)
class Projection:
    """What of a resource somebody wants to see.

    Attributes:
        wanted: lower-case names (`name`, `name.familyname`, with the extension's URN where they are its); None for all.
        unwanted: the same of those to leave out.
    """

    wanted: frozenset[str] | None = None
    unwanted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, attributes: Iterable[str], excluded: Iterable[str], kind: ResourceType) -> "Projection":
        """Return the projection that a request asks for; ScimError where it asks for both, or for too much."""
        wanted, unwanted = _names(attributes, kind), _names(excluded, kind)
        if wanted and unwanted:
            raise ScimError(400, "invalidValue", "`attributes` and `excludedAttributes` exclude each other")
        return cls(wanted or None, unwanted)

    def shows(self, name: str) -> bool:
        """Return whether anything of an attribute is shown."""
        key = name.lower()
        if name in _ALWAYS:
            return True
        if self.wanted is None:
            return key not in self.unwanted
        return key in self.wanted or any(each.startswith(f"{key}.") for each in self.wanted)

    def apply(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Return what is to be seen of a resource."""
        if self.wanted is None and not self.unwanted:
            return resource
        shown: dict[str, Any] = {}
        for name, value in resource.items():
            if name == ENTERPRISE:
                inner = {each: v for each, v in value.items() if self._shows_in_extension(each)}
                if inner:
                    shown[name] = inner
            elif self.shows(name) and (part := self._part(name, value)) not in ({}, []):
                shown[name] = part
        return shown

    def _shows_in_extension(self, name: str) -> bool:
        whole, key = ENTERPRISE.lower(), f"{ENTERPRISE}:{name}".lower()
        if self.wanted is None:
            return not {whole, key} & self.unwanted
        return bool({whole, key} & self.wanted)

    def _part(self, name: str, value: Any) -> Any:
        """Return a value with those of its sub-attributes that are to be seen."""
        if isinstance(value, list):
            return [part for each in value if (part := self._part(name, each)) != {}]
        if not isinstance(value, dict):
            return value
        key = name.lower()
        if self.wanted is None:
            return {sub: v for sub, v in value.items() if f"{key}.{sub.lower()}" not in self.unwanted}
        if key in self.wanted:
            return value
        return {sub: v for sub, v in value.items() if f"{key}.{sub.lower()}" in self.wanted}


def _names(given: Iterable[str], kind: ResourceType) -> frozenset[str]:
    """Return the names under which resources hold them; what is no attribute is passed over."""
    found = set()
    for number, text in enumerate(given):
        if number >= MAX_TERMS:
            raise ScimError(400, "invalidValue", f"more than {MAX_TERMS} attributes are named")
        name = text.strip()
        if name.lower() == ENTERPRISE.lower():
            found.add(name.lower())
        elif name:
            path = parse_path(name)
            prefix = f"{ENTERPRISE.lower()}:" if path.schema.lower() == ENTERPRISE.lower() else ""
            if not path.schema or prefix or path.schema.lower() == kind.schema.lower():
                found.add(prefix + ".".join(part for part in (path.name, path.sub) if part).lower())
    return frozenset(found)
