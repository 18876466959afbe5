"""One running system: `ringwall up` from the first check to the last process that ends."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from ringwall.bootstrap.addresses import Addresses
from ringwall.bootstrap.change import Change, NotInForceError
from ringwall.bootstrap.compiling import Compiled, Compiler
from ringwall.bootstrap.drain import drain
from ringwall.bootstrap.environment import RUN_MARK
from ringwall.bootstrap.identities import Identities
from ringwall.bootstrap.in_force import put_in_force
from ringwall.bootstrap.issuer_processes import IssuerProcesses
from ringwall.bootstrap.keeper import Report
from ringwall.bootstrap.orphans import Sentinel
from ringwall.bootstrap.planned import issuers, nodes, runnable
from ringwall.bootstrap.processes import CONTROL, PROXIES, Processes, is_own
from ringwall.bootstrap.state import Lock, NotRunningError, StateFolder, workloads_file
from ringwall.bootstrap.supervisor import NotReadyError, Supervisor
from ringwall.model.clock import SystemClock
from ringwall.model.errors import Diagnostic
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import EDGE, Plan

DRAIN_SECONDS: Final = 1.0
"""How long a replaced service may finish what it began, after the proxies have turned to its successor."""


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
        self._identities = Identities(tell)
        self._supervisor = Supervisor(
            clock=SystemClock(),
            random=Random(),  # noqa: S311  # spreads restarts; guards nothing
            tell=tell,
            started=self._identities.started,
            ended=self._identities.ended,
        )
        self._sentinel: Sentinel | None = None
        self._addresses = Addresses(self.root, self.folder.path, previous=None)
        self._processes: Processes
        self._issuers: IssuerProcesses

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
        self._issuers = IssuerProcesses(self._supervisor, partial(self._processes.issuer, empty))
        self._issuers.become(1)
        progress("checking the blueprint")
        compiled = await self._compile()
        plan = compiled.plan
        self._issuers.become(issuers(plan))
        await self._issuers.retire(drain=0)
        bindings = self._addresses.assign(plan, issuers=self._issuers.numbers)
        self.folder.plans.write(plan)
        self.folder.write_bindings(bindings)
        self._identities.begin(workloads_file(bindings), plan)
        self.plan = plan
        for node in nodes(plan):
            self._supervisor.start(self._processes.proxy(plan, node, bindings))
        await self._supervisor.settled(CONTROL)  # a service may ask for its identity first of all
        for service in runnable(plan):
            self._supervisor.start(self._processes.service(plan, service, bindings))
        await self._settle_own(progress)
        progress("putting the plan in force")
        await put_in_force(plan, bindings)
        return Change(
            digest=plan.digest,
            changed=True,
            seconds=time.monotonic() - begun,
            warnings=compiled.warnings,
            started=tuple(service.name for service in runnable(plan)),
        )

    async def services_settled(self, progress: Callable[[str], None]) -> dict[str, NotReadyError]:
        """Wait until every service is ready or fails again and again; return those that fail."""
        failed = {}
        for name in [name for name in self._supervisor.names if not is_own(name)]:
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

    async def renew_issuer(self) -> Change:
        """Put fresh processes in the place of the issuer's, which answer until then; raise where those do not start."""
        async with self._changing:
            plan = self._running()
            if not issuers(plan):
                raise NotInForceError("the plan has no issuer of its own")
            return await self._switch(plan, plan, time.monotonic(), fresh=True)

    def status(self) -> dict[str, Any]:
        """Return what runs and where, without asking anybody."""
        return {
            "pid": os.getpid(),
            "root": str(self.root),
            "plan": self.plan.digest if self.plan else None,
            "processes": [asdict(status) for status in self._supervisor.status()],
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
        await asyncio.gather(*(self._supervisor.stop(name) for name in names if not is_own(name)))
        await self._supervisor.stop_all()
        if self._sentinel is not None:
            await asyncio.to_thread(self._sentinel.sweep)
        self._addresses.ports.close()
        self._lock.release()

    def _running(self) -> Plan:
        if self.plan is None:
            raise NotInForceError("the system has not started yet")
        return self.plan

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
        for name in [name for name in self._supervisor.names if is_own(name)]:
            progress(f"starting {name}")
            await self._supervisor.settled(name)

    async def _adopt(self, compiled: Compiled, begun: float) -> Change:
        plan, before = compiled.plan, self._running()
        if plan.digest == before.digest:
            return Change(
                digest=plan.digest, changed=False, seconds=time.monotonic() - begun, warnings=compiled.warnings
            )
        return await self._switch(before, plan, begun, warnings=compiled.warnings)

    async def _switch(
        self, before: Plan, plan: Plan, begun: float, *, warnings: tuple[Diagnostic, ...] = (), fresh: bool = False
    ) -> Change:
        """Go over from one plan to another, or to fresh processes of the issuer; or stay where everything was."""
        was = self._addresses.current
        old = {service.name for service in runnable(before)}
        new = {service.name for service in runnable(plan)}
        retired: list[str] = []
        changed: set[str] = set()
        try:
            self._issuers.become(issuers(plan), fresh=fresh)
            bindings = self._addresses.assign(plan, issuers=self._issuers.numbers)
            specs = {service.name: self._processes.service(plan, service, bindings) for service in runnable(plan)}
            changed = {name for name in old & new if self._supervisor.spec(name) != specs[name]}
            if changed:
                bindings = self._addresses.assign(plan, renew=changed, issuers=self._issuers.numbers)
                specs = {service.name: self._processes.service(plan, service, bindings) for service in runnable(plan)}
            self._identities.add(plan)
            for name in sorted(changed):
                if bindings.app[name] == was.app[name]:  # a place of its own that two cannot share
                    await self._supervisor.stop(name)
                else:
                    retired.append(self._supervisor.retire(name))
            for name in sorted(changed | (new - old)):
                self._supervisor.start(specs[name])
            for name in sorted(changed | (new - old)):
                await self._supervisor.settled(name)
            for node in set(nodes(plan)) - set(nodes(before)):
                self._supervisor.start(self._processes.proxy(plan, node, bindings))
            if issuers(before):  # else the new ones wait for a plan that has them
                await self._issuers.settled()
            self.folder.plans.write(plan)
            self.folder.write_bindings(bindings)
            await self._issuers.settled()
            await put_in_force(plan, bindings)
        except Exception:
            await self._restore(before, was, retired, changed | (new - old))
            raise
        self.plan = plan
        self._later(self._issuers.retire())
        self._later(self._retire(retired + sorted(old - new)))
        return Change(
            digest=plan.digest,
            changed=plan.digest != before.digest,
            seconds=time.monotonic() - begun,
            warnings=warnings,
            started=tuple(sorted(new - old)),
            stopped=tuple(sorted(old - new)),
            replaced=tuple(sorted(changed)),
        )

    async def _restore(self, plan: Plan, bindings: Bindings, retired: list[str], touched: set[str]) -> None:
        """Go back to the last good plan after a change that failed half-way."""
        self._addresses.restore(bindings)
        for name in touched & set(self._supervisor.names):
            await self._supervisor.stop(name)
        for name in retired:
            self._supervisor.reinstate(name)
        for service in runnable(plan):
            if service.name not in self._supervisor.names:
                self._supervisor.start(self._processes.service(plan, service, bindings))
        await self._issuers.restore()
        # Last, as a full disk, which may be why we are here, can fail it.
        self.folder.plans.write(plan)
        self.folder.write_bindings(bindings)
        await put_in_force(plan, bindings)

    async def _retire(self, names: list[str]) -> None:
        await asyncio.sleep(DRAIN_SECONDS)
        await asyncio.gather(*(self._supervisor.stop(name) for name in names))
        self._addresses.release_unused()

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
