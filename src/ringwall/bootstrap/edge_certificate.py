"""The edge's server certificate: the user's own where the blueprint names one, else the development one."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ringwall.bootstrap.seen_files import sign_of
from ringwall.model.credentials import CredentialSource, X509Credential
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret
from ringwall.plan.model import Plan

_POLL_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)


class OwnCertificateError(RingwallError):
    """The user's certificate or key cannot be used."""

    code = "edge-certificate"
    exit_code = 2


def read_certificate(chain: Path, key: Path) -> X509Credential:
    """Read a PEM chain, leaf first, and its unencrypted PEM key; raise OwnCertificateError where they do not fit."""
    try:
        chain_pem, key_pem = chain.read_bytes(), Secret(key.read_bytes())
    except OSError as error:
        raise OwnCertificateError(
            f"cannot read {error.filename}: {error.strerror}", hint="look at edge.certificate and edge.key"
        ) from error
    try:
        leaf = x509.load_pem_x509_certificates(chain_pem)[0]
        private = serialization.load_pem_private_key(key_pem.reveal(), password=None)
    except (ValueError, TypeError) as error:
        raise OwnCertificateError(
            f"{chain} or {key} is not what it should be",
            hint="a PEM certificate chain, the server's own first, and an unencrypted PEM private key",
        ) from error
    if _spki(leaf.public_key()) != _spki(private.public_key()):
        raise OwnCertificateError(f"{key} is not the key of the certificate in {chain}")
    return X509Credential(
        chain_pem=chain_pem,
        key_pem=key_pem,
        not_before=leaf.not_valid_before_utc.timestamp(),
        not_after=leaf.not_valid_after_utc.timestamp(),
    )


class EdgeCredentials:
    """A CredentialSource that is `authority` but for the edge's certificate, where the plan names files.

    Files that are replaced take effect within seconds; where the new ones cannot be used, the old ones stay.
    """

    def __init__(self, authority: CredentialSource, root: Path, plan: Plan) -> None:
        self._authority = authority
        self._root = root
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._own: X509Credential | None = None
        self._files: tuple[Path, Path] | None = None
        self.update(plan)

    def update(self, plan: Plan) -> None:
        """Follow another plan; raise OwnCertificateError, and stay with the former, where its files cannot be used."""
        edge = plan.edge
        files = None
        if edge is not None and edge.certificate is not None and edge.key is not None:
            files = (self._root / edge.certificate, self._root / edge.key)
        own = read_certificate(*files) if files else None
        with self._lock:
            self._own, self._files = own, files
        if files and self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="edge-certificate", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop following the files."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def svid(self, spiffe_id: str) -> X509Credential:
        """Return the current X.509-SVID of a workload of the plan."""
        return self._authority.svid(spiffe_id)

    def trust_bundle(self) -> bytes:
        """Return the PEM of every root that is to be trusted now."""
        return self._authority.trust_bundle()

    def edge_certificate(self, domains: Sequence[str]) -> X509Credential:
        """Return the server certificate of the edge."""
        with self._lock:
            own = self._own
        return own or self._authority.edge_certificate(domains)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread, whenever something that the methods above return has changed."""
        self._authority.subscribe(changed)
        self._subscribers.append(changed)

    def _watch(self) -> None:
        seen: object = None
        while not self._stopping.wait(_POLL_SECONDS):
            with self._lock:
                files = self._files
            signs = (files, *(sign_of(file) for file in files)) if files else None
            if signs == seen or files is None:
                continue
            first, seen = seen is None, signs
            if not first:
                self._read_again(files)

    def _read_again(self, files: tuple[Path, Path]) -> None:
        try:
            own = read_certificate(*files)
        except OwnCertificateError as error:
            _log.warning("the edge keeps its certificate: %s", error.message)
            return
        with self._lock:
            self._own = own
        for changed in tuple(self._subscribers):
            changed()


def _spki(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every public key type has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded
