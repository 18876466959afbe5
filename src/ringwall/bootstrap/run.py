"""One running system: `ringwall up` from the first check to the last process that ends."""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Self

from ringwall.bootstrap.addresses import Addresses
from ringwall.bootstrap.admin_socket import diagnostic_of, request
from ringwall.bootstrap.compiling import Compiled, Compiler
from ringwall.bootstrap.drain import drain
from ringwall.bootstrap.environment import RUN_MARK
from ringwall.bootstrap.orphans import Sentinel
from ringwall.bootstrap.processes import CONTROL, ISSUER, OWN, PROXIES, Processes
from ringwall.bootstrap.state import Lock, NotRunningError, StateFolder, workloads_file
from ringwall.bootstrap.supervisor import NotReadyError, Report, State, Status, Supervisor
from ringwall.identity.workload.attestation import AttestationError, ProcessRegistry
from ringwall.model.clock import SystemClock
from ringwall.model.durable import StorageError
from ringwall.model.errors import Diagnostic, RingwallError
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import EDGE, Plan, Service

_SPARE_SECONDS: Final = 5.0
"""How much longer than for the proxies themselves the control plane's answer is waited for."""
DRAIN_SECONDS: Final = 1.0
"""How long a replaced service may finish what it began, after the proxies have turned to its successor."""


class NotInForceError(RingwallError):
    """A plan could not be put in force; what was in force before still is."""

    code = "not-in-force"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What came of putting a plan in force.

    Attributes:
        digest: of the plan in force.
        changed: whether it differs from the one before.
        seconds: from reading the first file until every proxy had it.
        warnings: what the check had to say.
        started, stopped, replaced: names of services.
    """

    digest: str
    changed: bool
    seconds: float
    warnings: tuple[Diagnostic, ...] = ()
    started: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return this as JSON data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_data` was made from."""
        lists = {name: tuple(data[name]) for name in ("started", "stopped", "replaced")}
        return cls(**{**data, **lists, "warnings": tuple(diagnostic_of(each) for each in data["warnings"])})


class Run:
    """Holds one system together; lives in one event loop, in the main thread.

    Args:
        blueprint: the file, absolute.
        listen: `HOST:PORT` instead of the blueprint's `edge.listen`.
        tell: is called with everything that happens to a process.
        environ: the operator's environment.
    """

    def __init__(
        self,
        blueprint: Path,
        *,
        listen: str | None,
        tell: Callable[[Report], None],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.root = blueprint.parent
        self.folder = StateFolder.beside(blueprint)
        self.compiler = Compiler(blueprint, listen=listen)
        self.plan: Plan | None = None
        self._mark = secrets.token_hex(8)
        self._environ = environ
        self._tell = tell
        self._lock = Lock(self.folder)
        self._changing = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._supervisor = Supervisor(
            clock=SystemClock(),
            random=Random(),  # noqa: S311  # spreads restarts; guards nothing
            tell=tell,
            started=self._on_start,
            ended=self._on_end,
        )
        self._registry: ProcessRegistry | None = None
        self._identities: dict[str, str] = {}
        self._sentinel: Sentinel | None = None
        self._addresses = Addresses(self.root, self.folder.path, previous=None)
        self._processes: Processes

    async def start(self, progress: Callable[[str], None]) -> Change:
        """Check, compile and start everything; return when the system serves.

        Raises:
            RunningError: another `up` holds the state folder.
            InvalidBlueprintError: the blueprint has errors.
            NotReadyError: a part of Ringwall does not start.
            NotInForceError: the proxies refuse the plan.
        """
        begun = time.monotonic()
        umask = os.umask(0o077)
        self.folder.create()
        self._lock.acquire()
        self._sentinel = Sentinel(f"{RUN_MARK}={self._mark}")
        self._addresses = Addresses(self.root, self.folder.path, previous=self._forget_bindings())
        self._processes = Processes(
            self.folder,
            self.root,
            self._addresses.ports,
            environ=self._environ,
            mark=self._mark,
            umask=umask,
        )
        # The control plane and the issuer load their libraries while the plan is made; then they wait for it.
        empty = self._addresses.current
        self._supervisor.start(self._processes.control(empty))
        self._supervisor.start(self._processes.issuer(empty))
        progress("checking the blueprint")
        compiled = await self._compile()
        plan = compiled.plan
        bindings = self._addresses.assign(plan)
        self.folder.plans.write(plan)
        self.folder.write_bindings(bindings)
        self._registry = ProcessRegistry(file=workloads_file(bindings))
        self._identities = _identities(plan)
        self.plan = plan
        if not _has_issuer(plan):
            await self._supervisor.stop(ISSUER)
        for node in _nodes(plan):
            self._supervisor.start(self._processes.proxy(plan, node, bindings))
        await self._supervisor.settled(CONTROL)  # a service may ask for its identity first of all
        for service in _runnable(plan):
            self._supervisor.start(self._processes.service(plan, service, bindings))
        await self._settle_own(progress)
        progress("putting the plan in force")
        await self._in_force(plan, bindings)
        return Change(
            digest=plan.digest,
            changed=True,
            seconds=time.monotonic() - begun,
            warnings=compiled.warnings,
            started=tuple(service.name for service in _runnable(plan)),
        )

    async def services_settled(self, progress: Callable[[str], None]) -> dict[str, NotReadyError]:
        """Wait until every service is ready or fails again and again; return those that fail."""
        failed = {}
        for name in [name for name in self._supervisor.names if name not in OWN]:
            progress(f"waiting for {name}")
            try:
                await self._supervisor.settled(name)
            except NotReadyError as error:
                failed[name] = error
        return failed

    async def apply(self) -> Change:
        """Put the blueprint as it is now in force; raise where that cannot be, with everything left as it was."""
        async with self._changing:
            begun = time.monotonic()
            compiled = await self._compile()
            return await self._adopt(compiled, begun)

    def status(self) -> dict[str, Any]:
        """Return what runs and where, without asking anybody."""
        return {
            "pid": os.getpid(),
            "root": str(self.root),
            "plan": self.plan.digest if self.plan else None,
            "processes": [_status_data(status) for status in self._supervisor.status()],
        }

    @property
    def bindings(self) -> Bindings:
        """Where things listen."""
        return self._addresses.current

    def lines_of(self, name: str) -> tuple[str, ...]:
        """Return the last lines that a process printed."""
        return self._supervisor.lines(name)

    async def stop(self) -> None:
        """End everything: the edge, once what it began is answered; then the services; then Ringwall's own parts."""
        for task in self._background:
            task.cancel()
        names = self._supervisor.names
        if PROXIES["edge"] in names:
            await drain(self.bindings.envoy_admin(EDGE))
            await self._supervisor.stop(PROXIES["edge"])
        await asyncio.gather(*(self._supervisor.stop(name) for name in names if name not in OWN))
        await self._supervisor.stop_all()
        if self._sentinel is not None:
            await asyncio.to_thread(self._sentinel.sweep)
        self._addresses.ports.close()
        self._lock.release()

    async def _compile(self) -> Compiled:
        return await asyncio.to_thread(self.compiler.compile)

    def _forget_bindings(self) -> Bindings | None:
        """Return where things listened last time; the file goes, and its coming back says that a plan is there."""
        try:
            previous = self.folder.bindings()
        except NotRunningError:
            previous = None
        self.folder.bindings_file.unlink(missing_ok=True)
        return previous

    async def _settle_own(self, progress: Callable[[str], None]) -> None:
        for name in [name for name in self._supervisor.names if name in OWN]:
            progress(f"starting {name}")
            await self._supervisor.settled(name)

    async def _in_force(self, plan: Plan, bindings: Bindings) -> None:
        """Tell the control plane of the plan on disk and wait until every proxy has it."""
        within = in_force_seconds(len(plan.services))
        seconds = within + _SPARE_SECONDS
        await asyncio.to_thread(request, bindings.admin, "plan", seconds=seconds, digest=plan.digest, within=within)

    async def _adopt(self, compiled: Compiled, begun: float) -> Change:
        plan, before = compiled.plan, self.plan
        if before is None:
            raise NotInForceError("the system has not started yet")
        if plan.digest == before.digest:
            return Change(
                digest=plan.digest, changed=False, seconds=time.monotonic() - begun, warnings=compiled.warnings
            )
        was = self._addresses.current
        old = {service.name for service in _runnable(before)}
        new = {service.name for service in _runnable(plan)}
        retired: list[str] = []
        changed: set[str] = set()
        try:
            bindings = self._addresses.assign(plan)
            specs = {service.name: self._processes.service(plan, service, bindings) for service in _runnable(plan)}
            changed = {name for name in old & new if self._supervisor.spec(name) != specs[name]}
            if changed:
                bindings = self._addresses.assign(plan, renew=changed)
                specs = {service.name: self._processes.service(plan, service, bindings) for service in _runnable(plan)}
            self._identities |= _identities(plan)
            for name in sorted(changed):
                if bindings.app[name] == was.app[name]:  # a place of its own that two cannot share
                    await self._supervisor.stop(name)
                else:
                    retired.append(self._supervisor.retire(name))
            for name in sorted(changed | (new - old)):
                self._supervisor.start(specs[name])
            for name in sorted(changed | (new - old)):
                await self._supervisor.settled(name)
            await self._own_parts(before, plan, bindings)
            self.folder.plans.write(plan)
            self.folder.write_bindings(bindings)
            await self._in_force(plan, bindings)
        except Exception:
            await self._restore(before, was, retired, changed | (new - old))
            raise
        self.plan = plan
        self._later(self._retire(retired + sorted(old - new)))
        return Change(
            digest=plan.digest,
            changed=True,
            seconds=time.monotonic() - begun,
            warnings=compiled.warnings,
            started=tuple(sorted(new - old)),
            stopped=tuple(sorted(old - new)),
            replaced=tuple(sorted(changed)),
        )

    async def _own_parts(self, before: Plan, plan: Plan, bindings: Bindings) -> None:
        """Start the edge proxy or the issuer where only the new plan has them."""
        for node in set(_nodes(plan)) - set(_nodes(before)):
            self._supervisor.start(self._processes.proxy(plan, node, bindings))
        if _has_issuer(plan) and ISSUER not in self._supervisor.names:
            self._supervisor.start(self._processes.issuer(bindings))

    async def _restore(self, plan: Plan, bindings: Bindings, retired: list[str], touched: set[str]) -> None:
        """Go back to the last good plan after a change that failed half-way."""
        self._addresses.restore(bindings)
        for name in touched & set(self._supervisor.names):
            await self._supervisor.stop(name)
        for name in retired:
            self._supervisor.reinstate(name)
        for service in _runnable(plan):
            if service.name not in self._supervisor.names:
                self._supervisor.start(self._processes.service(plan, service, bindings))
        # Last, as a full disk, which may be why we are here, can fail it.
        self.folder.plans.write(plan)
        self.folder.write_bindings(bindings)
        await self._in_force(plan, bindings)

    async def _retire(self, names: list[str]) -> None:
        await asyncio.sleep(DRAIN_SECONDS)
        await asyncio.gather(*(self._supervisor.stop(name) for name in names))
        if self.plan is not None and not _has_issuer(self.plan) and ISSUER in self._supervisor.names:
            await self._supervisor.stop(ISSUER)
        self._addresses.release_unused()

    def _on_start(self, name: str, pid: int) -> None:
        """Record which process is which service, so that each gets its own identity and no other."""
        if name not in OWN and self._registry is not None:
            spiffe_id = self._identities.get(name)
            if spiffe_id is not None:
                with contextlib.suppress(AttestationError):  # it has ended already, which the supervisor reports
                    try:
                        self._registry.register(spiffe_id, pid)
                    except StorageError as error:
                        message = f"has no identity of its own for now: {error.message}"
                        self._tell(Report(name=name, state=State.STARTING, message=message))

    def _on_end(self, pid: int) -> None:
        if self._registry is not None:
            self._registry.unregister(pid)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def in_force_seconds(services: int) -> float:
    """Return how long the proxies may take to put a plan of so many services in force: on a busy machine it is long.

    200 services take two seconds on a quiet machine with two cores.
    """
    return 15.0 + services / 4


def _runnable(plan: Plan) -> list[Service]:
    return [service for service in plan.services if service.run is not None and not service.builtin]


def _identities(plan: Plan) -> dict[str, str]:
    return {service.name: service.spiffe_id for service in plan.services}


def _has_issuer(plan: Plan) -> bool:
    return any(service.builtin and service.name == ISSUER for service in plan.services)


def _nodes(plan: Plan) -> list[str]:
    return ["edge", "mesh"] if plan.edge is not None else ["mesh"]


def _status_data(status: Status) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state.value,
        "pid": status.pid,
        "restarts": status.restarts,
        "since": status.since,
        "last_end": status.last_end,
    }
