"""Plan and addresses → everything each proxy is to have.

A pure function but for the credentials and keys that it asks for. What belongs to one service is built once and
kept for as long as nothing that it is built from changes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from envoy.config.core.v3 import extension_pb2
from google.protobuf.message import Message

from ringwall.enforce import (
    binding,
    certificates,
    client_certificate,
    clusters,
    edge,
    filters,
    limits,
    mesh,
    names,
    revocations,
    routes,
    table,
    tokens,
)
from ringwall.enforce.memo import Memo
from ringwall.enforce.proto import pack
from ringwall.enforce.snapshot import Resource, Snapshot
from ringwall.model.credentials import CredentialSource, TokenKeySource, X509Credential
from ringwall.model.revocation import RevocationSource, Revoked
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import EDGE, Edge, Plan, Protocol, Service
from ringwall.plan.operation import HopRule, Operation
from ringwall.plan.recorded import recorded_claims
from ringwall.plan.routes import metadata_path, precedence

_STREAM_BYTES = 1 << 40
"""A gRPC stream's messages are limited by who reads them, and a stream has no length."""

Resources = tuple[Resource, ...]


def snapshot(
    plan: Plan,
    bindings: Bindings,
    node: str,
    credentials: CredentialSource,
    keys: TokenKeySource,
    *,
    revoked: RevocationSource,
    memo: Memo | None = None,
) -> Snapshot:
    """Return the resources of one node: `edge` gets only what is the edge's, `mesh` what is the services'.

    With a `memo`, which the caller turns after each round, only what changed since is built.
    """
    builder = _Builder(plan, bindings, credentials, keys, revoked=revoked, memo=memo or Memo())
    resources = builder.edge() if node == EDGE else builder.mesh()
    return Snapshot.of(node, plan.digest, resources)


class _Builder:
    def __init__(
        self,
        plan: Plan,
        bindings: Bindings,
        credentials: CredentialSource,
        keys: TokenKeySource,
        *,
        revoked: RevocationSource,
        memo: Memo,
    ) -> None:
        self.plan = plan
        self.bindings = bindings
        self.credentials = credentials
        self.keys = keys
        self.revoked = revoked.revocations()
        self.revoked_workloads = tuple(each.value for each in self.revoked if each.kind is Revoked.WORKLOAD)
        self.memo = memo
        # What is said to every service alike.
        login = plan.signs_people_in, any(service.login for service in plan.services)
        alike = (plan.trust_domain, plan.mode, recorded_claims(plan), plan.issuers, bindings.state, login)
        self.common = self.memo.stand_in("plan", "", alike)
        self.public = self.memo.stand_in("edge", "", plan.edge)
        self.issuer = next((issuer.url for issuer in plan.issuers if issuer.builtin), "")
        self.held_by = binding.holders(plan.clients)
        self.log = str(bindings.access_log(names.MESH))

    # --- nodes ---

    def edge(self) -> Iterator[Resource]:
        public = self.plan.edge
        if public is None:
            return
        exposed = [s for s in self.plan.services if s.prefix is not None and s.protocol is not Protocol.TCP]
        for service in exposed:
            yield self._hop(EDGE, service)
        yield self._certificate(names.svid(EDGE), self.credentials.svid(public.spiffe_id))
        yield self._certificate(names.EDGE_CERTIFICATE, self.credentials.edge_certificate(public.domains))
        yield from self._shared(actors=(), bound=binding.at_edge(issuer=self.issuer, held_by=self.held_by))
        by_segment = self._by_segment(exposed)
        largest = max((s.max_body_bytes for s in exposed), default=0)
        yield from self._edge_listeners(public, scoped=by_segment is not None, largest=largest)
        if by_segment is None:
            yield from self._edge_table(public, None, exposed)
        for segment, services in (by_segment or {}).items():
            yield from self._edge_table(public, segment, services)
        yield _filter(names.PER_IP_LIMIT, limits.per_address(public.per_ip))
        yield _filter(names.principal_limit(EDGE), limits.per_principal(public.per_principal))
        yield _filter(names.body_limit(EDGE), filters.body_limit(max(map(_body_bytes, exposed), default=1)))

    def mesh(self) -> Iterator[Resource]:
        actors = tuple(service.spiffe_id for service in self.plan.services if service.calls)
        yield from self._shared(actors=actors, bound=binding.inside(self.plan.spiffe_of(EDGE)))
        for service in self.plan.services:
            yield self._certificate(names.svid(service.name), self.credentials.svid(service.spiffe_id))
            yield from self._inbound(service)
            for callee in service.calls:
                yield self._hop(service.name, self.plan.by_name[callee])
                yield self._outbound(service, self.plan.by_name[callee])

    def _shared(self, *, actors: tuple[str, ...], bound: dict[str, Any]) -> Iterator[Resource]:
        """What both nodes have; `actors` may show tokens that they have exchanged, `bound` is about bound tokens."""
        roots = self.credentials.trust_bundle()
        key_sets = self.keys.key_sets()
        yield Resource.of(clusters.decision_point(str(self.bindings.decision_point)))
        yield self.memo.once(("bundle", roots), lambda: Resource.of(certificates.bundle(roots)))
        yield self.memo.once(
            ("tokens", self.plan.issuers, tuple(sorted(key_sets.items()))),
            lambda: _filter(names.TOKENS_FILTER, tokens.config(self.plan.issuers, key_sets)),
        )
        yield self.memo.once(
            ("revocations", self.revoked, self.issuer, actors, tuple(bound), self.held_by),
            lambda: _filter(
                names.REVOCATIONS_FILTER,
                revocations.config(self.revoked, issuer=self.issuer, actors=actors, bound=bound),
            ),
        )

    # --- pieces, each built once for what it is built from ---

    def _edge_listeners(self, public: Edge, *, scoped: bool, largest: int) -> Resources:
        def build() -> Resources:
            log = str(self.bindings.access_log(EDGE))
            made = edge.listeners(self.plan, public, self.bindings, log, scoped=scoped, largest_body=largest)
            return tuple(map(Resource.of, made))

        told = client_certificate.shown(self.plan)
        return self.memo.once(
            ("edge", self.public, scoped, largest, self.bindings.edge, self.bindings.redirect, told, self.common), build
        )

    def _edge_table(self, public: Edge, segment: str | None, services: Sequence[Service]) -> Resources:
        """The edge's routes for one first segment of paths with its scope, or for all paths."""
        port = self.bindings.edge.port if self.bindings.edge else public.port

        def build() -> Resources:
            entries = [e for s in services for e in self._entries(s, at_edge=True) if segment in {None, e.segment}]
            made = edge.route_table(public, entries, port, segment)
            return tuple(map(Resource.of, (made,) if segment is None else (made, edge.scope(segment))))

        versions = tuple(self.memo.version(service) for service in services)
        return self.memo.once(("edge table", self.public, segment, port, versions, self.common), build)

    def _by_segment(self, exposed: Sequence[Service]) -> dict[str, list[Service]] | None:
        """Return which services have routes below which first segment; None where one has routes below any."""
        found: dict[str, list[Service]] = {}
        for service in exposed:
            for segment in self._segments(service):
                if segment is None:
                    return None
                found.setdefault(segment, []).append(service)
        return found

    def _inbound(self, service: Service) -> Resources:
        name, where, app = service.name, self.bindings.inbound[service.name], self._app(service)
        revoked = self.revoked_workloads if service.protocol is Protocol.TCP else ()

        def build() -> Resources:
            built = [
                Resource.of(clusters.app(service, *app)),
                Resource.of(mesh.inbound_listener(self.plan, service, where, self.log, revoked=revoked)),
            ]
            if service.protocol is not Protocol.TCP:
                built += [
                    Resource.of(mesh.inbound_table(self.plan, service, self._entries(service, at_edge=False))),
                    _filter(names.principal_limit(name), limits.per_principal(service.per_principal)),
                    _filter(names.body_limit(name), filters.body_limit(_body_bytes(service))),
                ]
            return tuple(built)

        key = ("inbound", self.memo.version(service), _at(where), tuple(map(_at, app)), revoked, self.common)
        return self.memo.once(key, build)

    def _app(self, service: Service) -> tuple[Address, ...]:
        if service.builtin:
            return tuple(Address(socket=str(self.bindings.issuer(number))) for number in self.bindings.issuers)
        return (self.bindings.app[service.name],)

    def _outbound(self, caller: Service, callee: Service) -> Resource:
        where = self.bindings.outbound[f"{caller.name}>{callee.name}"]
        return self.memo.once(
            ("outbound", caller.name, callee.name, callee.protocol, callee.timeout_seconds, _at(where), self.log),
            lambda: Resource.of(mesh.outbound_listener(caller, callee, where, self.log)),
        )

    def _hop(self, caller: str, callee: Service) -> Resource:
        where = self.bindings.inbound[callee.name]
        return self.memo.once(
            ("hop", caller, callee.name, callee.protocol, callee.spiffe_id, _at(where)),
            lambda: Resource.of(clusters.hop(caller, callee, where)),
        )

    def _certificate(self, name: str, credential: X509Credential) -> Resource:
        return self.memo.once(
            ("certificate", name, credential.chain_pem), lambda: Resource.of(certificates.certificate(name, credential))
        )

    def _entries(self, service: Service, *, at_edge: bool) -> tuple[table.Entry, ...]:
        def build() -> tuple[table.Entry, ...]:
            return tuple(_entries_of(self.plan, service, at_edge=at_edge))

        # Of its callers only the names count, and those the service has: a SPIFFE ID is made of name and trust domain.
        return self.memo.once(("entries", at_edge, self.memo.version(service), self.common), build)

    def _segments(self, service: Service) -> frozenset[str | None]:
        def build() -> frozenset[str | None]:
            return frozenset(entry.segment for entry in self._entries(service, at_edge=True))

        return self.memo.once(("segments", self.memo.version(service)), build)


def _entries_of(plan: Plan, service: Service, *, at_edge: bool) -> Iterator[table.Entry]:
    mode = plan.mode_of(service)
    prefix = (service.prefix or "") if at_edge else ""
    cluster = names.hop(EDGE, service.name) if at_edge else names.app(service.name)
    browsers = at_edge and plan.signs_people_in
    methods: dict[str, list[str]] = {}
    for operation in service.operations:
        if _hop_of(service, operation, at_edge=at_edge) is not None:
            methods.setdefault(operation.template, []).append(operation.method)
    if at_edge and service.cors is not None:
        for template, taken in methods.items():
            order = precedence("OPTIONS", prefix + template)  # before an operation of that method, which comes later
            asked = routes.browser_question(service, service.cors, template, taken, cluster)
            yield table.Entry((0, *order), prefix + template, table.route_list([asked]))
    for operation in service.operations:
        hop = _hop_of(service, operation, at_edge=at_edge)
        if hop is None:
            continue
        callers = None if at_edge else [plan.spiffe_of(caller) for caller in hop.callers]
        made = routes.operation_routes(
            service,
            operation,
            hop,
            mode=mode,
            callers=callers,
            edge_id=plan.spiffe_of(EDGE),
            cluster=cluster,
            browsers=browsers,
        )
        order = precedence(operation.method, prefix + operation.template)
        yield table.Entry((0, *order), prefix + operation.template, table.route_list(made.own))
        if made.bare:
            yield table.Entry((0, *order), prefix, table.route_list(made.bare))
        yield from _elsewhere(service, operation, made)
    for template, allowed in methods.items():
        if "*" not in allowed:
            order = precedence("*", prefix + template)
            answer = routes.wrong_method(prefix, template, allowed)
            yield table.Entry((1, *order), prefix + template, table.route_list([answer]))


def _elsewhere(service: Service, operation: Operation, made: routes.OperationRoutes) -> Iterator[table.Entry]:
    """Give the issuer's metadata their second path, before any service that answers on every path."""
    outside = metadata_path(service, operation)
    if made.elsewhere and outside is not None:
        yield table.Entry((-1, outside), outside, table.route_list(made.elsewhere))


def _hop_of(service: Service, operation: Operation, *, at_edge: bool) -> HopRule | None:
    """Return what a hop enforces; None where it has no route for it, as for what nobody may ask of Ringwall itself."""
    if at_edge:
        return operation.edge
    return operation.inbound if operation.inbound.callers or not service.builtin else None


def _at(address: Address) -> tuple[str, int, str | None]:
    """Return an address as a part of a key."""
    return address.host, address.port, address.socket


def _filter(name: str, config: Message) -> Resource:
    return Resource.of(extension_pb2.TypedExtensionConfig(name=name, typed_config=pack(config)))


def _body_bytes(service: Service) -> int:
    return _STREAM_BYTES if service.protocol is Protocol.GRPC else max(service.max_body_bytes, 1)
