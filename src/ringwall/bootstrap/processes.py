"""What `ringwall up` runs: the control plane, the issuer, two proxies and the user's services."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ringwall.bootstrap.environment import argv_of, of_issuer, of_key_holder, of_proxy, of_service
from ringwall.bootstrap.issuer_processes import is_issuer
from ringwall.bootstrap.keeper import Spec
from ringwall.bootstrap.ports import HeldPorts, check_free
from ringwall.bootstrap.readiness import Probe, accepts, answers
from ringwall.bootstrap.state import StateFolder
from ringwall.enforce.bootstrap import envoy_argv, write_bootstrap
from ringwall.model.route import ISSUER_HEALTH
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import EDGE, Plan, Protocol, Service

CONTROL: Final = "ringwall-control"
PROXIES: Final = {"edge": "ringwall-edge", "mesh": "ringwall-mesh"}
"""Process name of each proxy, by its node id."""
_OWN: Final = frozenset({CONTROL, *PROXIES.values()})

_KEY_HOLDER_MASK: Final = 0o077
_OWN_GRACE: Final = 5.0
_HANGS_SECONDS: Final = 10.0
"""How long the issuer may take to say that it is well: far longer than on the busiest machine that still works."""
_PLAN_SECONDS: Final = 180.0
"""The control plane and the issuer are started before there is a plan; a large one on a busy machine takes long."""


def is_own(name: str) -> bool:
    """Return whether a process is a part of Ringwall; everything else that runs is the user's."""
    return name in _OWN or is_issuer(name)


class Processes:
    """Says how each process of one run is started.

    Args:
        root: the blueprint's folder.
        environ: the operator's environment.
        mark: names this run in every process's environment.
        umask: the operator's file mode mask, which services get back.
    """

    def __init__(
        self, folder: StateFolder, root: Path, ports: HeldPorts, *, environ: Mapping[str, str], mark: str, umask: int
    ) -> None:
        self._folder = folder
        self._root = root
        self._ports = ports
        self._environ = environ
        self._mark = mark
        self._umask = umask

    def control(self, bindings: Bindings) -> Spec:
        """The control plane; it waits for a plan by itself."""
        return self._own(CONTROL, "ringwall.bootstrap.control", accepts(_at(bindings.admin)), of_key_holder)

    def issuer(self, bindings: Bindings, name: str, number: int) -> Spec:
        """One process of the built-in issuer; it waits for a plan by itself."""
        own = self._own(name, "ringwall.bootstrap.issuer", accepts(_at(bindings.issuer(number))), of_issuer)
        alive = answers(_at(bindings.issuer(number)), ISSUER_HEALTH, patience=_HANGS_SECONDS)
        return replace(own, argv=(*own.argv, "--process", str(number)), alive=alive)

    def proxy(self, plan: Plan, node: str, bindings: Bindings) -> Spec:
        """One of the two Envoys; writes what it is started with."""
        limit = {"max_connections": plan.edge.max_connections} if plan.edge is not None and node == EDGE else {}
        return Spec(
            name=PROXIES[node],
            argv=tuple(envoy_argv(write_bootstrap(bindings, node, **limit))),
            env=of_proxy(self._environ, self._mark),
            cwd=self._folder.path,
            log=self._folder.log(PROXIES[node]),
            ready=answers(_at(bindings.envoy_admin(node)), "/ready"),
            grace=_OWN_GRACE,
            umask=_KEY_HOLDER_MASK,
        )

    def service(self, plan: Plan, service: Service, bindings: Bindings) -> Spec:
        """A service of the user."""
        if service.run is None:
            raise ValueError(f"{service.name} is started by somebody else")
        address = bindings.app[service.name]
        return Spec(
            name=service.name,
            argv=argv_of(service, bindings),
            env=of_service(plan, service, bindings, self._environ, self._mark),
            cwd=self._root / service.run.cwd,
            log=self._folder.log(service.name),
            ready=_ready(service, address),
            umask=self._umask,
            prepare=lambda: self._clear(service.name, address),
        )

    def _own(
        self, name: str, module: str, ready: Probe, environment: Callable[[Mapping[str, str], str], dict[str, str]]
    ) -> Spec:
        return Spec(
            name=name,
            argv=(sys.executable, "-m", module, "--state", str(self._folder.path)),
            env=environment(self._environ, self._mark),
            cwd=self._root,
            log=self._folder.log(name),
            ready=ready,
            grace=_OWN_GRACE,
            umask=_KEY_HOLDER_MASK,
            ready_within=_PLAN_SECONDS,
            tries=1,  # what stops it is wrong every time: a passphrase, a damaged key
        )

    def _clear(self, name: str, address: Address) -> None:
        """Make way for a service: let its port go, or remove the socket file that its predecessor left."""
        if address.socket is not None:
            path = Path(address.socket)
            if path.is_socket():
                path.unlink()
            path.parent.mkdir(parents=True, exist_ok=True)
            return
        self._ports.release(address.host, address.port)
        check_free(address.host, address.port, name)


def _ready(service: Service, address: Address) -> Probe:
    path = service.run.ready if service.run is not None else None
    asked = path if service.protocol is Protocol.HTTP1 else None  # the probe speaks no other protocol
    return answers(address, asked) if asked else accepts(address)


def _at(socket: Path) -> Address:
    return Address(socket=str(socket))
