"""What a PATCH of a group asks for, without the group's members: there may be thousands of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ringwall.identity.issuer.scim.attributes import GROUP_TYPE, Attribute
from ringwall.identity.issuer.scim.errors import ScimError, invalid_syntax, invalid_value
from ringwall.identity.issuer.scim.filter import Compare, Filter, Logical, parse_patch_path
from ringwall.identity.issuer.scim.resolve import resolve
from ringwall.identity.issuer.scim.values import checked


@dataclass(slots=True)
class MemberChanges:
    """Whom to put in and whom to take out, the later over the earlier.

    Attributes:
        all: the members that there are to be, where a request names them all; else None.
        add: ids of those to put in.
        remove: ids of those to take out.
    """

    all: set[str] | None = None
    add: set[str] = field(default_factory=set)
    remove: set[str] = field(default_factory=set)

    @property
    def nothing(self) -> bool:
        """Whether nobody comes or goes."""
        return self.all is None and not self.add and not self.remove

    def leaving(self, there: Iterable[str]) -> set[str]:
        """Return who of the members goes."""
        return set(there) - self.all if self.all is not None else set(there) & self.remove

    def let_in(self, ids: set[str]) -> None:
        """Put accounts in."""
        if self.all is not None:
            self.all |= ids
        else:
            self.add |= ids
            self.remove -= ids

    def let_out(self, ids: set[str]) -> None:
        """Take accounts out."""
        if self.all is not None:
            self.all -= ids
        else:
            self.remove |= ids
            self.add -= ids

    def become(self, ids: set[str]) -> None:
        """Let these be the members."""
        self.all, self.add, self.remove = set(ids), set(), set()


def split_members(
    operations: list[tuple[str, str, Any]],
) -> tuple[list[tuple[str, str, Any]], MemberChanges]:
    """Return the operations that are about other attributes, and what the rest do to the members."""
    others: list[tuple[str, str, Any]] = []
    changes = MemberChanges()
    for op, path, value in operations:
        if path:
            if not _member_operation(op, path, value, changes):
                others.append((op, path, value))
            continue
        if not isinstance(value, dict):
            raise invalid_syntax("an operation without a path has an object as its value")
        rest = {name: each for name, each in value.items() if not _member_operation(op, name, each, changes)}
        if rest:
            others.append((op, path, rest))
    return others, changes


def ids_of(value: Any) -> set[str]:
    """Return the ids of members; ScimError where one is none of an account."""
    found = set()
    given = value if isinstance(value, list) else [] if value is None else [value]
    if any(isinstance(each, dict) and "value" not in {name.lower() for name in each} for each in given):
        raise invalid_value("a member has no `value`")
    for each in checked(given, _members()) or ():
        if each.get("type", "User").lower() != "user":
            raise invalid_value("groups do not hold groups")
        if not each.get("value"):
            raise invalid_value("a member has no `value`")
        found.add(each["value"])
    return found


def _members() -> Attribute:
    attribute = GROUP_TYPE.find("members")
    assert attribute is not None  # noqa: S101  # it is in the table
    return attribute


def _member_operation(op: str, text: str, value: Any, changes: MemberChanges) -> bool:
    """Take an operation on the members; False where it is on something else."""
    if text.lower().startswith("urn:ietf:params:scim:schemas:extension:"):
        return False
    path = parse_patch_path(text)
    place = resolve(path.path, GROUP_TYPE, kind="invalidPath")
    if place.attribute is None or place.attribute.name != "members":
        return False
    if place.sub is not None:
        raise ScimError(400, "mutability", "a member is put in or taken out, and not changed")
    if path.of is not None:
        if op != "remove":
            raise ScimError(400, "mutability", "a member is put in or taken out, and not changed")
        changes.let_out(_picked(path.of))
    elif op == "add":
        changes.let_in(ids_of(value))
    elif op == "replace":
        changes.become(ids_of(value))
    elif value in (None, []):
        changes.become(set())
    else:
        changes.let_out(ids_of(value))
    return True


def _picked(tree: Filter) -> set[str]:
    """Return the ids that `value eq "…"`, or several joined by `or`, select."""
    if isinstance(tree, Logical) and tree.op == "or":
        return set().union(*(_picked(part) for part in tree.of))
    if isinstance(tree, Compare) and tree.op == "eq" and tree.path.name.lower() == "value":
        return {str(tree.value)}
    raise ScimError(400, "invalidPath", 'members are selected by `value eq "…"`')
