"""The table of everything `ringwall.yaml` may hold. The parser, the JSON Schema and the reference follow from it."""

from typing import Final

from ringwall.blueprint import values
from ringwall.blueprint.model import (
    Allow,
    Appearance,
    Audience,
    Blueprint,
    Claim,
    Client,
    Cors,
    Edge,
    Issuer,
    IssuerRoles,
    Person,
    Registration,
    Role,
    Service,
    StepUp,
)
from ringwall.blueprint.operations import OperationShape
from ringwall.blueprint.shape import (
    At,
    Either,
    Field,
    Flag,
    ListOf,
    MapOf,
    Number,
    One,
    Pairs,
    Plain,
    Record,
    Text,
    Words,
)
from ringwall.blueprint.upstream_format import UPSTREAM
from ringwall.model.errors import Span

_NOWHERE = Span("ringwall.yaml")


def _choice(known: tuple[str, ...], or_else: str = "") -> Text[str]:
    pattern = "^(" + "|".join(word.replace("(", r"\(").replace("+", r"\+") for word in known) + ")$"
    what = ", ".join(known[:-1]) + f" or {known[-1]}" if len(known) > 1 else known[0]
    return Text(what + or_else, pattern, str, known=known)


_NAME = Text("a name of lower-case letters, digits and '-'", values.NAME, str, "billing-store")
_IDENTIFIER = Text("a name of letters, digits, '_' and '-'", values.IDENTIFIER, str, "clinician")
_PERSON = Text("a name without spaces, '|' and quotes", r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$", str, "alice")
_USER = Text("a user: the token's `sub`, or `issuer|sub`", r"^[^\s\"\\|]+(\|[^\s\"\\|]+)?$", str, "alice")
_OPERATION = Text("an operation of this service", r"^[^\x00-\x1f\"\\]{1,200}$", str, "getPatient")
_ADMIN_OPERATION = Text("an operation of the administration", r"^[a-z.-]{1,80}$", str, "users.list")
_SCOPE: Final = Text("a scope", values.SCOPE, str, "orders:read")
_SCOPES = ListOf(_SCOPE, minimum=1)
_FILE = Text("a path below this folder", r"^[^\0]{1,400}$", str, "contracts/patients.yaml")
_ANY_TEXT = Text("text", r"^[^\0]*$", str)
_WORD = Text("text without spaces", r"^\S{1,400}$", str)
_LIMIT = Text("a rate", values.LIMIT, values.limit, "100/s burst 200")
_DURATION = Text("a duration", values.DURATION, values.duration, "30s")
_CLAIM_PATH = Either(
    scalar=Text("a claim's path in the token", r"^\S{1,400}$", values.dotted, "realm_access.roles"),
    sequence=Words(ListOf(_WORD, minimum=1)),
)

EDGE: Final = Record(
    Edge,
    {
        "listen": Field(
            Text("an address", values.ADDRESS, values.address, "127.0.0.1:8443"),
            "Where clients connect, `address:port`; default 127.0.0.1:8443. Port 0 is chosen at start.",
        ),
        "redirect": Field(
            Text("an address", values.ADDRESS, values.address, "127.0.0.1:8080"),
            "A plain-HTTP address that redirects to HTTPS; default none. Same host as `listen`.",
        ),
        "domains": Field(
            ListOf(Text("a host name", values.HOST, str.lower, "clinic.example"), minimum=1),
            "Host names that are answered; the first one is in the built-in issuer's URL; default localhost.",
        ),
        "certificate": Field(_FILE, "PEM chain of your own certificate; needs `key`. Default: a development one."),
        "key": Field(_FILE, "PEM key of your own certificate; needs `certificate`."),
        "http3": Field(Flag(), "Whether HTTP/3 is offered as well; default false."),
        "limit": Field(_LIMIT, "Requests of one client address, counted before tokens; default 50/s burst 100."),
        "principal_limit": Field(_LIMIT, "Requests of one signed-in principal; default none."),
        "client_certificates": Field(
            ListOf(Text("a host name", values.HOST, str.lower, "mtls.clinic.example"), minimum=1),
            "Those of `domains` at which clients are asked for a certificate (RFC 8705); default none. Not the first.",
        ),
        "dpop_nonces": Field(
            Flag(), "Whether proofs for bound tokens (DPoP) must carry a nonce of the edge; default false."
        ),
        "trusted_hops": Field(Number(0, 8), "How many proxies in front append to X-Forwarded-For; default 0."),
    },
)

_ADMINISTRATION: Final = Record(
    Allow,
    {
        "operations": Field(
            ListOf(_ADMIN_OPERATION, minimum=1), "Operations of the administration; default: all of them."
        ),
        "roles": Field(ListOf(_IDENTIFIER, minimum=1), "The user holds one of these roles."),
        "scopes": Field(_SCOPES, "The token carries all of these."),
        "users": Field(ListOf(_USER, minimum=1), "The user is one of these."),
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
            ListOf(_choice(values.CLIENT_KINDS), minimum=1),
            "What clients may be, as under `clients`; default web, native and browser.",
        ),
        "scopes": Field(
            ListOf(_SCOPE), "Scopes that they may ask for besides openid, profile and email; default none."
        ),
        "hosts": Field(
            ListOf(Text("a host name", values.REDIRECT_HOST, str, "*.partner.example"), minimum=1),
            "Hosts that they may send people to, `*.partner.example` for every name below; default any. "
            "Native ones may use loopback as well.",
        ),
        "device_flow": Field(Flag(), "true: they may use the device flow (RFC 8628); default false."),
        "lifetime": Field(_DURATION, "How long after its last change a registration ends; default never."),
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
        "logo": Field(_FILE, "A PNG or SVG file of at most 64 KiB."),
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
                scalar=One(_WORD),
                sequence=ListOf(_WORD, minimum=1),
            ),
            "What `aud` must hold, or a list of which one suffices; default: the system's name.",
        ),
        "algorithms": Field(
            ListOf(_choice(values.ALGORITHMS), minimum=1),
            "Signature algorithms that are believed; default RS256 and ES256.",
        ),
        "roles": Field(
            Record(
                IssuerRoles,
                {
                    "claim": Field(_CLAIM_PATH, "Where the token lists role names; default `roles`."),
                    "map": Field(Pairs(_ANY_TEXT, _IDENTIFIER), "Value in the token: role of this blueprint."),
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
            _choice(values.PROFILES),
            "`fapi2`: Ringwall's own issuer follows the FAPI 2.0 Security Profile for every client; default none.",
        ),
        "pages": Field(APPEARANCE, "How the pages of Ringwall's own issuer look; default: as they are."),
        "upstreams": Field(
            MapOf(_NAME, UPSTREAM), "Providers of others at which people sign in to the built-in issuer; default: none."
        ),
    },
    tells_given=True,
)

_CLAIM_TYPE = _choice(values.CLAIM_TYPES)

CLAIM: Final = Record(
    Claim,
    {
        "type": Field(
            _CLAIM_TYPE, "`string`, `long`, `bool` or `set<string>`.", required=True, fallback=At("string", _NOWHERE)
        ),
        "from": Field(_CLAIM_PATH, "Where the token holds it; default: its own name.", attribute="source"),
    },
    short="type",
)

ROLE: Final = Record(Role, {"includes": Field(ListOf(_IDENTIFIER), "Roles that whoever holds this one also holds.")})

_CLAIM_VALUES = Field(Pairs(_IDENTIFIER, Plain()), "Values of claims declared under `claims`.")

PERSON: Final = Record(
    Person,
    {"roles": Field(ListOf(_IDENTIFIER), "Roles this person holds."), "claims": _CLAIM_VALUES},
)

_REDIRECT: Final = Text("a redirect URI", values.REDIRECT, values.redirect, "https://app.example/callback")

_KEYS: Final = ListOf(Pairs(Text("a member of a JWK", r"^[a-z0-9_#S]{1,32}$", str, "kty"), Plain()), minimum=1)

CLIENT: Final = Record(
    Client,
    {
        "kind": Field(
            _choice(values.CLIENT_KINDS),
            "`machine` (default): asks for tokens of its own. `web`, `native` or `browser`: signs people in; "
            "the last two cannot keep a secret and have none.",
        ),
        "title": Field(
            Text("a title of one line", r"^[^\x00-\x1f\x7f]{1,80}$", str, "Patient portal"),
            "What people read at sign-in; default: its name.",
        ),
        "redirect_uris": Field(
            ListOf(_REDIRECT, minimum=1),
            "Where people return to after signing in: exactly these; https, or http on loopback. "
            "For `native` the port of a loopback URI is free.",
        ),
        "post_logout_redirect_uris": Field(
            ListOf(_REDIRECT, minimum=1), "Where people may return to after signing out."
        ),
        "id_token_signed_response_alg": Field(
            _choice(values.ID_TOKEN_ALGORITHMS),
            "What its ID tokens and logout tokens are signed with; default ES256.",
        ),
        "id_token_encrypted_response_alg": Field(
            _choice(values.KEY_MANAGEMENT),
            "Its ID tokens are encrypted for the key of `jwks` with `use: enc`; default: they are only signed.",
        ),
        "id_token_encrypted_response_enc": Field(_choice(values.CONTENT_ENCRYPTION), "How; default A128CBC-HS256."),
        "userinfo_encrypted_response_alg": Field(
            _choice(values.KEY_MANAGEMENT),
            "The same of what `/userinfo` tells it, which is then a signed token inside; default: plain JSON.",
        ),
        "userinfo_encrypted_response_enc": Field(_choice(values.CONTENT_ENCRYPTION), "How; default A128CBC-HS256."),
        "backchannel_logout_uri": Field(
            Text("an address", values.REDIRECT, values.back_channel, "https://app.example/signed-out"),
            "Where it is told of sign-ins that have ended (OpenID Connect Back-Channel Logout); https, or in "
            "development mode http on loopback. Default: it is not told.",
        ),
        "jwks": Field(
            _KEYS,
            "Public keys (JWK) by which it proves who it is, in place of a secret (`private_key_jwt`).",
        ),
        "third_party": Field(Flag(), "true: people are asked before it learns about them; default false."),
        "pushed_requests": Field(
            Flag(),
            "true: it announces each sign-in to the issuer by itself (PAR, RFC 9126); default false.",
        ),
        "device_flow": Field(
            Flag(),
            "true: people may let it in by a code that it shows (RFC 8628), for devices without a browser; "
            "default false.",
        ),
        "certificates": Field(
            ListOf(Text("a SHA-256 fingerprint", values.FINGERPRINT, values.fingerprint, "AB:CD:…"), minimum=1),
            "SHA-256 fingerprints of certificates by which it proves who it is, in place of a secret (RFC 8705).",
        ),
        "bound_tokens": Field(
            Flag(),
            "true: it gets no token but one that is bound to a key, of a DPoP proof (RFC 9449) or of its certificate; "
            "default false.",
        ),
        "profile": Field(
            _choice(values.PROFILES), "`fapi2`: the FAPI 2.0 Security Profile, for this client; default the issuer's."
        ),
        "roles": Field(ListOf(_IDENTIFIER), "Roles this client holds."),
        "scopes": Field(ListOf(_SCOPE), "Scopes it may ask for."),
        "claims": _CLAIM_VALUES,
    },
    tells_given=True,
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
            _KEYS,
            "Its one public key (JWK), with `use: enc` and `alg`: its tokens are encrypted; default: only signed.",
        ),
        "enc": Field(_choice(values.CONTENT_ENCRYPTION), "How; default A128CBC-HS256."),
    },
    short="url",
)

ALLOW: Final = Record(
    Allow,
    {
        "operations": Field(ListOf(_OPERATION, minimum=1), "Operations of this service; default: all of them."),
        "roles": Field(ListOf(_IDENTIFIER, minimum=1), "The user holds one of these roles."),
        "scopes": Field(_SCOPES, "The token carries all of these."),
        "users": Field(
            Either(scalar=_choice(("any",), " or a list of users"), sequence=ListOf(_USER, minimum=1)),
            "The user is one of these; `any` for everybody who is signed in.",
        ),
        "callers": Field(
            ListOf(_NAME, minimum=1),
            "Who calls: services that declare the call, `edge` for the edge; default: any of them.",
        ),
        "public": Field(Flag(), "true: no token is needed."),
    },
    tells_given=True,
)

STEP_UP: Final = Record(
    StepUp,
    {
        "operations": Field(ListOf(_OPERATION, minimum=1), "Operations of this service; default: all of them."),
        "acr": Field(
            Text("an authentication level", r"^[!#-\[\]-~]{1,128}$", str, "mfa"),
            "How surely the person has signed in: `pwd` a password, `mfa` two factors, `phr` a passkey, or surer. "
            "Without the built-in issuer: what `acr` must be.",
        ),
        "max_age": Field(_DURATION, "How long ago the person has signed in at most."),
    },
)

CORS: Final = Record(
    Cors,
    {
        "origins": Field(
            ListOf(Text("an origin", values.ORIGIN, str, "https://app.example"), minimum=1),
            "Origins of web pages that may call it, exactly as browsers write them.",
            required=True,
            fallback=(),
        ),
        "headers": Field(
            ListOf(Text("a header's name", values.HEADER, str.lower, "x-api-version")),
            "Request headers that they may send besides `authorization`, `content-type` and `dpop`.",
        ),
        "credentials": Field(
            Flag(), "Whether browsers may send cookies along; default false. A token in `authorization` is no cookie."
        ),
    },
)

SERVICE: Final = Record(
    Service,
    {
        "run": Field(
            Either(
                scalar=Text("a command", r"^[^\0]*\S[^\0]*$", values.command, "python app.py --port {port}"),
                sequence=Words(ListOf(_ANY_TEXT, minimum=1)),
            ),
            "Command that starts it, without a shell, or a list of arguments; `{port}`, `{socket}` and "
            "`{prefix}` (of `expose`; nothing for `/`) are filled in. "
            "Default: you start it.",
        ),
        "cwd": Field(_FILE, "Folder it runs in; default: the blueprint's."),
        "env": Field(
            Pairs(Text("an environment variable", r"^[A-Za-z_][A-Za-z0-9_]*$", str, "LOG_LEVEL"), _ANY_TEXT),
            "Environment variables for it.",
        ),
        "ready": Field(
            Text("a path", r"^/[!-~]*$", str, "/health"),
            "Path that answers 200 once it is ready; default: its port accepts connections.",
        ),
        "protocol": Field(_choice(values.PROTOCOLS), "http1 (default), http2, grpc or tcp."),
        "listen": Field(
            Text("an address or unix:path", values.SOCKET_OR_ADDRESS, values.socket_or_address, "unix:run/app.sock"),
            "Where it listens: `unix:path` or a loopback `address:port`; "
            "default: a loopback port chosen at start and given to it as PORT.",
        ),
        "zone": Field(_choice(("app", "data")), "app (default) or data; a data service is never exposed."),
        "holds": Field(ListOf(_IDENTIFIER), "Data classes it holds, declared under `data`."),
        "expose": Field(
            Text("a path prefix", values.PREFIX, values.prefix, "/api"),
            "Path prefix at the edge, removed before forwarding; default: not exposed.",
        ),
        "cors": Field(CORS, "Web pages of other origins that may call it through the edge; default: none."),
        "login": Field(
            Flag(),
            "true: browsers are sent to sign in, and their session stands for a token; default: only tokens count.",
        ),
        "calls": Field(ListOf(_NAME), "Services it may call."),
        "audiences": Field(ListOf(_NAME), "Services of others for which it may exchange tokens, of `audiences`."),
        "contract": Field(_FILE, "OpenAPI 3 file (YAML or JSON) that declares its operations."),
        "operations": Field(
            ListOf(OperationShape(), minimum=1),
            "Its operations, or those that its contract leaves out: `GET /items/{id}`, `* /static/{rest...}`, "
            "`name: GET /`, or for gRPC `/package.Service/Method`.",
            attribute="declared",
        ),
        "websockets": Field(
            ListOf(_OPERATION, minimum=1), "Operations, by name, whose requests may become WebSocket connections."
        ),
        "step_up": Field(
            ListOf(STEP_UP, minimum=1), "Operations that ask for a surer or fresher sign-in (RFC 9470); default none."
        ),
        "allow": Field(ListOf(ALLOW), "Short forms of permits; all keys of one form must hold."),
        "limit": Field(_LIMIT, "Requests of one principal; default none."),
        "mode": Field(_choice(values.MODES), "enforce (default) or shadow: policies only report."),
        "timeout": Field(_DURATION, "How long it may say nothing, before and during an answer; default 30s."),
        "max_body": Field(
            Text("a size", values.SIZE, values.size, "1MiB"), "Largest request body it is given; default 1MiB."
        ),
    },
    tells_given=True,
)

BLUEPRINT: Final = Record(
    Blueprint,
    {
        "ringwall": Field(Number(1, 1), "Version of this format: 1.", required=True, fallback=At(1, _NOWHERE)),
        "system": Field(_NAME, "Name of the system.", required=True, fallback=At("system", _NOWHERE)),
        "timezone": Field(
            Text("an IANA time zone", r"^[A-Za-z0-9/_+-]+$", values.timezone, "Europe/Berlin"),
            "Time zone of `context.hour`, `minute` and `weekday`; default UTC.",
        ),
        "trust_domain": Field(
            Text("a SPIFFE trust domain", r"^[a-z0-9._-]{1,255}$", str, "clinic.example"),
            "Trust domain of workload identities; default: the system's name.",
        ),
        "development": Field(
            Flag(), "Default true: binds loopback only, keys lie unencrypted, people may be declared."
        ),
        "mode": Field(_choice(values.MODES), "enforce (default) or shadow, for the whole system."),
        "edge": Field(EDGE, "The public listener."),
        "issuers": Field(MapOf(_NAME, ISSUER), "Whose tokens are believed; default: Ringwall's own, called local."),
        "claims": Field(MapOf(_IDENTIFIER, CLAIM), "Claims that policies may read, as `principal.<name>`."),
        "roles": Field(MapOf(_IDENTIFIER, ROLE), "Roles that people hold."),
        "people": Field(MapOf(_PERSON, PERSON), "Development users of the built-in issuer."),
        "clients": Field(
            MapOf(_NAME, CLIENT), "Programs outside the system that get tokens of their own, or that sign people in."
        ),
        "audiences": Field(
            MapOf(_NAME, AUDIENCE), "Services of others, outside the system, for which services may exchange tokens."
        ),
        "data": Field(ListOf(_IDENTIFIER), "Data classes, such as health or card."),
        "policies": Field(ListOf(_FILE), "Cedar files or patterns; default policies/*.cedar."),
        "shadow": Field(ListOf(_WORD), "Ids, files or patterns of policies that only report."),
        "services": Field(MapOf(_NAME, SERVICE), "The services of the system.", required=True, fallback=()),
    },
)
