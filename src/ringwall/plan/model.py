"""The plan: services, exposures, and all that belongs to them.

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
from ringwall.plan.client import Client
from ringwall.plan.identity import Claim, Issuer, Person, Role
from ringwall.plan.manifest import Manifest, split
from ringwall.plan.operation import Limit, Operation
from ringwall.plan.policy import Mode, Policy, Source
from ringwall.plan.upstream import Upstream

EDGE = "edge"
"""The caller name of the edge proxy; no service may be called this."""


class Protocol(StrEnum):
    """What a service speaks on its own port or socket."""

    HTTP1 = "http1"
    HTTP2 = "http2"
    GRPC = "grpc"
    TCP = "tcp"


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
        client_authorities: who signs certificates of clients (RFC 8705, section 2.1), base64 DER of their own.
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
    client_authorities: tuple[str, ...] = Field(default=(), exclude_if=lambda authorities: not authorities)
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

    @property
    def believes_authorities(self) -> bool:
        """Whether a client can be one whose certificate an authority vouches for (RFC 8705, section 2.1)."""
        registers = any(issuer.registration is not None for issuer in self.issuers)
        shared = self.edge is not None and bool(self.edge.client_authorities)
        return (registers and shared) or any(client.certificate_subject is not None for client in self.clients)


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
