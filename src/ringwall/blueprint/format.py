"""The table of everything `ringwall.yaml` may hold. The parser, the JSON Schema and the reference follow from it."""

from typing import Final

from ringwall.blueprint import values
from ringwall.blueprint.client_format import CLIENT
from ringwall.blueprint.issuer_format import AUDIENCE, CLAIM, ISSUER, PERSON, ROLE
from ringwall.blueprint.model import Blueprint, Edge
from ringwall.blueprint.record import Field, MapOf, Record
from ringwall.blueprint.service_format import SERVICE
from ringwall.blueprint.shape import At, Flag, ListOf, Number, Text
from ringwall.blueprint.texts import FILE, IDENTIFIER, LIMIT, NAME, NOWHERE, WORD, choice

_PERSON: Final = Text("a name without spaces, '|' and quotes", r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$", str, "alice")

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
        "certificate": Field(FILE, "PEM chain of your own certificate; needs `key`. Default: a development one."),
        "key": Field(FILE, "PEM key of your own certificate; needs `certificate`."),
        "http3": Field(Flag(), "Whether HTTP/3 is offered as well; default false."),
        "limit": Field(LIMIT, "Requests of one client address, counted before tokens; default 50/s burst 100."),
        "principal_limit": Field(LIMIT, "Requests of one signed-in principal; default none."),
        "client_certificates": Field(
            ListOf(Text("a host name", values.HOST, str.lower, "mtls.clinic.example"), minimum=1),
            "Those of `domains` at which clients are asked for a certificate (RFC 8705); default none. Not the first.",
        ),
        "client_authorities": Field(
            FILE,
            "PEM file of authorities that sign certificates of clients; what such a certificate must say stands with "
            "each client. Each one in the file is trusted, so one below another narrows nothing beside it.",
        ),
        "dpop_nonces": Field(
            Flag(), "Whether proofs for bound tokens (DPoP) must carry a nonce of the edge; default false."
        ),
        "trusted_hops": Field(Number(0, 8), "How many proxies in front append to X-Forwarded-For; default 0."),
    },
)

BLUEPRINT: Final = Record(
    Blueprint,
    {
        "ringwall": Field(Number(1, 1), "Version of this format: 1.", required=True, fallback=At(1, NOWHERE)),
        "system": Field(NAME, "Name of the system.", required=True, fallback=At("system", NOWHERE)),
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
        "mode": Field(choice(values.MODES), "enforce (default) or shadow, for the whole system."),
        "edge": Field(EDGE, "The public listener."),
        "issuers": Field(MapOf(NAME, ISSUER), "Whose tokens are believed; default: Ringwall's own, called local."),
        "claims": Field(MapOf(IDENTIFIER, CLAIM), "Claims that policies may read, as `principal.<name>`."),
        "roles": Field(MapOf(IDENTIFIER, ROLE), "Roles that people hold."),
        "people": Field(MapOf(_PERSON, PERSON), "Development users of the built-in issuer."),
        "clients": Field(
            MapOf(NAME, CLIENT), "Programs outside the system that get tokens of their own, or that sign people in."
        ),
        "audiences": Field(
            MapOf(NAME, AUDIENCE), "Services of others, outside the system, for which services may exchange tokens."
        ),
        "data": Field(ListOf(IDENTIFIER), "Data classes, such as health or card."),
        "policies": Field(ListOf(FILE), "Cedar files or patterns; default policies/*.cedar."),
        "shadow": Field(ListOf(WORD), "Ids, files or patterns of policies that only report."),
        "services": Field(MapOf(NAME, SERVICE), "The services of the system.", required=True, fallback=()),
    },
)
