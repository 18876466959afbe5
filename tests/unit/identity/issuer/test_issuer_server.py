"""The issuer as the supervisor runs it: a process of its own on two Unix sockets."""

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from tests.support.issuer_plan import issuer_plan, write_plan
from tests.support.issuer_world import EXPECTED

from ringwall.identity.issuer.admin_client import IssuerRequestError, development_token, list_keys, rotate_keys
from ringwall.identity.issuer.client_secrets import create_client_secret
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.tokens.claims import verify_token
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clock import SystemClock
from ringwall.plan.model import Plan
from ringwall.plan.store import PlanStore

RUN = """
import sys
from pathlib import Path
from ringwall.identity.issuer.server import run_issuer
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.model.errors import RingwallError
try:
    run_issuer(IssuerSettings(state=Path(sys.argv[1]), development_overlap_seconds=0.5))
except RingwallError as error:
    sys.exit(f"{error.message} | {error.hint}")
"""


@pytest.fixture
def state() -> Iterator[Path]:
    with TemporaryDirectory(prefix="rw") as folder:  # tmp_path can be longer than a socket's path may be
        yield Path(folder)


@contextmanager
def running(state: Path, plan: Plan | None = None) -> Iterator["subprocess.Popen[str]"]:
    write_plan(state, plan or issuer_plan())
    process = start(state)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def start(state: Path, **environment: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    settings = IssuerSettings(state=state)
    for _ in range(600):
        if process.poll() is not None or (answers(settings.bindings.issuer()) and answers(settings.admin_socket)):
            break
        time.sleep(0.05)
    return process


def refusal_of(state: Path) -> str:
    """Return what an issuer says that must not start; it is ended also where it starts all the same."""
    process = start(state)
    try:
        output, _ = process.communicate(timeout=30)
    finally:
        end(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    return output


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(os.fspath(path)) == 0


def public(state: Path) -> httpx.Client:
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=os.fspath(IssuerSettings(state=state).bindings.issuer())),
        base_url="http://issuer",
    )


def believed(state: Path, token: str) -> bool:
    keys = KeySet.parse(IssuerSettings(state=state).bindings.jwks.read_bytes())
    return verify_token(token, keys=keys, expected=EXPECTED, clock=SystemClock()).subject == "alice"


def dev_token(state: Path) -> str:
    return development_token(IssuerSettings(state=state).bindings, "alice").reveal().decode()


def test_it_serves_stops_cleanly_and_leaves_nothing_open(state: Path) -> None:
    settings = IssuerSettings(state=state)
    with running(state) as process, public(state) as client:
        assert believed(state, dev_token(state))
        proxies = json.loads(settings.bindings.jwks.read_bytes())["keys"]
        assert [key for key in client.get("/jwks").json()["keys"] if key["alg"] == "ES256"] == proxies
        assert client.post("/dev/token", content='{"person":"alice"}').status_code == 404
        for path in (settings.bindings.issuer(), settings.admin_socket):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        process.send_signal(signal.SIGTERM)  # with the client's connection still open
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert "Traceback" not in output
        assert not settings.bindings.issuer().exists()
        assert not settings.admin_socket.exists()
    assert not [
        path
        for path in state.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o077 and path.parent.name != "plan"
    ]


def test_tokens_and_secrets_hold_across_a_kill(state: Path) -> None:
    settings = IssuerSettings(state=state)
    with running(state) as process:
        token = dev_token(state)
        directory = LiveDirectory(PlanStore(settings.plan_folder)).current()
        secret = create_client_secret(settings.clients_file, "batch", directory=directory, clock=SystemClock())
        with public(state) as client:
            form = {"grant_type": "client_credentials"}
            assert client.post("/token", data=form, auth=("batch", secret.reveal().decode())).status_code == 200
        end(process)
        again = start(state)
        try:
            assert believed(state, token)
            assert believed(state, dev_token(state))
            with public(state) as client:
                assert client.post("/token", data=form, auth=("batch", secret.reveal().decode())).status_code == 200
        finally:
            end(again)


def test_rotation_over_the_administration_socket(state: Path) -> None:
    bindings = IssuerSettings(state=state).bindings
    with running(state):
        token = dev_token(state)
        first = list_keys(bindings)["keys"][0]["kid"]
        rotate_keys(bindings)
        for _ in range(200):
            if list_keys(bindings)["keys"][0]["kid"] != first:
                break
            time.sleep(0.05)
        assert list_keys(bindings)["keys"][0]["kid"] != first
        assert believed(state, token)
        rotate_keys(bindings, compromised=True)
        with pytest.raises(Exception, match="no key of the issuer"):
            believed(state, token)
        with pytest.raises(IssuerRequestError, match="no development user 'bob'") as raised:
            development_token(bindings, "bob")
        assert "alice" in raised.value.hint


def test_a_plan_change_is_taken_up_without_a_restart(state: Path) -> None:
    with running(state):
        assert believed(state, dev_token(state))
        write_plan(state, issuer_plan(people=()))
        with pytest.raises(IssuerRequestError):
            dev_token(state)


def test_two_issuers_never_share_a_folder(state: Path) -> None:
    with running(state):
        assert "another issuer already runs" in refusal_of(state)
        assert believed(state, dev_token(state))


def test_outside_development_mode_keys_are_encrypted_or_there_is_no_start(state: Path) -> None:
    write_plan(state, issuer_plan(development=False))
    assert "RINGWALL_KEY_PASSPHRASE_FILE" in refusal_of(state)
    sealed = start(state, RINGWALL_KEY_PASSPHRASE="correct horse battery")
    try:
        assert answers(IssuerSettings(state=state).bindings.issuer())
        assert not any(b"PRIVATE KEY" in path.read_bytes() for path in state.rglob("*") if path.is_file())
        with pytest.raises(IssuerRequestError, match="development mode"):
            dev_token(state)
    finally:
        end(sealed)


def test_without_a_plan_it_says_what_to_do(state: Path) -> None:
    assert "ringwall up" in refusal_of(state)


def test_broken_http_is_survived(state: Path) -> None:
    path = os.fspath(IssuerSettings(state=state).bindings.issuer())
    attacks = [
        b"\x00\xff\x16\x03\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"POST /token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        (
            b"POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            b"content-length: 50\r\n\r\ngrant"
        ),
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    ]
    with running(state) as process:
        for attack in attacks:
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(path)
                raw.sendall(attack)
                raw.shutdown(socket.SHUT_WR)
                assert b" 500 " not in raw.recv(4096)[:20]
        assert believed(state, dev_token(state))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert "Traceback" not in output


def test_the_client_says_when_nobody_is_there(state: Path) -> None:
    with pytest.raises(IssuerRequestError) as raised:
        list_keys(IssuerSettings(state=state).bindings)
    assert "ringwall up" in raised.value.hint
    assert isinstance(raised.value.__cause__, (OSError, http.client.HTTPException))
