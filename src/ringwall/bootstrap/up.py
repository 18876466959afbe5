"""The life of `ringwall up`: start, serve requests of other commands, watch files, stop on a signal."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ringwall.bootstrap.admin_socket import Action, serve
from ringwall.bootstrap.change import Change
from ringwall.bootstrap.keeper import Report
from ringwall.bootstrap.run import Run
from ringwall.bootstrap.supervisor import NotReadyError
from ringwall.bootstrap.watch import Watch
from ringwall.model.errors import RingwallError


class Talk(Protocol):
    """Whom `up` tells what happens; the command line prints it."""

    def progress(self, text: str) -> None:
        """Something is being done."""
        ...

    def started(self, run: Run, change: Change, failed: dict[str, NotReadyError]) -> None:
        """The system serves; `failed` are services of the user that do not start."""
        ...

    def changed(self, change: Change) -> None:
        """A plan was put in force."""
        ...

    def refused(self, error: RingwallError) -> None:
        """An edit was not put in force; what was in force still is."""
        ...

    def happened(self, report: Report) -> None:
        """Something happened to a process."""
        ...

    def stopping(self) -> None:
        """The system is about to stop."""
        ...


async def up(blueprint: Path, *, listen: str | None, watch: bool, talk: Talk) -> None:
    """Run a system until SIGINT, SIGTERM or `ringwall down`; raise RingwallError where it cannot start."""
    run = Run(blueprint, listen=listen, tell=talk.happened)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    living = asyncio.create_task(_live(run, watch=watch, talk=talk, stop=stop))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({living, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            await living
    finally:
        talk.stopping()
        for task in (living, stopped):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, RingwallError):
            await living
        await run.stop()


async def _live(run: Run, *, watch: bool, talk: Talk, stop: asyncio.Event) -> None:
    change = await run.start(talk.progress)

    async def status(_asked: Mapping[str, Any]) -> dict[str, Any]:
        return run.status()

    async def apply(_asked: Mapping[str, Any]) -> dict[str, Any]:
        change = await run.apply()
        talk.changed(change)
        return change.to_data()

    async def renew_issuer(_asked: Mapping[str, Any]) -> dict[str, Any]:
        return (await run.renew_issuer()).to_data()

    async def end(_asked: Mapping[str, Any]) -> dict[str, Any]:
        stop.set()
        return {"pid": run.status()["pid"]}

    actions = {"status": status, "apply": apply, "renew-issuer": renew_issuer, "stop": end}
    server = await serve(run.bindings.run / "up.sock", {name: Action(act) for name, act in actions.items()})
    try:
        talk.started(run, change, await run.services_settled(talk.progress))
        await asyncio.to_thread(run.compiler.keep)
        if watch:
            await _watch(run, talk)
        await stop.wait()
    finally:
        server.close()


async def _watch(run: Run, talk: Talk) -> None:
    eye = Watch()
    eye.look_at(run.compiler.seen)
    while True:
        await eye.change()
        try:
            change = await run.apply()
        except RingwallError as error:
            talk.refused(error)
        except Exception as error:  # noqa: BLE001  # a defect that an edit brings to light must not end what runs
            message = f"something in Ringwall is wrong: {type(error).__name__}: {error}"
            talk.refused(RingwallError(message, hint="this is a defect of Ringwall; what was in force still is"))
        else:
            talk.changed(change)
        eye.look_at(run.compiler.seen)
