"""The CA over time: renewal, jumps of the clock, an offline root, and rotation with crashes in every place."""

import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from cryptography import x509

from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.keystore import KeyStore, KeyStoreError, MemoryKeyStore
from ringwall.identity.workload.ca import CertificateAuthority
from ringwall.identity.workload.generation import CaError, RootOfflineError
from ringwall.identity.workload.issued import IssuedSvid
from ringwall.identity.workload.rotation import Phase, RotationError
from ringwall.identity.workload.svid_check import SvidError, check_leaf
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret
from ringwall.model.spiffe import SpiffeId

PATIENTS = SpiffeId("clinic", "/patients")
SETTLE = 5.0
DAY = 86_400.0
HOUR = 3_600.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> MemoryKeyStore:
    return MemoryKeyStore()


def open_ca(store: KeyStore, clock: ManualClock) -> CertificateAuthority:
    return CertificateAuthority(store, "clinic", clock, settle_seconds=SETTLE)


@pytest.fixture
def ca(store: MemoryKeyStore, clock: ManualClock) -> CertificateAuthority:
    return open_ca(store, clock)


def roots(ca: CertificateAuthority) -> list[x509.Certificate]:
    return [generation.root for generation in ca.trusted]


def chain(svid: IssuedSvid) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(svid.credential.chain_pem)


def rotate(ca: CertificateAuthority, clock: ManualClock) -> None:
    ca.begin_rotation()
    for _ in range(2):
        clock.advance(SETTLE)
        ca.advance()


def test_issues_what_the_bundle_vouches_for(ca: CertificateAuthority, clock: ManualClock) -> None:
    svid = ca.issue(PATIENTS)
    assert check_leaf(chain(svid), roots(ca), clock.now()) == PATIENTS
    assert svid.chain_der.startswith(b"\x30")
    assert svid.renew_at == pytest.approx(clock.now() + 1_770)


def test_every_svid_has_its_own_key(ca: CertificateAuthority) -> None:
    assert ca.issue(PATIENTS).key_der != ca.issue(PATIENTS).key_der


@pytest.mark.parametrize("name", ["spiffe://other/patients", "spiffe://clinic"])
def test_issues_only_for_workloads_of_its_trust_domain(ca: CertificateAuthority, name: str) -> None:
    with pytest.raises(CaError, match="not a workload"):
        ca.issue(SpiffeId.parse(name))


def test_what_would_not_pass_the_check_is_never_handed_out(
    ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ca.issuing.intermediate
    monkeypatch.setattr("ringwall.identity.workload.ca.svid_certificate", lambda *_: other)
    with pytest.raises(SvidError):
        ca.issue(PATIENTS)


def test_is_the_same_ca_after_a_restart(store: MemoryKeyStore, clock: ManualClock, ca: CertificateAuthority) -> None:
    before = roots(ca)
    assert roots(open_ca(store, clock)) == before


def test_a_store_of_another_trust_domain_is_refused(store: MemoryKeyStore, clock: ManualClock) -> None:
    open_ca(store, clock)
    with pytest.raises(KeyStoreError, match="'clinic', not 'shop'"):
        CertificateAuthority(store, "shop", clock, settle_seconds=SETTLE)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.update(rotation=None),
        lambda state: state.update(generations={}),
        lambda state: state.update(generations=[]),
        lambda state: next(iter(state["generations"].values())).update(root="nonsense"),
        lambda state: next(iter(state["generations"].values())).update(root=None),
        lambda state: next(iter(state["generations"].values())).pop("intermediate"),
    ],
)
def test_a_damaged_state_is_refused(
    store: MemoryKeyStore, clock: ManualClock, damage: Callable[[dict[str, object]], None]
) -> None:
    open_ca(store, clock)
    state = store.get_json("ca-state")
    damage(state)
    store.put_json("ca-state", state)
    with pytest.raises(KeyStoreError):
        open_ca(store, clock)


def test_keys_of_another_backup_are_refused(store: MemoryKeyStore, clock: ManualClock) -> None:
    name = open_ca(store, clock).issuing.id
    store.write(f"ca-{name}-intermediate.pem", store.read(f"ca-{name}-jwt.pem"))
    with pytest.raises(KeyStoreError, match="not the key of its certificate"):
        open_ca(store, clock)


class TestIntermediate:
    def test_is_renewed_at_half_life_under_the_same_root(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        before = ca.issuing
        clock.advance(44 * DAY)
        assert not ca.advance()
        clock.advance(2 * DAY)
        assert ca.advance()
        assert ca.issuing.intermediate.serial_number != before.intermediate.serial_number
        assert ca.issuing.root == before.root
        check_leaf(chain(ca.issue(PATIENTS)), [before.root], clock.now())

    def test_renewal_is_kept(self, store: MemoryKeyStore, ca: CertificateAuthority, clock: ManualClock) -> None:
        clock.advance(46 * DAY)
        ca.advance()
        assert open_ca(store, clock).issuing.intermediate == ca.issuing.intermediate

    def test_issue_renews_it_without_waiting_for_advance(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        clock.advance(200 * DAY)
        check_leaf(chain(ca.issue(PATIENTS)), roots(ca), clock.now())


class TestOfflineRoot:
    PASSPHRASE = Secret("kept in a safe place")

    @pytest.fixture
    def exported(self, ca: CertificateAuthority) -> bytes:
        pem = ca.export_root_key(self.PASSPHRASE)
        ca.remove_root_key(pem, self.PASSPHRASE)
        return pem

    def test_the_exported_key_is_encrypted(self, exported: bytes) -> None:
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in exported

    def test_everything_works_on_until_the_intermediate_ends(
        self,
        store: MemoryKeyStore,
        ca: CertificateAuthority,
        clock: ManualClock,
        exported: bytes,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        assert exported
        assert ca.root_is_offline()
        assert not [name for name in store.names() if name.endswith("root.pem")]
        ca = open_ca(store, clock)
        clock.advance(89 * DAY)
        with caplog.at_level(logging.ERROR):
            ca.advance()
            ca.advance()
        assert caplog.text.count("the root's key is offline") == 1, "said once, well before the end"
        check_leaf(chain(ca.issue(PATIENTS)), roots(ca), clock.now())
        clock.advance(DAY - 600)
        assert ca.issue(PATIENTS).credential.not_after <= clock.now() + 600
        clock.advance(700)
        with pytest.raises(RootOfflineError, match="root's key is offline") as caught:
            ca.issue(PATIENTS)
        assert "rotate ca" in caught.value.hint
        assert "ca attach" in caught.value.hint

    def test_taking_it_offline_leaves_a_fresh_intermediate(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        clock.advance(40 * DAY)
        ca.remove_root_key(ca.export_root_key(self.PASSPHRASE), self.PASSPHRASE)
        assert ca.issuing.intermediate.not_valid_after_utc.timestamp() == clock.now() + 90 * DAY

    def test_brought_back(self, ca: CertificateAuthority, clock: ManualClock, exported: bytes) -> None:
        clock.advance(100 * DAY)
        ca.restore_root_key(exported, self.PASSPHRASE)
        assert not ca.root_is_offline()
        check_leaf(chain(ca.issue(PATIENTS)), roots(ca), clock.now())

    def test_another_key_or_passphrase_is_refused(
        self, ca: CertificateAuthority, clock: ManualClock, exported: bytes
    ) -> None:
        with pytest.raises(CaError, match="passphrase"):
            ca.restore_root_key(exported, Secret("wrong passphrase"))
        other = open_ca(MemoryKeyStore(), clock).export_root_key(self.PASSPHRASE)
        with pytest.raises(CaError, match="not the key of the present root"):
            ca.restore_root_key(other, self.PASSPHRASE)
        assert ca.root_is_offline()

    def test_it_is_taken_away_only_by_whoever_has_it(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        pem = ca.export_root_key(self.PASSPHRASE)
        other = open_ca(MemoryKeyStore(), clock).export_root_key(self.PASSPHRASE)
        wrong = [(pem, Secret("wrong passphrase")), (b"", self.PASSPHRASE), (pem[:-60], self.PASSPHRASE)]
        for shown, passphrase in [*wrong, (other, self.PASSPHRASE)]:
            with pytest.raises(CaError):
                ca.remove_root_key(shown, passphrase)
            assert not ca.root_is_offline()

    def test_nothing_is_taken_away_while_a_rotation_is_under_way(self, ca: CertificateAuthority) -> None:
        pem = ca.export_root_key(self.PASSPHRASE)
        ca.begin_rotation()
        with pytest.raises(RotationError, match="another one"):
            ca.export_root_key(self.PASSPHRASE)
        with pytest.raises(RotationError, match="another one"):
            ca.remove_root_key(pem, self.PASSPHRASE)
        assert not ca.root_is_offline()

    def test_away_already_it_cannot_be_exported(self, ca: CertificateAuthority, exported: bytes) -> None:
        with pytest.raises(RootOfflineError):
            ca.export_root_key(self.PASSPHRASE)
        ca.remove_root_key(exported, self.PASSPHRASE)
        assert ca.root_is_offline()

    def test_rotation_needs_no_old_root(self, ca: CertificateAuthority, clock: ManualClock, exported: bytes) -> None:
        assert exported
        rotate(ca, clock)
        assert not ca.root_is_offline()
        assert ca.state.phase is Phase.STABLE


class TestClock:
    def test_back_before_the_root_is_a_clear_error(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        clock.jump(-2 * HOUR)
        with pytest.raises(CaError, match="clock") as caught:
            ca.issue(PATIENTS)
        assert "set the clock" in caught.value.hint
        clock.jump(2 * HOUR)
        check_leaf(chain(ca.issue(PATIENTS)), roots(ca), clock.now())

    def test_a_little_back_still_works(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        clock.jump(-HOUR / 2)
        check_leaf(chain(ca.issue(PATIENTS)), roots(ca), clock.now())

    def test_back_over_an_intermediate_signs_one_for_now(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        clock.advance(50 * DAY)
        ca.advance()
        clock.jump(-40 * DAY)
        ca.advance()
        check_leaf(chain(ca.issue(PATIENTS)), roots(ca), clock.now())

    def test_a_jump_does_not_spread_a_new_root_any_faster(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        ca.begin_rotation()
        clock.jump(HOUR)
        ca.advance()
        assert ca.state.phase is Phase.ANNOUNCED


class TestRotation:
    def test_step_by_step(self, ca: CertificateAuthority, store: MemoryKeyStore, clock: ManualClock) -> None:
        old = ca.issuing
        ca.begin_rotation()
        assert len(roots(ca)) == 2
        assert ca.issuing.id == old.id, "nothing is issued under a root that is not known everywhere"
        clock.advance(SETTLE - 0.1)
        assert not ca.advance()
        clock.advance(0.1)
        assert ca.advance()
        assert ca.issuing.id != old.id
        assert old.root in roots(ca), "the old root is trusted while its SVIDs are replaced"
        clock.advance(SETTLE)
        assert ca.advance()
        assert roots(ca) == [ca.issuing.root]
        assert old.id not in str(store.names())
        with pytest.raises(SvidError):
            check_leaf([old.intermediate], roots(ca), clock.now())

    def test_not_twice_at_once(self, ca: CertificateAuthority, store: MemoryKeyStore) -> None:
        ca.begin_rotation()
        before = store.names()
        with pytest.raises(RotationError, match="under way"):
            ca.begin_rotation()
        assert store.names() == before

    def test_an_svid_that_cannot_be_called_back_keeps_its_root_until_it_ends(
        self, ca: CertificateAuthority, clock: ManualClock
    ) -> None:
        svid = ca.issue(PATIENTS)
        ca.note_handed_out(svid.generation, svid.credential.not_after)
        rotate(ca, clock)
        while clock.now() < svid.credential.not_after:
            ca.advance()
            check_leaf(chain(svid), roots(ca), clock.now())
            clock.advance(300)
        ca.advance()
        assert len(roots(ca)) == 1

    def test_nothing_retires_while_it_is_held(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        old = ca.issuing.id
        ca.hold(old)
        rotate(ca, clock)
        clock.advance(HOUR)
        ca.advance()
        assert len(roots(ca)) == 2
        ca.release(old)
        ca.advance()
        assert len(roots(ca)) == 1

    def test_noted_late_still_counts(self, ca: CertificateAuthority, clock: ManualClock) -> None:
        svid = ca.issue(PATIENTS)
        ca.begin_rotation()
        clock.advance(SETTLE)
        ca.advance()
        ca.note_handed_out(svid.generation, svid.credential.not_after)
        clock.advance(SETTLE)
        ca.advance()
        assert ca.state.phase is Phase.RETIRING
        assert ca.state.retire_at == svid.credential.not_after

    def test_a_crash_assumes_the_worst_and_a_clean_stop_remembers(
        self, store: MemoryKeyStore, ca: CertificateAuthority, clock: ManualClock
    ) -> None:
        ca.close()
        after_stop = open_ca(store, clock)
        rotate(after_stop, clock)
        assert after_stop.state.phase is Phase.STABLE
        after_crash = open_ca(store, clock)
        rotate(after_crash, clock)
        assert after_crash.state.phase is Phase.RETIRING
        assert after_crash.state.retire_at == pytest.approx(clock.now() + HOUR, abs=3 * SETTLE)

    def test_a_crash_while_the_old_root_retires_keeps_it_for_what_may_be_in_use(
        self, store: MemoryKeyStore, ca: CertificateAuthority, clock: ManualClock
    ) -> None:
        svid = ca.issue(PATIENTS)
        ca.hold(svid.generation)  # a workload is kept up to date with it, and that is nowhere but in memory
        ca.begin_rotation()
        clock.advance(SETTLE)
        ca.advance()
        resumed = open_ca(store, clock)
        while clock.now() < svid.credential.not_after:
            check_leaf(chain(svid), roots(resumed), clock.now())
            clock.advance(600)
            resumed.advance()
        clock.advance(600)
        resumed.advance()
        assert len(roots(resumed)) == 1

    def test_compromised_drops_the_old_root_at_once(
        self, ca: CertificateAuthority, store: MemoryKeyStore, clock: ManualClock
    ) -> None:
        old, svid = ca.issuing, ca.issue(PATIENTS)
        ca.begin_rotation()
        announced = ca.state.other
        ca.drop_compromised()
        assert len(roots(ca)) == 1
        assert ca.issuing.id not in {old.id, announced}
        assert {name.split("-")[1] for name in store.names() if name.endswith(".pem")} == {ca.issuing.id}
        with pytest.raises(SvidError, match="no path"):
            check_leaf(chain(svid), roots(ca), clock.now())


def test_everyone_who_is_no_further_behind_than_settle_always_gets_on_with_everyone(
    ca: CertificateAuthority, clock: ManualClock
) -> None:
    """The claim behind "no failed request", checked for every pair of parties at every moment of a rotation."""
    rng = random.Random(6)  # noqa: S311  # a reproducible schedule, nothing secret
    history: list[tuple[float, IssuedSvid, list[x509.Certificate]]] = []

    def record() -> None:
        history.append((clock.monotonic(), ca.issue(PATIENTS), roots(ca)))

    record()
    ca.begin_rotation()
    record()
    phases = set()
    for _ in range(120):
        clock.advance(rng.uniform(0.05, 0.4))
        if ca.advance():
            record()
        phases.add(ca.state.phase)
        behind = max(i for i, (at, _, _) in enumerate(history) if at <= max(0.0, clock.monotonic() - SETTLE))
        views = history[behind:]
        for _, svid, _ in views:
            for _, _, trusted in views:
                assert check_leaf(chain(svid), trusted, clock.now()) == PATIENTS
    assert phases == set(Phase)


class _CrashingStore(KeyStore):
    """Passes everything on until a chosen write or deletion, and then fails as a machine that stops."""

    development = True

    def __init__(self, inner: KeyStore, crash_at: int) -> None:
        self._inner = inner
        self._left = crash_at

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _Crash

    def read(self, name: str) -> Secret:
        return self._inner.read(name)

    def names(self) -> tuple[str, ...]:
        return self._inner.names()

    def write(self, name: str, value: Secret) -> None:
        self._step()
        self._inner.write(name, value)

    def exclusive(self) -> AbstractContextManager[None]:
        return self._inner.exclusive()

    def stamp(self, name: str) -> object:
        return self._inner.stamp(name)

    def delete(self, name: str) -> None:
        self._step()
        self._inner.delete(name)


class _Crash(BaseException):
    pass


@pytest.mark.parametrize("compromised", [False, True], ids=["planned", "compromised"])
def test_a_crash_at_any_write_of_a_rotation_is_resumed(compromised: bool) -> None:  # noqa: FBT001  # a parameter
    crashes = 0
    for crash_at in range(40):
        clock, inner = ManualClock(), MemoryKeyStore()
        old = open_ca(inner, clock).issuing
        try:
            ca = open_ca(_CrashingStore(inner, crash_at), clock)
            if compromised:
                ca.drop_compromised()
            else:
                rotate(ca, clock)
                clock.advance(HOUR + SETTLE)
                ca.advance()
        except _Crash:
            crashes += 1
        resumed = open_ca(inner, clock)
        used = set(resumed.state.trusted)
        assert {name.split("-")[1] for name in inner.names() if name.endswith(".pem")} == used, "no key is left behind"
        check_leaf(chain(resumed.issue(PATIENTS)), roots(resumed), clock.now())
        if resumed.state.phase is Phase.STABLE and resumed.issuing.id == old.id:
            resumed.begin_rotation()  # it had not begun: asking again works
        for _ in range(3):
            clock.advance(HOUR + SETTLE)
            resumed.advance()
        assert resumed.state.phase is Phase.STABLE
        assert old.id not in resumed.state.trusted
        check_leaf(chain(resumed.issue(PATIENTS)), roots(resumed), clock.now())
    assert 4 <= crashes < 40, "the loop reached every write, and the end"


def test_a_state_that_cannot_be_written_changes_nothing(store: MemoryKeyStore, clock: ManualClock) -> None:
    open_ca(store, clock).close()

    class Full(MemoryKeyStore):
        def write(self, name: str, value: Secret) -> None:
            if self.full and name == "ca-state.json":
                raise KeyStoreError("no space left")
            super().write(name, value)

        full = False

    full = Full()
    for name in store.names():
        full.write(name, store.read(name))
    ca = open_ca(full, clock)
    before = ca.state
    full.full = True
    with pytest.raises(KeyStoreError):
        ca.begin_rotation()
    assert ca.state == before
    check_leaf(chain(ca.issue(PATIENTS)), roots(ca), clock.now())


def test_in_a_sealed_folder(tmp_path: Path, clock: ManualClock) -> None:
    passphrase = Secret("correct horse battery")
    ca = open_ca(FolderKeyStore(tmp_path / "keys", passphrase=passphrase), clock)
    rotate(ca, clock)
    again = open_ca(FolderKeyStore(tmp_path / "keys", passphrase=passphrase), clock)
    assert roots(again) == roots(ca)
    assert not [path for path in (tmp_path / "keys").iterdir() if b"BEGIN" in path.read_bytes()]
