"""The xDS server over its real socket, spoken to by gRPC clients that answer as Envoys do, at their own pace."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import h2.connection
import h2.events
import pytest
from envoy.service.discovery.v3 import discovery_pb2
from tests.support.enforce_pki import Authority, Credentials, Tokens
from tests.support.enforce_plans import bindings, operation, plan, service

from ringwall.enforce.snapshot import CLUSTER, FILTER, LISTENER, ROUTES, SCOPES, SECRET
from ringwall.enforce.xds import PlanNotInForceError, XdsServer
from ringwall.model.revocation import NothingRevoked
from ringwall.plan.bindings import Address, Bindings

PLAN = plan(service("patients", operation("patients", "get", "GET", "/patients/{id}"), prefix="/api"))
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
BY_NAME = {
    "edge": {
        SECRET: ["bundle", "svid/edge", "edge-certificate"],
        SCOPES: [],
        ROUTES: ["edge/api"],
        FILTER: ["tokens", "revocations", "limit/edge/address", "limit/edge/principal", "limit/edge/body"],
    },
    "mesh": {
        SECRET: ["bundle", "svid/patients"],
        ROUTES: ["inbound/patients"],
        FILTER: ["tokens", "revocations", "limit/patients/principal", "limit/patients/body"],
    },
}
"""What an Envoy with this plan's listeners asks for; `edge/api` is both a scope and a route table."""


class FakeProxy:
    """A client that records, in one list shared by all, what it is given, and acknowledges after `delay` seconds."""

    def __init__(self, socket: Path, node: str, told: list[tuple[str, str]], delay: float = 0) -> None:
        self.delay, self._node, self._told = delay, node, told
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._channel = grpc.insecure_channel(f"unix:{socket}")
        call = self._channel.stream_stream(
            METHOD,
            request_serializer=discovery_pb2.DeltaDiscoveryRequest.SerializeToString,
            response_deserializer=discovery_pb2.DeltaDiscoveryResponse.FromString,
        )
        self._responses = call(iter(self._requests.get, None))
        for kind, names in {CLUSTER: [], LISTENER: [], **BY_NAME.get(node, {})}.items():
            self._send(type_url=kind, resource_names_subscribe=names)
        self.error: grpc.RpcError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _send(self, **fields: Any) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(**fields)
        request.node.id = self._node
        self._requests.put(request)

    def _run(self) -> None:
        try:
            for response in self._responses:
                self._told += [(self._node, f"+{resource.name}") for resource in response.resources]
                self._told += [(self._node, f"-{name}") for name in response.removed_resources]
                time.sleep(self.delay)
                self._send(type_url=response.type_url, response_nonce=response.nonce)
        except grpc.RpcError as error:
            self.error = error

    def close(self) -> None:
        self._requests.put(None)
        self._channel.close()
        self._thread.join()


class World:
    """A server with a plan's addresses and credentials, and any proxies that a test connects."""

    def __init__(self, folder: Path) -> None:
        ports = iter(range(20_000, 30_000))
        self.bindings: Bindings = bindings(PLAN, folder, lambda: next(ports))
        self.bindings.run.mkdir(parents=True)
        self.credentials = Credentials()
        self.server = XdsServer(self.credentials, Tokens(), NothingRevoked())
        self.server.start(self.bindings.xds)
        self.told: list[tuple[str, str]] = []
        self._proxies: list[FakeProxy] = []

    def connect(self, node: str, delay: float = 0) -> FakeProxy:
        proxy = FakeProxy(self.bindings.xds, node, self.told, delay)
        self._proxies.append(proxy)
        until(lambda: proxy.error is not None or self.server.status().nodes[node].connected)
        return proxy

    def close(self) -> None:
        for proxy in self._proxies:
            proxy.close()
        self.server.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def until(condition: Callable[[], bool], timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_services_proxy_has_its_part_before_the_edge_is_given_any(world: World) -> None:
    world.connect("edge")
    world.connect("mesh", delay=0.05)
    world.server.publish(PLAN, world.bindings)
    until(lambda: ("edge", "+edge/api") in world.told)
    first_edge = next(index for index, (node, _) in enumerate(world.told) if node == "edge")
    assert ("mesh", "+inbound/patients") in world.told[:first_edge]


def test_what_goes_leaves_the_edge_before_the_services_proxy(world: World) -> None:
    world.connect("edge", delay=0.05)
    world.connect("mesh")
    world.server.publish(PLAN, world.bindings)
    until(lambda: ("edge", "+edge/api") in world.told)
    world.server.publish(plan(), world.bindings)
    until(lambda: ("mesh", "-inbound/patients") in world.told)
    assert world.told.index(("edge", "-hop/edge>patients")) < world.told.index(("mesh", "-inbound/patients"))


def test_a_new_root_is_everywhere_before_any_certificate_that_needs_it(world: World) -> None:
    world.connect("edge", delay=0.05)
    world.connect("mesh")
    world.server.publish(PLAN, world.bindings)
    until(lambda: ("edge", "+edge/api") in world.told)
    world.told.clear()
    old, new = world.credentials.authority, Authority("new")
    world.credentials.authority, world.credentials.roots = new, [old.pem, new.pem]
    world.credentials.rotate()
    until(lambda: ("edge", "+svid/edge") in world.told and ("mesh", "+svid/patients") in world.told)
    last_bundle = max(index for index, (_, name) in enumerate(world.told) if name == "+bundle")
    first_svid = min(index for index, (_, name) in enumerate(world.told) if name.startswith("+svid"))
    assert {node for node, name in world.told[: last_bundle + 1] if name == "+bundle"} == {"edge", "mesh"}
    assert last_bundle < first_svid


def test_the_edge_does_not_wait_for_a_services_proxy_that_is_not_there(world: World) -> None:
    world.connect("edge")
    world.server.publish(PLAN, world.bindings)
    until(lambda: ("edge", "+edge/api") in world.told, timeout=3)


def test_a_node_that_is_no_proxy_of_the_system_is_turned_away(world: World) -> None:
    world.server.publish(PLAN, world.bindings)
    stranger = FakeProxy(world.bindings.xds, "stranger", world.told)
    until(lambda: stranger.error is not None)
    assert stranger.error is not None
    assert stranger.error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert world.told == []
    stranger.close()


def test_a_second_stream_of_a_node_takes_over_from_the_first(world: World) -> None:
    world.server.publish(PLAN, world.bindings)
    world.connect("mesh")
    until(lambda: ("mesh", "+inbound/patients") in world.told)
    world.told.clear()
    world.connect("mesh")
    until(lambda: ("mesh", "+inbound/patients") in world.told)


def test_many_changes_of_credentials_go_out_together(world: World) -> None:
    world.connect("mesh")
    world.server.publish(PLAN, world.bindings)
    until(lambda: ("mesh", "+inbound/patients") in world.told)
    world.told.clear()
    for _ in range(200):
        world.credentials.rotate()
    time.sleep(0.3)
    assert 0 < world.told.count(("mesh", "+svid/patients")) < 50


def test_a_source_of_credentials_that_fails_is_asked_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.connect("mesh")
    world.server.publish(PLAN, world.bindings)
    until(lambda: ("mesh", "+svid/patients") in world.told)
    world.told.clear()
    working = world.credentials.svid

    def failing(_: str) -> Any:
        raise OSError("the disk is full")

    world.credentials.svid = failing  # type: ignore[assignment]  # breaks for a while
    world.credentials.changed()
    until(lambda: "could not be fetched" in caplog.text)
    assert ("mesh", "+svid/patients") not in world.told
    world.credentials.svid = working  # type: ignore[method-assign]  # works again
    world.credentials._issued.clear()
    until(lambda: ("mesh", "+svid/patients") in world.told)


def test_other_addresses_for_the_same_plan_are_waited_for(world: World) -> None:
    world.connect("edge")
    proxy = world.connect("mesh")
    world.server.publish(PLAN, world.bindings)
    world.server.wait_in_force(PLAN.digest, 10)
    proxy.delay = 0.5
    moved = world.bindings.app | {"patients": Address(port=40_000)}
    before = len(world.told)
    world.server.publish(PLAN, world.bindings.model_copy(update={"app": moved}))
    world.server.wait_in_force(PLAN.digest, 10)
    assert ("mesh", "+app/patients") in world.told[before:]


def test_waiting_for_a_plan_says_what_is_missing(world: World) -> None:
    world.server.publish(PLAN, world.bindings)
    with pytest.raises(PlanNotInForceError, match="the edge proxy is not connected; the mesh proxy is not connected"):
        world.server.wait_in_force(PLAN.digest, 0.05)


def test_only_this_user_may_open_the_socket(world: World) -> None:
    assert world.bindings.xds.stat().st_mode & 0o777 == 0o600


def test_a_proxy_may_ask_often_whether_its_stream_stands(world: World) -> None:
    """Envoys do, with pings (RFC 9113, section 6.7); gRPC by default closes the connection after a few."""
    client = h2.connection.H2Connection()
    client.initiate_connection()
    answered = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(world.bindings.xds))
        for number in range(20):
            client.ping(number.to_bytes(8))
            connection.sendall(client.data_to_send())
            while answered == number:
                events = client.receive_data(connection.recv(65536))
                assert not any(isinstance(event, h2.events.ConnectionTerminated) for event in events)
                answered += sum(isinstance(event, h2.events.PingAckReceived) for event in events)
            connection.sendall(client.data_to_send())
