"""Plan and addresses → everything each proxy is to have.

A pure function but for the credentials and keys that it asks for. What belongs to one service is built once and
kept for as long as the service's part of the plan does not change, so that an edit costs what it touches.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from envoy.config.core.v3 import extension_pb2
from google.protobuf.message import Message

from ringwall.enforce import certificates, clusters, edge, filters, limits, mesh, names, routes, table, tokens
from ringwall.enforce.proto import pack
from ringwall.enforce.snapshot import Resource, Snapshot
from ringwall.model.credentials import CredentialSource, TokenKeySource
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import EDGE, Mode, Plan, Protocol, Service
from ringwall.plan.routes import precedence


class Memo:
    """Remembers what was built from equal inputs in the last two rounds; forgets the rest."""

    def __init__(self) -> None:
        self._now: dict[Hashable, Any] = {}
        self._before: dict[Hashable, Any] = {}

    def __call__(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """Return what `build` returns, or what it returned for this key before."""
        if key not in self._now:
            self._now[key] = self._before[key] if key in self._before else build()
        return self._now[key]

    def turn(self) -> None:
        """End a round."""
        self._before, self._now = self._now, {}


def snapshot(
    plan: Plan,
    bindings: Bindings,
    node: str,
    credentials: CredentialSource,
    keys: TokenKeySource,
    *,
    memo: Memo | None = None,
) -> Snapshot:
    """Return the resources of one node: `edge` gets only what is the edge's, `mesh` what is the services'."""
    builder = _Builder(plan, bindings, credentials, keys, memo or Memo())
    resources = builder.edge() if node == EDGE else builder.mesh()
    return Snapshot.of(node, plan.digest, list(resources))


class _Builder:
    def __init__(
        self, plan: Plan, bindings: Bindings, credentials: CredentialSource, keys: TokenKeySource, memo: Memo
    ) -> None:
        self.plan = plan
        self.bindings = bindings
        self.credentials = credentials
        self.keys = keys
        self.memo = memo

    def edge(self) -> Iterator[Resource]:
        plan, public = self.plan, self.plan.edge
        if public is None:
            return
        exposed = [s for s in plan.services if s.prefix is not None and s.protocol is not Protocol.TCP]
        for service in exposed:
            yield self._resource(clusters.hop(EDGE, service, self.bindings.inbound[service.name]))
        yield self._resource(clusters.decision_point(str(self.bindings.decision_point)))
        yield self._resource(certificates.certificate(names.svid(EDGE), self.credentials.svid(public.spiffe_id)))
        yield self._resource(certificates.bundle(self.credentials.trust_bundle()))
        yield self._resource(
            certificates.certificate(names.EDGE_CERTIFICATE, self.credentials.edge_certificate(public.domains))
        )
        for listener in edge.listeners(plan, public, self.bindings, str(self.bindings.access_log(EDGE))):
            yield self._resource(listener)
        entries = [entry for service in exposed for entry in self._entries(service, at_edge=True)]
        port = self.bindings.edge.port if self.bindings.edge else public.port
        yield self._resource(edge.route_table(public, entries, port))
        yield self._filter(names.PER_IP_LIMIT, limits.per_address(public.per_ip))
        yield self._filter(names.principal_limit(EDGE), limits.per_principal(public.per_principal))
        yield self._filter(names.body_limit(EDGE), filters.body_limit(max(map(_body_bytes, exposed), default=1)))
        yield self._tokens()

    def mesh(self) -> Iterator[Resource]:
        yield self._resource(clusters.decision_point(str(self.bindings.decision_point)))
        yield self._resource(certificates.bundle(self.credentials.trust_bundle()))
        yield self._tokens()
        log = str(self.bindings.access_log(names.MESH))
        for service in self.plan.services:
            yield from self._service(service, log)

    def _service(self, service: Service, log: str) -> Iterator[Resource]:
        name, plan, bindings = service.name, self.plan, self.bindings
        yield self._resource(clusters.app(service, bindings.app[name]))
        yield self._resource(certificates.certificate(names.svid(name), self.credentials.svid(service.spiffe_id)))
        yield self._resource(mesh.inbound_listener(plan, service, bindings.inbound[name], log))
        if service.protocol is not Protocol.TCP:
            yield self._resource(mesh.inbound_table(plan, service, self._entries(service, at_edge=False)))
            yield self._filter(names.principal_limit(name), limits.per_principal(service.per_principal))
            yield self._filter(names.body_limit(name), filters.body_limit(_body_bytes(service)))
        for callee_name in service.calls:
            callee = plan.by_name[callee_name]
            yield self._resource(clusters.hop(name, callee, bindings.inbound[callee_name]))
            where = bindings.outbound[f"{name}>{callee_name}"]
            yield self._resource(mesh.outbound_listener(service, callee, where, log))

    def _entries(self, service: Service, *, at_edge: bool) -> list[table.Entry]:
        mode = Mode.SHADOW if Mode.SHADOW in {service.mode, self.plan.mode} else Mode.ENFORCE
        prefix = (service.prefix or "") if at_edge else ""
        entries: list[table.Entry] = []
        for operation in service.operations:
            hop = operation.edge if at_edge else operation.inbound
            if hop is None:
                continue
            callers = None if at_edge else [self.plan.spiffe_of(caller) for caller in hop.callers]
            cluster = names.hop(EDGE, service.name) if at_edge else names.app(service.name)
            made = routes.operation_routes(service, operation, hop, mode=mode, callers=callers, cluster=cluster)
            order = precedence(operation.method, prefix + operation.template)
            literal = prefix + table.literal_of(operation.template)
            if len(made) > 1:
                entries.append(table.Entry(order, prefix, table.route_list(made[1:])))
            entries.append(table.Entry(order, literal, table.route_list(made[:1])))
        return entries

    def _tokens(self) -> Resource:
        return self._filter(names.TOKENS_FILTER, tokens.config(self.plan.issuers, self.keys.key_sets()))

    def _filter(self, name: str, config: Message) -> Resource:
        return self._resource(extension_pb2.TypedExtensionConfig(name=name, typed_config=pack(config)))

    @staticmethod
    def _resource(message: Message) -> Resource:
        return Resource.of(message)


_STREAM_BYTES = 1 << 40
"""A gRPC stream's messages are limited by who reads them, and a stream has no length."""


def _body_bytes(service: Service) -> int:
    return _STREAM_BYTES if service.protocol is Protocol.GRPC else max(service.max_body_bytes, 1)
