"""The attributes of users and groups (RFC 7643, sections 4 and 7): which are kept, and what may be done to them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

CORE: Final = "urn:ietf:params:scim:schemas:core:2.0:"
USER: Final = f"{CORE}User"
GROUP: Final = f"{CORE}Group"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute as RFC 7643, section 7, describes it."""

    name: str
    type: str = "string"
    description: str = ""
    multi_valued: bool = False
    required: bool = False
    case_exact: bool = False
    mutability: str = "readWrite"
    returned: str = "default"
    uniqueness: str = "none"
    canonical: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sub: tuple["Attribute", ...] = ()

    @property
    def read_only(self) -> bool:
        """Whether clients cannot set it."""
        return self.mutability == "readOnly"

    def find(self, name: str) -> "Attribute | None":
        """Return a sub-attribute, whose name is not case sensitive (RFC 7643, section 2.1)."""
        return find(self.sub, name)

    def told(self) -> dict[str, Any]:
        """Return what `/Schemas` says of it."""
        told: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "multiValued": self.multi_valued,
            "description": self.description or f"The {self.name} of the resource.",
            "required": self.required,
            "mutability": self.mutability,
            "returned": self.returned,
        }
        if self.type in {"string", "reference"}:
            told |= {"caseExact": self.case_exact, "uniqueness": self.uniqueness}
        if self.canonical:
            told["canonicalValues"] = list(self.canonical)
        if self.references:
            told["referenceTypes"] = list(self.references)
        if self.sub:
            told["subAttributes"] = [sub.told() for sub in self.sub]
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """What there is of users, or of groups (RFC 7643, section 6).

    Attributes:
        name: `User` or `Group`.
        path: of the endpoint.
        schema: URN of its schema.
        attributes: of that schema, and those that every resource has.
        extension: attributes of the enterprise extension that claims of the plan are made of; empty for none.
        ignored: names of attributes that RFC 7643 knows and that are not kept: what is said of them is passed over.
    """

    name: str
    path: str
    schema: str
    attributes: tuple[Attribute, ...]
    extension: tuple[Attribute, ...] = ()
    ignored: frozenset[str] = field(default=frozenset())

    def find(self, name: str) -> Attribute | None:
        """Return an attribute of the schema itself."""
        return find(self.attributes, name)


def find(attributes: Iterable[Attribute], name: str) -> Attribute | None:
    """Return the attribute of a name in whatever case."""
    wanted = name.lower()
    return next((each for each in attributes if each.name.lower() == wanted), None)


def _texts(*names: str, **options: Any) -> tuple[Attribute, ...]:
    return tuple(Attribute(name=name, **options) for name in names)


def _plural(name: str, *more: Attribute, kinds: tuple[str, ...]) -> Attribute:
    """Return a multi-valued attribute with the sub-attributes that such have (RFC 7643, section 2.4)."""
    first = more or _texts("value", "display")
    kind = Attribute(name="type", canonical=kinds)
    return Attribute(
        name=name, type="complex", multi_valued=True, sub=(*first, kind, Attribute(name="primary", type="boolean"))
    )


_COMMON: Final = (
    Attribute(name="schemas", type="reference", multi_valued=True, required=True, case_exact=True, returned="always"),
    Attribute(name="id", case_exact=True, mutability="readOnly", returned="always", uniqueness="server"),
    Attribute(name="externalId", case_exact=True, description="What the client that asks calls the resource."),
    Attribute(
        name="meta",
        type="complex",
        mutability="readOnly",
        sub=(
            *_texts("resourceType", case_exact=True, mutability="readOnly"),
            *(Attribute(name=name, type="dateTime", mutability="readOnly") for name in ("created", "lastModified")),
            Attribute(name="location", type="reference", case_exact=True, mutability="readOnly", references=("uri",)),
            *_texts("version", case_exact=True, mutability="readOnly"),
        ),
    ),
)
COMMON: Final = frozenset(attribute.name for attribute in _COMMON)
"""Attributes of every resource, which no schema lists (RFC 7643, section 3.1)."""

_NAME: Final = _texts("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
_ADDRESS: Final = _texts("formatted", "streetAddress", "locality", "region", "postalCode", "country")
_KINDS: Final = ("work", "home", "other")
_USER: Final = (
    *_COMMON,
    Attribute(name="userName", required=True, uniqueness="server", description="What the person signs in with."),
    Attribute(name="name", type="complex", sub=_NAME),
    *_texts("displayName", "nickName"),
    Attribute(name="profileUrl", type="reference", references=("external",)),
    *_texts("title", "userType", "preferredLanguage", "locale", "timezone"),
    Attribute(name="active", type="boolean", description="Whether the person may sign in."),
    Attribute(name="password", mutability="writeOnly", returned="never", case_exact=True),
    _plural("emails", kinds=_KINDS),
    _plural("phoneNumbers", kinds=(*_KINDS, "mobile", "fax", "pager")),
    _plural("addresses", *_ADDRESS, kinds=_KINDS),
    Attribute(
        name="groups",
        type="complex",
        multi_valued=True,
        mutability="readOnly",
        sub=(
            *_texts("value", "display", "type", mutability="readOnly"),
            Attribute(name="$ref", type="reference", mutability="readOnly", references=("Group",)),
        ),
    ),
)
_ENTERPRISE: Final = ("employeeNumber", "costCenter", "organization", "division", "department")
_NOT_KEPT: Final = frozenset({"ims", "photos", "entitlements", "x509certificates"})

GROUP_TYPE: Final = ResourceType(
    name="Group",
    path="/Groups",
    schema=GROUP,
    attributes=(
        *_COMMON,
        Attribute(name="displayName", required=True, uniqueness="server"),
        Attribute(
            name="members",
            type="complex",
            multi_valued=True,
            description="Accounts; groups do not hold groups.",
            sub=(
                Attribute(name="value", mutability="immutable", case_exact=True),
                Attribute(name="$ref", type="reference", mutability="immutable", references=("User",)),
                Attribute(name="type", mutability="immutable", canonical=("User",)),
            ),
        ),
    ),
)


def user_type(*, roles: Iterable[str], claims: Iterable[str]) -> ResourceType:
    """Return what there is of users in a system.

    Args:
        roles: names of the roles that there are.
        claims: names of the claims that are texts: the enterprise extension has those of its attributes.
    """
    role = Attribute(name="value", canonical=tuple(sorted(roles)), case_exact=True)
    given = Attribute(
        name="roles",
        type="complex",
        multi_valued=True,
        description="Roles of the account itself, beside those that its groups give.",
        sub=(role,),
    )
    declared = frozenset(claims)
    return ResourceType(
        name="User",
        path="/Users",
        schema=USER,
        attributes=(*_USER, given),
        extension=tuple(Attribute(name=name) for name in _ENTERPRISE if name in declared),
        ignored=_NOT_KEPT,
    )
