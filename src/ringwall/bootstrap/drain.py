"""Lets a proxy finish what it has begun before it is ended."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

from ringwall.observe.proxy_admin import ProxyAdmin

GRACE_SECONDS: Final = 5.0
"""How long requests in flight may take to end; those that take longer are cut."""
_POLL_SECONDS: Final = 0.05


async def drain(admin_socket: Path, *, seconds: float = GRACE_SECONDS) -> None:
    """Have a proxy take nothing new, and return when it is busy with no request any more, or after `seconds`.

    A proxy that cannot be reached has nothing to finish.
    """
    with contextlib.suppress(OSError):
        await asyncio.to_thread(_drain, ProxyAdmin(admin_socket), seconds)


def _drain(proxy: ProxyAdmin, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    proxy.drain()
    while proxy.active_requests() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
