"""The two filters that ask the decision point (ext_authz over HTTP on its Unix socket); no answer in time is a no."""

from typing import Any, Final

from envoy.config.core.v3 import backoff_pb2, base_pb2, http_uri_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.type.matcher.v3 import metadata_pb2, string_pb2, value_pb2
from envoy.type.v3 import http_status_pb2

from ringwall.enforce import names
from ringwall.enforce.decision_point import binding, facts
from ringwall.enforce.proto import TRUE, seconds, u32
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE

REFUSED_BINDING: Final = f"%DYNAMIC_METADATA(envoy.filters.http.ext_authz:{binding.REFUSED})%"
"""Of a request whose bound token was refused: the check that failed."""
_DECISION_SECONDS = 3


def policies() -> Any:
    """Return the filter that asks about a policy that could not be compiled."""
    return _asking("decision", _http_service(), allowed=facts.HEADERS)


def holder() -> Any:
    """Return the filter that asks whether the sender of a bound token holds its key.

    It works on requests whose verified token has `cnf.jkt`, whatever that is; all others pass it untouched.
    """
    service = _http_service()
    service.authorization_request.headers_to_add.append(
        base_pb2.HeaderValue(key=binding.CONFIRMATION, value=binding.CONFIRMATION_VALUE)
    )
    response = service.authorization_response
    response.allowed_client_headers.CopyFrom(_named("www-authenticate", binding.NONCE))
    response.allowed_client_headers_on_success.CopyFrom(_named(binding.NONCE))
    response.dynamic_metadata_from_headers.CopyFrom(_named(binding.REFUSED))
    asking = _asking("holder", service, allowed=(binding.PROOF,))
    asking.filter_enabled_metadata.CopyFrom(
        metadata_pb2.MetadataMatcher(
            filter=JWT_NAMESPACE,
            path=[{"key": CLAIMS_KEY}, {"key": "cnf"}, {"key": "jkt"}],
            value=value_pb2.ValueMatcher(present_match=True),
        )
    )
    return asking


def _http_service() -> Any:
    """A question may be asked again, so a control plane that restarts delays requests rather than failing them."""
    return ext_authz_pb2.HttpService(
        server_uri=http_uri_pb2.HttpUri(
            uri="http://decision-point", cluster=names.DECISION_POINT_CLUSTER, timeout=seconds(_DECISION_SECONDS)
        ),
        retry_policy=base_pb2.RetryPolicy(
            retry_on="connect-failure,reset",
            num_retries=u32(5),
            retry_back_off=backoff_pb2.BackoffStrategy(base_interval=seconds(0.1), max_interval=seconds(0.5)),
        ),
    )


def _asking(stat_prefix: str, service: Any, *, allowed: tuple[str, ...]) -> Any:
    """Any answer but 200 refuses the request, and so does none in time (503)."""
    return ext_authz_pb2.ExtAuthz(
        http_service=service,
        status_on_error=http_status_pb2.HttpStatus(code="ServiceUnavailable"),
        allowed_headers=_named(*allowed),
        failure_mode_allow=False,
        charge_cluster_response_stats=TRUE,
        stat_prefix=stat_prefix,
    )


def _named(*headers: str) -> Any:
    return string_pb2.ListStringMatcher(patterns=[string_pb2.StringMatcher(exact=name) for name in headers])
