"""The HTTP connection manager of every listener: hardening that all share, and what each kind adds.

Three kinds exist. The *edge* faces the world: it believes nothing it is told. An *inbound* listener faces
authenticated workloads: it takes the request id and, from the edge alone, the client's address. An
*outbound* listener faces its own service, which may set anything: identity headers are removed here too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import address_pb2, protocol_pb2
from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.request_id.uuid.v3 import uuid_pb2
from envoy.type.matcher.v3 import string_pb2

from ringwall.enforce import http2, problems, websockets
from ringwall.enforce.proto import FALSE, TRUE, ads, extension, header, pack, seconds, u32
from ringwall.model import headers

MAX_HEADER_KB = 32
MAX_HEADERS = 100
HEADER_SECONDS = 10
SILENCE_SECONDS = 60
"""How long a request may stand still; a route whose service may take longer says so itself."""
_ADDED_HEADERS, _ADDED_HEADER_KB = 20, MAX_HEADER_KB + 16
"""What the proxy before may add to a request that it has let pass: the path once more, as it came, a client's
certificates, and little else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """How one kind of listener treats connections.

    Attributes:
        codec: `AUTO`, `HTTP1`, `HTTP2` or `HTTP3`.
        strip: header names removed from what arrives; a trailing `*` means: every name that begins so.
        shared: a connection carries the requests of many clients.
        own_address: the peer's address is the client's, whatever X-Forwarded-For says.
        trusted_hops: proxies in front whose X-Forwarded-For entries are believed; with `own_address` only.
        keep_request_id: believe the request id that arrives.
        echo_request_id: put the request id on every response.
        request_seconds: time for a whole request to arrive; 0 for no end.
        idle_seconds: time after which a connection without requests is closed.
        max_connection_seconds: age at which a connection is drained; 0 for never.
        reply_headers: headers on every answer of the proxy's own.
        pages: which of its own answers are pages where a browser asks for one.
        login_at: path at which browsers are asked to sign in; empty where they are not.
        carries_websockets: on every route; otherwise only on those that say so.
    """

    codec: str = "AUTO"
    strip: tuple[str, ...]
    shared: bool = False
    own_address: bool
    trusted_hops: int = 0
    keep_request_id: bool = False
    echo_request_id: bool = False
    request_seconds: int = 0
    idle_seconds: int = 300
    max_connection_seconds: int = 0
    reply_headers: tuple[Any, ...] = ()
    pages: problems.Pages = problems.Pages.NONE
    login_at: str = ""
    carries_websockets: bool = False


@dataclass(frozen=True, slots=True)
class ByFirstSegment:
    """Route tables that come by SRDS and RDS, one for each first segment of a path; `name` is that of the scopes."""

    name: str


SPOOFABLE = (*headers.IDENTITY_HEADERS, *headers.FORGEABLE)
"""What every listener removes first."""


def filter_of(manager: Manager, name: str, *, routes: Any, filters: Sequence[Any], log: Sequence[Any]) -> Any:
    """Return the network filter; `routes` is a route configuration, the name of one that comes by RDS, or several."""
    common = protocol_pb2.HttpProtocolOptions(
        idle_timeout=seconds(manager.idle_seconds),
        max_headers_count=u32(MAX_HEADERS + (_ADDED_HEADERS if manager.shared else 0)),
        headers_with_underscores_action="REJECT_REQUEST",
    )
    if manager.max_connection_seconds:
        common.max_connection_duration.CopyFrom(seconds(manager.max_connection_seconds))
    config = http_connection_manager_pb2.HttpConnectionManager(
        codec_type=manager.codec,
        stat_prefix=name.partition("/")[0],
        http_filters=filters,
        access_log=log,
        local_reply_config=problems.replies(manager.reply_headers, login_at=manager.login_at, pages=manager.pages),
        common_http_protocol_options=common,
        http_protocol_options=protocol_pb2.Http1ProtocolOptions(
            accept_http_10=False,
            # Some clients offer HTTP/2 with every request; that may be passed over (RFC 9110, section 7.8).
            ignore_http_11_upgrade=[string_pb2.StringMatcher(exact="h2c", ignore_case=True)],
        ),
        http2_protocol_options=http2.shared_connection() if manager.shared else http2.own_connection(),
        # Who is asking
        use_remote_address=TRUE if manager.own_address else FALSE,
        xff_num_trusted_hops=manager.trusted_hops,
        skip_xff_append=True,  # the edge's routes set exactly one address, nobody else sets any
        internal_address_config=_nobody_internal(),
        early_header_mutation_extensions=[_early(manager.strip, scoped=isinstance(routes, ByFirstSegment))],
        forward_client_cert_details="SANITIZE",
        # What is asked for: one reading of the path for every filter, rule and service
        normalize_path=TRUE,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        strip_trailing_host_dot=True,
        upgrade_configs=[websockets.offered(everywhere=manager.carries_websockets)],
        # Under which id
        generate_request_id=TRUE,
        preserve_external_request_id=manager.keep_request_id,
        always_set_request_id_in_response=manager.echo_request_id,
        request_id_extension=http_connection_manager_pb2.RequestIDExtension(
            typed_config=pack(uuid_pb2.UuidRequestIdConfig(pack_trace_reason=FALSE))
        ),
        # How much and how slowly
        max_request_headers_kb=u32(MAX_HEADER_KB + (_ADDED_HEADER_KB if manager.shared else 0)),
        request_headers_timeout=seconds(HEADER_SECONDS),
        request_timeout=seconds(manager.request_seconds),
        stream_idle_timeout=seconds(SILENCE_SECONDS),
        delayed_close_timeout=seconds(1),
        server_header_transformation="PASS_THROUGH",
    )
    if isinstance(routes, str):
        config.rds.CopyFrom(http_connection_manager_pb2.Rds(config_source=ads(), route_config_name=routes))
    elif isinstance(routes, ByFirstSegment):
        config.scoped_routes.CopyFrom(_scopes(routes.name))
    else:
        config.route_config.CopyFrom(routes)
    return listener_components_pb2.Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=pack(config)
    )


def _nobody_internal() -> Any:
    """Return the address range of clients that may set Envoy's own headers: none.

    An empty list would mean Envoy's default, every private address and loopback, so one is named that no client has.
    """
    nobody = address_pb2.CidrRange(address_prefix="255.255.255.255", prefix_len=u32(32))
    return http_connection_manager_pb2.HttpConnectionManager.InternalAddressConfig(cidr_ranges=[nobody])


def _scopes(name: str) -> Any:
    """Return the choice of a route table by the path's first segment, from the header that `_early` has set."""
    scoped = http_connection_manager_pb2.ScopedRoutes
    extractor = scoped.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor(
        name=headers.ROUTED_PATH, element_separator="/", index=1
    )
    builder = scoped.ScopeKeyBuilder(
        fragments=[scoped.ScopeKeyBuilder.FragmentBuilder(header_value_extractor=extractor)]
    )
    discovered = http_connection_manager_pb2.ScopedRds(scoped_rds_config_source=ads())
    return scoped(name=name, scope_key_builder=builder, rds_config_source=ads(), scoped_rds=discovered)


def _early(names: Sequence[str], *, scoped: bool) -> Any:
    """Return the mutation that removes headers before anything else reads them.

    Where route tables are chosen by the path, it also says the path without its query, which Envoy's choice would
    take for a part of the first segment. The next hop removes that header with its like.
    """
    rule = mutation_rules_pb2.HeaderMutation
    mutations = [
        rule(
            remove_on_match=rule.RemoveOnMatch(key_matcher=string_pb2.StringMatcher(prefix=name[:-1], ignore_case=True))
        )
        if name.endswith("*")
        else rule(remove=name)
        for name in names
    ]
    if scoped:
        mutations.append(rule(append=header(headers.ROUTED_PATH, "%PATH(NQ)%")))
    return extension("ringwall.spoofable", header_mutation_pb2.HeaderMutation(mutations=mutations))
