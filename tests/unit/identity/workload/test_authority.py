import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.keystore import KeyStoreError, MemoryKeyStore
from ringwall.identity.workload.authority import EdgeCertificateError, WorkloadAuthority
from ringwall.identity.workload.generation import CaError
from ringwall.identity.workload.jwt_svid import JwtSvidError
from ringwall.identity.workload.rotation import Phase, RotationError
from ringwall.identity.workload.svid_check import check_leaf
from ringwall.model.clock import ManualClock
from ringwall.model.credentials import CredentialSource
from ringwall.model.secret import Secret
from ringwall.model.spiffe import SpiffeIdError

PATIENTS = "spiffe://clinic/patients"
BILLING = "spiffe://clinic/billing"
SETTLE = 5.0
HOUR = 3_600.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def authority(clock: ManualClock) -> WorkloadAuthority:
    return WorkloadAuthority(MemoryKeyStore(), "clinic", clock, settle_seconds=SETTLE)


@pytest.fixture
def told(authority: WorkloadAuthority) -> list[str]:
    calls: list[str] = []
    authority.subscribe(lambda: calls.append("changed"))
    return calls


def verifies(authority: WorkloadAuthority, clock: ManualClock, name: str = PATIENTS) -> bool:
    chain = x509.load_pem_x509_certificates(authority.svid(name).chain_pem)
    return str(check_leaf(chain, x509.load_pem_x509_certificates(authority.trust_bundle()), clock.now())) == name


def test_is_a_credential_source(authority: WorkloadAuthority) -> None:
    source: CredentialSource = authority
    assert source.trust_bundle().count(b"BEGIN CERTIFICATE") == 1


def test_asking_twice_gives_the_same(authority: WorkloadAuthority, told: list[str]) -> None:
    assert authority.svid(PATIENTS) is authority.svid(PATIENTS)
    assert authority.svid(PATIENTS) != authority.svid(BILLING)
    authority.tick()
    assert not told


@pytest.mark.parametrize("name", ["spiffe://other/patients", "spiffe://clinic"])
def test_foreign_identities_are_refused(authority: WorkloadAuthority, name: str) -> None:
    with pytest.raises(CaError):
        authority.svid(name)


def test_nonsense_is_refused(authority: WorkloadAuthority) -> None:
    with pytest.raises(SpiffeIdError):
        authority.svid("patients")


class TestRenewal:
    def test_at_half_life_and_announced(
        self, authority: WorkloadAuthority, clock: ManualClock, told: list[str]
    ) -> None:
        first = authority.svid(PATIENTS)
        clock.advance(HOUR / 2 - 60)
        authority.tick()
        assert authority.svid(PATIENTS) is first
        clock.advance(60)
        authority.tick()
        assert told == ["changed"]
        assert authority.svid(PATIENTS).not_after > first.not_after
        assert verifies(authority, clock)

    def test_on_demand_is_announced_to_the_others(
        self, authority: WorkloadAuthority, clock: ManualClock, told: list[str]
    ) -> None:
        first = authority.svid(PATIENTS)
        clock.advance(HOUR)
        assert authority.svid(PATIENTS) is not first
        authority.tick()
        assert told == ["changed"]

    def test_never_gives_one_that_has_ended_even_before_the_tick(
        self, authority: WorkloadAuthority, clock: ManualClock
    ) -> None:
        authority.svid(PATIENTS)
        clock.jump(30 * 24 * HOUR)
        assert verifies(authority, clock)

    def test_never_gives_one_that_is_not_valid_yet(self, authority: WorkloadAuthority, clock: ManualClock) -> None:
        authority.svid(PATIENTS)
        clock.jump(-HOUR / 2)
        assert verifies(authority, clock)

    def test_what_nobody_asks_for_any_more_is_forgotten(
        self, authority: WorkloadAuthority, clock: ManualClock, told: list[str]
    ) -> None:
        authority.svid(PATIENTS)
        for _ in range(4):
            clock.advance(HOUR)
            authority.tick()
        assert told == ["changed"]

    def test_goes_on_when_the_clock_comes_back(
        self, authority: WorkloadAuthority, clock: ManualClock, told: list[str]
    ) -> None:
        authority.svid(PATIENTS)
        clock.jump(-24 * HOUR)
        authority.tick()
        with pytest.raises(CaError, match="clock"):
            authority.svid(PATIENTS)
        clock.jump(25 * HOUR)
        authority.tick()
        assert told == ["changed"]
        assert verifies(authority, clock)

    def test_a_failing_subscriber_keeps_no_news_from_the_others(
        self, authority: WorkloadAuthority, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail() -> None:
            raise ValueError("broken")

        calls: list[int] = []
        authority.subscribe(fail)
        authority.subscribe(lambda: calls.append(1))
        authority.rotate()
        assert calls == [1]
        assert "subscriber" in caplog.text

    def test_subscribers_are_called_without_the_lock(self, authority: WorkloadAuthority) -> None:
        seen: list[bytes] = []

        def ask_from_another_thread() -> None:
            thread = threading.Thread(target=lambda: seen.append(authority.trust_bundle()))
            thread.start()
            thread.join(5)

        authority.subscribe(ask_from_another_thread)
        authority.rotate()
        assert seen

    def test_the_background_thread_notices_a_clock_that_moved(
        self, authority: WorkloadAuthority, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ringwall.identity.workload.authority.POLL_SECONDS", 0.01)
        changed = threading.Event()
        authority.subscribe(changed.set)
        authority.svid(PATIENTS)
        authority.start()
        authority.start()
        try:
            clock.advance(HOUR)
            assert changed.wait(20)
        finally:
            authority.stop()
        assert "workload-authority" not in {thread.name for thread in threading.enumerate()}

    def test_the_background_thread_survives_errors(
        self,
        authority: WorkloadAuthority,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr("ringwall.identity.workload.authority.POLL_SECONDS", 0.01)
        third = threading.Event()
        errors: list[Exception] = [KeyStoreError("disk full", hint="make room"), ValueError("unforeseen")]

        def tick() -> None:
            if errors:
                raise errors.pop(0)
            third.set()

        monkeypatch.setattr(authority, "tick", tick)
        authority.start()
        try:
            assert third.wait(20)
        finally:
            authority.stop()
        assert "disk full; make room" in caplog.text
        assert "unforeseen" in caplog.text


class TestRotate:
    def test_without_a_gap(self, authority: WorkloadAuthority, clock: ManualClock, told: list[str]) -> None:
        old = authority.svid(PATIENTS)
        authority.rotate()
        assert told == ["changed"]
        assert authority.trust_bundle().count(b"BEGIN") == 2
        assert authority.svid(PATIENTS) is old
        status = authority.status()
        assert (status.phase, status.next_step_at) == (Phase.ANNOUNCED, clock.now() + SETTLE)
        clock.advance(SETTLE)
        authority.tick()
        assert len(told) == 2
        assert authority.svid(PATIENTS) is not old
        assert verifies(authority, clock)
        assert authority.trust_bundle().count(b"BEGIN") == 2
        clock.advance(SETTLE)
        authority.tick()
        assert len(told) == 3
        assert authority.trust_bundle().count(b"BEGIN") == 1
        assert authority.status().next_step_at is None
        assert verifies(authority, clock)

    def test_compromised_reissues_at_once(
        self, authority: WorkloadAuthority, clock: ManualClock, told: list[str]
    ) -> None:
        before, bundle = authority.svid(PATIENTS), authority.trust_bundle()
        authority.rotate(compromised=True)
        assert told == ["changed"]
        assert authority.svid(PATIENTS) is not before
        assert authority.trust_bundle() != bundle
        assert authority.trust_bundle().count(b"BEGIN") == 1
        assert verifies(authority, clock)

    def test_one_at_a_time_unless_compromised(self, authority: WorkloadAuthority, clock: ManualClock) -> None:
        authority.rotate()
        with pytest.raises(RotationError):
            authority.rotate()
        authority.rotate(compromised=True)
        assert authority.status().phase is Phase.STABLE
        assert verifies(authority, clock)

    def test_jwt_svids_hold_through_a_rotation_and_their_key_goes_after_the_last_one_ended(
        self, authority: WorkloadAuthority, clock: ManualClock
    ) -> None:
        token = authority.jwt_svid(PATIENTS, ["billing"])
        authority.rotate()
        for _ in range(58):
            clock.advance(5)
            authority.tick()
            assert authority.validate_jwt_svid(token, "billing").claims["sub"] == PATIENTS
        clock.advance(60)
        authority.tick()
        assert authority.status().phase is Phase.STABLE
        with pytest.raises(JwtSvidError, match="key id"):
            authority.validate_jwt_svid(token, "billing")

    def test_compromised_ends_jwt_svids_at_once(self, authority: WorkloadAuthority) -> None:
        token = authority.jwt_svid(PATIENTS, ["billing"])
        authority.rotate(compromised=True)
        with pytest.raises(JwtSvidError, match="key id"):
            authority.validate_jwt_svid(token, "billing")

    def test_what_a_workload_was_handed_keeps_the_old_root(
        self, authority: WorkloadAuthority, clock: ManualClock
    ) -> None:
        svid = authority.x509_svid(PATIENTS)
        authority.hand_out(svid)
        authority.take_back(svid, replaced=False)
        authority.rotate()
        for _ in range(3):
            clock.advance(SETTLE)
            authority.tick()
        assert authority.status().next_step_at == svid.credential.not_after
        clock.advance(HOUR)
        authority.tick()
        assert authority.trust_bundle().count(b"BEGIN") == 1

    def test_what_was_replaced_does_not(self, authority: WorkloadAuthority, clock: ManualClock) -> None:
        svid = authority.x509_svid(PATIENTS)
        authority.hand_out(svid)
        authority.rotate()
        clock.advance(SETTLE)
        authority.tick()
        authority.take_back(svid, replaced=True)
        clock.advance(SETTLE)
        authority.tick()
        assert authority.status().phase is Phase.STABLE


def test_the_root_can_be_taken_away_and_brought_back(
    authority: WorkloadAuthority, clock: ManualClock, told: list[str]
) -> None:
    passphrase = Secret("kept in a safe place")
    pem = authority.export_root_key(passphrase)
    authority.remove_root_key(pem, passphrase)
    assert told
    assert authority.status().root_offline
    assert verifies(authority, clock)
    authority.restore_root_key(pem, passphrase)
    assert not authority.status().root_offline


class TestEdge:
    def test_the_same_until_half_life(self, authority: WorkloadAuthority, clock: ManualClock, told: list[str]) -> None:
        first = authority.edge_certificate(["localhost"])
        assert authority.edge_certificate(["localhost"]) is first
        clock.advance(16 * 24 * HOUR)
        authority.tick()
        assert told == ["changed"]
        assert authority.edge_certificate(["localhost"]) is not first

    def test_other_domains_give_another(self, authority: WorkloadAuthority) -> None:
        assert authority.edge_certificate(["localhost"]) != authority.edge_certificate(["clinic.localhost"])

    def test_no_workload_root_ever_vouches_for_the_edge(self, authority: WorkloadAuthority) -> None:
        leaf = x509.load_pem_x509_certificate(authority.edge_certificate(["localhost"]).chain_pem)
        for root in x509.load_pem_x509_certificates(authority.trust_bundle()):
            assert leaf.issuer != root.subject

    def test_none_outside_development_mode(self, tmp_path: Path, clock: ManualClock) -> None:
        store = FolderKeyStore(tmp_path / "keys", passphrase=Secret("correct horse battery"))
        authority = WorkloadAuthority(store, "clinic", clock)
        with pytest.raises(EdgeCertificateError) as caught:
            authority.edge_certificate(["localhost"])
        assert "edge.certificate" in caught.value.hint
        assert verifies(authority, clock)


def test_many_threads_get_one_svid(authority: WorkloadAuthority) -> None:
    found: list[object] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(authority.svid(PATIENTS))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(one) for one in found}) == 1


def test_stop_remembers_what_was_handed_out(clock: ManualClock) -> None:
    store = MemoryKeyStore()
    first = WorkloadAuthority(store, "clinic", clock, settle_seconds=SETTLE)
    first.stop()
    second = WorkloadAuthority(store, "clinic", clock, settle_seconds=SETTLE)
    second.rotate()
    steps: list[Callable[[], None]] = [second.tick] * 2
    for step in steps:
        clock.advance(SETTLE)
        step()
    assert second.status().phase is Phase.STABLE
