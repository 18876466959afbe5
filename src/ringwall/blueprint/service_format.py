"""The tables of what `services` may hold."""

from typing import Final

from ringwall.blueprint import values
from ringwall.blueprint.operations import OperationShape
from ringwall.blueprint.record import Field, Pairs, Record
from ringwall.blueprint.service_model import Allow, Cors, Service, StepUp
from ringwall.blueprint.shape import Either, Flag, ListOf, Text, Words
from ringwall.blueprint.texts import ANY_TEXT, DURATION, FILE, IDENTIFIER, LIMIT, NAME, OPERATION, SCOPES, USER, choice

ALLOW: Final = Record(
    Allow,
    {
        "operations": Field(ListOf(OPERATION, minimum=1), "Operations of this service; default: all of them."),
        "roles": Field(ListOf(IDENTIFIER, minimum=1), "The user holds one of these roles."),
        "scopes": Field(SCOPES, "The token carries all of these."),
        "users": Field(
            Either(scalar=choice(("any",), " or a list of users"), sequence=ListOf(USER, minimum=1)),
            "The user is one of these; `any` for everybody who is signed in.",
        ),
        "callers": Field(
            ListOf(NAME, minimum=1),
            "Who calls: services that declare the call, `edge` for the edge; default: any of them.",
        ),
        "public": Field(Flag(), "true: no token is needed."),
    },
    tells_given=True,
)

STEP_UP: Final = Record(
    StepUp,
    {
        "operations": Field(ListOf(OPERATION, minimum=1), "Operations of this service; default: all of them."),
        "acr": Field(
            Text("an authentication level", r"^[!#-\[\]-~]{1,128}$", str, "mfa"),
            "How surely the person has signed in: `pwd` a password, `mfa` two factors, `phr` a passkey, or surer. "
            "Without the built-in issuer: what `acr` must be.",
        ),
        "max_age": Field(DURATION, "How long ago the person has signed in at most."),
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
                sequence=Words(ListOf(ANY_TEXT, minimum=1)),
            ),
            "Command that starts it, without a shell, or a list of arguments; `{port}`, `{socket}` and "
            "`{prefix}` (of `expose`; nothing for `/`) are filled in. "
            "Default: you start it.",
        ),
        "cwd": Field(FILE, "Folder it runs in; default: the blueprint's."),
        "env": Field(
            Pairs(Text("an environment variable", r"^[A-Za-z_][A-Za-z0-9_]*$", str, "LOG_LEVEL"), ANY_TEXT),
            "Environment variables for it.",
        ),
        "ready": Field(
            Text("a path", r"^/[!-~]*$", str, "/health"),
            "Path that answers 200 once it is ready; default: its port accepts connections.",
        ),
        "protocol": Field(choice(values.PROTOCOLS), "http1 (default), http2, grpc or tcp."),
        "listen": Field(
            Text("an address or unix:path", values.SOCKET_OR_ADDRESS, values.socket_or_address, "unix:run/app.sock"),
            "Where it listens: `unix:path` or a loopback `address:port`; "
            "default: a loopback port chosen at start and given to it as PORT.",
        ),
        "zone": Field(choice(("app", "data")), "app (default) or data; a data service is never exposed."),
        "holds": Field(ListOf(IDENTIFIER), "Data classes it holds, declared under `data`."),
        "expose": Field(
            Text("a path prefix", values.PREFIX, values.prefix, "/api"),
            "Path prefix at the edge, removed before forwarding; default: not exposed.",
        ),
        "cors": Field(CORS, "Web pages of other origins that may call it through the edge; default: none."),
        "login": Field(
            Flag(),
            "true: browsers are sent to sign in, and their session stands for a token; default: only tokens count.",
        ),
        "calls": Field(ListOf(NAME), "Services it may call."),
        "audiences": Field(ListOf(NAME), "Services of others for which it may exchange tokens, of `audiences`."),
        "contract": Field(FILE, "OpenAPI 3 file (YAML or JSON) that declares its operations."),
        "operations": Field(
            ListOf(OperationShape(), minimum=1),
            "Its operations, or those that its contract leaves out: `GET /items/{id}`, `* /static/{rest...}`, "
            "`name: GET /`, or for gRPC `/package.Service/Method`.",
            attribute="declared",
        ),
        "websockets": Field(
            ListOf(OPERATION, minimum=1), "Operations, by name, whose requests may become WebSocket connections."
        ),
        "step_up": Field(
            ListOf(STEP_UP, minimum=1), "Operations that ask for a surer or fresher sign-in (RFC 9470); default none."
        ),
        "allow": Field(ListOf(ALLOW), "Short forms of permits; all keys of one form must hold."),
        "limit": Field(LIMIT, "Requests of one principal; default none."),
        "mode": Field(choice(values.MODES), "enforce (default) or shadow: policies only report."),
        "timeout": Field(DURATION, "How long it may say nothing, before and during an answer; default 30s."),
        "max_body": Field(
            Text("a size", values.SIZE, values.size, "1MiB"), "Largest request body it is given; default 1MiB."
        ),
    },
    tells_given=True,
)
