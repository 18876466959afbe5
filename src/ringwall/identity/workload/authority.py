"""What the rest of Ringwall gets workload identity from: current SVIDs, bundles, JWT-SVIDs and the edge's certificate.

Everything is kept fresh by one background thread, and whoever subscribed is told of each change.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringwall.identity.keystore import KeyStore
from ringwall.identity.workload.ca import CertificateAuthority
from ringwall.identity.workload.certificates import half_life
from ringwall.identity.workload.generation import pem_of
from ringwall.identity.workload.issued import IssuedSvid, bundle_der
from ringwall.identity.workload.jwt_svid import LEEWAY_SECONDS, LIFETIME_SECONDS, VerifiedJwtSvid, jwk_set, sign, verify
from ringwall.identity.workload.rotation import Phase
from ringwall.identity.workload.web_root import WebRoot
from ringwall.model.clock import Clock
from ringwall.model.credentials import X509Credential
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret
from ringwall.model.spiffe import SpiffeId

POLL_SECONDS: Final = 1.0
"""How often the background thread looks at the clock, which may have jumped."""

_log = logging.getLogger(__name__)


class EdgeCertificateError(RingwallError):
    """There is no development certificate outside development mode."""

    code = "edge-certificate"


@dataclass(frozen=True, slots=True)
class AuthorityStatus:
    """Where the CA stands, for the operator. Times are epoch seconds.

    Attributes:
        phase: `stable`, `announced` or `retiring`.
        issuing: id of the generation that issues; other: id of the announced or retiring one.
        next_step_at: when the present phase of a rotation can end; None while stable.
        root_until, intermediate_until: when the issuing certificates end.
        intermediate_due_at: when the intermediate is to be replaced, for which the root's key is needed.
        root_offline: whether the root's key is away.
    """

    phase: Phase
    issuing: str
    other: str | None
    next_step_at: float | None
    root_until: float
    intermediate_until: float
    intermediate_due_at: float
    root_offline: bool


@dataclass(slots=True)
class _Held:
    svid: IssuedSvid
    asked: bool


class WorkloadAuthority:
    """Implements `ringwall.model.credentials.CredentialSource`; every method can be called from any thread."""

    def __init__(
        self,
        keystore: KeyStore,
        trust_domain: str,
        clock: Clock,
        *,
        web_root_file: Path | None = None,
        settle_seconds: float = 5.0,
    ) -> None:
        """Open or make the CA of a trust domain.

        Args:
            keystore: where its keys lie.
            trust_domain: the only trust domain whose identities are issued.
            clock: where time comes from.
            web_root_file: where to write the development web root for users to trust, such as `.ringwall/dev-ca.pem`.
            settle_seconds: how long it may take until every proxy and workload has taken in a new bundle or SVID.
        """
        self.trust_domain = trust_domain
        self._clock = clock
        self._development = keystore.development
        self._ca = CertificateAuthority(keystore, trust_domain, clock, settle_seconds=settle_seconds)
        self._web_root = WebRoot(keystore, web_root_file)
        self._svids: dict[str, _Held] = {}
        self._failing: set[str] = set()
        self._replaced = False  # something was replaced that subscribers have not been told of
        self._edge: tuple[tuple[str, ...], X509Credential] | None = None  # of the domains last asked for
        self._subscribers: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Keep everything fresh from now on, in a background thread."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="workload-authority", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the background thread, and keep the state. Stop the Workload API first."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            self._ca.close()

    def svid(self, spiffe_id: str) -> X509Credential:
        """Return the current X.509-SVID of a workload as PEM."""
        return self.x509_svid(spiffe_id).credential

    def x509_svid(self, spiffe_id: str) -> IssuedSvid:
        """Return the current X.509-SVID of a workload; the same one until it is renewed.

        Raises:
            SpiffeIdError: this is not a SPIFFE ID.
            CaError: it is of another trust domain, or the CA cannot issue.
        """
        with self._lock:
            held = self._svids.get(spiffe_id)
            if held is None or not held.svid.is_current(self._clock.now()):
                held = self._renew(spiffe_id, held)
            held.asked = True
            return held.svid

    def trust_bundle(self) -> bytes:
        """Return the PEM of every root that is trusted now."""
        with self._lock:
            return b"".join(pem_of(generation.root) for generation in self._ca.trusted)

    def trust_bundle_der(self) -> bytes:
        """Return the same, as concatenated DER."""
        with self._lock:
            return bundle_der(tuple(generation.root for generation in self._ca.trusted))

    def edge_certificate(self, domains: Sequence[str]) -> X509Credential:
        """Return the development server certificate for these names; raise EdgeCertificateError outside development."""
        if not self._development:
            raise EdgeCertificateError(
                "outside development mode the edge needs a certificate of your own",
                hint="set edge.certificate and edge.key in the blueprint",
            )
        wanted = tuple(domains)
        with self._lock:
            now = self._clock.now()
            if self._edge is not None and self._edge[0] == wanted and _is_fresh(self._edge[1], now):
                return self._edge[1]
            self._replaced = self._replaced or self._edge is not None
            held = self._web_root.issue(wanted, now)
            self._edge = (wanted, held)
            return held

    def jwt_svid(self, spiffe_id: str, audience: Sequence[str]) -> str:
        """Return a fresh JWT-SVID of five minutes; raise JwtSvidError for an audience that cannot be."""
        identity = SpiffeId.parse(spiffe_id)
        with self._lock:
            now, generation = self._clock.now(), self._ca.issuing
            token = sign(generation.jwt_key, generation.id, identity, audience, now)
            self._ca.note_handed_out(generation.id, now + LIFETIME_SECONDS + LEEWAY_SECONDS)
            return token

    def jwt_bundle(self) -> bytes:
        """Return the JWK set of every JWT authority that is trusted now."""
        with self._lock:
            return jwk_set({generation.id: generation.jwt_key.public_key() for generation in self._ca.trusted})

    def validate_jwt_svid(self, token: str, audience: str) -> VerifiedJwtSvid:
        """Return what a JWT-SVID of this trust domain says; raise JwtSvidError unless every step passes."""
        with self._lock:
            keys = {generation.id: generation.jwt_key.public_key() for generation in self._ca.trusted}
        return verify(token, keys, self.trust_domain, audience, self._clock.now())

    def hand_out(self, svid: IssuedSvid) -> None:
        """Remember that a workload is being given this SVID; `take_back` must follow."""
        with self._lock:
            self._ca.hold(svid.generation)

    def take_back(self, svid: IssuedSvid, *, replaced: bool) -> None:
        """Say that the workload has its successor, or, not `replaced`, may use it until it ends."""
        with self._lock:
            if not replaced:
                self._ca.note_handed_out(svid.generation, svid.credential.not_after)
            self._ca.release(svid.generation)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread and without a lock held, whenever something returned here has changed."""
        with self._lock:
            self._subscribers.append(changed)

    def rotate(self, *, compromised: bool = False) -> None:
        """Begin to replace root, intermediate and JWT key; `status` tells how far it is.

        Args:
            compromised: drop the old ones at once, rather than when nothing needs them any more.

        Raises:
            RotationError: a rotation is under way, and this one is not for a compromise.
        """
        with self._announcing():
            if compromised:
                self._ca.drop_compromised()
                self._reissue()
            else:
                self._ca.begin_rotation()

    def tick(self) -> None:
        """Do everything that is due now. The background thread calls this; tests call it after moving their clock."""
        with self._lock:
            changed = self._ca.advance()
            self._reissue()
            if self._edge is not None:
                self.edge_certificate(self._edge[0])
            changed, self._replaced = changed or self._replaced, False
        if changed:
            self._tell()

    def status(self) -> AuthorityStatus:
        """Return where the CA stands."""
        with self._lock:
            state, issuing = self._ca.state, self._ca.issuing
            waiting = max(self._clock.now() + max(self._ca.settled_in(), 0.0), state.retire_at)
            return AuthorityStatus(
                phase=state.phase,
                issuing=state.issuing,
                other=state.other,
                next_step_at=None if state.phase is Phase.STABLE else waiting,
                root_until=issuing.root.not_valid_after_utc.timestamp(),
                intermediate_until=issuing.intermediate.not_valid_after_utc.timestamp(),
                intermediate_due_at=issuing.intermediate_due_at,
                root_offline=self._ca.root_is_offline(),
            )

    def export_root_key(self, passphrase: Secret) -> bytes:
        """Return the root's private key, encrypted, to be kept away from this machine."""
        with self._lock:
            return self._ca.export_root_key(passphrase)

    def remove_root_key(self, pem: bytes, passphrase: Secret) -> None:
        """Take the root offline, after signing a last intermediate; `pem` proves that the key is kept elsewhere."""
        with self._announcing():
            self._ca.remove_root_key(pem, passphrase)

    def restore_root_key(self, pem: bytes, passphrase: Secret) -> None:
        """Bring the root's key back."""
        with self._lock:
            self._ca.restore_root_key(pem, passphrase)

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.tick()
            except RingwallError as error:
                _log.error("workload identity: %s; %s", error.message, error.hint)
            except Exception:  # noqa: BLE001  # renewal must go on; the traceback is logged
                _log.exception("workload identity: an unforeseen error; trying again")

    def _renew(self, spiffe_id: str, held: _Held | None) -> _Held:
        """Issue anew; where that cannot be, an SVID that has not ended yet still serves."""
        try:
            fresh = self._ca.issue(SpiffeId.parse(spiffe_id))
        except RingwallError:
            now = self._clock.now()
            if held is not None and held.svid.credential.not_before <= now < held.svid.credential.not_after:
                return held
            raise
        self._replaced = self._replaced or held is not None
        self._svids[spiffe_id] = renewed = _Held(fresh, asked=False)
        return renewed

    def _reissue(self) -> None:
        """Replace every SVID that is due or of another generation; forget those that nobody asked for since."""
        now, generation = self._clock.now(), self._ca.issuing.id
        for name, held in list(self._svids.items()):
            if held.svid.is_current(now) and held.svid.generation == generation:
                continue
            if not held.asked:
                del self._svids[name]
                continue
            try:
                self._renew(name, held)
                self._failing.discard(name)
            except RingwallError as error:  # tried again at each tick, and announced when it works
                if name not in self._failing:
                    self._failing.add(name)
                    _log.error("%s has no identity any more: %s; %s", name, error.message, error.hint)

    @contextmanager
    def _announcing(self) -> Iterator[None]:
        with self._lock:
            yield
        self._tell()

    def _tell(self) -> None:
        for changed in tuple(self._subscribers):
            try:
                changed()
            except Exception:  # noqa: BLE001  # one subscriber must not keep the news from the others
                _log.exception("a subscriber to workload identity failed")


def _is_fresh(held: X509Credential, now: float) -> bool:
    return held.not_before <= now < half_life(held.not_before, held.not_after)
