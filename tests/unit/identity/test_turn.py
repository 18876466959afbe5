"""Files that are followed are looked at once in a turn of the event loop, and never later than the next one."""

import asyncio
from pathlib import Path

from tests.support.issuer_plan import issuer_plan, write_plan

from ringwall.identity.issuer.client_secrets import ClientSecrets, create_client_secret
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.turn import Turn, every_time
from ringwall.model.clock import ManualClock


def test_each_looks_once_in_a_turn() -> None:
    turn, one, other = Turn(), object(), object()

    async def run() -> None:
        for _ in range(3):
            assert [turn.first(one), turn.first(other), turn.first(one), turn.first(other)] == [
                True,
                True,
                False,
                False,
            ]
            await asyncio.sleep(0)

    asyncio.run(run())


def test_tasks_of_one_turn_share_the_look() -> None:
    turn, who = Turn(), object()

    async def ask() -> bool:
        return turn.first(who)

    async def run() -> list[bool]:
        return list(await asyncio.gather(*(ask() for _ in range(5))))

    assert sum(asyncio.run(run())) == 1


def test_without_a_loop_everybody_looks() -> None:
    turn, who = Turn(), object()
    assert turn.first(who)
    assert turn.first(who)
    assert every_time(who)


def test_what_was_replaced_is_seen_in_the_next_turn(tmp_path: Path) -> None:
    turn = Turn()
    plans = write_plan(tmp_path, issuer_plan())
    directory = LiveDirectory(plans, first_look=turn.first)
    file = tmp_path / "clients.json"
    checker = ClientSecrets(file, first_look=turn.first)

    async def run() -> None:
        assert "batch" in directory.current().clients
        secret = create_client_secret(file, "batch", directory=directory.current(), clock=ManualClock())
        await asyncio.sleep(0)
        assert checker.holds("batch", secret)
        plans.write(issuer_plan(clients=()))
        await asyncio.sleep(0)
        assert "batch" not in directory.current().clients

    asyncio.run(run())
