"""Records which process is which service, so that each gets its own identity and no other."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from ringwall.bootstrap.keeper import Report, State
from ringwall.identity.workload.attestation import AttestationError, ProcessRegistry
from ringwall.model.durable import StorageError
from ringwall.plan.model import Plan


class Identities:
    """What the Workload API goes by; `tell` is called where a process cannot be recorded."""

    def __init__(self, tell: Callable[[Report], None]) -> None:
        self._tell = tell
        self._registry: ProcessRegistry | None = None
        self._ids: dict[str, str] = {}

    def begin(self, file: Path, plan: Plan) -> None:
        """Write what is recorded to `file` from now on."""
        self._registry = ProcessRegistry(file=file)
        self.add(plan)

    def add(self, plan: Plan) -> None:
        """Know the services of a plan as well; parts of Ringwall get their identities in another way."""
        self._ids |= {service.name: service.spiffe_id for service in plan.services if not service.builtin}

    def started(self, name: str, pid: int) -> None:
        """Record a process that has just been started."""
        spiffe_id = self._ids.get(name)
        if self._registry is None or spiffe_id is None:
            return
        with contextlib.suppress(AttestationError):  # it has ended already, which the supervisor reports
            try:
                self._registry.register(spiffe_id, pid)
            except StorageError as error:
                message = f"has no identity of its own for now: {error.message}"
                self._tell(Report(name=name, state=State.STARTING, message=message))

    def ended(self, pid: int) -> None:
        """Forget a process."""
        if self._registry is not None:
            self._registry.unregister(pid)
