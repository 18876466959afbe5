"""A system that is smaller than any example, started and changed by the commands, as a user would."""

import datetime as dt
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SERVICE = """
import http.server, json, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"env": dict(os.environ), "pid": os.getpid(), "version": sys.argv[1:]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass

print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

BLUEPRINT = """
ringwall: 1
system: mini
edge:
  listen: 127.0.0.1:0
  limit: 100000/s burst 100000
roles: {reader: }
people:
  rita: {roles: [reader]}
services:
  one:
    run: python one.py first
    expose: /
    operations: [show: GET /show]
    allow: [{operations: [show], public: true}]
"""

Json = dict[str, Any]


class Mini:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "one.py").write_text(SERVICE)
        self.write(BLUEPRINT)

    def write(self, text: str) -> None:
        (self.folder / "ringwall.yaml").write_text(text)

    def run(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ringwall.cli.main", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env={**os.environ, **(env or {})},
        )

    def data(self, *words: str) -> Json:
        done = self.run(*words, "--json")
        assert done.stdout, done.stderr
        held: Json = json.loads(done.stdout)["data"]
        return held

    def up(self, *words: str, env: dict[str, str] | None = None) -> None:
        done = self.run("up", "--detach", *words, env=env)
        assert done.returncode == 0, done.stdout + done.stderr

    def processes(self) -> dict[str, Json]:
        return {process["name"]: process for process in self.data("status")["supervisor"]["processes"]}

    def get(self, path: str) -> tuple[int, Json]:
        edge = next(entry for entry in self.data("status")["listeners"] if entry["name"] == "edge")
        trust = ssl.create_default_context(cafile=str(self.folder / ".ringwall" / "dev-ca.pem"))
        try:
            with urllib.request.urlopen(  # noqa: S310  # our own https address
                edge["address"] + path, context=trust, timeout=20
            ) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def holder(self) -> int:
        pid: int = json.loads((self.folder / ".ringwall" / "run" / "up.lock").read_text())["pid"]
        return pid

    def leftovers(self) -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                where, command = (process / "cwd").readlink(), (process / "cmdline").read_bytes()
            except OSError:
                continue
            if str(where).startswith(str(self.folder)) or str(self.folder).encode() in command:
                found.append(command.decode(errors="replace"))
        return found


@pytest.fixture
def mini(tmp_path: Path) -> Iterator[Mini]:
    made = Mini(tmp_path)
    yield made
    done = made.run("down")
    assert done.returncode == 0, done.stderr
    assert made.leftovers() == []


def test_up_detached_serves_and_down_leaves_nothing(mini: Mini) -> None:
    done = mini.run("up", "--detach", env={"AWS_SECRET": "s3cret", "RINGWALL_SOMETHING": "s3cret"})
    assert done.returncode == 0, done.stderr
    assert "mini is up" in done.stdout
    assert "https://localhost:" in done.stdout
    assert "development mode" in done.stderr
    status, answer = mini.get("/show")
    assert status == 200
    assert "s3cret" not in json.dumps(answer), "the operator's environment is not the service's"
    assert answer["env"]["SPIFFE_ENDPOINT_SOCKET"].startswith("unix:///")
    assert mini.run("status").returncode == 0
    assert (mini.folder / ".ringwall" / "log" / "one.log").read_text() == "listening\n"
    again = mini.run("up")
    assert again.returncode == 3
    assert f"process {mini.holder()}" in again.stderr
    assert mini.run("down").stdout == "stopped\n"
    assert mini.leftovers() == []
    assert mini.run("status").returncode == 3


def test_a_changed_service_is_replaced_without_a_gap(mini: Mini) -> None:
    mini.up()
    before = mini.processes()
    mini.write(BLUEPRINT.replace("one.py first", "one.py second"))
    assert mini.run("apply").returncode == 0
    assert mini.get("/show")[1]["version"] == ["second"]
    after = mini.processes()
    assert after["one"]["pid"] != before["one"]["pid"]
    for name in ("ringwall-control", "ringwall-edge", "ringwall-mesh", "ringwall-issuer"):
        assert after[name]["pid"] == before[name]["pid"]
    old = before["one"]["pid"]
    _until(lambda: not Path(f"/proc/{old}").exists(), "the old process ends")


def test_a_change_whose_service_does_not_start_leaves_the_last_good_plan(mini: Mini) -> None:
    mini.up()
    digest = mini.data("status")["plan"]
    pid = mini.processes()["one"]["pid"]
    mini.write(BLUEPRINT.replace("one.py first", "gone.py"))
    done = mini.run("apply")
    assert done.returncode == 1
    assert "one exited with code 2" in done.stderr
    assert mini.data("status")["plan"] == digest
    assert mini.processes()["one"]["pid"] == pid
    assert mini.get("/show")[1]["version"] == ["first"]


def test_apply_of_an_invalid_blueprint_shows_what_is_wrong_and_changes_nothing(mini: Mini) -> None:
    mini.up()
    digest = mini.data("status")["plan"]
    mini.write(BLUEPRINT.replace("expose: /", "expoze: /"))
    done = mini.run("apply")
    assert done.returncode == 2
    assert "ringwall.yaml:13:5: error[unknown-key]" in done.stderr
    assert "did you mean 'expose'" in done.stderr
    assert mini.data("status")["plan"] == digest
    assert mini.get("/show")[0] == 200


def test_apply_without_a_change_says_so(mini: Mini) -> None:
    mini.up()
    done = mini.run("apply")
    assert done.returncode == 0
    assert "nothing to change" in done.stdout


def test_a_service_that_cannot_start_is_reported_with_its_last_lines(mini: Mini) -> None:
    mini.write(BLUEPRINT.replace("one.py first", "-c 'raise SystemExit(\"no database here\")'"))
    done = mini.run("up", "--detach")
    assert done.returncode == 1
    assert "one exited with code 1" in done.stderr
    assert "no database here" in done.stderr
    status = mini.run("status")
    assert status.returncode == 1
    assert "crash-loop" in status.stdout
    assert mini.get("/show")[0] == 503


def test_a_supervisor_that_was_killed_can_be_followed_by_another(mini: Mini) -> None:
    mini.up()
    os.kill(mini.holder(), signal.SIGKILL)
    _until(lambda: mini.leftovers() == [], "everything ends with the supervisor")
    mini.up()
    assert mini.get("/show")[0] == 200


def test_development_mode_refuses_to_be_reached_from_elsewhere(mini: Mini) -> None:
    done = mini.run("up", "--listen", "0.0.0.0:0")
    assert done.returncode == 2
    assert "127.0.0.1" in done.stderr
    assert mini.leftovers() == []


def test_a_port_in_use_names_its_owner(mini: Mini, tmp_path_factory: pytest.TempPathFactory) -> None:
    mini.up()
    edge = next(entry for entry in mini.data("status")["listeners"] if entry["name"] == "edge")
    other = Mini(tmp_path_factory.mktemp("other"))
    done = other.run("up", "--listen", f"127.0.0.1:{edge['address'].rpartition(':')[2]}")
    assert done.returncode == 3
    assert "envoy" in done.stderr
    assert "process " in done.stderr
    assert other.leftovers() == []


def test_a_service_on_a_unix_socket_and_one_without_edge(mini: Mini) -> None:
    (mini.folder / "two.py").write_text(
        "import http.server, os, socket, socketserver\n"
        "class Server(socketserver.ThreadingUnixStreamServer): pass\n"
        "class Handler(http.server.SimpleHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.send_header('content-length', '2'); self.end_headers()\n"
        "        self.wfile.write(b'{}')\n"
        "    def address_string(self): return 'socket'\n"
        "Server(os.environ['SOCKET'], Handler).serve_forever()\n"
    )
    mini.write(
        BLUEPRINT
        + "  two:\n    run: python two.py\n    listen: unix:run/two.sock\n    expose: /two\n"
        + "    operations: [show: GET /show]\n    allow: [{public: true}]\n"
    )
    mini.up()
    assert mini.get("/two/show") == (200, {})
    os.kill(mini.processes()["two"]["pid"], signal.SIGKILL)
    _until(lambda: mini.processes()["two"]["state"] == "ready", "it comes back on the socket left behind")
    assert mini.get("/two/show")[0] == 200


def test_a_folder_too_deep_for_sockets_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 70) / ("e" * 40)
    deep.mkdir(parents=True)
    mini = Mini(deep)
    mini.up()
    try:
        assert mini.get("/show")[0] == 200
        assert mini.run("token", "--as", "rita").returncode == 0
    finally:
        assert mini.run("down").returncode == 0
    assert mini.leftovers() == []


def test_outside_development_keys_are_encrypted_and_the_certificate_is_ones_own(mini: Mini) -> None:
    _own_certificate(mini.folder)
    mini.write(
        BLUEPRINT.replace("system: mini", "system: mini\ndevelopment: false")
        .replace("people:\n  rita: {roles: [reader]}\n", "")
        .replace("  limit:", "  certificate: own.pem\n  key: own.key\n  limit:")
    )
    refused = mini.run("up", "--detach")
    assert refused.returncode == 1
    assert "RINGWALL_KEY_PASSPHRASE_FILE" in refused.stderr
    mini.up(env={"RINGWALL_KEY_PASSPHRASE": "correct horse battery staple"})
    edge = next(entry for entry in mini.data("status")["listeners"] if entry["name"] == "edge")
    trust = ssl.create_default_context(cafile=str(mini.folder / "own.pem"))
    with urllib.request.urlopen(  # noqa: S310  # our own https address
        edge["address"] + "/show", context=trust, timeout=20
    ) as response:
        assert "battery" not in response.read().decode(), "the passphrase is for the key holders only"
    keys = [*(mini.folder / ".ringwall" / "ca").iterdir(), *(mini.folder / ".ringwall" / "issuer" / "keys").iterdir()]
    assert keys
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in keys)
    assert not (mini.folder / ".ringwall" / "dev-ca.pem").exists()


def _own_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "own.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "own.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )


def _until(holds: Any, what: str) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
