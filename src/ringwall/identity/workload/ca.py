"""The workload CA: which generations are trusted, which one issues, and what is kept of that on disk.

Not safe for threads by itself: `WorkloadAuthority` holds a lock around every call.

Rules of order:
1. The keys of a generation are in the store before the state names it, and leave after the state has let go of it.
2. The state is kept before what it says takes effect.
3. A root is published for `settle_seconds` before anything is issued under it.
4. A generation is trusted until everything that it issued has been replaced or has ended.
"""

import logging
from collections import Counter
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ringwall.identity.keystore import KeyMissingError, KeyStore, KeyStoreError
from ringwall.identity.workload.certificates import (
    SVID_SECONDS,
    credential,
    half_life,
    is_valid_at,
    new_key,
    svid_certificate,
)
from ringwall.identity.workload.generation import CaError, Generation, RootOfflineError, remove_unused
from ringwall.identity.workload.issued import IssuedSvid, key_der
from ringwall.identity.workload.rotation import Phase, RotationError, RotationState
from ringwall.identity.workload.svid_check import check_leaf
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret
from ringwall.model.spiffe import SpiffeId, check_trust_domain

_STATE: Final = "ca-state"
_MIN_RENEWAL_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class CertificateAuthority:
    """Issues SVIDs, and passes from one generation to the next."""

    def __init__(self, store: KeyStore, trust_domain: str, clock: Clock, *, settle_seconds: float) -> None:
        """Open the CA that the store holds, or make one.

        Raises:
            KeyStoreError: the store holds the CA of another trust domain, or cannot be read.
        """
        self.trust_domain = check_trust_domain(trust_domain)
        self._store = store
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._complaint = ""
        self._handed_out: dict[str, float] = {}
        self._holds: Counter[str] = Counter()
        self._generations: dict[str, Generation] = {}
        try:
            self.state = self._load()
        except KeyMissingError:
            first = Generation.create(store, trust_domain, clock.now())
            self._generations[first.id] = first
            self.state = RotationState(Phase.STABLE, first.id)
        self._keep()
        remove_unused(store, set(self.state.trusted))
        self._phase_began = clock.monotonic()

    @property
    def issuing(self) -> Generation:
        """The generation that issues now."""
        return self._generations[self.state.issuing]

    @property
    def trusted(self) -> tuple[Generation, ...]:
        """Every generation that is published, the issuing one first."""
        return tuple(self._generations[name] for name in self.state.trusted)

    def issue(self, spiffe_id: SpiffeId) -> IssuedSvid:
        """Return a fresh SVID of one hour.

        Raises:
            CaError: the identity is of another trust domain or names no workload, or the CA cannot issue
                (RootOfflineError where the intermediate has ended and the root's key is away).
        """
        if spiffe_id.trust_domain != self.trust_domain or not spiffe_id.path:
            raise CaError(f"{spiffe_id} is not a workload of the trust domain {self.trust_domain}")
        now = self._clock.now()
        self._refresh_intermediate(now)
        generation = self.issuing
        key = new_key()
        leaf = svid_certificate(key, spiffe_id, generation.intermediate, generation.intermediate_key, now)
        chain = [leaf, generation.intermediate]
        check_leaf(chain, [generation.root], now)
        pair = credential(chain, key)
        return IssuedSvid(
            spiffe_id,
            generation.id,
            pair,
            b"".join(certificate.public_bytes(serialization.Encoding.DER) for certificate in chain),
            key_der(key),
            max(half_life(pair.not_before, pair.not_after), now + _MIN_RENEWAL_SECONDS),
        )

    def note_handed_out(self, generation: str, until: float) -> None:
        """Remember that something this generation issued may be in use until then, and cannot be called back."""
        if until <= self._handed_out.get(generation, 0.0):
            return
        self._handed_out[generation] = until
        if self.state.phase is Phase.RETIRING and generation == self.state.other:
            self._enter(self.state.keep_until(until))

    def hold(self, generation: str) -> None:
        """Keep a generation trusted for as long as somebody is being given, or kept up to date with, what it issued."""
        self._holds[generation] += 1

    def release(self, generation: str) -> None:
        """Undo one `hold`; nothing happens where the generation was dropped meanwhile."""
        self._holds[generation] = max(0, self._holds[generation] - 1)

    def begin_rotation(self) -> None:
        """Publish a new root beside the old one; `advance` does the rest as time passes."""
        self.state.begin("")  # refuses early, before keys are made
        fresh = self._create()
        self._enter(self.state.begin(fresh.id))

    def drop_compromised(self) -> None:
        """Trust nothing but a new root, from this moment; the old keys are deleted."""
        fresh = self._create()
        self._enter(self.state.drop_all_for(fresh.id))
        self._forget_unused()

    def advance(self) -> bool:
        """Take every step that is due; return whether what is published or issued has changed."""
        now = self._clock.now()
        before = (self.state, self.issuing)
        if self.settled_in() <= 0:
            if self.state.phase is Phase.ANNOUNCED:
                self._enter(self.state.switch(self._handed_out.get(self.state.issuing, 0.0)))
            elif self.state.phase is Phase.RETIRING and self._may_retire(now):
                self._enter(self.state.retire())
                self._forget_unused()
        try:
            self._refresh_intermediate(now)
        except CaError as error:
            self._complain(error)
        return (self.state, self.issuing) != before

    def settled_in(self) -> float:
        """Return the seconds until the present phase has lasted long enough for everyone to have seen it.

        Counted on the monotonic clock, and anew after a restart: a jump of the wall clock spreads nothing faster.
        """
        return self._phase_began + self._settle_seconds - self._clock.monotonic()

    def root_is_offline(self) -> bool:
        """Return whether the issuing generation's root key is away."""
        return self.issuing.root_is_offline(self._store)

    def export_root_key(self, passphrase: Secret) -> bytes:
        """Return the root's key as PKCS#8 PEM, encrypted under `passphrase`, to be kept elsewhere.

        Raises:
            RotationError: a rotation is under way, after which another root would be the one to keep.
            RootOfflineError: it is away already.
        """
        self._check_settled()
        if self.root_is_offline():
            raise RootOfflineError(
                "the root's key is offline already", hint="to export it anew, bring it back with `ringwall ca attach`"
            )
        encryption = serialization.BestAvailableEncryption(passphrase.reveal())
        key = self.issuing.root_key(self._store)
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    def remove_root_key(self, pem: bytes, passphrase: Secret) -> None:
        """Take the root offline, after signing an intermediate that lasts as long as any.

        Args:
            pem: what `export_root_key` gave, as it was read back from where it is kept: proof that it can be.
            passphrase: of the exported key.

        Raises:
            CaError: that is not the present root's key, or not under this passphrase; nothing is removed.
            RotationError: a rotation is under way.
        """
        self._check_settled()
        generation = self.issuing
        generation.check_root_key(_exported(pem, passphrase))
        if generation.root_is_offline(self._store):
            return
        self._replace(generation.with_new_intermediate(self._store, self.trust_domain, self._clock.now()))
        generation.remove_root_key(self._store)

    def restore_root_key(self, pem: bytes, passphrase: Secret) -> None:
        """Bring the root's key back; raise CaError where it is another key or the passphrase is wrong."""
        self.issuing.put_root_key(self._store, _exported(pem, passphrase))

    def close(self) -> None:
        """Keep what only this process knows: until when handed-out credentials last. A crash assumes the worst."""
        self._keep(handed_out={name: self._handed_out.get(name, 0.0) for name in self.state.trusted})

    def _check_settled(self) -> None:
        if self.state.phase is not Phase.STABLE:
            raise RotationError(
                f"a rotation is under way ({self.state.phase}), after which the root is another one",
                hint="wait until `ringwall ca status` says stable",
            )

    def _may_retire(self, now: float) -> bool:
        return now >= self.state.retire_at and not self._holds[self.state.other or ""]

    def _create(self) -> Generation:
        fresh = Generation.create(self._store, self.trust_domain, self._clock.now())
        self._generations[fresh.id] = fresh
        return fresh

    def _refresh_intermediate(self, now: float) -> None:
        generation = self.issuing
        if not generation.intermediate_due(now):
            self._complaint = ""
            return
        try:
            fresh = generation.with_new_intermediate(self._store, self.trust_domain, now)
        except RootOfflineError as error:
            if not is_valid_at(generation.intermediate, now):
                raise
            self._complain(error)
            return
        self._replace(fresh)

    def _replace(self, generation: Generation) -> None:
        self._generations[generation.id] = generation
        self._keep()

    def _enter(self, state: RotationState) -> None:
        previous, self.state = self.state, state
        try:
            self._keep()
        except KeyStoreError:
            self.state = previous
            raise
        if state.phase is not previous.phase or state.issuing != previous.issuing:
            self._phase_began = self._clock.monotonic()
            _log.info("workload CA: %s, issuing from %s, trusting %s", state.phase, state.issuing, state.trusted)

    def _forget_unused(self) -> None:
        keep = set(self.state.trusted)
        self._generations = {name: value for name, value in self._generations.items() if name in keep}
        self._handed_out = {name: value for name, value in self._handed_out.items() if name in keep}
        self._holds = Counter({name: count for name, count in self._holds.items() if name in keep})
        remove_unused(self._store, keep)

    def _keep(self, handed_out: dict[str, float] | None = None) -> None:
        self._store.put_json(
            _STATE,
            {
                "format": 1,
                "trust_domain": self.trust_domain,
                "rotation": self.state.to_json(),
                "generations": {name: self._generations[name].to_state() for name in self.state.trusted},
                "handed_out": handed_out,
            },
        )

    def _load(self) -> RotationState:
        kept = self._store.get_json(_STATE)
        if kept.get("trust_domain") != self.trust_domain:
            raise KeyStoreError(
                f"the kept workload CA is of the trust domain {kept.get('trust_domain')!r}, not {self.trust_domain!r}",
                hint="to give the system a new CA, remove the folder of its keys; every workload gets a new identity",
            )
        state = RotationState.from_json(kept.get("rotation"))
        generations, handed_out = kept.get("generations"), kept.get("handed_out")
        if not isinstance(generations, dict) or not all(isinstance(generations.get(n), dict) for n in state.trusted):
            raise KeyStoreError("the state of the workload CA cannot be read")
        for name in state.trusted:
            self._generations[name] = Generation.from_state(self._store, name, generations[name])
        worst = self._clock.now() + SVID_SECONDS
        for name in state.trusted:
            known = handed_out.get(name) if isinstance(handed_out, dict) else None
            self._handed_out[name] = float(known) if isinstance(known, int | float) else worst
        if state.phase is Phase.RETIRING and state.other is not None:
            return state.keep_until(self._handed_out[state.other])
        return state

    def _complain(self, error: CaError) -> None:
        if error.message != self._complaint:
            self._complaint = error.message
            _log.error("%s; %s", error.message, error.hint)


def _exported(pem: bytes, passphrase: Secret) -> ec.EllipticCurvePrivateKey:
    """Return the key that `export_root_key` encrypted."""
    try:
        key = serialization.load_pem_private_key(pem, passphrase.reveal())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CaError("this is not a private key under that passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CaError("this is not the key of the present root")
    return key
