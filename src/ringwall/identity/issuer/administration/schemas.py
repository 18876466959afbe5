"""What answers of the administration hold. The OpenAPI description is made of these and of the bodies."""

# ruff: noqa: D101  # what a class holds is what its name says; the operations say the rest
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Told(BaseModel):
    """What is answered. Times are seconds since the epoch."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Told):
    """Some of many; `next` is the `after` of the following request, null at the end."""

    next: str | None = None


class User(Told):
    id: str
    version: int
    user_name: str
    display_name: str
    email: str
    roles: list[str]
    groups: list[str]
    effective_roles: list[str]
    managed_by: str
    attributes: dict[str, Any]
    created: float
    disabled: float | None


class Users(Page):
    users: list[User]


class Passkey(Told):
    name: str
    created: float
    used: float | None


class Session(Told):
    id: str
    user: str
    created: float
    seen: float
    expires: float
    signed_in: float
    acr: str = ""


class Grant(Told):
    id: str
    client: str
    user: str
    session: str
    scopes: list[str]
    created: float
    used: float
    expires: float


class UserDetails(User):
    password_changed: float | None
    totp: bool
    recovery_codes: int
    passkeys: list[Passkey]
    sessions: list[Session]
    grants: list[Grant]


class Sessions(Page):
    sessions: list[Session]


class Grants(Page):
    grants: list[Grant]


class Link(Told):
    """An invitation's link, for the person who is invited and nobody else; it cannot be seen again."""

    id: str
    link: str
    expires: float


class Imported(Told):
    """`id` is empty for a dry run; roles that the plan has not were left out."""

    id: str
    unknown_roles: list[str]


class Ended(Told):
    sessions: int
    grants: int


class Invitation(Told):
    id: str
    user_name: str
    roles: list[str]
    anew: bool
    by: str
    expires: float


class Invitations(Told):
    invitations: list[Invitation]


class Role(Told):
    name: str
    includes: list[str]


class Roles(Told):
    roles: list[Role]


class Group(Told):
    id: str
    version: int
    name: str
    roles: list[str]
    managed_by: str
    size: int
    created: float


class Groups(Page):
    groups: list[Group]


class Member(Told):
    id: str
    user_name: str
    display_name: str


class Members(Page):
    members: list[Member]


class Client(Told):
    name: str
    title: str
    kind: str
    registered: bool
    roles: list[str]
    scopes: list[str]
    redirect_uris: list[str]
    created: float | None = None


class Clients(Page):
    clients: list[Client]


class ClientSecret(Told):
    created: float


class Secrets(Told):
    secrets: list[ClientSecret]


class NewSecret(Told):
    """A fresh secret; it cannot be seen again."""

    client: str
    secret: str
    token_endpoint: str


class SecretsEnded(Told):
    ended: int


class Consent(Told):
    client: str
    scopes: list[str]
    granted: float


class Consents(Told):
    consents: list[Consent]


class Key(Told):
    kid: str
    algorithm: Literal["ES256", "RS256"]
    state: Literal["next", "active", "retiring"]
    published: float
    activated: float | None
    signed_until: float | None


class Keys(Told):
    keys: list[Key]
    next_change: float


class Event(Told):
    """One act. `after` of a request for what follows is its `cursor`."""

    id: str
    cursor: str
    time: float
    act: str
    by: str
    subject: str
    detail: dict[str, Any]


class Events(Page):
    events: list[Event]


class Revocation(Told):
    kind: str
    name: str
    value: str
    issuer: str
    until: float | None
    before: float | None


class Revocations(Told):
    revocations: list[Revocation]


class Nothing(Told):
    """It is done."""


class Problem(BaseModel):
    """RFC 9457; `type` ends with what a program can tell errors apart by."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""
