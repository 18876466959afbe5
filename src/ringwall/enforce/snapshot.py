"""What one proxy is to be given: resources by type and name, each with a version that is a digest of its bytes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from ringwall.enforce.proto import pack, type_url

CLUSTER = type_url(cluster_pb2.Cluster)
LISTENER = type_url(listener_pb2.Listener)
SCOPES = type_url(scoped_route_pb2.ScopedRouteConfiguration)
ROUTES = type_url(route_pb2.RouteConfiguration)
SECRET = type_url(secret_pb2.Secret)
FILTER = type_url(extension_pb2.TypedExtensionConfig)

TYPES = (CLUSTER, SECRET, LISTENER, SCOPES, ROUTES, FILTER)
"""Every type served, in the order in which new resources become usable (make before break)."""

WILDCARD_TYPES = frozenset({CLUSTER, LISTENER, SCOPES})
"""Types of which a proxy asks for all; of the others it asks by name."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One named resource: its bytes as Envoy reads them, and a version that changes with them."""

    name: str
    version: str
    body: AnyMessage

    @classmethod
    def of(cls, message: Message) -> "Resource":
        """Pack a message that has a name; the version is a digest of its deterministic bytes."""
        body = pack(message)
        version = hashlib.blake2b(body.value, digest_size=12).hexdigest()
        return cls(name=message.name, version=version, body=body)  # type: ignore[attr-defined]  # all six types have it


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one proxy is to have for one plan.

    Attributes:
        node: `edge` or `mesh`.
        plan: digest of the plan it was made from.
        resources: type URL → name → resource.
    """

    node: str
    plan: str
    resources: Mapping[str, Mapping[str, Resource]] = field(default_factory=dict)

    @classmethod
    def of(cls, node: str, plan: str, resources: Iterable[Resource]) -> "Snapshot":
        """Sort resources by type and name."""
        by_type: dict[str, dict[str, Resource]] = {kind: {} for kind in TYPES}
        for resource in resources:
            by_type[resource.body.type_url][resource.name] = resource
        return cls(node, plan, MappingProxyType({kind: MappingProxyType(by_type[kind]) for kind in TYPES}))

    def of_type(self, kind: str) -> Mapping[str, Resource]:
        """Return the resources of one type by name."""
        return self.resources.get(kind, {})

    def __iter__(self) -> Iterator[Resource]:
        for kind in TYPES:
            for name in sorted(self.of_type(kind)):
                yield self.of_type(kind)[name]
