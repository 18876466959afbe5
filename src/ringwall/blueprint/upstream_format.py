"""The table of what `upstreams` of the built-in issuer may hold."""

from typing import Final

from ringwall.blueprint import values
from ringwall.blueprint.record import Field, Pairs, Record
from ringwall.blueprint.shape import Either, Flag, ListOf, One, Text
from ringwall.blueprint.texts import CLAIM_PATH, DURATION, IDENTIFIER, WORD, choice
from ringwall.blueprint.upstream_model import Upstream, UpstreamRoles, UpstreamSaml, UpstreamSecret
from ringwall.blueprint.upstream_presets import PRESETS

_LEVELS: Final = ("pwd", "mfa", "phr")
AUTHENTICATIONS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")


_URL = Text("a URL", values.URL, str, "https://idp.example")
_VALUE = Text("a value", r"^[^\x00-\x1f]{1,400}$", str)
_DOMAIN = Text("an e-mail domain", r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$", str.lower, "clinic.example")
_LEVELS_BY = Pairs(_VALUE, choice(_LEVELS))

SECRET: Final = Record(
    UpstreamSecret,
    {
        "file": Field(
            Text("a path", r"^[^\0]{1,400}$", str, "secrets/entra"),
            "File that holds it, relative to this folder or absolute; read when it is needed.",
        ),
        "env": Field(
            Text(
                "an environment variable that begins with RINGWALL_SECRET_",
                r"^RINGWALL_SECRET_[A-Z0-9_]{1,100}$",
                str,
                "RINGWALL_SECRET_ENTRA",
            ),
            "Environment variable of `ringwall up` that holds it: `RINGWALL_SECRET_…`.",
        ),
    },
    tells_given=True,
)

UPSTREAM_ROLES: Final = Record(
    UpstreamRoles,
    {
        "claim": Field(CLAIM_PATH, "Where the provider says it; default `roles`."),
        "map": Field(Pairs(_VALUE, IDENTIFIER), "Value there: role of this blueprint.", required=True, fallback=()),
    },
)

_ATTRIBUTE = Text("the name of an attribute", r"^[^\x00-\x20\x7f]{1,400}$", str, "mail")

SAML: Final = Record(
    UpstreamSaml,
    {
        "metadata": Field(
            Text("a path", r"^[^\0]{1,400}$", str, "idp/adfs.xml"),
            "File with the provider's metadata, below this folder: who it is, where it is, and its keys.",
            required=True,
        ),
        "subject": Field(_ATTRIBUTE, "Attribute that says who somebody is and never changes; default: the NameID."),
        "email": Field(_ATTRIBUTE, "Attribute with the address; default `email`."),
        "sign_requests": Field(
            Flag(), "Whether requests to sign in are signed; default: whether the metadata wants that."
        ),
        "encrypted": Field(
            Flag(), "true: assertions must be encrypted, and our metadata has a key for that; default false."
        ),
        "display_name": Field(_ATTRIBUTE, "Attribute with the name that people read; default `name`."),
    },
    tells_given=True,
)

UPSTREAM: Final = Record(
    Upstream,
    {
        "title": Field(
            Text("a title of one line", r"^[^\x00-\x1f\x7f]{1,80}$", str, "Contoso"),
            "What people read on its button; default: its name.",
        ),
        "preset": Field(
            choice(tuple(PRESETS)), "Which provider it is; default `oidc`, any. It fills in what is left out here."
        ),
        "saml": Field(SAML, "Speak SAML 2.0 to it. Keys of OpenID Connect have no place beside it."),
        "issuer": Field(_URL, "What `iss` must be, exactly."),
        "discovery": Field(_URL, "Metadata document; default: `issuer` + /.well-known/openid-configuration."),
        "tenant": Field(WORD, "Entra: the tenant's id, or `organizations` with `tenants`."),
        "tenants": Field(
            ListOf(WORD, minimum=1), "Tenants whose people may sign in (`tid` of Entra, `hd` of Google); default: all."
        ),
        "client_id": Field(WORD, "What Ringwall is called there."),
        "secret": Field(SECRET, "Where the secret lies that proves it."),
        "authentication": Field(
            choice(AUTHENTICATIONS),
            "How Ringwall authenticates there; default: by the preset. `private_key_jwt` needs no secret.",
        ),
        "scopes": Field(ListOf(Text("a scope", values.SCOPE, str, "groups")), "Scopes to ask for, besides `openid`."),
        "algorithms": Field(
            ListOf(choice(values.ALGORITHMS), minimum=1), "Signature algorithms that are believed in its ID tokens."
        ),
        "userinfo": Field(Flag(), "true: its UserInfo endpoint is asked as well; default: by the preset."),
        "logout": Field(Flag(), "true: who signs out here is signed out there too; default false."),
        "session": Field(
            DURATION,
            "How long a sign-in there is good for, sessions and refresh tokens: `1h`; default: as long as any other.",
        ),
        "accounts": Field(
            choice(("existing", "create")),
            "`existing` (default): only who has an account signs in. `create`: who has none gets one.",
        ),
        "create_for": Field(
            ListOf(_DOMAIN, minimum=1), "With `create`: only who has a verified e-mail address in one of these domains."
        ),
        "authoritative_for": Field(
            ListOf(_DOMAIN, minimum=1),
            "E-mail domains for which the provider's word is believed: a verified address there finds the account "
            "that has it.",
        ),
        "user_name": Field(CLAIM_PATH, "Claim that names a new account; default: by the preset."),
        "roles": Field(
            Either(sequence=ListOf(UPSTREAM_ROLES), mapping=One(UPSTREAM_ROLES)),
            "Which of its values give which roles, at each sign-in; a list for several claims.",
        ),
        "default_roles": Field(ListOf(IDENTIFIER), "Roles of everybody who signs in there."),
        "attributes": Field(
            Pairs(IDENTIFIER, CLAIM_PATH),
            "Attribute of the account, as policies read it: where the provider says it.",
        ),
        "acr": Field(_LEVELS_BY, "Its values of `acr`: `pwd`, `mfa` or `phr`. Others count as `pwd`."),
        "amr": Field(_LEVELS_BY, "The same by its values of `amr`."),
    },
    tells_given=True,
)
