"""What can be asked of the built-in issuer by whoever administers it: every operation, in one table.

The compiler makes operations of the service `ringwall-issuer` of these rows, so that policies are written on them and
the proxies enforce them; the issuer routes by the same rows, and asks the same policies once more. What is not here
cannot be asked. Paths are below the issuer's URL.
"""

from dataclasses import dataclass
from typing import Final

ISSUER_SERVICE: Final = "ringwall-issuer"
"""Name of the built-in issuer as a service of the plan."""

OPERATOR: Final = "ringwall-operator"
"""`Workload` whom policies see where the operating-system user who runs the system asks, over a Unix socket.

It may do everything that no policy forbids. No service can have this name.
"""

CLOSED: Final = ("/admin", "/scim")
"""Below these paths nothing is answered but what the table holds."""


@dataclass(frozen=True, slots=True)
class AdminOperation:
    """One row.

    Attributes:
        name: what policies call it: `Action::"ringwall-issuer/NAME"`.
        method: HTTP method.
        template: path below the issuer's URL.
        says: what it does, for people.
    """

    name: str
    method: str
    template: str
    says: str

    @property
    def id(self) -> str:
        """Its id as an operation of the plan."""
        return f"{ISSUER_SERVICE}/{self.name}"


PROVISIONING: Final = (
    AdminOperation("scim.config", "GET", "/scim/v2/ServiceProviderConfig", "Read what SCIM can do here"),
    AdminOperation("scim.resource-types", "GET", "/scim/v2/ResourceTypes", "List the types of SCIM resources"),
    AdminOperation("scim.resource-type", "GET", "/scim/v2/ResourceTypes/{name}", "Show a type of SCIM resources"),
    AdminOperation("scim.schemas", "GET", "/scim/v2/Schemas", "List the SCIM schemas"),
    AdminOperation("scim.schema", "GET", "/scim/v2/Schemas/{name}", "Show a SCIM schema"),
    AdminOperation("scim.search", "POST", "/scim/v2/.search", "Search users and groups, over SCIM"),
    AdminOperation("scim.bulk", "POST", "/scim/v2/Bulk", "Do several of these; each has to be allowed"),
    AdminOperation("scim.me", "GET", "/scim/v2/Me", "Show the user who asks, over SCIM"),
    AdminOperation("scim.users.list", "GET", "/scim/v2/Users", "List users, over SCIM"),
    AdminOperation("scim.users.search", "POST", "/scim/v2/Users/.search", "Search users, over SCIM"),
    AdminOperation("scim.users.create", "POST", "/scim/v2/Users", "Make a user, over SCIM"),
    AdminOperation("scim.users.read", "GET", "/scim/v2/Users/{user}", "Show a user, over SCIM"),
    AdminOperation("scim.users.replace", "PUT", "/scim/v2/Users/{user}", "Replace a user, over SCIM"),
    AdminOperation("scim.users.change", "PATCH", "/scim/v2/Users/{user}", "Change a user, over SCIM"),
    AdminOperation("scim.users.delete", "DELETE", "/scim/v2/Users/{user}", "Delete a user, over SCIM"),
    AdminOperation("scim.groups.list", "GET", "/scim/v2/Groups", "List groups, over SCIM"),
    AdminOperation("scim.groups.search", "POST", "/scim/v2/Groups/.search", "Search groups, over SCIM"),
    AdminOperation("scim.groups.create", "POST", "/scim/v2/Groups", "Make a group, over SCIM"),
    AdminOperation("scim.groups.read", "GET", "/scim/v2/Groups/{group}", "Show a group, over SCIM"),
    AdminOperation("scim.groups.replace", "PUT", "/scim/v2/Groups/{group}", "Replace a group, over SCIM"),
    AdminOperation("scim.groups.change", "PATCH", "/scim/v2/Groups/{group}", "Change a group, over SCIM"),
    AdminOperation("scim.groups.delete", "DELETE", "/scim/v2/Groups/{group}", "Delete a group, over SCIM"),
)
"""SCIM 2.0 (RFC 7644)."""

OPERATIONS: Final = (
    AdminOperation("api.read", "GET", "/admin/openapi.json", "Read the description of this API"),
    AdminOperation("users.list", "GET", "/admin/users", "List accounts"),
    AdminOperation("users.read", "GET", "/admin/users/{user}", "Show an account, and how its person can sign in"),
    AdminOperation("users.import", "POST", "/admin/users", "Make an account as another system has it"),
    AdminOperation("users.change", "PATCH", "/admin/users/{user}", "Change user name, display name or address"),
    AdminOperation(
        "users.set-attributes", "PATCH", "/admin/users/{user}/attributes", "Set attributes, which policies may read"
    ),
    AdminOperation("users.disable", "POST", "/admin/users/{user}/disable", "Disable an account and end its sessions"),
    AdminOperation("users.enable", "POST", "/admin/users/{user}/enable", "Enable an account again"),
    AdminOperation("users.sign-out", "DELETE", "/admin/users/{user}/sessions", "End a person's sessions everywhere"),
    AdminOperation("users.delete", "DELETE", "/admin/users/{user}", "Delete an account"),
    AdminOperation("users.invite", "POST", "/admin/invitations", "Invite somebody new"),
    AdminOperation(
        "users.reset", "POST", "/admin/users/{user}/invitation", "Invite a person to set new credentials for all"
    ),
    AdminOperation("invitations.list", "GET", "/admin/invitations", "List the invitations that wait"),
    AdminOperation("invitations.withdraw", "DELETE", "/admin/invitations/{invitation}", "Make an invitation useless"),
    AdminOperation("roles.list", "GET", "/admin/roles", "List the roles of the plan"),
    AdminOperation("roles.holders", "GET", "/admin/roles/{role}/holders", "List the accounts that hold a role"),
    AdminOperation("roles.give", "PUT", "/admin/users/{user}/roles/{role}", "Give a role that one holds oneself"),
    AdminOperation("roles.grant", "PUT", "/admin/users/{user}/any-role/{role}", "Give a role, held oneself or not"),
    AdminOperation("roles.take", "DELETE", "/admin/users/{user}/roles/{role}", "Take a role from an account"),
    AdminOperation("groups.list", "GET", "/admin/groups", "List groups"),
    AdminOperation("groups.read", "GET", "/admin/groups/{group}", "Show a group"),
    AdminOperation("groups.members", "GET", "/admin/groups/{group}/members", "List the members of a group"),
    AdminOperation("groups.create", "POST", "/admin/groups", "Make a group"),
    AdminOperation("groups.change", "PATCH", "/admin/groups/{group}", "Rename a group, or say who provisions it"),
    AdminOperation("groups.delete", "DELETE", "/admin/groups/{group}", "Delete a group; its members stay"),
    AdminOperation("groups.give-role", "PUT", "/admin/groups/{group}/roles/{role}", "Let a group give a role"),
    AdminOperation("groups.take-role", "DELETE", "/admin/groups/{group}/roles/{role}", "Let a group give it no more"),
    AdminOperation("groups.join", "PUT", "/admin/users/{user}/groups/{group}", "Put an account into a group"),
    AdminOperation("groups.leave", "DELETE", "/admin/users/{user}/groups/{group}", "Take an account out of a group"),
    AdminOperation("clients.list", "GET", "/admin/clients", "List clients, of the plan and registered"),
    AdminOperation("clients.read", "GET", "/admin/clients/{client}", "Show a client"),
    AdminOperation("clients.delete", "DELETE", "/admin/clients/{client}", "Delete a client that has registered itself"),
    AdminOperation("secrets.list", "GET", "/admin/clients/{client}/secrets", "List when secrets were made"),
    AdminOperation("secrets.make", "POST", "/admin/clients/{client}/secrets", "Make a secret of a client"),
    AdminOperation("secrets.end", "DELETE", "/admin/clients/{client}/secrets", "End every secret of a client"),
    AdminOperation("clients.sign-out", "DELETE", "/admin/clients/{client}/grants", "End every grant of a client"),
    AdminOperation("grants.list", "GET", "/admin/grants", "List what clients may do, of a user or a client"),
    AdminOperation("grants.end", "DELETE", "/admin/grants/{grant}", "End what one client may do for one person"),
    AdminOperation("sessions.list", "GET", "/admin/sessions", "List sessions, of all or of one user"),
    AdminOperation("sessions.read", "GET", "/admin/sessions/{session}", "Show a session"),
    AdminOperation("sessions.end", "DELETE", "/admin/sessions/{session}", "End a session"),
    AdminOperation("consents.list", "GET", "/admin/users/{user}/consents", "List what a person consented to"),
    AdminOperation(
        "consents.withdraw", "DELETE", "/admin/users/{user}/consents/{client}", "Withdraw a person's consent"
    ),
    AdminOperation("keys.list", "GET", "/admin/keys", "List the signing keys"),
    AdminOperation("keys.rotate", "POST", "/admin/keys/rotate", "Rotate the signing keys"),
    AdminOperation("keys.replace", "POST", "/admin/keys/replace", "Replace every signing key at once"),
    AdminOperation("events.list", "GET", "/admin/events", "List what was done"),
    AdminOperation("revocations.list", "GET", "/admin/revocations", "List what is revoked"),
    AdminOperation("revocations.add", "PUT", "/admin/revocations/{kind}/{name}", "Revoke something"),
    AdminOperation("revocations.lift", "DELETE", "/admin/revocations/{kind}/{name}", "Lift a revocation"),
    *PROVISIONING,
)
"""Every operation of the administration."""

BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}
IDS: Final = frozenset(operation.id for operation in OPERATIONS)
