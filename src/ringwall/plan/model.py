"""The plan: services, operations with their rules, identities, issuers, exposures and limits.

Everything a running part needs is here, and nothing that depends on one machine: where things
listen is in `ringwall.plan.bindings`.
"""

from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field

from ringwall.model.spiffe import SpiffeId
from ringwall.plan.audience import Audience
from ringwall.plan.base import Part
from ringwall.plan.manifest import Manifest, split
from ringwall.plan.rule import Rule
from ringwall.plan.upstream import Upstream

EDGE = "edge"
"""The caller name of the edge proxy; no service may be called this."""


class Protocol(StrEnum):
    """What a service speaks on its own port or socket."""

    HTTP1 = "http1"
    HTTP2 = "http2"
    GRPC = "grpc"
    TCP = "tcp"


class ClaimType(StrEnum):
    """Types that a policy may read from a token, by their Cedar names in the blueprint."""

    STRING = "string"
    LONG = "long"
    BOOL = "bool"
    STRING_SET = "set<string>"


class Mode(StrEnum):
    """Whether a policy decides, or only says what it would decide."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Source(Part):
    """Where in the user's files something comes from; `file` is relative to the blueprint's folder."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Claim(Part):
    """A token claim that policies may read as `principal.<name>`.

    `path` leads to it inside the token, for instance `("realm_access", "level")`.
    """

    name: str
    type: ClaimType
    path: tuple[str, ...]


class ClientKind(StrEnum):
    """What a client is, which decides which grants it may use (RFC 6749, section 2.1; RFC 8252)."""

    MACHINE = "machine"
    WEB = "web"
    NATIVE = "native"
    BROWSER = "browser"


class Profile(StrEnum):
    """A set of rules that somebody else has written down, which an issuer can follow as a whole."""

    FAPI2 = "fapi2"


class Registration(Part):
    """Who may register clients with the built-in issuer (RFC 7591), and what such clients may be.

    Attributes:
        open: whether anybody may; otherwise whoever holds an initial access token.
        kinds: what clients may be.
        scopes: scopes that they may ask for, besides the standard ones.
        hosts: hosts that they may send people to, `*.partner.example` for every name below; empty for any.
        device_flow: whether they may use the device flow (RFC 8628).
        seconds: how long after its last change a registration ends; 0 for never.
    """

    open: bool = False
    kinds: tuple[ClientKind, ...]
    scopes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    device_flow: bool = False
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


class Role(Part):
    """A role; `includes` names, transitively closed, every role that whoever holds this one also holds."""

    name: str
    includes: tuple[str, ...] = ()


class Person(Part):
    """A development user of the built-in issuer; there are none outside development mode."""

    name: str
    roles: tuple[str, ...] = ()
    claims: tuple[tuple[str, str | int | bool | tuple[str, ...]], ...] = ()


class Client(Part):
    """A client of the built-in issuer, outside the system.

    Attributes:
        kind: a machine asks for tokens of its own; the others sign people in. Native and browser applications
            cannot keep a secret, so they have none.
        scopes: scopes it may ask for.
        redirect_uris: where people are sent after they signed in, compared exactly.
        post_logout_redirect_uris: where they may be sent after they signed out.
        id_token_signed_response_alg: what its ID tokens and logout tokens are signed with (the same section 2).
        id_token_encrypted_response_alg, id_token_encrypted_response_enc: how its ID tokens are encrypted for the key in
            its `jwks` that is for that (OpenID Connect Registration 1.0, section 2); empty where they are not.
        userinfo_encrypted_response_alg, userinfo_encrypted_response_enc: the same of what it asks about people.
        backchannel_logout_uri: where it is told of sign-ins that have ended (OpenID Connect Back-Channel Logout 1.0,
            section 2.2); empty where it is not.
        third_party: whether people are asked before it learns about them.
        title: what people are told that it is called; empty for its name.
        jwks: public keys by which it proves who it is, a JWK set as JSON; empty where it has a secret or nothing.
        pushed_requests: whether it must push its authorization requests (RFC 9126, section 5).
        device_flow: whether devices with it may wait for a person to let them in (RFC 8628).
        bound_tokens: whether it only ever gets tokens that are bound to a key (RFC 9449, section 5.2; RFC 8705).
        certificates: SHA-256, as base64url, of each certificate by which it proves who it is (RFC 8705, section 2.2).
        profile: what the issuer follows for it, besides its own rules.
    """

    name: str
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    claims: tuple[tuple[str, str | int | bool | tuple[str, ...]], ...] = ()
    kind: ClientKind = Field(default=ClientKind.MACHINE, exclude_if=lambda kind: kind is ClientKind.MACHINE)
    redirect_uris: tuple[str, ...] = Field(default=(), exclude_if=lambda uris: not uris)
    post_logout_redirect_uris: tuple[str, ...] = Field(default=(), exclude_if=lambda uris: not uris)
    id_token_signed_response_alg: str = Field(default="ES256", exclude_if=lambda alg: alg == "ES256")
    id_token_encrypted_response_alg: str = Field(default="", exclude_if=lambda alg: not alg)
    id_token_encrypted_response_enc: str = Field(default="", exclude_if=lambda enc: not enc)
    userinfo_encrypted_response_alg: str = Field(default="", exclude_if=lambda alg: not alg)
    userinfo_encrypted_response_enc: str = Field(default="", exclude_if=lambda enc: not enc)
    backchannel_logout_uri: str = Field(default="", exclude_if=lambda uri: not uri)
    third_party: bool = Field(default=False, exclude_if=lambda third_party: not third_party)
    title: str = Field(default="", exclude_if=lambda title: not title)
    jwks: str = Field(default="", exclude_if=lambda jwks: not jwks)
    pushed_requests: bool = Field(default=False, exclude_if=lambda pushed: not pushed)
    device_flow: bool = Field(default=False, exclude_if=lambda device: not device)
    bound_tokens: bool = Field(default=False, exclude_if=lambda bound: not bound)
    certificates: tuple[str, ...] = Field(default=(), exclude_if=lambda certificates: not certificates)
    profile: Profile | None = Field(default=None, exclude_if=lambda profile: profile is None)

    @property
    def public(self) -> bool:
        """Whether it cannot keep a secret (RFC 6749, section 2.1)."""
        return self.kind in {ClientKind.NATIVE, ClientKind.BROWSER}

    @property
    def signs_people_in(self) -> bool:
        """Whether it may send people to the issuer."""
        return self.kind is not ClientKind.MACHINE


class Policy(Part):
    """One Cedar policy.

    Attributes:
        id: stable name, such as `patients.cedar#2` or `ringwall.yaml#patients.allow[0]`.
        cedar: its text.
        source: where the user wrote it, or the short form it was expanded from.
        mode: enforce or shadow.
        short_form: True where it was expanded from YAML.
    """

    id: str
    cedar: str
    source: Source
    mode: Mode = Mode.ENFORCE
    short_form: bool = False


class Param(Part):
    """A path parameter that fills a whole path segment; `segment` counts from 0 in the service's own path."""

    name: str
    segment: int


class Limit(Part):
    """A token bucket: `requests` per `seconds`, with at most `burst` at once."""

    requests: int = Field(gt=0)
    seconds: int = Field(gt=0)
    burst: int = Field(gt=0)


class HopRule(Part):
    """What one hop enforces for one operation.

    Attributes:
        rule: what decides.
        shadow: what would decide if every shadow policy were enforced; None where that is the same.
        authentication: `required` where a request without a token is refused with 401 before any policy is asked.
        callers: names of the workloads that may call at all (`edge` for the edge proxy).
    """

    rule: Rule
    shadow: Rule | None = None
    authentication: Literal["required", "optional"] = "required"
    callers: tuple[str, ...]


class StepUp(Part):
    """What an operation asks of the sign-in behind a token (RFC 9470).

    Attributes:
        acr: the token's `acr` is one of these; empty for any.
        max_age: people have signed in so many seconds ago at most; None for any time.
    """

    acr: tuple[str, ...] = ()
    max_age: int | None = None

    def __str__(self) -> str:
        age = [] if self.max_age is None else [f"signed in {self.max_age} s ago at most"]
        return ", ".join([*(["acr " + " or ".join(self.acr)] if self.acr else []), *age])


class Operation(Part):
    """One operation of a service: what Cedar calls an action.

    Attributes:
        id: `service/operationId`, or `service/METHOD /path` where the contract names none.
        method: upper-case HTTP method, or `*` for any.
        template: path as in the contract, `/patients/{id}`; a last segment `{name...}` takes any rest,
            even empty. For gRPC `/package.Service/Method`.
        params: path parameters that policies may read.
        inbound: what the service's own listener enforces.
        edge: what the edge enforces, or None where the operation is not exposed.
        rule_id: 12 hex digits that name exactly this operation with these rules; logged with each request.
        policies: ids of the policies that can apply.
        holds: data classes that the operation can return.
        websocket: whether a request may become a WebSocket connection.
        own_tokens: whether bearer tokens are the operation's own business, so that proxies look at none, and everybody
            is a guest to them.
        step_up: what it asks of the sign-in behind a token; None for nothing.
        source: where the operation is declared.
    """

    id: str
    method: str
    template: str
    websocket: bool = Field(default=False, exclude_if=lambda websocket: not websocket)
    own_tokens: bool = Field(default=False, exclude_if=lambda own: not own)
    step_up: StepUp | None = Field(default=None, exclude_if=lambda demand: demand is None)
    params: tuple[Param, ...] = ()
    inbound: HopRule
    edge: HopRule | None = None
    rule_id: str
    policies: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    source: Source


class Run(Part):
    """How to start a service; None in `Service.run` means that somebody else starts it.

    `argv` may hold `{port}`, `{socket}` and `{prefix}`; the environment carries `PORT` or `SOCKET`,
    and `<CALLEE>_URL` for each declared callee, as well as `env`. `cwd` is relative to the blueprint's folder.
    """

    argv: tuple[str, ...] = Field(min_length=1)
    cwd: str = "."
    env: tuple[tuple[str, str], ...] = ()
    ready: str | None = None


class Listen(Part):
    """Where the user's process listens: `host:port` (port 0: chosen at start), or a Unix socket path."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str | None = None


class Cors(Part):
    """Which web pages of other origins may call a service through the edge (Fetch standard, section 3.2).

    Attributes:
        origins: `scheme://host[:port]`, as browsers send them.
        headers: request headers that such pages may set, in lower case.
        credentials: whether browsers may send cookies along.
    """

    origins: tuple[str, ...]
    headers: tuple[str, ...]
    credentials: bool = False


class Service(Part):
    """One service of the system.

    Attributes:
        spiffe_id: its workload identity.
        calls: names of the services it may call.
        audiences: names of the services of others for which it may exchange tokens.
        prefix: path prefix under which the edge exposes it, `""` for the root, None where it is not exposed;
            the edge removes the prefix before it forwards.
        cors: web pages of other origins that may call it; None for none.
        login: whether browsers are sent to sign in, and their session stands for a token.
        builtin: True for parts of Ringwall itself (the issuer), which the supervisor starts by name.
        forward_token: whether the service is given the caller's token (only services that call others need it).
        per_principal: limit for each principal at its inbound listener.
        tcp_callers: for protocol tcp, the workloads that may connect.
    """

    name: str
    spiffe_id: str
    protocol: Protocol = Protocol.HTTP1
    zone: str = "app"
    holds: tuple[str, ...] = ()
    listen: Listen = Listen()
    run: Run | None = None
    calls: tuple[str, ...] = ()
    audiences: tuple[str, ...] = Field(default=(), exclude_if=lambda audiences: not audiences)
    prefix: str | None = None
    cors: Cors | None = Field(default=None, exclude_if=lambda cors: cors is None)
    login: bool = Field(default=False, exclude_if=lambda login: not login)
    builtin: bool = False
    forward_token: bool = False
    mode: Mode = Mode.ENFORCE
    operations: tuple[Operation, ...] = ()
    per_principal: Limit | None = None
    timeout_seconds: int = 30
    max_body_bytes: int = 1_048_576
    tcp_callers: tuple[str, ...] = ()
    source: Source


class Edge(Part):
    """The public listener.

    Attributes:
        host: address to bind.
        port: TCP port, and UDP port where `http3` is on; 0 means chosen at start (tests).
        redirect_port: plain-HTTP port that redirects to HTTPS; None where there is none.
        domains: host names that are answered; all others get 404 (421 for a mismatched one).
        certificate, key: paths of the user's own certificate chain and key, relative to the blueprint's folder;
            None for a development certificate from the system's own CA.
        per_ip: limit for each client address, counted before tokens are verified.
        per_principal: limit for each principal.
        trusted_hops: how many proxies in front are trusted to append to X-Forwarded-For.
        client_certificates: those of the domains at which clients are asked for a certificate (RFC 8705).
        dpop_nonces: whether DPoP proofs must carry a nonce that the edge has given (RFC 9449, section 9).
    """

    spiffe_id: str
    host: str
    port: int
    redirect_port: int | None = None
    domains: tuple[str, ...]
    certificate: str | None = None
    key: str | None = None
    http3: bool = False
    hsts_seconds: int = 31_536_000
    per_ip: Limit
    per_principal: Limit | None = None
    trusted_hops: int = 0
    max_connections: int = 10_000
    client_certificates: tuple[str, ...] = Field(default=(), exclude_if=lambda domains: not domains)
    dpop_nonces: bool = Field(default=False, exclude_if=lambda nonces: not nonces)


class Head(Part):
    """What a plan says about the whole system: everything but services, policies and the Cedar schema.

    Attributes:
        format: version of this form; a running part refuses one it does not know.
        audience: what the built-in issuer puts into `aud`.
        claims: claims that some policy reads; only these are ever logged.
        upstreams: providers at which people sign in to the built-in issuer, ordered by name.
        audiences: services of others for which services may exchange tokens, ordered by name.
    """

    format: Literal[2] = 2
    system: str
    trust_domain: str
    timezone: str = "UTC"
    development: bool = True
    mode: Mode = Mode.ENFORCE
    audience: str
    issuers: tuple[Issuer, ...] = ()
    roles: tuple[Role, ...] = ()
    claims: tuple[Claim, ...] = ()
    people: tuple[Person, ...] = ()
    clients: tuple[Client, ...] = ()
    upstreams: tuple[Upstream, ...] = Field(default=(), exclude_if=lambda upstreams: not upstreams)
    audiences: tuple[Audience, ...] = Field(default=(), exclude_if=lambda audiences: not audiences)
    edge: Edge | None = None

    @property
    def signs_people_in(self) -> bool:
        """Whether browsers have cookies of the issuer."""
        registers = any(issuer.registration is not None for issuer in self.issuers)
        return registers or any(client.signs_people_in for client in self.clients)


class Plan(Head):
    """Everything that is to be enforced. Two equal inputs give equal bytes and one digest.

    Attributes:
        cedar_schema: the Cedar schema (JSON form) that all policies were validated against.
        policies: every policy, ordered by id.
        services: ordered by name, built-in ones included.
    """

    services: tuple[Service, ...] = ()
    policies: tuple[Policy, ...] = ()
    cedar_schema: str

    @cached_property
    def manifest(self) -> Manifest:
        """This plan in pieces."""
        return split(self, self.services, self.policies, self.cedar_schema)

    @property
    def digest(self) -> str:
        """What names this plan and no other: the digest of its manifest, in hex."""
        return self.manifest.digest

    @cached_property
    def by_name(self) -> dict[str, Service]:
        """Services by name."""
        return {service.name: service for service in self.services}

    def mode_of(self, service: Service) -> Mode:
        """Return whether a service's rules decide, or only say what they would decide; Ringwall's own always decide."""
        if service.builtin:
            return Mode.ENFORCE
        return Mode.SHADOW if Mode.SHADOW in {self.mode, service.mode} else Mode.ENFORCE

    def spiffe_of(self, caller: str) -> str:
        """Return the SPIFFE ID of a service, or of the edge for `edge`; KeyError for any other name."""
        if caller == EDGE:
            return str(SpiffeId(self.trust_domain, "/edge"))
        return self.by_name[caller].spiffe_id
