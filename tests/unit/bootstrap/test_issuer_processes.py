"""How many processes the issuer has, which numbers answer, and how fresh ones take over or do not."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
from tests.support.issuer_stand_in import StandIn

from ringwall.bootstrap.addresses import Addresses
from ringwall.bootstrap.issuer_processes import IssuerProcesses, is_issuer, name_of
from ringwall.bootstrap.keeper import Spec, State
from ringwall.bootstrap.processes import Processes
from ringwall.bootstrap.readiness import Probe
from ringwall.bootstrap.state import StateFolder
from ringwall.bootstrap.supervisor import NotReadyError, Supervisor
from ringwall.model.clock import SystemClock

_NAMES = ("ringwall-issuer", "ringwall-issuer-2", "ringwall-issuer-3")


class World:
    def __init__(self, folder: Path) -> None:
        self.code = "import time; time.sleep(60)"
        self.folder = folder
        self.supervisor = Supervisor(
            clock=SystemClock(),
            random=Random(1),  # noqa: S311  # jitter
            tell=lambda _: None,
        )
        self.issuers = IssuerProcesses(self.supervisor, self.spec)

    def spec(self, name: str, number: int) -> Spec:
        async def probe() -> bool:
            await asyncio.sleep(0.3)  # long enough for one that ends at once to have ended
            return True

        return Spec(
            name=name,
            argv=(sys.executable, "-S", "-c", self.code, str(number)),
            env={"PATH": os.defpath},
            cwd=self.folder,
            log=self.folder / f"{name}.log",
            ready=probe,
            tries=1,
        )

    def running(self) -> dict[str, str]:
        """Number of each process by its name, from how it was started."""
        return {name: self.supervisor.spec(name).argv[-1] for name in self.supervisor.names}

    async def become(self, count: int, *, fresh: bool = False) -> None:
        self.issuers.become(count, fresh=fresh)
        await self.issuers.settled()


def run(folder: Path, scenario: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        world = World(folder)
        try:
            await asyncio.wait_for(scenario(world), 60)
        finally:
            await world.supervisor.stop_all()

    asyncio.run(whole())


def test_names_tell_them_apart_and_belong_to_nobody_else() -> None:
    assert tuple(map(name_of, range(3))) == _NAMES
    assert all(map(is_issuer, (*_NAMES, "ringwall-issuer~1")))
    assert not is_issuer("ringwall-edge")


def test_their_number_grows_and_shrinks(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.become(1)
        await world.become(3)
        assert world.running() == dict(zip(_NAMES, "012", strict=True))
        await world.become(1)
        assert world.issuers.numbers == (0,)
        assert len(world.running()) == 3, "those that are too many go on until nobody asks them"
        await world.issuers.retire(drain=0)
        assert world.running() == {"ringwall-issuer": "0"}
        await world.become(0)
        await world.issuers.retire(drain=0)
        assert world.running() == {}

    run(tmp_path, scenario)


def test_fresh_ones_stand_beside_those_that_they_replace(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.become(2)
        await world.become(2, fresh=True)
        assert world.issuers.numbers == (2, 3)
        assert len(world.running()) == 4
        await world.become(2, fresh=True)
        assert not set(world.issuers.numbers) & {0, 1, 2, 3}, "the first two have not ended yet"
        await world.issuers.retire(drain=0)
        assert len(world.running()) == 2
        await world.become(2, fresh=True)
        assert world.issuers.numbers == (0, 1), "numbers are used again"

    run(tmp_path, scenario)


def test_fresh_ones_that_do_not_start_give_their_place_back(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.become(2)
        before = {status.name: status.pid for status in world.supervisor.status()}
        world.code = "raise SystemExit(1)"
        with pytest.raises(NotReadyError):
            await world.become(3, fresh=True)
        await world.issuers.restore()
        assert world.issuers.numbers == (0, 1)
        assert {status.name: status.pid for status in world.supervisor.status()} == before
        await world.issuers.retire(drain=0)
        assert {status.name: status.pid for status in world.supervisor.status()} == before

    run(tmp_path, scenario)


def test_those_that_are_leaving_are_not_brought_back_by_a_later_failure(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.become(2)
        await world.become(1)
        world.code = "raise SystemExit(1)"
        with pytest.raises(NotReadyError):
            await world.become(2)
        await world.issuers.restore()
        assert world.issuers.numbers == (0,)
        await world.issuers.retire(drain=0)
        assert world.running() == {"ringwall-issuer": "0"}

    run(tmp_path, scenario)


def test_those_that_leave_still_answer_while_the_proxy_turns_to_the_others(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.become(1)
        await world.become(1, fresh=True)
        leaving = asyncio.create_task(world.issuers.retire())
        await asyncio.sleep(1)
        assert [status.state for status in world.supervisor.status()] == [State.READY, State.READY]
        await leaving
        assert len(world.running()) == 1

    run(tmp_path, scenario)


def test_a_process_of_the_issuer_is_asked_whether_it_is_well(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "s")
    addresses = Addresses(tmp_path, folder.path, previous=None)
    processes = Processes(folder, tmp_path, addresses.ports, environ={}, mark="test", umask=0o077)
    path = addresses.current.issuer(1)
    path.parent.mkdir(parents=True)
    probe = processes.issuer(addresses.current, _NAMES[1], 1).alive
    assert probe is not None
    alive: Probe = probe

    async def asked() -> bool:
        return await alive()

    assert not asyncio.run(asked())
    with StandIn(path):
        assert asyncio.run(asked())
    addresses.ports.close()
