"""Wrong secrets are slowed down by one budget for each name, whichever process counts."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

from ringwall.identity.issuer.storage import Storage
from ringwall.identity.issuer.throttle import BUCKETS, BURST, SECONDS, Throttle
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.store.database import sqlite_url
from ringwall.model.clock import ManualClock


class Processes:
    """Two issuer processes that share a key store and a database."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.stores = [Storage(sqlite_url(folder / "issuer.db")) for _ in range(2)]
        keys = MemoryKeyStore()
        self.first, self.second = (
            Throttle(storage=storage, keystore=keys, clock=self.clock) for storage in self.stores
        )

    async def close(self) -> None:
        for storage in self.stores:
            await storage.close()


def on_two(folder: Path, check: Callable[[Processes], Awaitable[None]]) -> None:
    async def run() -> None:
        processes = Processes(folder)
        try:
            await check(processes)
        finally:
            await processes.close()

    asyncio.run(run())


def test_a_burst_then_a_steady_rate(tmp_path: Path) -> None:
    async def check(processes: Processes) -> None:
        throttle, clock = processes.first, processes.clock
        assert [await throttle.wrong("a") for _ in range(BURST)] == [0] * BURST
        assert await throttle.wrong("a") == SECONDS
        clock.advance(SECONDS / 2)
        assert await throttle.wrong("a") == math.ceil(SECONDS / 2)
        clock.advance(SECONDS / 2)
        assert await throttle.wrong("a") == 0
        assert await throttle.wrong("a") > 0
        clock.advance(BURST * SECONDS * 10)
        assert [await throttle.wrong("a") for _ in range(BURST + 1)][-1] > 0

    on_two(tmp_path, check)


def test_processes_share_a_budget_and_names_do_not(tmp_path: Path) -> None:
    async def check(processes: Processes) -> None:
        for _ in range(BURST // 2):
            assert await processes.first.wrong("a") == 0
            assert await processes.second.wrong("a") == 0
        assert await processes.first.wrong("a") > 0
        assert await processes.second.wrong("a") > 0
        assert await processes.second.wrong("b") == 0

    on_two(tmp_path, check)


def test_an_empty_budget_is_not_asked_for_again(tmp_path: Path) -> None:
    async def check(processes: Processes) -> None:
        while not await processes.first.wrong("a"):
            pass
        await processes.close()  # whoever asks now gets an error
        processes.first._storage = None  # type: ignore[assignment]  # as would this
        assert [await processes.first.wrong("a") for _ in range(100)] == [SECONDS] * 100

    on_two(tmp_path, check)


def test_the_database_keeps_a_bounded_number_of_rows_whatever_names_are_made_up(tmp_path: Path) -> None:
    async def check(processes: Processes) -> None:
        for number in range(3 * BUCKETS):
            await processes.first.wrong(f"name {number} \ud800")
        database = await processes.stores[0].database()
        assert await database.sweep(now=processes.clock.now() + BURST * SECONDS) <= BUCKETS

    on_two(tmp_path, check)
