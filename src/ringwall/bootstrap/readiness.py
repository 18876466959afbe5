"""Ways to find out that a process is ready: it accepts connections, or answers over HTTP, or says so itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ringwall.plan.bindings import Address

Probe = Callable[[], Awaitable[bool]]
"""Asked again and again until it answers True; must answer soon."""

_PATIENCE: Final = 1.0
_CLIENT_ERROR: Final = 400


async def always() -> bool:
    """Count as ready as soon as it runs."""
    return True


def accepts(address: Address) -> Probe:
    """Ready when somebody accepts connections at `address`."""

    async def probe() -> bool:
        try:
            _, writer = await asyncio.wait_for(_connect(address), _PATIENCE)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe


def answers(address: Address, path: str, *, patience: float = _PATIENCE) -> Probe:
    """Ready when `GET path` over HTTP/1.1 is answered with success or a redirect within `patience` seconds."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(patience):
                reader, writer = await _connect(address)
                try:
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                    line = await reader.readline()
                finally:
                    writer.close()
            return int(line.split()[1]) < _CLIENT_ERROR
        except (OSError, TimeoutError, ValueError, IndexError):
            return False

    return probe


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.socket is not None:
        return await asyncio.open_unix_connection(address.socket)
    return await asyncio.open_connection(address.host, address.port)
