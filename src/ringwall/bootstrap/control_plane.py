"""The control plane put together: what serves the proxies and the workloads, and what it is asked by the operator."""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ringwall.bootstrap.edge_certificate import EdgeCredentials
from ringwall.bootstrap.jwt_bundle import JwtBundleFile
from ringwall.bootstrap.state import StateFolder, workloads_file
from ringwall.enforce.decision_point.server import DecisionPoint
from ringwall.enforce.xds import XdsServer
from ringwall.identity.dpop.holder import HolderCheck
from ringwall.identity.federation.external_keys import ExternalKeys
from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.passphrase import passphrase_from
from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.revoked import RevocationList
from ringwall.identity.revocation.workloads import UnrevokedAttestor
from ringwall.identity.workload.attestation import RegistryFile
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.server import WorkloadApiServer
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError
from ringwall.model.garbage import collection_paused
from ringwall.observe import EVENTS_FILE
from ringwall.observe.collector import Collector
from ringwall.observe.plans import RuleIndex
from ringwall.observe.proxy_admin import ProxyAdmin
from ringwall.observe.spool import Spool
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan


class ControlStartError(RingwallError):
    """The control plane cannot run."""

    code = "control-start"


class ControlPlane:
    """Everything that runs beside the proxies. `start` and `stop` block; the rest may be called from any thread."""

    def __init__(self, folder: StateFolder, clock: Clock) -> None:
        plan, bindings = folder.plans.current(), folder.bindings()
        self._folder = folder
        self.clock = clock
        self.plan = plan
        self.bindings = bindings
        self.authority = WorkloadAuthority(
            _open_store(folder.path / "ca", plan),
            plan.trust_domain,
            clock,
            web_root_file=folder.path / "dev-ca.pem" if plan.development else None,
        )
        self._credentials = EdgeCredentials(self.authority, folder.path.parent, plan)
        self._keys = ExternalKeys(plan=plan, bindings=bindings, clock=clock)
        self.revoked = RevocationList(folder.path / REVOCATIONS_FILE, clock)
        self._xds = XdsServer(self._credentials, self._keys, self.revoked)
        attestor = UnrevokedAttestor(RegistryFile(workloads_file(bindings)), self.revoked)
        self._workload_api = WorkloadApiServer(self.authority, attestor, bindings.workload_api)
        self.revoked.subscribe(self._workload_api.tell)
        self._jwt_bundle = JwtBundleFile(self.authority, bindings.jwt_bundle)
        self._holders = HolderCheck(folder.path / "overlay" / "dpop", clock)
        port = bindings.edge.port if bindings.edge is not None else None
        self._decisions = DecisionPoint(plan, holders=self._holders, port=port)
        self._rules = RuleIndex(folder.path)
        nodes = ("edge", "mesh") if plan.edge is not None else ("mesh",)
        self._collector = Collector(
            folder.path / EVENTS_FILE,
            [_spool(bindings, node) for node in nodes],
            clock,
            rules=self._rules,
            unknown_key=self._keys.refresh_all,
        )

    def start(self) -> None:
        """Begin to serve the plan that is on disk."""
        self.authority.start()
        self._jwt_bundle.write()
        self._keys.start()
        self.revoked.start()
        self._decisions.start(self.bindings.decision_point)
        self._xds.start(self.bindings.xds)
        self._xds.publish(self.plan, self.bindings)
        self._workload_api.start()
        self._collector.start()

    def stop(self) -> None:
        """Stop serving; the proxies keep enforcing what they have."""
        self._workload_api.stop()
        self._xds.stop()
        self._decisions.stop()
        self._holders.close()
        self._collector.stop()
        self._keys.stop()
        self.revoked.stop()
        self._credentials.stop()
        self.authority.stop()

    def apply(self, digest: str, seconds: float) -> dict[str, Any]:
        """Put the plan that is on disk in force; return how long that took, in seconds.

        Raises:
            PlanUnreadableError: the plan on disk is another one.
            RingwallError: a proxy refuses it, or does not take it within `seconds`.
        """
        with collection_paused():
            return self._apply(digest, seconds)

    def _apply(self, digest: str, seconds: float) -> dict[str, Any]:
        begun = time.monotonic()
        plan, bindings = self._folder.plans.current(digest), self._folder.bindings()
        if plan.trust_domain != self.plan.trust_domain or plan.development != self.plan.development:
            raise ControlStartError(
                "the trust domain and the mode of a running system cannot be changed",
                hint="`ringwall down`, then `ringwall up`",
            )
        self._credentials.update(plan)
        self._keys.update(plan)
        self._decisions.change(plan)
        self._xds.publish(plan, bindings)
        self._xds.wait_in_force(digest, seconds)
        self.plan, self.bindings = plan, bindings
        return {"in_force": True, "seconds": time.monotonic() - begun}

    def rotate_authority(self, *, compromised: bool) -> dict[str, Any]:
        """Begin to replace the certificate authority; return where it stands, and whether the old root was offline."""
        was_offline = self.authority.status().root_offline
        self.authority.rotate(compromised=compromised)
        return {**asdict(self.authority.status()), "root_was_offline": was_offline}

    def status(self) -> dict[str, Any]:
        """Return how everything stands."""
        proxies = self._xds.status()
        return {
            "plan": self.plan.digest,
            "proxies": {name: asdict(node) for name, node in proxies.nodes.items()},
            "rejected_plan": proxies.rejected_plan,
            "rejections": [str(rejection) for rejection in proxies.rejections],
            "issuers": [asdict(issuer) for issuer in self._keys.status()],
            "collector": asdict(self._collector.status()),
            "authority": asdict(self.authority.status()),
            "memory_kib": _memory_kib(),
        }


def _spool(bindings: Bindings, node: str) -> Spool:
    admin = ProxyAdmin(bindings.envoy_admin(node))
    return Spool(node, bindings.access_log(node), admin.reopen_logs, admin.counters)


def _open_store(folder: Path, plan: Plan) -> FolderKeyStore:
    passphrase = passphrase_from(os.environ)
    if passphrase is None and not plan.development:
        raise ControlStartError(
            "the keys of the certificate authority are encrypted outside development mode, and no passphrase was given",
            hint="set RINGWALL_KEY_PASSPHRASE_FILE to a file that holds it",
        )
    return FolderKeyStore(folder, passphrase=passphrase)


def _memory_kib() -> int:
    """Return the resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
