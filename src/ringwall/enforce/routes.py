"""Operations as Envoy routes: what matches, what is demanded, where it goes.

A route carries everything that one operation enforces, so a change of policy is a change of RDS alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct

from ringwall.enforce import browser, cors, filters, names, rbac, step_up, tokens, websockets
from ringwall.enforce.decision_point import facts
from ringwall.enforce.proto import header, pack, seconds, u32
from ringwall.model import headers
from ringwall.model.administration import ISSUER_SERVICE
from ringwall.model.route import AUTHORIZATION_SERVER_METADATA, answered
from ringwall.plan.attributes import (
    RBAC_FILTER,
    ROUTE_METADATA,
    ROUTE_METADATA_CHALLENGE,
    ROUTE_METADATA_OPERATION,
    ROUTE_METADATA_RULE,
    ROUTE_METADATA_SIGN_IN,
)
from ringwall.plan.model import EDGE, Cors, Service
from ringwall.plan.operation import HopRule, Operation
from ringwall.plan.policy import Mode
from ringwall.plan.routes import metadata_path, template_regex
from ringwall.plan.rule import DecisionPointRule

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods without effect (RFC 9110, section 9.2.1): only these are sent a second time."""

_NOT_SENT = "connect-failure,refused-stream,reset-before-request"
"""Failures in which the service never saw the request: any method may be sent again."""

_ISSUER_RETRY = route_components_pb2.RetryPolicy(
    num_retries=u32(16),
    retry_back_off=route_components_pb2.RetryPolicy.RetryBackOff(base_interval=seconds(0.1), max_interval=seconds(0.5)),
    # One that is away has nothing to do, so the balance of requests would choose it again and again.
    retry_host_predicate=[
        route_components_pb2.RetryPolicy.RetryHostPredicate(
            name="envoy.retry_host_predicates.previous_hosts",
            typed_config=pack(previous_hosts_pb2.PreviousHostsPredicate()),
        )
    ],
    host_selection_retry_max_attempts=10,
)
"""Another process of the issuer is asked, or the same one again once it is back, for some four seconds: it takes
one and a half until one that is away is known to be, and about one to start it."""


@dataclass(frozen=True, slots=True)
class OperationRoutes:
    """The routes of one operation at one hop; where it may open WebSocket connections, that route is the first.

    Attributes:
        own: for its own paths, at the edge with the service's prefix before them.
        bare: for the prefix without a slash behind it, at the edge and where that means the operation too.
        elsewhere: for the path of the issuer's metadata that is not below its prefix.
    """

    own: list[Any]
    bare: list[Any]
    elsewhere: list[Any]


def operation_routes(
    service: Service,
    operation: Operation,
    hop: HopRule,
    *,
    mode: Mode,
    callers: Sequence[str] | None,
    edge_id: str,
    cluster: str,
    browsers: bool = False,
) -> OperationRoutes:
    """Return the routes of one operation at one hop, most often one; `callers` is None at the edge.

    `edge_id` is the SPIFFE ID of the edge.

    The edge takes the service's prefix away again. `browsers` have cookies of the issuer, which stay at the edge.
    """
    made = OperationRoutes([], [], [])
    prefix = (service.prefix or "") if callers is None else ""
    for websocket in (True, False) if operation.websocket else (False,):
        common = _common(service, operation, hop, mode, callers, websocket=websocket)
        if operation.step_up is not None and mode is Mode.ENFORCE:
            asked = step_up.per_route(operation.step_up, edge=None if callers is None else edge_id)
            common["typed_per_filter_config"][step_up.FILTER] = pack(asked)
        if browsers and not service.builtin:
            common["typed_per_filter_config"][browser.FILTER] = pack(browser.per_route(login=service.login))
        own = route_components_pb2.Route(
            match=_match(operation.method, prefix, operation.template, websocket=websocket),
            route=_forward(service, operation, cluster, websocket=websocket),
            **common,
        )
        made.own.append(own)
        if not prefix:
            continue
        pattern = regex_pb2.RegexMatcher(regex=f"^{re.escape(prefix)}")
        if outside := metadata_path(service, operation):
            route = route_components_pb2.Route(
                match=_match(operation.method, "", outside),
                route=_forward(service, operation, cluster, websocket=False),
                **common,
            )
            route.route.prefix_rewrite = AUTHORIZATION_SERVER_METADATA
            made.elsewhere.append(route)
        own.route.regex_rewrite.CopyFrom(regex_pb2.RegexMatchAndSubstitute(pattern=pattern))
        if re.fullmatch(template_regex(operation.template), "/"):
            bare = route_components_pb2.Route(
                match=_match(operation.method, prefix, "", websocket=websocket),
                route=_forward(service, operation, cluster, websocket=websocket),
                **common,
            )
            bare.route.prefix_rewrite = "/"
            made.bare.append(bare)
    return made


def _common(
    service: Service,
    operation: Operation,
    hop: HopRule,
    mode: Mode,
    callers: Sequence[str] | None,
    *,
    websocket: bool,
) -> dict[str, Any]:
    """Return what the routes of an operation share, besides their paths."""
    at_edge = callers is None
    demands = _demands(service, operation, hop, mode, callers)
    common: dict[str, Any] = {
        "name": operation.id,
        "metadata": _metadata(operation),
        "typed_per_filter_config": demands,
        "request_headers_to_remove": facts.HEADERS if _asks(hop, mode) else (),
    }
    if at_edge and service.cors is not None:
        demands[cors.FILTER] = pack(cors.policy(service.cors, [operation.method]))
        common["response_headers_to_remove"] = cors.RESPONSE_HEADERS
        common["response_headers_to_add"] = [header("vary", "origin")]
    if at_edge and service.prefix:
        common["request_headers_to_add"] = [header(headers.FORWARDED_PREFIX, service.prefix)]
    if websocket:
        demands[names.body_limit(EDGE if at_edge else service.name)] = pack(filters.left_out())
        if at_edge:
            origins = service.cors.origins if service.cors is not None else ()
            demands[filters.SHAPE_FILTER] = pack(filters.websocket_shapes(origins))
    return common


def browser_question(service: Service, origins: Cors, template: str, methods: Sequence[str], cluster: str) -> Any:
    """Return the edge's route for a browser that asks whether a page may use a path's methods.

    The filter answers it and nothing is forwarded. The route brings no rule: what the filter let through, RBAC denies.
    """
    match = _match("OPTIONS", service.prefix or "", template)
    for name in ("origin", "access-control-request-method"):
        match.headers.append(route_components_pb2.HeaderMatcher(name=name, present_match=True))
    return route_components_pb2.Route(
        name=f"{service.name} cors",
        match=match,
        route=route_components_pb2.RouteAction(cluster=cluster),
        response_headers_to_add=[header("vary", "origin")],
        typed_per_filter_config={cors.FILTER: pack(cors.policy(origins, methods))},
    )


def wrong_method(prefix: str, template: str, allowed: Sequence[str]) -> Any:
    """Return the route that answers 405 on a path that exists, for methods that do not (RFC 9110, section 15.5.6)."""
    route = _answer(_match("*", prefix, template), 405)
    route.response_headers_to_add.append(header("allow", ", ".join(answered(allowed))))
    return route


def not_found() -> Any:
    """Return the route that ends every table."""
    return _answer(route_components_pb2.RouteMatch(prefix="/"), 404)


def _answer(match: Any, status: int) -> Any:
    """An answer of the proxy's own: no rule applies and no token is looked at, but limits do count it."""
    return route_components_pb2.Route(
        match=match,
        direct_response=route_components_pb2.DirectResponseAction(status=status),
        typed_per_filter_config={
            names.TOKENS_FILTER: pack(jwt_pb2.PerRouteConfig(disabled=True)),
            RBAC_FILTER: pack(rbac_pb2.RBACPerRoute()),
            filters.DECISION_FILTER: pack(filters.undecided()),
        },
    )


def _match(method: str, prefix: str, template: str, *, websocket: bool = False) -> Any:
    required = websockets.asked() if websocket else []
    if method != "*":
        like = string_pb2.StringMatcher(exact=method)
        if method == "GET":
            like = string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex="|".join(answered([method]))))
        required.append(route_components_pb2.HeaderMatcher(name=":method", string_match=like))
    if "{" not in template:
        return route_components_pb2.RouteMatch(path=prefix + template, headers=required)
    regex = regex_pb2.RegexMatcher(regex=re.escape(prefix) + template_regex(template))
    return route_components_pb2.RouteMatch(safe_regex=regex, headers=required)


def _metadata(operation: Operation) -> Any:
    fields = Struct()
    fields.update({ROUTE_METADATA_OPERATION: operation.id, ROUTE_METADATA_RULE: operation.rule_id})
    if operation.step_up is not None:
        fields[ROUTE_METADATA_CHALLENGE] = step_up.challenge(operation.step_up)
        fields[ROUTE_METADATA_SIGN_IN] = step_up.query(operation.step_up)
    return base_pb2.Metadata(filter_metadata={ROUTE_METADATA: fields})


def _asks(hop: HopRule, mode: Mode) -> bool:
    """Whether the decision point is asked; in shadow mode nothing but the callers is enforced."""
    return isinstance(hop.rule, DecisionPointRule) and mode is Mode.ENFORCE


def _demands(
    service: Service, operation: Operation, hop: HopRule, mode: Mode, callers: Sequence[str] | None
) -> dict[str, AnyMessage]:
    rule = rbac.hop_filter(hop, rule_id=operation.rule_id, callers=callers, mode=mode)
    looked_at = jwt_pb2.PerRouteConfig(disabled=True) if operation.own_tokens else tokens.per_route(hop.authentication)
    demands = {
        names.TOKENS_FILTER: pack(looked_at),
        RBAC_FILTER: pack(rule),
    }
    if service.builtin:
        demands[filters.SHAPE_FILTER] = pack(
            filters.issuer_shapes(with_host=callers is None, own_tokens=operation.own_tokens)
        )
        if callers is None:  # it takes proofs itself, with nonces of its own
            demands[filters.HOLDER_FILTER] = pack(filters.left_out())
    if _asks(hop, mode):
        where = "edge" if callers is None else "inbound"
        demands[filters.FACTS_FILTER] = pack(facts.per_route(operation.id, operation.rule_id, where))
    else:
        demands[filters.DECISION_FILTER] = pack(filters.undecided())
    return demands


def _forward(service: Service, operation: Operation, cluster: str, *, websocket: bool) -> Any:
    retry_on = f"{_NOT_SENT},reset" if operation.method in _SAFE else _NOT_SENT
    retry = route_components_pb2.RetryPolicy(retry_on=retry_on, num_retries=u32(1))
    if cluster == names.app(ISSUER_SERVICE):
        retry.MergeFrom(_ISSUER_RETRY)
    action = route_components_pb2.RouteAction(
        cluster=cluster,
        # An answer may last, and so may an upload; what must not last is silence.
        timeout=seconds(0),
        idle_timeout=seconds(service.timeout_seconds),
        retry_policy=retry,
        cluster_not_found_response_code="SERVICE_UNAVAILABLE",
    )
    if websocket:
        websockets.carry(action)
    return action
