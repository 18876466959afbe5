"""How long a client may take to send a request, by the largest that some exposed service takes."""

from pathlib import Path

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from tests.support.enforce_pki import Credentials, Tokens
from tests.support.enforce_plans import bindings, operation, plan, service

from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import LISTENER
from ringwall.model.revocation import NothingRevoked


@pytest.mark.parametrize(("exposed", "inside", "seconds"), [(1 << 20, 1 << 40, 60), (200 << 20, 1, 3200)])
def test_a_large_request_may_take_longer(exposed: int, inside: int, seconds: int) -> None:
    made = plan(
        service("big", operation("big", "put", "PUT", "/"), prefix="/big", max_body_bytes=exposed),
        service("inner", operation("inner", "put", "PUT", "/", callers=()), max_body_bytes=inside),
    )
    given = bindings(made, Path("/nowhere"), lambda: 1)
    built = snapshot(made, given, "edge", Credentials(), Tokens(), revoked=NothingRevoked())
    listener = listener_pb2.Listener.FromString(built.of_type(LISTENER)["edge"].body.value)
    packed = listener.filter_chains[0].filters[0].typed_config
    manager = http_connection_manager_pb2.HttpConnectionManager.FromString(packed.value)
    assert manager.request_timeout.seconds == seconds
