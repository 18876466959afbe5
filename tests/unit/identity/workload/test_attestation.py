"""Who is taken for whom, over a process table that the tests make up, and for the two attestors."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ringwall.identity.workload.attestation import AttestationError, Attestor, ProcessRegistry, RegistryFile
from ringwall.identity.workload.processes import Caller, Process
from ringwall.model.durable import StorageError
from ringwall.model.spiffe import SpiffeIdError

PATIENTS = "spiffe://clinic/patients"
BILLING = "spiffe://clinic/billing"
UID = 1_000


class Table:
    """Processes that a test makes up: 1 is init, 10 the supervisor."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.add(1, parent=0, session=1, started=1)
        self.add(10, parent=1, session=10, started=100)

    def add(self, pid: int, *, parent: int, session: int, started: int, uid: int = UID) -> None:
        self.processes[pid] = Process(pid, parent, session, started, uid)

    def read(self, pid: int) -> Process | None:
        return self.processes.get(pid)


@pytest.fixture
def table() -> Table:
    table = Table()
    table.add(20, parent=10, session=20, started=200)  # patients
    table.add(30, parent=10, session=30, started=300)  # billing
    return table


Make = Callable[[Table, Path], tuple[ProcessRegistry, Attestor]]


def in_memory(table: Table, _: Path) -> tuple[ProcessRegistry, Attestor]:
    registry = ProcessRegistry(table)
    return registry, registry


def through_a_file(table: Table, folder: Path) -> tuple[ProcessRegistry, Attestor]:
    registry = ProcessRegistry(table, file=folder / "workloads.json")
    return registry, RegistryFile(folder / "workloads.json", table)


@pytest.fixture(params=[in_memory, through_a_file], ids=["in-memory", "through-a-file"])
def pair(request: pytest.FixtureRequest, table: Table, tmp_path: Path) -> tuple[ProcessRegistry, Attestor]:
    make: Make = request.param
    registry, attestor = make(table, tmp_path)
    registry.register(PATIENTS, 20)
    registry.register(BILLING, 30)
    return registry, attestor


@pytest.fixture
def attestor(pair: tuple[ProcessRegistry, Attestor]) -> Attestor:
    return pair[1]


def caller(pid: int, started: int | None, uid: int = UID) -> Caller:
    return Caller(pid, uid, uid, started)


def test_the_registered_process(attestor: Attestor) -> None:
    assert attestor.attest(caller(20, 200)) == PATIENTS
    assert attestor.attest(caller(30, 300)) == BILLING


def test_what_it_started_and_what_that_started(attestor: Attestor, table: Table) -> None:
    table.add(21, parent=20, session=20, started=210)
    table.add(22, parent=21, session=22, started=220)
    assert attestor.attest(caller(21, 210)) == PATIENTS
    assert attestor.attest(caller(22, 220)) == PATIENTS


def test_an_orphan_of_its_session(attestor: Attestor, table: Table) -> None:
    table.add(23, parent=1, session=20, started=230)
    assert attestor.attest(caller(23, 230)) == PATIENTS


def test_a_service_that_another_service_started_is_itself(pair: tuple[ProcessRegistry, Attestor], table: Table) -> None:
    table.add(31, parent=20, session=20, started=310)
    pair[0].register(BILLING, 31)
    assert pair[1].attest(caller(31, 310)) == BILLING


@pytest.mark.parametrize(
    ("pid", "parent", "session"),
    [(40, 1, 40), (41, 10, 10), (42, 10, 42), (43, 999, 999)],
    ids=["a stranger", "of the supervisor's session", "of the supervisor", "nobody's child"],
)
def test_strangers_are_refused(attestor: Attestor, table: Table, pid: int, parent: int, session: int) -> None:
    table.add(pid, parent=parent, session=session, started=400)
    with pytest.raises(AttestationError, match="not part of any"):
        attestor.attest(caller(pid, 400))


def test_the_supervisor_is_no_workload(attestor: Attestor) -> None:
    with pytest.raises(AttestationError):
        attestor.attest(caller(10, 100))


def test_one_that_detached_itself_fully_is_refused(attestor: Attestor, table: Table) -> None:
    table.add(24, parent=1, session=24, started=240)
    with pytest.raises(AttestationError):
        attestor.attest(caller(24, 240))


class TestNumbersUsedAgain:
    def test_of_the_service(self, attestor: Attestor, table: Table) -> None:
        table.add(20, parent=1, session=20, started=900)
        with pytest.raises(AttestationError, match="not part of any"):
            attestor.attest(caller(20, 900))

    def test_of_the_caller_while_it_was_connected(self, attestor: Attestor, table: Table) -> None:
        table.add(50, parent=1, session=50, started=500)
        stranger = caller(50, 500)
        table.add(50, parent=20, session=20, started=600)  # the service happens to start something as 50
        with pytest.raises(AttestationError, match="has ended"):
            attestor.attest(stranger)

    def test_of_a_parent(self, attestor: Attestor, table: Table) -> None:
        table.add(51, parent=20, session=51, started=150)  # older than 20: its parent was an earlier 20
        with pytest.raises(AttestationError):
            attestor.attest(caller(51, 150))

    def test_of_a_session_leader(self, attestor: Attestor, table: Table) -> None:
        table.add(20, parent=10, session=20, started=900)
        table.add(52, parent=1, session=20, started=210)
        with pytest.raises(AttestationError):
            attestor.attest(caller(52, 210))

    def test_between_the_first_look_and_the_last(self, attestor: Attestor, table: Table) -> None:
        table.add(25, parent=20, session=20, started=250)
        real, looks = table.read, [0]

        def read(pid: int) -> Process | None:
            looks[0] += pid == 25
            return None if pid == 25 and looks[0] > 1 else real(pid)

        table.read = read  # type: ignore[method-assign]
        with pytest.raises(AttestationError, match="has ended"):
            attestor.attest(caller(25, 250))


def test_one_that_has_ended(attestor: Attestor, table: Table) -> None:
    del table.processes[20]
    with pytest.raises(AttestationError, match="has ended"):
        attestor.attest(caller(20, 200))


def test_one_that_the_kernel_says_has_ended_whatever_its_number(attestor: Attestor) -> None:
    read_end, write_end = os.pipe()
    ended = caller(20, 200)
    ended.descriptor = read_end  # with its other end closed it polls as that of a process that has ended
    assert attestor.attest(ended) == PATIENTS
    os.close(write_end)
    with pytest.raises(AttestationError, match="has ended"):
        attestor.attest(ended)
    ended.close()


@pytest.mark.parametrize(("pid", "started"), [(0, 1), (-1, 1), (20, None)])
def test_one_that_cannot_be_seen_from_here(attestor: Attestor, pid: int, started: int | None) -> None:
    with pytest.raises(AttestationError, match="cannot be seen"):
        attestor.attest(caller(pid, started))


def test_another_user_is_refused(attestor: Attestor) -> None:
    with pytest.raises(AttestationError, match="another user"):
        attestor.attest(caller(20, 200, uid=0))


def test_a_circle_of_parents_ends(attestor: Attestor, table: Table) -> None:
    table.add(60, parent=61, session=60, started=600)
    table.add(61, parent=60, session=61, started=600)
    with pytest.raises(AttestationError, match="not part of any"):
        attestor.attest(caller(60, 600))


def test_unregistered_is_forgotten(pair: tuple[ProcessRegistry, Attestor]) -> None:
    registry, attestor = pair
    registry.unregister(20)
    registry.unregister(20)
    with pytest.raises(AttestationError):
        attestor.attest(caller(20, 200))
    assert attestor.attest(caller(30, 300)) == BILLING


def test_what_cannot_be_registered(pair: tuple[ProcessRegistry, Attestor]) -> None:
    with pytest.raises(AttestationError, match="no process 777"):
        pair[0].register(PATIENTS, 777)
    with pytest.raises(SpiffeIdError):
        pair[0].register("patients", 20)


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "workloads.json"

    def test_no_file_means_no_workloads(self, table: Table, path: Path) -> None:
        with pytest.raises(AttestationError, match="not part of any"):
            RegistryFile(path, table).attest(caller(20, 200))

    def test_is_private_and_follows_each_change(self, table: Table, path: Path) -> None:
        registry, attestor = ProcessRegistry(table, file=path), RegistryFile(path, table)
        for name in (PATIENTS, BILLING, PATIENTS):
            registry.register(name, 20)
            assert attestor.attest(caller(20, 200)) == name
        assert path.stat().st_mode & 0o777 == 0o600
        assert [entry.name for entry in path.parent.iterdir()] == ["workloads.json"]

    def test_a_file_that_vanishes_takes_its_workloads_along(self, table: Table, path: Path) -> None:
        registry, attestor = ProcessRegistry(table, file=path), RegistryFile(path, table)
        registry.register(PATIENTS, 20)
        assert attestor.attest(caller(20, 200)) == PATIENTS
        path.unlink()
        with pytest.raises(AttestationError):
            attestor.attest(caller(20, 200))

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "null",
            "7",
            '["x"]',
            "[{}]",
            '[{"spiffe_id": "a", "pid": "x", "started": 1, "uid": 1}]',
            "[" * 5_000,
        ],
    )
    def test_a_file_that_cannot_be_read_lets_nobody_in(self, table: Table, path: Path, content: str) -> None:
        registry, attestor = ProcessRegistry(table, file=path), RegistryFile(path, table)
        registry.register(PATIENTS, 20)
        assert attestor.attest(caller(20, 200)) == PATIENTS
        path.write_text(content)
        for _ in range(2):
            with pytest.raises(AttestationError, match="cannot be read"):
                attestor.attest(caller(20, 200))

    @pytest.mark.parametrize("mode", [0o620, 0o602])
    def test_a_file_that_others_can_write_lets_nobody_in(self, table: Table, path: Path, mode: int) -> None:
        ProcessRegistry(table, file=path).register(PATIENTS, 20)
        path.chmod(mode)
        with pytest.raises(AttestationError, match="others can write"):
            RegistryFile(path, table).attest(caller(20, 200))

    def test_a_folder_that_is_away_is_an_error_of_ours(self, table: Table, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="cannot write"):
            ProcessRegistry(table, file=tmp_path / "missing" / "w.json").register(PATIENTS, 20)

    def test_what_could_not_be_written_is_with_the_next_change(self, table: Table, tmp_path: Path) -> None:
        folder = tmp_path / "full"
        registry, attestor = ProcessRegistry(table, file=folder / "w.json"), RegistryFile(folder / "w.json", table)
        with pytest.raises(StorageError):
            registry.register(PATIENTS, 20)
        registry.unregister(4711)
        folder.mkdir()
        registry.register(BILLING, 30)
        assert attestor.attest(caller(20, 200)) == PATIENTS

    def test_an_end_that_cannot_be_written_is_an_end(self, table: Table, path: Path) -> None:
        """The supervisor tells of it while it restarts the process, which must go on."""
        registry = ProcessRegistry(table, file=path)
        registry.register(PATIENTS, 20)
        path.with_name(".workloads.json.tmp").mkdir()  # in the way of the new one
        registry.unregister(20)
        with pytest.raises(AttestationError):
            registry.attest(caller(20, 200))

    def test_holds_no_more_than_is_needed(self, table: Table, path: Path) -> None:
        ProcessRegistry(table, file=path).register(PATIENTS, 20)
        assert json.loads(path.read_text()) == [{"spiffe_id": PATIENTS, "pid": 20, "started": 200, "uid": UID}]
