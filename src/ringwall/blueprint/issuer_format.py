"""The tables of what `issuers`, `claims`, `roles`, `people` and `audiences` may hold."""

from typing import Final

from ringwall.blueprint import values
from ringwall.blueprint.issuer_model import Appearance, Audience, Claim, Issuer, IssuerRoles, Person, Registration, Role
from ringwall.blueprint.record import Field, MapOf, Pairs, Record
from ringwall.blueprint.service_model import Allow
from ringwall.blueprint.shape import At, Either, Flag, ListOf, Number, One, Text
from ringwall.blueprint.texts import (
    ANY_TEXT,
    CLAIM_PATH,
    CLAIM_VALUES,
    DURATION,
    FILE,
    IDENTIFIER,
    KEYS,
    NAME,
    NOWHERE,
    SCOPE,
    SCOPES,
    USER,
    WORD,
    choice,
)
from ringwall.blueprint.upstream_format import UPSTREAM

_ADMIN_OPERATION = Text("an operation of the administration", r"^[a-z.-]{1,80}$", str, "users.list")

_ADMINISTRATION: Final = Record(
    Allow,
    {
        "operations": Field(
            ListOf(_ADMIN_OPERATION, minimum=1), "Operations of the administration; default: all of them."
        ),
        "roles": Field(ListOf(IDENTIFIER, minimum=1), "The user holds one of these roles."),
        "scopes": Field(SCOPES, "The token carries all of these."),
        "users": Field(ListOf(USER, minimum=1), "The user is one of these."),
    },
    tells_given=True,
)

REGISTRATION: Final = Record(
    Registration,
    {
        "open": Field(
            Flag(),
            "true: anybody may register; default false: whoever has a token of `ringwall registration token`.",
        ),
        "kinds": Field(
            ListOf(choice(values.CLIENT_KINDS), minimum=1),
            "What clients may be, as under `clients`; default web, native and browser.",
        ),
        "scopes": Field(ListOf(SCOPE), "Scopes that they may ask for besides openid, profile and email; default none."),
        "hosts": Field(
            ListOf(Text("a host name", values.REDIRECT_HOST, str, "*.partner.example"), minimum=1),
            "Hosts that they may send people to, `*.partner.example` for every name below; default any. "
            "Native ones may use loopback as well.",
        ),
        "device_flow": Field(Flag(), "true: they may use the device flow (RFC 8628); default false."),
        "document_hosts": Field(
            ListOf(Text("a host name", values.REDIRECT_HOST, str, "keys.partner.example"), minimum=1),
            "Hosts from which the issuer fetches what they keep there (`jwks_uri`, `sector_identifier_uri`, "
            "`request_uris`); default none, so that they can have none of these.",
        ),
        "private_documents": Field(
            Flag(),
            "true: these hosts may have private addresses, such as those of this network, and clients may be told of "
            "sign-outs there; default false.",
        ),
        "lifetime": Field(DURATION, "How long after its last change a registration ends; default never."),
    },
)

APPEARANCE: Final = Record(
    Appearance,
    {
        "title": Field(
            Text("a title of one line", r"^[^\x00-\x1f\x7f]{1,80}$", str, "Example Clinic"),
            "What the pages call the system; default its name.",
        ),
        "colour": Field(
            Text("a colour", values.COLOUR, values.colour, '"#0b5cad"'),
            "Of buttons and links; dark enough to be read on white. Dark pages get a lighter one.",
        ),
        "logo": Field(FILE, "A PNG or SVG file of at most 64 KiB."),
    },
)

ISSUER: Final = Record(
    Issuer,
    {
        "issuer": Field(
            Text("a URL", values.URL, str, "https://idp.example"),
            "What `iss` must be, exactly. Without it this entry is Ringwall's own issuer.",
        ),
        "discovery": Field(
            Text("a URL", values.URL, str, "https://idp.example/.well-known/openid-configuration"),
            "Metadata document; default: `issuer` + /.well-known/openid-configuration.",
        ),
        "audience": Field(
            Either(
                scalar=One(WORD),
                sequence=ListOf(WORD, minimum=1),
            ),
            "What `aud` must hold, or a list of which one suffices; default: the system's name.",
        ),
        "algorithms": Field(
            ListOf(choice(values.ALGORITHMS), minimum=1),
            "Signature algorithms that are believed; default RS256 and ES256.",
        ),
        "roles": Field(
            Record(
                IssuerRoles,
                {
                    "claim": Field(CLAIM_PATH, "Where the token lists role names; default `roles`."),
                    "map": Field(Pairs(ANY_TEXT, IDENTIFIER), "Value in the token: role of this blueprint."),
                },
            ),
            "How this issuer's tokens name roles; without it they name none.",
        ),
        "administration": Field(
            ListOf(_ADMINISTRATION),
            "Who may administer Ringwall's own issuer over its API; default: nobody. All keys of one form must hold.",
        ),
        "registration": Field(
            REGISTRATION, "Lets clients register themselves with Ringwall's own issuer (RFC 7591); default: none may."
        ),
        "profile": Field(
            choice(values.PROFILES),
            "`fapi2`: Ringwall's own issuer follows the FAPI 2.0 Security Profile for every client; default none. "
            "`oidc_certification` is insecure, for loopback only: clients with a secret or a key may do without PKCE, "
            "as the OpenID Foundation's conformance plans do.",
        ),
        "pages": Field(APPEARANCE, "How the pages of Ringwall's own issuer look; default: as they are."),
        "processes": Field(
            Number(1, 16), "How many processes Ringwall's own issuer has; default 1. With two or more, one may fail."
        ),
        "upstreams": Field(
            MapOf(NAME, UPSTREAM), "Providers of others at which people sign in to the built-in issuer; default: none."
        ),
    },
    tells_given=True,
)
_CLAIM_TYPE = choice(values.CLAIM_TYPES)

CLAIM: Final = Record(
    Claim,
    {
        "type": Field(
            _CLAIM_TYPE, "`string`, `long`, `bool` or `set<string>`.", required=True, fallback=At("string", NOWHERE)
        ),
        "from": Field(CLAIM_PATH, "Where the token holds it; default: its own name.", attribute="source"),
    },
    short="type",
)

ROLE: Final = Record(Role, {"includes": Field(ListOf(IDENTIFIER), "Roles that whoever holds this one also holds.")})

PERSON: Final = Record(
    Person,
    {"roles": Field(ListOf(IDENTIFIER), "Roles this person holds."), "claims": CLAIM_VALUES},
)

AUDIENCE: Final = Record(
    Audience,
    {
        "url": Field(
            Text("a URL", values.REDIRECT, values.audience, "https://partner.example"),
            "`aud` of its tokens: https, or http on loopback; compared letter by letter.",
            required=True,
        ),
        "jwks": Field(
            KEYS,
            "Its one public key (JWK), with `use: enc` and `alg`: its tokens are encrypted; default: only signed.",
        ),
        "enc": Field(choice(values.CONTENT_ENCRYPTION), "How; default A128CBC-HS256."),
    },
    short="url",
)
