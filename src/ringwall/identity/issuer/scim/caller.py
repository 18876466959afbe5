"""Who provisions, and how far they may go: nobody gives, over SCIM, what they do not have."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from ringwall.identity.issuer.administration.actor import Actor
from ringwall.identity.issuer.scim.errors import ScimError
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.groups import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sends a request that the policies allow.

    Policies say who may ask which endpoint. What they cannot see is in the body, so it is judged here:

    1. Roles are given only by who has them (`roles`, those that others include among them); taken, too, by rule 3.
    2. A program changes only the accounts and groups that it manages: those that it has made, or was handed.
    3. An account with a role that the caller does not have is not changed, as whoever sets its password or address
       becomes its person; its manager may still disable and delete it, because people leave.
    4. A group that gives such a role is not changed.

    Attributes:
        actor: who asks, as the administration knows them.
        client: the client that asks, whose `externalId` is meant.
        machine: whether it asks in its own name.
        roles: what the caller has, with everything that these roles include.
        known: the roles of the plan; no others count.
    """

    actor: Actor
    client: str
    machine: bool
    roles: frozenset[str]
    known: frozenset[str]

    @property
    def name(self) -> str:
        """What events call the caller: the account of a person, or a client."""
        return self.actor.name

    @property
    def manager(self) -> str:
        """Who manages what the caller makes."""
        return self.client if self.machine else ""

    def may_give(self, roles: Collection[str]) -> None:
        """Refuse roles that the caller does not have (rule 1)."""
        for role in sorted(roles):
            if role not in self.known:
                raise ScimError(400, "invalidValue", f"there is no role {role[:80]!r}")
            if role not in self.roles:
                raise ScimError(403, "", f"whoever does not have the role {role!r} cannot give or take it")

    def may_change(self, before: Account, after: Account, *, password: bool) -> None:
        """Refuse a change of an account that the caller may not make (rules 1 to 3)."""
        if before == after and not password:
            return
        self._manages(before)
        self.may_give(set(after.roles) - set(before.roles))
        only_disabled = after.disabled is not None and replace(after, disabled=before.disabled) == before
        if not (self.machine and only_disabled and not password):
            self._outranks(before)

    def may_delete(self, account: Account) -> None:
        """Refuse the deletion of an account (rules 2 and 3)."""
        self._manages(account)
        if not self.machine:
            self._outranks(account)

    def may_call_it_otherwise(self, of: Account | Group) -> None:
        """Refuse another `externalId` for what the caller does not manage (rule 2)."""
        self._manages(of)

    def may_change_group(self, group: Group) -> None:
        """Refuse a change of a group, of its members too (rules 2 and 4)."""
        self._manages(group)
        if beyond := (set(group.roles) & self.known) - self.roles:
            raise ScimError(403, "", f"the group gives the role {min(beyond)!r}, which the caller does not have")

    def may_put_into_groups(self, account: Account) -> None:
        """Refuse somebody else's account as a member (rule 2)."""
        self._manages(account)

    def _manages(self, what: Account | Group) -> None:
        if self.machine and what.manager != self.client:
            raise ScimError(
                403, "", f"{self.client!r} does not manage this; `--managed-by {self.client}` hands it over"
            )

    def _outranks(self, account: Account) -> None:
        if beyond := (set(account.effective_roles) & self.known) - self.roles:
            raise ScimError(403, "", f"the account has the role {min(beyond)!r}, which the caller does not have")
