"""Whose tokens are believed, and what they say: issuers, claims, roles, people."""

from enum import StrEnum

from pydantic import Field

from ringwall.plan.base import Part
from ringwall.plan.client import ClientKind, Profile


class ClaimType(StrEnum):
    """Types that a policy may read from a token, by their Cedar names in the blueprint."""

    STRING = "string"
    LONG = "long"
    BOOL = "bool"
    STRING_SET = "set<string>"


class Claim(Part):
    """A token claim that policies may read as `principal.<name>`.

    `path` leads to it inside the token, for instance `("realm_access", "level")`.
    """

    name: str
    type: ClaimType
    path: tuple[str, ...]


class Registration(Part):
    """Who may register clients with the built-in issuer (RFC 7591), and what such clients may be.

    Attributes:
        open: whether anybody may; otherwise whoever holds an initial access token.
        kinds: what clients may be.
        scopes: scopes that they may ask for, besides the standard ones.
        hosts: hosts that they may send people to, `*.partner.example` for every name below; empty for any.
        device_flow: whether they may use the device flow (RFC 8628).
        document_hosts: hosts at which they may keep documents that the issuer fetches, as `hosts`; empty for none.
        private_documents: whether these hosts may have private addresses.
        seconds: how long after its last change a registration ends; 0 for never.
    """

    open: bool = False
    kinds: tuple[ClientKind, ...]
    scopes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    device_flow: bool = False
    document_hosts: tuple[str, ...] = Field(default=(), exclude_if=lambda hosts: not hosts)
    private_documents: bool = Field(default=False, exclude_if=lambda private: not private)
    seconds: int = 0


class Appearance(Part):
    """How the built-in issuer's pages look.

    Attributes:
        title: what they call the system; empty for its name.
        colour: of buttons and links, `#rrggbb`; empty for the usual one.
        dark_colour: the same for dark pages.
        logo: a picture in base64; empty where there is none.
        logo_type: its media type.
    """

    title: str = ""
    colour: str = ""
    dark_colour: str = ""
    logo: str = ""
    logo_type: str = ""


class Issuer(Part):
    """Somebody whose tokens are believed.

    Attributes:
        name: short name; principals of issuers other than the built-in one are called `name|sub`.
        url: what `iss` must be, exactly.
        builtin: True for Ringwall's own issuer.
        discovery: where the metadata document lies; None for the built-in issuer.
        audiences: a token's `aud` must hold one of these.
        algorithms: JWS algorithms accepted; never `none`, never a symmetric one.
        role_claim: path to the list of role names inside the token.
        roles: pairs (value in the token, role in the blueprint).
        registration: how clients may register themselves with the built-in issuer; None where they may not.
        profile: what the built-in issuer follows for every client; None for nothing but its own rules.
        pages: how the built-in issuer's pages look; None for as they are.
        processes: how many processes the built-in issuer has.
    """

    name: str
    url: str
    builtin: bool = False
    discovery: str | None = None
    audiences: tuple[str, ...] = Field(min_length=1)
    algorithms: tuple[str, ...] = Field(min_length=1)
    role_claim: tuple[str, ...] = ("roles",)
    roles: tuple[tuple[str, str], ...] = ()
    registration: Registration | None = Field(default=None, exclude_if=lambda registration: registration is None)
    profile: Profile | None = Field(default=None, exclude_if=lambda profile: profile is None)
    pages: Appearance | None = Field(default=None, exclude_if=lambda pages: pages is None)
    processes: int = Field(default=1, ge=1, exclude_if=lambda processes: processes == 1)


class Role(Part):
    """A role; `includes` names, transitively closed, every role that whoever holds this one also holds."""

    name: str
    includes: tuple[str, ...] = ()


class Person(Part):
    """A development user of the built-in issuer; there are none outside development mode."""

    name: str
    roles: tuple[str, ...] = ()
    claims: tuple[tuple[str, str | int | bool | tuple[str, ...]], ...] = ()
