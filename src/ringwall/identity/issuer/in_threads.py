"""Runs what blocks in threads that nobody waits for at the end of the process."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], *, name: str) -> T:
    """Return what `work` returns, or raise what it raises; the event loop goes on meanwhile."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            found = work()
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            settle = _failed(done, error)
        else:
            settle = _made(done, found)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


def _failed(done: asyncio.Future[T], error: Exception) -> Callable[[], None]:
    return lambda: None if done.cancelled() else done.set_exception(error)


def _made(done: asyncio.Future[T], found: T) -> Callable[[], None]:
    return lambda: None if done.cancelled() else done.set_result(found)
