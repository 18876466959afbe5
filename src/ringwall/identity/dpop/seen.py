"""Which proofs were taken already (RFC 9449, section 11.1): a bounded memory that outlives its process.

Every proof is written to a file before it is taken, so a killed process forgets none. What is forgotten, because its
time has passed, is forgotten together with all that was signed before: a proof that is not newer is refused. So neither
a clock that jumps forth and back, nor a machine that crashes, makes an old proof new again.
"""

import hashlib
import logging
import secrets
import struct
from io import FileIO
from pathlib import Path
from typing import Final

from ringwall.identity.dpop.proof import AHEAD_SECONDS, PROOF_SECONDS, ProofRefusedError
from ringwall.model.clock import Clock

MOST: Final = 200_000
"""As many proofs are remembered at most; about 100 bytes each."""
WINDOW_SECONDS: Final = PROOF_SECONDS + AHEAD_SECONDS
"""No proof is good for longer."""

_LOG = logging.getLogger(__name__)
_HEAD: Final = struct.Struct(">8s36sd")
_MARK: Final = b"rw-dpop1"
_ENTRY: Final = struct.Struct(">16sd")
_BOOT_BYTES: Final = 36
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class MemoryFullError(ProofRefusedError):
    """The proof may be right, but it cannot be remembered, so it is not taken."""


class SeenProofs:
    """Takes each proof once. For one thread.

    There are two generations. The older one is dropped as a whole when all of it has expired.
    """

    def __init__(self, folder: Path, clock: Clock, *, most: int = MOST) -> None:
        """Read what the process before has left in `folder`; StorageError or OSError where that cannot be written."""
        self._clock = clock
        self._half = max(most // 2, 1)
        self._older_file, self._newer_file = folder / "older", folder / "newer"
        self._older: dict[bytes, float] = {}
        self._newer: set[bytes] = set()
        self._newer_latest = 0.0
        self._boot = _boot_id()
        self._forgotten = 0.0
        self._file: FileIO | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in (self._older_file, self._newer_file):
            self._read(file)
        self._drop_expired()
        self._begin_newer(self._older)
        self._begun = clock.now()

    def once(self, jkt: str, jti: str, until: float) -> None:
        """Take a proof, or raise ProofRefusedError.

        Args:
            jkt: thumbprint of the proof's key.
            jti: its name among those of that key.
            until: when it is refused as too old, seconds since the epoch.

        Raises:
            MemoryFullError: it was not seen, but cannot be remembered.
        """
        if until <= self._forgotten:
            raise ProofRefusedError("forgotten", "the DPoP proof is from a time of which nothing is remembered")
        name = hashlib.sha256(f"{jkt} {jti}".encode(errors="surrogatepass")).digest()[:16]
        if name in self._newer or name in self._older:
            raise ProofRefusedError("replay", "the DPoP proof was used before")
        now = self._clock.now()
        if len(self._newer) >= self._half or now - self._begun >= WINDOW_SECONDS:
            self._turn(now)
        if len(self._newer) >= self._half:
            raise MemoryFullError("full", "more DPoP proofs came than can be remembered")
        self._write(_ENTRY.pack(name, until))
        self._newer.add(name)
        self._newer_latest = max(self._newer_latest, until)

    def close(self) -> None:
        """Close the file; nothing is taken from then on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _turn(self, now: float) -> None:
        """Drop the older generation, unless some of it could still be used."""
        latest = max(self._older.values(), default=0.0)
        if latest > now:
            return
        self._forgotten = max(self._forgotten, latest)
        self._older = dict.fromkeys(self._newer, self._newer_latest)
        self._begin_newer(self._older)
        self._begun = now

    def _begin_newer(self, older: dict[bytes, float]) -> None:
        """Keep the older generation in a file, and begin an empty one for the newer."""
        try:
            _replace(self._older_file, self._head() + b"".join(_ENTRY.pack(*entry) for entry in older.items()))
            _replace(self._newer_file, self._head())
            self.close()
            self._file = self._newer_file.open("ab", buffering=0)
        except OSError as error:
            raise MemoryFullError("storage", f"DPoP proofs cannot be remembered: {error.strerror}") from error
        self._newer, self._newer_latest = set(), 0.0

    def _head(self) -> bytes:
        return _HEAD.pack(_MARK, self._boot, self._forgotten)

    def _write(self, entry: bytes) -> None:
        """Write an entry whole, or raise MemoryFullError. It is safe from then on, but for a crash of the machine."""
        if self._file is None:  # after a failure, and what is behind a broken entry could not be read again
            self._older |= dict.fromkeys(self._newer, self._newer_latest)
            self._begin_newer(self._older)
        problem = "the disk is full"
        try:
            if self._file is not None and self._file.write(entry) == len(entry):
                return
        except OSError as error:
            problem = str(error.strerror)
        self.close()
        raise MemoryFullError("storage", f"DPoP proofs cannot be remembered: {problem}")

    def _read(self, file: Path) -> None:
        """Take in what a file holds. What it may have held and does not any more is forgotten."""
        if not file.exists():
            return
        content = file.read_bytes()
        mark, boot, forgotten = _HEAD.unpack_from(content) if len(content) >= _HEAD.size else (b"", b"", 0.0)
        if mark != _MARK or boot != self._boot:  # after a crash of the machine its end may be missing
            _LOG.warning("%s is not of this start of the machine: DPoP proofs made until now are refused", file)
            forgotten = self._clock.now() + WINDOW_SECONDS
        self._forgotten = max(self._forgotten, forgotten)
        whole = (len(content) - _HEAD.size) // _ENTRY.size * _ENTRY.size
        self._older.update(_ENTRY.iter_unpack(content[_HEAD.size : _HEAD.size + max(whole, 0)]))

    def _drop_expired(self) -> None:
        now = self._clock.now()
        expired = {name: until for name, until in self._older.items() if until <= now}
        self._forgotten = max([self._forgotten, *expired.values()])
        self._older = {name: until for name, until in self._older.items() if name not in expired}


def _replace(path: Path, content: bytes) -> None:
    """Replace a file, safe from a kill at any moment; a crash of the machine is noticed by its boot id."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _boot_id() -> bytes:
    """Return what names this start of the machine; where that cannot be known, every start counts as another."""
    try:
        return _BOOT.read_bytes().strip()[:_BOOT_BYTES].ljust(_BOOT_BYTES)
    except OSError:
        return secrets.token_bytes(_BOOT_BYTES)
