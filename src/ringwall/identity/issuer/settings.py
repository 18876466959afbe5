"""What the issuer is started with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ringwall.plan.bindings import Bindings

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """Where the issuer keeps its things, and how long they last.

    Attributes:
        state: the `.ringwall` folder.
        sockets: folder of the Unix sockets where it is not in `state`, as in `Bindings`.
        process: number of this process among those that share `state`.
        token_seconds: lifetime of an access token.
        code_seconds: lifetime of an authorization code (RFC 6749, section 4.1.2, allows ten minutes).
        refresh_idle_seconds: a refresh token that is not used for so long ends.
        refresh_final_seconds: refresh tokens of one authorization end then, however often they are used.
        database: URL of the database, which may hold a password; empty for a SQLite file in the issuer's folder.
        key_seconds: how long a key signs before the next one takes over.
        overlap_seconds: how long a key is published before it may sign; must exceed the time for which verifiers
            keep a key set. In development mode `development_overlap_seconds` is used instead.
    """

    state: Path
    sockets: Path | None = None
    process: int = 0
    token_seconds: int = 900
    code_seconds: float = 60.0
    refresh_idle_seconds: float = 7 * DAY
    refresh_final_seconds: float = 30 * DAY
    database: str = field(default="", repr=False)
    key_seconds: float = 30 * DAY
    overlap_seconds: float = 3600.0
    development_overlap_seconds: float = 10.0

    @property
    def bindings(self) -> Bindings:
        """Paths of this system."""
        return Bindings(state=self.state, sockets=self.sockets)

    @property
    def socket(self) -> Path:
        """Unix socket on which this process answers clients."""
        return self.bindings.issuer(self.process)

    @property
    def lock_file(self) -> Path:
        """What only one process of this number holds."""
        return self.folder / (f"lock-{self.process}" if self.process else "lock")

    @property
    def plan_folder(self) -> Path:
        """Where the plan in force lies."""
        return self.state / "plan"

    @property
    def folder(self) -> Path:
        """What is the issuer's own."""
        return self.state / "issuer"

    @property
    def keystore_folder(self) -> Path:
        """Signing keys."""
        return self.folder / "keys"

    @property
    def database_url(self) -> str:
        """Where accounts, sessions and grants are kept."""
        return self.database or f"sqlite:///{quote(str(self.folder.absolute() / 'issuer.db'))}"

    @property
    def development_root(self) -> Path:
        """Certificate of the root for the edge's certificate in development mode; the control plane writes it."""
        return self.state / "dev-ca.pem"

    @property
    def clients_file(self) -> Path:
        """Hashes of client secrets."""
        return self.folder / "clients.json"

    @property
    def admin_socket(self) -> Path:
        """Unix socket for the user who runs Ringwall; no proxy has a way to it."""
        return self.bindings.issuer_admin(self.process)
