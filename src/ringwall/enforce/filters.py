"""The chain of HTTP filters that a request passes, in order; the order is part of the security.

1. limit by client address (edge): a forged token must not cost more than a lookup
2. size of the body
3. what a browser carries (edge): Ringwall's cookies are taken out, and one may become the request's token
4. shape of the request: an Authorization that is not one bearer token is refused, never ignored; so are a path with
   disguised dot segments, an odd Host (edge), and WebSocket connections from pages of other origins (edge)
5. questions of browsers about pages of other origins (edge), on routes that bring a policy for them
6. token verification (ECDS); then, where clients are asked for a certificate, whether a token is bound to it
7. what is not believed in spite of that (ECDS): what was revoked, a token, session, user, client or calling workload;
   and tokens that are bound to something else than what shows them
8. who sends a bound token (edge): the decision point sees the proof, and is asked for no other token
9. limit by principal (ECDS), which needs a verified `sub`
10. RBAC: denies everything; each operation's route brings its own rule (RDS)
11. whether the sign-in behind the token is as sure and as fresh as some operations ask, on their routes
12. facts for the decision point, set from what the proxy itself knows
13. the decision point: asked on every route that does not switch it off
14. router
"""

from collections.abc import Iterable
from typing import Any

from envoy.config.core.v3 import config_source_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as rbac_filter_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.type.matcher.v3 import path_pb2, regex_pb2, string_pb2
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt64Value

from ringwall.enforce import asking, browser, client_certificate, cors, names, step_up, websockets
from ringwall.enforce.body_size import BodySizeLimit
from ringwall.enforce.problems import (
    CROSS_SITE_POLICY,
    HOST_SHAPE_POLICY,
    ORIGIN_POLICY,
    PATH_SHAPE_POLICY,
    TOKEN_SHAPE_POLICY,
)
from ringwall.enforce.proto import ads, pack, type_url
from ringwall.model import headers
from ringwall.plan.attributes import RBAC_FILTER

SHAPE_FILTER = "ringwall.shape"
FACTS_FILTER = "ringwall.facts"
DECISION_FILTER = "ringwall.decision"
HOLDER_FILTER = "ringwall.holder"

_ONE_TOKEN = r"([Bb]earer|DPoP|dpop) [A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"  # noqa: S105  # a pattern
_CLIENT_SECRET = r"[Bb]asic [A-Za-z0-9+/]+={0,2}"  # noqa: S105  # a pattern
_OPAQUE_TOKEN = r"[Bb]earer [A-Za-z0-9._~+/-]+=*"  # noqa: S105  # a pattern
_HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"

_DISGUISED = tuple(f"/{dots}{semicolon}" for dots in ("..", ".") for semicolon in (";", "%3b", "%3B"))
"""What begins a dot segment with a parameter. Some servers, and a second normalisation, read it as `/..` or `/.`"""

_LOCAL_RATE_LIMIT = type_url(local_rate_limit_pb2.LocalRateLimit)


def chain(
    where: str, *, address_limit: str | None = None, certificates: client_certificate.Shown | None = None
) -> list[Any]:
    """Return the filters of the edge's or a service's listener.

    Args:
        where: `edge`, or the service's name.
        address_limit: name of the limit by client address, which the edge has.
        certificates: what is told of the certificates that clients are asked for; None where they are not.
    """
    return [
        *([_discovered(address_limit, _LOCAL_RATE_LIMIT)] if address_limit else []),
        _discovered(names.body_limit(where), type_url(BodySizeLimit)),
        *([_fixed(browser.FILTER, browser.filter_config(), disabled=True)] if address_limit else []),
        _fixed(SHAPE_FILTER, _shapes(with_host=address_limit is not None)),
        *([_fixed(cors.FILTER, cors.filter_config(), disabled=True)] if address_limit else []),
        _discovered(names.TOKENS_FILTER, type_url(jwt_pb2.JwtAuthentication)),
        *([_fixed(client_certificate.FILTER, client_certificate.filter_config(certificates))] if certificates else []),
        _discovered(names.REVOCATIONS_FILTER, type_url(rbac_filter_pb2.RBAC)),
        *([_fixed(HOLDER_FILTER, asking.holder())] if address_limit else []),
        _discovered(names.principal_limit(where), _LOCAL_RATE_LIMIT),
        _fixed(RBAC_FILTER, deny_all()),
        _fixed(step_up.FILTER, step_up.filter_config(), disabled=True),
        _fixed(FACTS_FILTER, header_mutation_pb2.HeaderMutation(), disabled=True),
        _fixed(DECISION_FILTER, asking.policies()),
        router(quiet=address_limit is None),
    ]


def path_shape() -> Any:
    """Return the filter of listeners that look at nothing but the path."""
    return _fixed(SHAPE_FILTER, _denying({PATH_SHAPE_POLICY: _disguised_path()}))


def router(*, quiet: bool = True) -> Any:
    """Return the last filter; unless `quiet` it adds Envoy's own headers to the request.

    The edge needs one of them, `x-envoy-original-path`, for its log; the next hop removes them all.
    """
    return _fixed("envoy.filters.http.router", router_pb2.Router(suppress_envoy_headers=quiet))


def body_limit(max_bytes: int) -> Any:
    """Return the limit on a request's body; it counts bytes as they come and holds nothing back."""
    return BodySizeLimit(max_request_bytes=UInt64Value(value=max_bytes))


def deny_all() -> Any:
    """Return the RBAC configuration that allows nothing."""
    return rbac_filter_pb2.RBAC(rules=rbac_pb2.RBAC(action="ALLOW"))


def undecided() -> Any:
    """Return the route's word that its rule was compiled and the decision point need not be asked.

    Said this way the filter is not even made for the request. A route that says nothing has it.
    """
    return left_out()


def left_out() -> Any:
    """Return a route's word that a filter is not for it."""
    return route_components_pb2.FilterConfig(disabled=True)


def _fixed(name: str, config: Message, *, disabled: bool = False) -> Any:
    return http_connection_manager_pb2.HttpFilter(name=name, typed_config=pack(config), disabled=disabled)


def _discovered(name: str, kind: str) -> Any:
    """A filter that comes by ECDS. There is no default: until it comes, every request is answered with 500."""
    source = config_source_pb2.ExtensionConfigSource(config_source=ads(), type_urls=[kind])
    return http_connection_manager_pb2.HttpFilter(name=name, config_discovery=source)


def issuer_shapes(*, with_host: bool, own_tokens: bool) -> Any:
    """Return the route's word that a client may show its secret to the issuer (RFC 6749, section 2.3.1).

    With `own_tokens` it shows a token of the issuer's own making instead, which is no JWT (RFC 6750, section 2.1).
    """
    like = _OPAQUE_TOKEN if own_tokens else f"{_ONE_TOKEN}|{_CLIENT_SECRET}"
    return rbac_filter_pb2.RBACPerRoute(rbac=_shapes(with_host=with_host, authorization_like=like))


def websocket_shapes(origins: Iterable[str]) -> Any:
    """Return the edge's word on routes that open WebSocket connections: pages of other origins may not."""
    shapes = _shapes(with_host=True)
    shapes.rules.policies[ORIGIN_POLICY].CopyFrom(websockets.foreign_origin(origins))
    return rbac_filter_pb2.RBACPerRoute(rbac=shapes)


def _shapes(*, with_host: bool, authorization_like: str = _ONE_TOKEN) -> Any:
    authorization = route_components_pb2.HeaderMatcher(name="authorization", present_match=True)
    policies = {
        PATH_SHAPE_POLICY: _disguised_path(),
        TOKEN_SHAPE_POLICY: _refuse(authorization, _not_like("authorization", authorization_like)),
    }
    if with_host:
        policies[HOST_SHAPE_POLICY] = _refuse(_not_like(":authority", _HOST))
        policies[CROSS_SITE_POLICY] = _refuse(
            route_components_pb2.HeaderMatcher(name=headers.CROSS_SITE, present_match=True)
        )
    return _denying(policies)


def _denying(policies: dict[str, Any]) -> Any:
    return rbac_filter_pb2.RBAC(rules=rbac_pb2.RBAC(action="DENY", policies=policies))


def _disguised_path() -> Any:
    """Match dot segments with a parameter in the normalised path; what stands in a query is nobody's path."""
    paths = [path_pb2.PathMatcher(path=string_pb2.StringMatcher(contains=text)) for text in _DISGUISED]
    permissions = [rbac_pb2.Permission(url_path=path) for path in paths]
    return rbac_pb2.Policy(permissions=permissions, principals=[rbac_pb2.Principal(any=True)])


def _not_like(name: str, pattern: str) -> Any:
    like = string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=pattern))
    return route_components_pb2.HeaderMatcher(name=name, string_match=like, invert_match=True)


def _refuse(*matchers: Any) -> Any:
    all_of = rbac_pb2.Principal.Set(ids=[rbac_pb2.Principal(header=header) for header in matchers])
    return rbac_pb2.Policy(permissions=[rbac_pb2.Permission(any=True)], principals=[rbac_pb2.Principal(and_ids=all_of)])
