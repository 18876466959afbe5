"""Decides where everything listens: from a plan, what the user fixed, and what was chosen before."""

import ipaddress
import os
import stat
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from ringwall.bootstrap.ports import HeldPorts
from ringwall.model.errors import RingwallError
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Plan, Service

LOOPBACK: Final = "127.0.0.1"
_LONGEST_SOCKET_PATH: Final = 107
_LONGEST_NAME: Final = "issuer-admin-99.sock"
"""The longest of the names that `Bindings` puts into the run folder is no longer than this one."""


class ExposureError(RingwallError):
    """The edge would be reachable from other machines although this is development mode."""

    code = "development-exposed"
    exit_code = 2


class SocketPathError(RingwallError):
    """The path of a Unix socket is longer than the kernel takes."""

    code = "socket-path"
    exit_code = 2


class Addresses:
    """Gives out addresses for one run; keeps what it gave.

    Args:
        root: the blueprint's folder, absolute; socket paths of services are relative to it.
        previous: where things listened last time; ports are taken again where they are free.
    """

    def __init__(self, root: Path, state: Path, *, previous: Bindings | None) -> None:
        self.ports = HeldPorts()
        self._root = root
        self._previous = previous or Bindings(state=state)
        self._current = Bindings(state=state, sockets=_sockets(state, self._previous.sockets))

    @property
    def current(self) -> Bindings:
        """What was last given out."""
        return self._current

    def assign(self, plan: Plan, *, renew: Collection[str] = (), issuers: tuple[int, ...] | None = None) -> Bindings:
        """Return where the parts of `plan` listen; what a part had before it keeps.

        Args:
            plan: what is to run.
            renew: services whose process is replaced: they get a new port where the port is ours to choose,
                so that the old process can serve until the new one does.
            issuers: numbers of the issuer's processes that answer; None for those that did.
        """
        refuse_exposure(plan)
        had = self._current
        issuers = had.issuers if issuers is None else issuers
        users = [service for service in plan.services if not service.builtin]
        services = [service for service in users if service.name not in renew]
        renewed = [service for service in users if service.name in renew]
        self._current = Bindings(
            state=had.state,
            sockets=had.sockets,
            edge=self._edge(plan, had.edge),
            redirect=self._redirect(plan, had.redirect),
            inbound={s.name: had.inbound.get(s.name) or self._loopback("inbound", s.name) for s in plan.services},
            outbound={
                pair: had.outbound.get(pair) or self._loopback("outbound", pair)
                for pair in (f"{s.name}>{callee}" for s in plan.services for callee in s.calls)
            },
            app={
                **{s.name: self._app(s, had.app.get(s.name)) for s in services},
                **{s.name: self._app(s, None, avoid=had.app.get(s.name)) for s in renewed},
                **{s.name: Address(socket=str(had.issuer(issuers[0]))) for s in plan.services if s.builtin},
            },
            issuers=issuers,
        )
        return self._current

    def restore(self, bindings: Bindings) -> None:
        """Go back to what an earlier `assign` returned."""
        self._current = bindings

    def release_unused(self) -> None:
        """Let go of ports that nothing of the last assignment uses; call it when their processes have ended."""
        now = self._current
        used = [now.edge, now.redirect, *now.inbound.values(), *now.outbound.values()]
        self.ports.release_all_but({(address.host, address.port) for address in used if address is not None})

    def _edge(self, plan: Plan, had: Address | None) -> Address | None:
        if plan.edge is None:
            return None
        return self._public(plan.edge.host, plan.edge.port, had or self._previous.edge, had, "the edge")

    def _redirect(self, plan: Plan, had: Address | None) -> Address | None:
        if plan.edge is None or plan.edge.redirect_port is None:
            return None
        host = plan.edge.host
        return self._public(
            host, plan.edge.redirect_port, had or self._previous.redirect, had, "the redirect to the edge"
        )

    def _public(self, host: str, port: int, before: Address | None, had: Address | None, who: str) -> Address:
        if had is not None and had.host == host and port in {0, had.port}:
            return had
        if port:
            self.ports.claim(host, port, who)
            return Address(host=host, port=port)
        return self._free(host, before)

    def _loopback(self, kind: str, name: str) -> Address:
        before: dict[str, Address] = getattr(self._previous, kind)
        return self._free(LOOPBACK, before.get(name))

    def _app(self, service: Service, had: Address | None, *, avoid: Address | None = None) -> Address:
        listen = service.listen
        if listen.socket is not None:
            path = str(self._root / listen.socket)
            if len(path.encode()) > _LONGEST_SOCKET_PATH:
                raise SocketPathError(
                    f"the socket of {service.name}, {path}, is longer than {_LONGEST_SOCKET_PATH} bytes",
                    hint="choose a shorter absolute path in its `listen`",
                )
            return Address(socket=path)
        if listen.port:
            return Address(host=listen.host, port=listen.port)
        if had is not None and had.host == listen.host and not had.socket:
            return had
        before = None if avoid else self._previous.app.get(service.name)
        return self._free(listen.host, before)

    def _free(self, host: str, before: Address | None) -> Address:
        preferred = before.port if before is not None and before.host == host else 0
        return Address(host=host, port=self.ports.choose(host, preferred=preferred))


def refuse_exposure(plan: Plan) -> None:
    """Raise ExposureError where development mode would be reachable from other machines."""
    if plan.edge is None or not plan.development:
        return
    host = plan.edge.host
    if not is_loopback(host):
        raise ExposureError(
            f"the edge would listen at {host} in development mode: keys lie unencrypted and users have no password",
            hint="listen at 127.0.0.1, or set `development: false` in ringwall.yaml",
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens at `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_private(folder: Path) -> bool:
    """Return whether this is a folder of ours that nobody else can put anything into."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _sockets(state: Path, before: Path | None) -> Path | None:
    """Return a short private folder for sockets where the state folder's path is too long for them."""
    if len(str(state / "run" / _LONGEST_NAME).encode()) <= _LONGEST_SOCKET_PATH:
        return None
    if before is not None and _is_private(before):
        return before
    return Path(tempfile.mkdtemp(prefix="ringwall-"))
