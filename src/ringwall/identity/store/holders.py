"""What tokens say of a person: the part of an account that is read together with the grant that they come of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ringwall.identity.store.driver import unpacked

MEMBERSHIPS: Final = """
    (SELECT json_group_array(json_array(g.id, g.name, g.roles)) FROM memberships AS m
        JOIN groups AS g ON g.id = m.group_id WHERE m.account = {account})
"""
"""A column of what `memberships_of` reads; `{account}` is the column of the account's id."""
HOLDER: Final = """
    (SELECT json_array(a.id, a.user_name, a.display_name, a.email, a.details, a.disabled)
        FROM accounts AS a WHERE a.id = {account})
"""
"""A column of what `holder_of` reads; `{account}` is the column of the account's id."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Membership:
    """A group that somebody is in.

    Attributes:
        name: of the group.
        id: of the group.
        roles: which it gives to its members.
    """

    name: str
    id: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A person, as far as tokens tell of them.

    Attributes:
        id: never changes and is never given to another; `sub` of their tokens.
        user_name: as the person writes it.
        display_name: for people to read.
        email: as it was given, or an empty string.
        roles: names of roles that the person has, besides those of groups.
        attributes: further claims, as JSON values.
        memberships: the groups that the person is in; not changed by changing the account.
        disabled: when the account was disabled, or None.
    """

    id: str
    user_name: str
    display_name: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    memberships: tuple[Membership, ...] = ()
    disabled: float | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups."""
        return tuple(membership.name for membership in self.memberships)

    @property
    def effective_roles(self) -> tuple[str, ...]:
        """Names of the roles that the person has, and of those that the groups give."""
        given = (role for membership in self.memberships for role in membership.roles)
        return tuple(sorted({*self.roles, *given}))


def holder_of(person: str | None, memberships: str | None) -> Holder | None:
    """Return what the columns of HOLDER and MEMBERSHIPS say; None where there is no such account."""
    if person is None:
        return None
    account, user_name, display_name, email, details, disabled = orjson.loads(person)
    known = unpacked(details)
    return Holder(
        id=account,
        user_name=user_name,
        display_name=display_name,
        email=email,
        roles=tuple(known["roles"]),
        attributes=known["attributes"],
        memberships=memberships_of(memberships),
        disabled=disabled,
    )


def memberships_of(text: str | None) -> tuple[Membership, ...]:
    """Return what the column of MEMBERSHIPS says; PostgreSQL says nothing where there is none."""
    if text is None or text == "[]":
        return ()
    rows = orjson.loads(text)
    return tuple(sorted(Membership(id=each[0], name=each[1], roles=tuple(orjson.loads(each[2]))) for each in rows))
