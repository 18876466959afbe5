"""A bed for measuring one edge proxy: Ringwall's own resources for it, and what stands before and behind it.

The proxy under test runs alone on one core. Everything else shares the other one: the load generator, the xDS
server, and in place of the services a second Envoy that answers by itself, behind the same mutual TLS that
a service's inbound listener has. So every cycle that is counted on the first core is the edge's own.
"""

import json
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Any, Self

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from joserfc import jwt
from joserfc.jwk import ECKey

from envoys import OTHER_CORE, PROXY_CORE, envoy, free_port
from load import Load
from ringwall.blueprint.files import Files
from ringwall.bootstrap.files import DiskFiles
from ringwall.compile.planner import plan_files
from ringwall.enforce import names
from ringwall.enforce.bootstrap import envoy_bootstrap
from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import Resource, Snapshot
from ringwall.enforce.xds.server import XdsServer
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.clock import SystemClock
from ringwall.model.revocation import NothingRevoked
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import EDGE, Plan
from ringwall.plan.operation import HopRule, Limit
from ringwall.plan.rule import ALLOW

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TYPES = "type.googleapis.com/envoy"
ANSWER = "about as much as a small answer in JSON has to say, which is some sixty bytes"

Trim = Callable[[Iterable[Resource]], list[Resource]]
"""Takes away a part of what the edge is given, to see what that part costs."""


def planned(files: Files) -> Plan:
    """Return the plan of a blueprint."""
    return plan_files(files).plan


def clinic() -> Plan:
    """Return the clinic's plan; its limits count every request and are never reached."""
    plan = planned(DiskFiles(EXAMPLES / "clinic"))
    wide = Limit(requests=10_000_000, seconds=1, burst=10_000_000)
    if plan.edge is None:
        raise ValueError("the clinic has no edge")
    edge = plan.edge.model_copy(update={"per_ip": wide, "per_principal": wide})
    return _changed(plan, edge=edge)


def _changed(plan: Plan, **update: object) -> Plan:
    """Return another plan; `model_copy` would keep the digest."""
    return Plan.model_validate({**{name: getattr(plan, name) for name in Plan.model_fields}, **update})


def without_rules(plan: Plan, *, tokens: bool = True) -> Plan:
    """Return the plan with every operation open to whoever has a token, or to everybody."""

    def opened(hop: HopRule | None) -> HopRule | None:
        authentication = "required" if tokens else "optional"
        return hop and hop.model_copy(update={"rule": ALLOW, "shadow": None, "authentication": authentication})

    services = [
        service.model_copy(
            update={
                "operations": tuple(
                    operation.model_copy(update={"edge": opened(operation.edge), "inbound": opened(operation.inbound)})
                    for operation in service.operations
                )
            }
        )
        for service in plan.services
    ]
    return _changed(plan, services=tuple(services))


class SigningKey:
    """An issuer's key: signs tokens, and is the proxies' source of public keys."""

    def __init__(self, issuer: str, url: str, audience: str) -> None:
        self._issuer, self._url, self._audience = issuer, url, audience
        self._key = ECKey.generate_key("P-256", {"kid": "bench", "alg": "ES256", "use": "sig"})

    def key_sets(self) -> dict[str, str]:
        """Return the public key."""
        return {self._issuer: json.dumps({"keys": [self._key.as_dict(private=False)]})}

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Never changes."""

    def token(self, subject: str, roles: list[str], claims: dict[str, Any]) -> str:
        """Return a token of the shape that the built-in issuer gives."""
        now = int(time.time())
        held = {"iss": self._url, "sub": subject, "aud": self._audience, "iat": now, "exp": now + 7200, "roles": roles}
        return jwt.encode({"alg": "ES256", "kid": "bench", "typ": "at+jwt"}, held | claims, self._key)


class _EdgeOnly(XdsServer):
    """The xDS server, for the edge alone, with a part taken away."""

    trim: Trim = staticmethod(list)

    def _build(self, plan: Plan, bindings: Bindings) -> dict[str, Snapshot]:
        whole = snapshot(plan, bindings, EDGE, self._credentials, self._keys, revoked=NothingRevoked(), memo=self._memo)
        return {EDGE: Snapshot.of(EDGE, plan.digest, self.trim(whole))}


class Bed:
    """Everything but the proxy under test; a context manager.

    Args:
        plan: what is to be enforced; all its services are played by one that answers everything.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._stack = ExitStack()
        issuer = next(issuer for issuer in plan.issuers if issuer.builtin)
        self.keys = SigningKey(issuer.name, issuer.url, plan.audience)
        self.plain_port, self.mutual_port = free_port(), free_port()

    def __enter__(self) -> Self:
        self._cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {OTHER_CORE})
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rw-bench-")))
        self.authority = WorkloadAuthority(
            MemoryKeyStore(),
            self.plan.trust_domain,
            SystemClock(),
            web_root_file=self.folder / "web.pem",
            settle_seconds=0.1,
        )
        for port, mutual in ((self.plain_port, False), (self.mutual_port, True)):
            config = self._responder(port, mutual=mutual)
            self._stack.enter_context(envoy(config, self.folder, core=OTHER_CORE, port=port, name=f"responder-{port}"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()
        self.authority.stop()
        os.sched_setaffinity(0, self._cores)  # the next benchmark is not about one core

    def token(self, name: str) -> str:
        """Return a token of one of the plan's people."""
        person = next(person for person in self.plan.people if person.name == name)
        claims = {"jti": "0123456789abcdefghijkl", "client_id": "ringwall", **dict(person.claims)}
        return self.keys.token(name, list(person.roles), claims)

    @contextmanager
    def edge(self, plan: Plan | None = None, *, trim: Trim = list) -> Iterator["Edge"]:
        """Run an edge with Ringwall's resources, less what `trim` takes away."""
        plan = plan or self.plan
        state = self.folder / f"edge-{free_port()}"
        (state / "run").mkdir(parents=True)
        (state / "log").mkdir()
        hop = Address(port=self.mutual_port)
        bindings = Bindings(
            state=state,
            edge=Address(port=free_port()),
            inbound={service.name: hop for service in plan.services},
            app={service.name: hop for service in plan.services},
        )
        server = _EdgeOnly(self.authority, self.keys, NothingRevoked())
        server.trim = trim
        server.start(bindings.xds)
        try:
            server.publish(plan, bindings)
            port = bindings.edge.port if bindings.edge else 0
            config = envoy_bootstrap(bindings, EDGE)
            with envoy(config, state, core=PROXY_CORE, port=port, name="edge") as process:
                yield Edge(self, process, port, bindings, server)
        finally:
            server.stop()

    @contextmanager
    def baseline(self) -> Iterator["Edge"]:
        """Run an edge that ends TLS and proxies, nothing else."""
        port = free_port()
        certificate = self.authority.edge_certificate(("localhost",))
        socket = _tls("Downstream", self._pair("edge", certificate.chain_pem, certificate.key_pem.reveal()))
        config = _http(port, {"route": {"cluster": "responder"}}, socket=socket)
        config["static_resources"]["clusters"] = [_cluster(self.plain_port)]
        with envoy(config, self.folder, core=PROXY_CORE, port=port, name=f"baseline-{port}") as process:
            yield Edge(self, process, port, None, None)

    def _pair(self, name: str, chain: bytes, key: bytes) -> dict[str, Any]:
        for suffix, text in (("pem", chain), ("key", key)):
            (self.folder / f"{name}.{suffix}").write_bytes(text)
        return {
            "certificate_chain": {"filename": str(self.folder / f"{name}.pem")},
            "private_key": {"filename": str(self.folder / f"{name}.key")},
        }

    def _responder(self, port: int, *, mutual: bool) -> dict[str, Any]:
        answer = {"direct_response": {"status": 200, "body": {"inline_string": ANSWER}}}
        if not mutual:
            return _http(port, answer)
        # One workload cannot have every service's identity, so its certificate is of whichever service is asked.
        pairs = []
        for service in self.plan.services:
            svid = self.authority.svid(service.spiffe_id)
            pairs.append((service.name, self._pair(service.name, svid.chain_pem, svid.key_pem.reveal())))
        (self.folder / "bundle.pem").write_bytes(self.authority.trust_bundle())
        trust = {"trusted_ca": {"filename": str(self.folder / "bundle.pem")}}
        config = _http(port, answer)
        listener = config["static_resources"]["listeners"][0]
        filters = listener["filter_chains"][0]["filters"]
        listener["listener_filters"] = [
            {
                "name": "sni",
                "typed_config": {"@type": f"{TYPES}.extensions.filters.listener.tls_inspector.v3.TlsInspector"},
            }
        ]
        listener["filter_chains"] = [
            {
                "filter_chain_match": {"server_names": [name]},
                "filters": filters,
                "transport_socket": _tls("Downstream", pair, trust),
            }
            for name, pair in pairs
        ]
        return config


class Edge:
    """One proxy under test."""

    def __init__(
        self, bed: Bed, process: Popen[bytes], port: int, bindings: Bindings | None, server: XdsServer | None
    ) -> None:
        self.bed = bed
        self.pid = process.pid
        self.port = port
        self.bindings = bindings
        self.server = server

    def load(self, path: str, token: str | None, connections: int = 32) -> Load:
        """Return a load of GET requests that are all to be answered with 200."""
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        context = ssl.create_default_context(cafile=str(self.bed.folder / "web.pem"))
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n".encode()
        end = time.monotonic() + 15
        while True:
            try:
                return Load(("127.0.0.1", self.port), context, "localhost", request, connections)
            except (OSError, RuntimeError, ssl.SSLError):  # its routes are still on their way
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def without_filters(*unwanted: str) -> Trim:
    """Return what removes HTTP filters from the edge's listener by the beginning of their names."""

    def change(manager: Any) -> None:
        kept = [f for f in manager.http_filters if not f.name.startswith(unwanted)]
        del manager.http_filters[:]
        manager.http_filters.extend(kept)

    return in_manager(change)


def in_manager(change: Callable[[Any], None]) -> Trim:
    """Return what changes the HTTP connection manager of the edge's listener."""

    def in_listener(listener: Any) -> None:
        packed = listener.filter_chains[0].filters[-1].typed_config
        manager = hcm.HttpConnectionManager()
        packed.Unpack(manager)
        change(manager)
        packed.Pack(manager)

    return _each(lambda name: name == names.EDGE_LISTENER, listener_pb2.Listener, in_listener)


def in_resource(name: str, kind: type[Any], change: Callable[[Any], None]) -> Trim:
    """Return what changes the configuration of a filter that comes by ECDS."""

    def in_extension(extension: Any) -> None:
        config = kind()
        extension.typed_config.Unpack(config)
        change(config)
        extension.typed_config.Pack(config)

    return _each(lambda its: its == name, extension_pb2.TypedExtensionConfig, in_extension)


def plain_upstream(port: int) -> Trim:
    """Return what makes the edge call the services without TLS, at another port."""

    def plain(cluster: Any) -> None:
        cluster.ClearField("transport_socket")
        target = cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
        target.port_value = port

    return _each(lambda name: name.startswith("hop/"), cluster_pb2.Cluster, plain)


def _each(wanted: Callable[[str], bool], kind: type[Any], change: Callable[[Any], None]) -> Trim:
    def trim(resources: Iterable[Resource]) -> list[Resource]:
        trimmed = []
        for resource in resources:
            if wanted(resource.name) and resource.body.Is(kind.DESCRIPTOR):
                message = kind()
                resource.body.Unpack(message)
                change(message)
                trimmed.append(Resource.of(message))
            else:
                trimmed.append(resource)
        return trimmed

    return trim


def _http(port: int, action: dict[str, Any], socket: dict[str, Any] | None = None) -> dict[str, Any]:
    router = {"name": "router", "typed_config": {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **action}]}]
        },
        "http_filters": [router],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if socket:
        chain["transport_socket"] = socket
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"static_resources": {"listeners": [{"name": "bench", "address": address, "filter_chains": [chain]}]}}


def _cluster(port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": "responder",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "responder", "endpoints": endpoints},
    }


def _tls(kind: str, pair: dict[str, Any], trust: dict[str, Any] | None = None) -> dict[str, Any]:
    common: dict[str, Any] = {"tls_certificates": [pair]}
    context: dict[str, Any] = {
        "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.{kind}TlsContext",
        "common_tls_context": common,
    }
    if trust:
        common["validation_context"] = trust
        common["tls_params"] = {"ecdh_curves": ["X25519MLKEM768", "X25519", "P-256"]}
        common["alpn_protocols"] = ["h2", "http/1.1"]
        context["require_client_certificate"] = True
    return {"name": "tls", "typed_config": context}
