"""Prints what happens during `ringwall up`."""

import contextlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ringwall.bootstrap.change import Change
from ringwall.bootstrap.keeper import Report, State
from ringwall.bootstrap.run import Run
from ringwall.bootstrap.supervisor import NotReadyError
from ringwall.cli.describe import describe_change, listeners_of, short
from ringwall.cli.output import Output, Style, error_data
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, RingwallError
from ringwall.plan.model import Plan

_UNHEARD: Final = contextlib.suppress(OSError)
"""The log may lie on a full disk, the terminal may have gone: what runs goes on, and `ringwall status` shows it."""


class Talker:
    """Implements `ringwall.bootstrap.up.Talk` for the terminal, or for programs under `--json`.

    Args:
        root: the blueprint's folder.
        done: called with the exit code when everything that starts has started; lets a waiting terminal go.
    """

    def __init__(self, output: Output, root: Path, *, done: Callable[[int], None] | None = None) -> None:
        self._output = output
        self._root = root
        self._done = done
        self._serving = False
        self._warned: tuple[Diagnostic, ...] = ()

    def progress(self, text: str) -> None:
        """Show what is being done."""
        self._output.progress(f"{text} …")

    def started(self, run: Run, change: Change, failed: dict[str, NotReadyError]) -> None:
        """Say what listens where, and what is insecure."""
        plan, output = run.plan, self._output
        if plan is None:
            return
        output.clear_progress()
        self._warnings(change.warnings)
        rows = listeners_of(plan, run.bindings)
        listeners = [{"name": name, "address": address, "purpose": purpose} for name, address, purpose in rows]
        output.json_line("up", {**change.to_data(), "listeners": listeners, "failed": sorted(failed)})
        output.table(["name", "listens at", "what it is"], rows)
        output.text()
        output.text(
            f"{plan.system} is up: plan {short(plan.digest)} is in force after {change.seconds:.2f} s", Style.GOOD
        )
        if plan.development:
            self._development(plan)
        for name, error in failed.items():
            self._failed(name, error)
        output.flush()
        self._serving = True
        if self._done is not None:
            self._done(1 if failed else 0)

    def changed(self, change: Change) -> None:
        """Say that a plan is in force."""
        with _UNHEARD:
            self._output.json_line("change", change.to_data())
            self._warnings(change.warnings)
            self._output.note(describe_change(change), Style.GOOD)

    def refused(self, error: RingwallError) -> None:
        """Say what is wrong with an edit."""
        with _UNHEARD:
            self._output.json_line("refused", error_data(error))
            if isinstance(error, InvalidBlueprintError):
                self._output.diagnostics(error.diagnostics, root=self._root)
            self._output.note(f"not in force: {error.message}; the last good plan stays", Style.WARN)

    def happened(self, report: Report) -> None:
        """Report what a process did."""
        with _UNHEARD:
            self._output.json_line("process", {**asdict(report), "state": report.state.value})
            style = Style.GOOD if report.state is State.READY else Style.WARN
            self._output.note(f"{report.name} {report.message}", style)
            for line in report.lines:
                self._output.note(f"  │ {line}", Style.FAINT)

    def stopping(self) -> None:
        """Say that the system is about to stop."""
        if self._serving:
            with _UNHEARD:
                self._output.note("stopping …")

    def ended(self, error: RingwallError) -> None:
        """Say why the system could not start."""
        self._output.error(error, root=self._root)
        for line in error.lines if isinstance(error, NotReadyError) else ():
            self._output.note(f"  │ {line}", Style.FAINT)

    def _warnings(self, warnings: tuple[Diagnostic, ...]) -> None:
        """Print what was not said for the plan before."""
        said, self._warned = set(self._warned), warnings
        new = [warning for warning in warnings if warning not in said]
        if new:
            self._output.diagnostics(new, root=self._root)
        if len(new) < len(warnings):
            count = len(warnings) - len(new)
            self._output.note(f"{count} warning{'s' if count > 1 else ''} as before; `ringwall check` shows all")

    def _failed(self, name: str, error: NotReadyError) -> None:
        self._output.note(f"error: {error.message}, again and again; its callers get 503", Style.BAD)
        for line in error.lines:
            self._output.note(f"  │ {line}", Style.FAINT)
        self._output.note(f"  hint: everything it printed is in .ringwall/log/{name}.log")

    def _development(self, plan: Plan) -> None:
        parts = ["keys lie unencrypted in .ringwall"]
        if plan.edge is not None and plan.edge.certificate is None:
            parts.append("the edge's certificate is of a development CA (.ringwall/dev-ca.pem)")
        if plan.people:
            people = ", ".join(person.name for person in plan.people)
            parts.append(f"anybody with this account can be {people} (`ringwall token --as NAME`)")
        self._output.note("development mode, for this machine only:", Style.WARN)
        for part in parts:
            self._output.note(f"  - {part}")
