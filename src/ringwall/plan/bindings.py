"""Where the parts of one running system listen on one machine. Not part of the plan, nor of its digest."""

from pathlib import Path

from pydantic import Field

from ringwall.plan.base import Part


class Address(Part):
    """A TCP address on this machine, or a Unix socket where `socket` is set."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str | None = None

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else f"{self.host}:{self.port}"


class Bindings(Part):
    """Addresses of one run.

    Attributes:
        state: the `.ringwall` folder, absolute.
        sockets: folder of the Unix sockets where `state` is too long a path for them (unix(7): 107 bytes).
        edge: where the edge listens; redirect: its plain-HTTP companion.
        inbound: per service, where its mTLS listener waits.
        outbound: per `caller>callee`, where the caller reaches the callee (plain, loopback).
        app: per service, where the user's process listens.
        issuers: numbers of the built-in issuer's processes that answer; each has sockets of its own.
    """

    state: Path
    sockets: Path | None = None
    edge: Address | None = None
    redirect: Address | None = None
    inbound: dict[str, Address] = Field(default_factory=dict)
    outbound: dict[str, Address] = Field(default_factory=dict)
    app: dict[str, Address] = Field(default_factory=dict)
    issuers: tuple[int, ...] = (0,)

    @property
    def run(self) -> Path:
        """Folder of sockets and process files of this run, mode 0700."""
        return self.sockets or self.state / "run"

    @property
    def xds(self) -> Path:
        """Unix socket of the xDS server."""
        return self.run / "xds.sock"

    @property
    def decision_point(self) -> Path:
        """Unix socket of the decision point (HTTP)."""
        return self.run / "decide.sock"

    @property
    def workload_api(self) -> Path:
        """Unix socket of the SPIFFE Workload API."""
        return self.run / "workload.sock"

    @property
    def admin(self) -> Path:
        """Unix socket on which the control plane is administered."""
        return self.run / "admin.sock"

    def issuer(self, process: int = 0) -> Path:
        """Unix socket of one process of the built-in issuer (HTTP)."""
        return self.run / f"issuer{_number(process)}.sock"

    def issuer_admin(self, process: int = 0) -> Path:
        """Unix socket on which one process of the built-in issuer is administered; no proxy has a way to it."""
        return self.run / f"issuer-admin{_number(process)}.sock"

    @property
    def jwks(self) -> Path:
        """Public keys of the built-in issuer; replaced atomically by the issuer, watched by the control plane."""
        return self.state / "issuer" / "jwks.json"

    @property
    def jwt_bundle(self) -> Path:
        """Public keys of the workloads' JWT-SVIDs; replaced atomically by the control plane, read by the issuer."""
        return self.state / "overlay" / "jwt-bundle.json"

    def envoy_admin(self, proxy: str) -> Path:
        """Unix socket of a proxy's own administration interface; never a TCP port."""
        return self.run / f"{proxy}-admin.sock"

    def access_log(self, proxy: str) -> Path:
        """File that a proxy (`edge` or `mesh`) appends one JSON line per request to."""
        return self.state / "log" / f"{proxy}.jsonl"


def _number(process: int) -> str:
    return f"-{process}" if process else ""
