"""Local rate limits: per client address before a token is looked at, and per principal after it was verified."""

from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.type.metadata.v3 import metadata_pb2
from envoy.type.v3 import percent_pb2, token_bucket_pb2

from ringwall.enforce.proto import FALSE, seconds, u32
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE
from ringwall.plan.operation import Limit

_MAX_SUBJECTS = 50_000
"""Buckets kept at once; the least recently used goes first, and with it its count (about 300 bytes each)."""

_ENABLE_RETRY_AFTER = b"\x98\x01\x01"
"""Field 19, `enable_retry_after_header`, true: in Envoy 1.40, not yet in xds-protos."""

_NO_LIMIT = 4_000_000_000


def per_address(limit: Limit) -> Any:
    """Return the limit for each client address; an IPv6 client is its /64, which is what one subscriber gets."""
    masked = route_components_pb2.RateLimit.Action.MaskedRemoteAddress(
        v4_prefix_mask_len=u32(32), v6_prefix_mask_len=u32(64)
    )
    action = route_components_pb2.RateLimit.Action(masked_remote_address=masked)
    return _limit("address", limit, [action], ["masked_remote_address"])


def per_principal(limit: Limit | None) -> Any:
    """Return the limit for each issuer and subject; requests without a token do not count. None limits nothing."""
    if limit is None:
        return local_rate_limit_pb2.LocalRateLimit(
            stat_prefix="principal", token_bucket=_bucket(_NO_LIMIT, _NO_LIMIT, 1), filter_enabled=_percent(0)
        )
    return _limit("principal", limit, [_claim("iss"), _claim("sub")], ["iss", "sub"])


def _limit(prefix: str, limit: Limit, actions: list[Any], keys: list[str]) -> Any:
    entries = [ratelimit_pb2.RateLimitDescriptor.Entry(key=key) for key in keys]
    descriptor = ratelimit_pb2.LocalRateLimitDescriptor(
        entries=entries, token_bucket=_bucket(limit.burst, limit.requests, limit.seconds)
    )
    config = local_rate_limit_pb2.LocalRateLimit(
        stat_prefix=prefix,
        # What matches no descriptor is not limited here, and what matches one uses up only its own bucket.
        token_bucket=_bucket(_NO_LIMIT, _NO_LIMIT, 1),
        always_consume_default_token_bucket=FALSE,
        filter_enabled=_percent(100),
        filter_enforced=_percent(100),
        rate_limits=[route_components_pb2.RateLimit(actions=actions)],
        descriptors=[descriptor],
        max_dynamic_descriptors=u32(_MAX_SUBJECTS),
        rate_limited_as_resource_exhausted=True,
    )
    config.MergeFromString(_ENABLE_RETRY_AFTER)
    return config


def _bucket(burst: int, requests: int, period: int) -> Any:
    return token_bucket_pb2.TokenBucket(max_tokens=burst, tokens_per_fill=u32(requests), fill_interval=seconds(period))


def _percent(value: int) -> Any:
    return base_pb2.RuntimeFractionalPercent(default_value=percent_pb2.FractionalPercent(numerator=value))


def _claim(name: str) -> Any:
    path = [metadata_pb2.MetadataKey.PathSegment(key=key) for key in (CLAIMS_KEY, name)]
    metadata = route_components_pb2.RateLimit.Action.MetaData(
        descriptor_key=name, metadata_key=metadata_pb2.MetadataKey(key=JWT_NAMESPACE, path=path)
    )
    return route_components_pb2.RateLimit.Action(metadata=metadata)
