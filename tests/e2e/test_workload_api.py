"""The Workload API as the `spiffe` package from PyPI sees it, over a real socket and with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from spiffe import JwtSvid, SpiffeId, TrustDomain, WorkloadApiClient, X509Source
from spiffe.errors import PySpiffeError
from spiffe.workloadapi.x509_context import X509Context

from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.workload.attestation import ProcessRegistry
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.rotation import Phase
from ringwall.identity.workload.server import WorkloadApiError, WorkloadApiServer
from ringwall.identity.workload.svid_check import check_leaf
from ringwall.model.clock import ManualClock

PATIENTS = "spiffe://clinic/patients"
BILLING = "spiffe://clinic/billing"
CLINIC = TrustDomain("clinic")
SETTLE = 5.0
PATIENCE = 30.0


class System:
    """A CA with its Workload API; this test process is registered as patients."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(time.time())
        self.registry = ProcessRegistry()
        self.authority = WorkloadAuthority(MemoryKeyStore(), "clinic", self.clock, settle_seconds=SETTLE)
        self.server = WorkloadApiServer(self.authority, self.registry, folder / "w.sock")
        self.registry.register(PATIENTS, os.getpid())

    def client(self) -> WorkloadApiClient:
        return WorkloadApiClient(self.server.address, default_timeout=PATIENCE)

    def settle(self) -> None:
        self.clock.advance(SETTLE)
        self.authority.tick()


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("w"))
    system.server.start()
    yield system
    system.server.stop()
    system.authority.stop()


@pytest.fixture
def client(system: System) -> Iterator[WorkloadApiClient]:
    client = system.client()
    yield client
    client.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


@contextmanager
def watching(client: WorkloadApiClient) -> Iterator[list[X509Context]]:
    """Collect every update of the X.509 context; the first has come when the block begins."""
    updates: list[X509Context] = []
    errors: list[Exception] = []
    handle = client.stream_x509_contexts(updates.append, errors.append)
    try:
        wait_for(lambda: bool(updates or errors))
        yield updates
        assert not errors
    finally:
        handle.cancel()


def roots(context: X509Context) -> set[x509.Certificate]:
    bundle = context.x509_bundle_set.get_bundle_for_trust_domain(CLINIC)
    assert bundle is not None
    return set(bundle.x509_authorities)


def verify(context: X509Context, now: float) -> str:
    svid = context.default_svid
    return str(check_leaf(list(svid.cert_chain), list(roots(context)), now))


def test_x509_svid_with_its_key_and_bundle(system: System, client: WorkloadApiClient) -> None:
    context = client.fetch_x509_context()
    assert str(context.default_svid.spiffe_id) == PATIENTS
    assert verify(context, system.clock.now()) == PATIENTS
    assert len(context.default_svid.cert_chain) == 2
    encoded = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    key = context.default_svid.private_key.public_key()
    assert key.public_bytes(*encoded) == context.default_svid.leaf.public_key().public_bytes(*encoded)


def test_x509_bundles(system: System, client: WorkloadApiClient) -> None:
    bundle = client.fetch_x509_bundles().get_bundle_for_trust_domain(CLINIC)
    assert bundle is not None
    pem = b"".join(root.public_bytes(serialization.Encoding.PEM) for root in bundle.x509_authorities)
    assert pem == system.authority.trust_bundle()


def test_jwt_svids_are_fetched_validated_there_and_here(system: System, client: WorkloadApiClient) -> None:
    svid = client.fetch_jwt_svid({"billing"})
    assert str(svid.spiffe_id) == PATIENTS
    assert svid.expiry == int(system.clock.now()) + 300
    assert str(client.validate_jwt_svid(svid.token, "billing").spiffe_id) == PATIENTS
    bundle = client.fetch_jwt_bundles().get_bundle_for_trust_domain(CLINIC)
    assert bundle is not None
    assert JwtSvid.parse_and_validate(svid.token, bundle, {"billing"}).spiffe_id == svid.spiffe_id


def test_a_jwt_svid_may_be_asked_for_by_name_but_only_ones_own(client: WorkloadApiClient) -> None:
    assert str(client.fetch_jwt_svid({"billing"}, SpiffeId(PATIENTS)).spiffe_id) == PATIENTS
    with pytest.raises(PySpiffeError, match="PERMISSION_DENIED"):
        client.fetch_jwt_svid({"billing"}, SpiffeId(BILLING))


def test_a_jwt_svid_for_another_audience_or_of_another_key_is_not_believed(client: WorkloadApiClient) -> None:
    token = client.fetch_jwt_svid({"billing"}).token
    with pytest.raises(PySpiffeError, match=r"another audience.*INVALID_ARGUMENT"):
        client.validate_jwt_svid(token, "messages")
    with pytest.raises(PySpiffeError, match="INVALID_ARGUMENT"):
        client.validate_jwt_svid(token[:-8] + "AAAAAAAA", "billing")


def test_updates_through_renewal(system: System, client: WorkloadApiClient) -> None:
    with watching(client) as updates:
        system.clock.advance(1_800)
        system.authority.tick()
        wait_for(lambda: len(updates) == 2)
        assert updates[1].default_svid.leaf.serial_number != updates[0].default_svid.leaf.serial_number
        assert verify(updates[1], system.clock.now()) == PATIENTS


def test_what_does_not_concern_a_workload_is_not_sent_to_it(system: System, client: WorkloadApiClient) -> None:
    with watching(client) as updates:
        for _ in range(3):
            system.authority.edge_certificate(["localhost"])
            system.authority.edge_certificate(["clinic.localhost"])  # replaces it, which is announced
            system.authority.tick()
        system.authority.rotate()
        wait_for(lambda: len(roots(updates[-1])) == 2)
        assert len(updates) == 2


def test_updates_through_a_rotation_that_need_not_wait_for_anybody(system: System, client: WorkloadApiClient) -> None:
    with watching(client) as updates:
        system.authority.rotate()
        wait_for(lambda: len(roots(updates[-1])) == 2)
        old = roots(updates[0])
        system.settle()
        wait_for(lambda: updates[-1].default_svid.leaf.issuer != updates[0].default_svid.leaf.issuer)
        assert len(roots(updates[-1])) == 2
        # What has been replaced at every workload holds the old root no longer.
        wait_for(lambda: not system.authority._ca._holds[system.authority.status().other or ""])
        system.settle()
        wait_for(lambda: len(roots(updates[-1])) == 1)
        assert not roots(updates[-1]) & old
        assert verify(updates[-1], system.clock.now()) == PATIENTS


def test_who_fetched_once_and_left_keeps_the_old_root_alive(system: System, client: WorkloadApiClient) -> None:
    context = client.fetch_x509_context()
    wait_for(lambda: not +system.authority._ca._holds)
    system.authority.rotate()
    for _ in range(4):
        system.settle()
    assert system.authority.status().phase is Phase.RETIRING
    now_trusted = set(x509.load_pem_x509_certificates(system.authority.trust_bundle()))
    assert roots(context) < now_trusted
    system.clock.advance(3_600)
    system.authority.tick()
    assert system.authority.status().phase is Phase.STABLE


def test_a_compromise_reaches_the_workload_at_once(system: System, client: WorkloadApiClient) -> None:
    with watching(client) as updates:
        system.authority.rotate(compromised=True)
        wait_for(lambda: len(updates) == 2)
        assert not roots(updates[1]) & roots(updates[0])
        assert verify(updates[1], system.clock.now()) == PATIENTS


def test_jwt_bundle_updates(system: System, client: WorkloadApiClient) -> None:
    sizes: list[int] = []
    errors: list[Exception] = []

    def note(bundles: object) -> None:
        bundle = bundles.get_bundle_for_trust_domain(CLINIC)  # type: ignore[attr-defined]
        sizes.append(len(bundle.jwt_authorities))

    handle = client.stream_jwt_bundles(note, errors.append)
    wait_for(lambda: sizes == [1])
    system.authority.rotate()
    wait_for(lambda: sizes[-1] == 2)
    handle.cancel()
    assert not errors


def test_clients_reconnect_when_the_server_comes_back(system: System, client: WorkloadApiClient) -> None:
    with watching(client) as updates:
        system.server.stop()
        system.server.stop()
        assert not Path(system.server.address.removeprefix("unix://")).exists()
        system.server.start()
        system.server.start()
        wait_for(lambda: len(updates) > 1)
        assert verify(updates[-1], system.clock.now()) == PATIENTS


def test_as_a_source_that_keeps_itself_fresh(system: System) -> None:
    source = X509Source(socket_path=system.server.address)
    try:
        first = source.get_x509_context().default_svid.leaf.serial_number
        system.clock.advance(1_800)
        system.authority.tick()
        wait_for(lambda: source.get_x509_context().default_svid.leaf.serial_number != first)
    finally:
        source.close()


def test_a_stream_ends_when_its_workload_is_no_more(system: System, client: WorkloadApiClient) -> None:
    errors: list[Exception] = []
    updates: list[X509Context] = []
    handle = client.stream_x509_contexts(updates.append, errors.append, retry_connect=False)
    wait_for(lambda: bool(updates))
    system.registry.unregister(os.getpid())
    system.authority.rotate()
    wait_for(lambda: bool(errors))
    assert "PERMISSION_DENIED" in str(errors[0])
    assert len(updates) == 1
    handle.cancel()


def test_fifty_threads_at_once(client: WorkloadApiClient) -> None:
    found: list[str] = []
    slots = threading.Semaphore(16)

    def fetch() -> None:
        with slots:
            found.append(str(client.fetch_x509_svid().spiffe_id))

    threads = [threading.Thread(target=fetch) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [PATIENTS] * 50


ASK = """
import subprocess, sys
from spiffe import WorkloadApiClient
from spiffe.errors import PySpiffeError
if sys.argv[2] == "child":
    sys.exit(subprocess.run([sys.executable, __file__, sys.argv[1], "self"]).returncode)
for _ in sys.stdin if sys.argv[2] == "self-when-told" else [0]:
    client = WorkloadApiClient(sys.argv[1], default_timeout=30)
    try:
        print(client.fetch_x509_svid().spiffe_id, flush=True)
    except PySpiffeError as error:
        print(error, flush=True)
    client.close()
"""


class TestOtherProcesses:
    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        path = tmp_path / "ask.py"
        path.write_text(ASK)
        return path

    @contextmanager
    def start(self, script: Path, system: System, mode: str) -> Iterator["subprocess.Popen[str]"]:
        command = [sys.executable, str(script), system.server.address, mode]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def ask(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    def test_a_foreign_process_is_refused_until_it_is_registered(self, system: System, script: Path) -> None:
        system.registry.unregister(os.getpid())  # its ancestor
        with self.start(script, system, "self-when-told") as process:
            assert "PERMISSION_DENIED" in self.ask(process)
            system.registry.register(BILLING, process.pid)
            assert self.ask(process) == BILLING
            system.registry.unregister(process.pid)
            assert "PERMISSION_DENIED" in self.ask(process)

    def test_each_process_gets_its_own_identity(self, system: System, script: Path) -> None:
        with self.start(script, system, "self-when-told") as one, self.start(script, system, "self-when-told") as two:
            system.registry.register(BILLING, one.pid)
            assert self.ask(one) == BILLING
            assert self.ask(two) == PATIENTS, "two descends from this process, which is patients"

    def test_a_child_of_a_service_is_the_service(self, system: System, script: Path) -> None:
        system.registry.unregister(os.getpid())
        with self.start(script, system, "child") as process:
            system.registry.register(BILLING, process.pid)
            assert process.stdout is not None
            assert process.stdout.readline().strip() == BILLING


SERVE = """
import sys, time
from pathlib import Path
from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.workload.attestation import RegistryFile
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.server import WorkloadApiServer
from ringwall.model.clock import SystemClock
folder = Path(sys.argv[1])
authority = WorkloadAuthority(FolderKeyStore(folder / "keys", passphrase=None), "clinic", SystemClock())
server = WorkloadApiServer(authority, RegistryFile(folder / "workloads.json"), folder / "w.sock")
authority.start()
server.start()
print(server.address, flush=True)
sys.stdin.read()
server.stop()
authority.stop()
"""


def test_a_killed_server_is_missed_by_nobody_once_it_is_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("k")
    ProcessRegistry(file=folder / "workloads.json").register(PATIENTS, os.getpid())

    def serve() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == f"unix://{folder}/w.sock"
        return process

    first = serve()
    client = WorkloadApiClient(f"unix://{folder}/w.sock", default_timeout=PATIENCE)
    try:
        with watching(client) as updates:
            first.send_signal(signal.SIGKILL)
            first.communicate()
            second = serve()
            wait_for(lambda: len(updates) > 1)
            assert roots(updates[-1]) == roots(updates[0]), "the CA is the same after a crash"
            assert verify(updates[-1], time.time()) == PATIENTS
        second.communicate()
        assert second.returncode == 0
        assert not (folder / "w.sock").exists()
    finally:
        client.close()
        for process in (first, second):
            process.kill()
            process.communicate()


class TestSocket:
    def test_is_private(self, system: System) -> None:
        assert Path(system.server.address.removeprefix("unix://")).stat().st_mode & 0o777 == 0o600

    def test_a_running_system_is_left_alone(self, system: System) -> None:
        path = Path(system.server.address.removeprefix("unix://"))
        second = WorkloadApiServer(system.authority, system.registry, path)
        with pytest.raises(WorkloadApiError, match="another process listens"):
            second.start()
        assert path.exists()

    def test_a_file_in_the_way_is_left_alone(self, system: System, tmp_path: Path) -> None:
        (tmp_path / "w.sock").write_text("precious")
        with pytest.raises(WorkloadApiError, match="not a socket"):
            WorkloadApiServer(system.authority, system.registry, tmp_path / "w.sock").start()
        assert (tmp_path / "w.sock").read_text() == "precious"

    def test_a_path_that_linux_cannot_hold(self, system: System, tmp_path: Path) -> None:
        with pytest.raises(WorkloadApiError, match="longer than") as caught:
            WorkloadApiServer(system.authority, system.registry, tmp_path / ("x" * 110)).start()
        assert "shorter path" in caught.value.hint

    def test_a_missing_folder(self, system: System, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("m") / "missing" / "w.sock"
        with pytest.raises(WorkloadApiError, match="No such file"):
            WorkloadApiServer(system.authority, system.registry, path).start()
