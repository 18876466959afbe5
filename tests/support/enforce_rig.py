"""The data plane for real: an xDS server, two Envoys, applications that record what reaches them, and raw clients."""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.enforce_app import App
from tests.support.enforce_pki import Credentials, RevokedHere, Tokens
from tests.support.enforce_plans import bindings as make_bindings

from ringwall.enforce.bootstrap import envoy_argv, write_bootstrap
from ringwall.enforce.xds import XdsServer
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Plan

_GIVEN: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nobody listens on and that was not returned before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Rig:
    """A running data plane for one plan."""

    plan: Plan
    bindings: Bindings
    credentials: Credentials
    tokens: Tokens
    revoked: RevokedHere
    server: XdsServer
    apps: dict[str, App] = field(default_factory=dict)
    envoys: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    opened: list[http.client.HTTPConnection] = field(default_factory=list)

    def publish(self, plan: Plan, timeout: float = 20) -> None:
        self.server.publish(plan, self.bindings)
        self.server.wait_in_force(plan.digest, timeout)
        self.plan = plan

    def edge_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.credentials.trust_bundle().decode())
        context.set_alpn_protocols(["http/1.1"])
        return context

    def mesh_context(self, caller: str | None) -> ssl.SSLContext:
        """Return a context with the identity of a workload, or none; it does not check names, as SPIFFE has none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.credentials.trust_bundle().decode())
        context.check_hostname = False
        if caller is not None:
            credential = self.credentials.svid(caller)
            path = self.bindings.run / f"client-{abs(hash(caller))}.pem"
            path.write_bytes(credential.chain_pem + credential.key_pem.reveal())
            context.load_cert_chain(path)
        return context

    def connect(self, where: Address, context: ssl.SSLContext | None, name: str = "localhost") -> socket.socket:
        if where.socket:
            raw = socket.socket(socket.AF_UNIX)
            raw.connect(where.socket)
        else:
            raw = socket.create_connection((where.host, where.port), timeout=10)
        raw.settimeout(10)
        return raw if context is None else context.wrap_socket(raw, server_hostname=name)

    def get(self, path: str, **more: Any) -> Answer:
        return self.request("GET", path, **more)

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        to: Address | None = None,
        context: ssl.SSLContext | None = None,
        name: str = "localhost",
    ) -> Answer:
        """Send one request, to the edge unless another address (then plain unless a context) is given."""
        where = to or self.bindings.edge
        assert where is not None
        if to is None and context is None:
            context = self.edge_context()
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.connect(where, context, name)
        with contextlib.closing(connection):
            return self.on(connection, method, path, token=token, headers=headers, body=body)

    def open(self) -> http.client.HTTPConnection:
        """Return a kept-alive connection to the edge, which is closed with the rig."""
        assert self.bindings.edge is not None
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.connect(self.bindings.edge, self.edge_context())
        self.opened.append(connection)
        return connection

    def on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def raw(
        self,
        data: bytes,
        *,
        to: Address | None = None,
        context: ssl.SSLContext | None = None,
        patience: float = 2,
    ) -> bytes:
        """Send bytes to the edge and return all that comes back before it closes or is silent for `patience` s."""
        where = to or self.bindings.edge
        assert where is not None
        if to is None:
            context = self.edge_context()
        with self.connect(where, context) as connection:
            connection.settimeout(patience)
            with contextlib.suppress(OSError):
                connection.sendall(data)
            received = b""
            with contextlib.suppress(OSError):
                while chunk := connection.recv(65536):
                    received += chunk
            return received

    def admin(self, node: str, path: str) -> str:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.connect(Address(socket=str(self.bindings.envoy_admin(node))), None)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def log(self, node: str, until: Callable[[list[dict[str, Any]]], bool] = bool) -> list[dict[str, Any]]:
        """Return the decision log, once `until` holds of it."""
        path = self.bindings.access_log(node)
        deadline = time.monotonic() + 10
        while True:
            lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            if until(lines) or time.monotonic() > deadline:
                assert until(lines), lines
                return lines
            time.sleep(0.05)

    def restart_server(self) -> None:
        """Start a new control plane in the place of one that was stopped."""
        self.server = XdsServer(self.credentials, self.tokens, self.revoked)
        self.server.start(self.bindings.xds)

    def start_envoy(self, node: str) -> None:
        argv = envoy_argv(write_bootstrap(self.bindings, node))
        output = (self.bindings.state / "log" / f"{node}-envoy.log").open("ab")
        with output:
            self.envoys[node] = subprocess.Popen(argv, stdout=output, stderr=output, start_new_session=True)

    def stop_envoy(self, node: str) -> None:
        process = self.envoys.pop(node)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def envoy_output(self, node: str) -> str:
        return (self.bindings.state / "log" / f"{node}-envoy.log").read_text(errors="replace")


@contextlib.contextmanager
def running(
    plan: Plan, state: Path, *, apps: bool = True, before: Callable[[Rig], None] | None = None
) -> Iterator[Rig]:
    """Run the data plane of a plan until the block ends."""
    made = make_bindings(plan, state, free_port)
    for folder in (made.run, made.state / "log"):
        folder.mkdir(parents=True, mode=0o700)
    credentials, tokens, revoked = Credentials(), Tokens(), RevokedHere()
    rig = Rig(plan, made, credentials, tokens, revoked, XdsServer(credentials, tokens, revoked))
    if before is not None:
        before(rig)
    try:
        rig.server.start(made.xds)
        if apps:
            rig.apps = {s.name: App(made.app[s.name]) for s in plan.services if s.protocol == "http1"}
        for node in ("edge", "mesh"):
            rig.start_envoy(node)
        try:
            rig.publish(plan)
        except Exception:
            for node in ("edge", "mesh"):
                print(node, rig.envoy_output(node)[-3000:])  # noqa: T201  # shown by pytest with the failure
            raise
        yield rig
    finally:
        for connection in rig.opened:
            connection.close()
        for node in list(rig.envoys):
            rig.stop_envoy(node)
        rig.server.stop()
        for app in rig.apps.values():
            app.stop()
