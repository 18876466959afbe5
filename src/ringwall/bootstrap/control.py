"""The control plane's process: `python -m ringwall.bootstrap.control --state DIR`."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ringwall.bootstrap.admin_socket import Action, serve
from ringwall.bootstrap.control_plane import ControlPlane
from ringwall.bootstrap.impersonation import LEND, lend
from ringwall.bootstrap.part import run_part
from ringwall.bootstrap.revoking import FEED, RESTORE, REVOCATIONS, REVOKE, Revoking
from ringwall.bootstrap.root_key import ATTACH, DETACH, EXPORT, RootKey
from ringwall.bootstrap.state import StateFolder
from ringwall.identity.issuer.admin_client import lift_revocation
from ringwall.model.clock import SystemClock


def _run(folder: StateFolder, _process: int) -> None:
    control = ControlPlane(folder, SystemClock())
    control.start()
    try:
        asyncio.run(_serve(control))
    finally:
        control.stop()


async def _serve(control: ControlPlane) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await serve(control.bindings.admin, actions(control))
    await stop.wait()
    server.close()


def actions(control: ControlPlane) -> dict[str, Action]:
    """Return what the control plane can be asked."""
    changing = asyncio.Lock()

    def change(work: Callable[[Mapping[str, Any]], dict[str, Any]], **members: type) -> Action:
        async def run(asked: Mapping[str, Any]) -> dict[str, Any]:
            async with changing:
                return await asyncio.to_thread(work, asked)

        return Action(run, members)

    async def status(_asked: Mapping[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(control.status)

    def act(work: Callable[[Mapping[str, Any]], dict[str, Any]], **members: type) -> Action:
        """An action that waits for no other, so that a plan that is being put in force does not delay it."""
        return Action(lambda asked: asyncio.to_thread(work, asked), members)

    root_key = RootKey(control.authority)
    revoking = Revoking(
        control.revoked,
        lambda: control.plan,
        control.clock,
        lift_at_issuer=lambda kind, value: lift_revocation(control.bindings, kind, value),
    )
    return {
        "status": Action(status),
        EXPORT: change(root_key.export, passphrase=str),
        DETACH: change(root_key.detach, pem=str, passphrase=str),
        ATTACH: change(root_key.attach, pem=str, passphrase=str),
        REVOKE: act(revoking.revoke, kind=str, value=str, lasts=float),
        RESTORE: act(revoking.restore, kind=str, value=str),
        REVOCATIONS: act(revoking.list),
        FEED: act(revoking.feed, entries=list),
        LEND: change(lambda asked: lend(control.plan, control.authority, asked), service=str),
        "plan": change(lambda asked: control.apply(asked["digest"], asked["within"]), digest=str, within=float),
        "rotate-ca": change(lambda asked: control.rotate_authority(compromised=asked["compromised"]), compromised=bool),
    }


if __name__ == "__main__":
    sys.exit(run_part(_run))
