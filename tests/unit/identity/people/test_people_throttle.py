import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringwall.identity.people.errors import TooManyAttemptsError
from ringwall.identity.people.known_devices import MOST, SECONDS, KnownDevices
from ringwall.identity.people.throttle import DEVICE, SECOND_FACTOR, SOURCE, STRANGERS, Throttle, network_of
from ringwall.identity.store.database import Database, sqlite_url
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret


class World:
    def __init__(self, database: Database, runner: asyncio.Runner) -> None:
        self.clock = ManualClock()
        self.run = runner.run
        self.throttle = Throttle(database.budgets, self.clock)

    def guess(
        self, *, account: str = "alice", source: str = "192.0.2.1", device: str = "", right: bool = False
    ) -> None:
        async def run() -> None:
            admission = await self.throttle.admit_password(account=account, source=source, device=device)
            if right:
                await admission.was_right()

        self.run(run())

    def refused(self, *, account: str = "alice", source: str = "192.0.2.1", device: str = "") -> int:
        with pytest.raises(TooManyAttemptsError) as caught:
            self.guess(account=account, source=source, device=device)
        return caught.value.wait


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(sqlite_url(tmp_path / "issuer.db")))
        yield World(database, runner)
        runner.run(database.close())


def test_guesses_at_one_account_are_slowed_whoever_makes_them(world: World) -> None:
    for number in range(STRANGERS.burst):
        world.guess(source=f"192.0.2.{number}")
    wait = world.refused(source="198.51.100.1")
    assert 0 < wait <= STRANGERS.seconds
    world.guess(account="bob")
    world.clock.advance(wait)
    world.guess()
    world.refused()


def test_strangers_never_touch_the_budget_of_a_device_that_is_known(world: World) -> None:
    for number in range(300):
        with contextlib.suppress(TooManyAttemptsError):
            world.guess(source=f"198.51.{number // 250}.{number % 250}")
    for _ in range(DEVICE.burst):
        world.guess(device="d1")


def test_nor_does_an_address_that_guesses_at_others(world: World) -> None:
    for number in range(SOURCE.burst):
        world.guess(account=f"a{number}")
    world.refused(account="new")
    world.guess(account="alice", device="d1")


def test_a_device_has_a_budget_too_and_only_its_own(world: World) -> None:
    for _ in range(DEVICE.burst):
        world.guess(device="d1")
    assert 0 < world.refused(device="d1") <= DEVICE.seconds
    world.guess(device="d2")
    world.guess()


def test_guesses_from_one_address_are_slowed_whatever_they_aim_at(world: World) -> None:
    for number in range(SOURCE.burst):
        world.guess(account=f"a{number}")
    assert 0 < world.refused(account="other") <= SOURCE.seconds
    world.guess(account="other", source="192.0.2.2")


def test_what_was_right_costs_nothing(world: World) -> None:
    for _ in range(5 * SOURCE.burst):
        world.guess(right=True)
        world.guess(device="d1", right=True)


def test_attempts_at_once_do_not_all_find_the_budget_full(world: World) -> None:
    async def run() -> int:
        tries = [
            world.throttle.admit_password(account="a", source=f"192.0.2.{number}", device="") for number in range(50)
        ]
        return sum(not isinstance(each, Exception) for each in await asyncio.gather(*tries, return_exceptions=True))

    assert world.run(run()) == STRANGERS.burst


def test_second_factors_are_counted_apart(world: World) -> None:
    async def run() -> None:
        for _ in range(SECOND_FACTOR.burst):
            await world.throttle.admit_second_factor(account="a")
        with pytest.raises(TooManyAttemptsError):
            await world.throttle.admit_second_factor(account="a")
        await world.throttle.admit_second_factor(account="b")
        await world.throttle.admit_password(account="a", source="192.0.2.1", device="")

    world.run(run())


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("192.0.2.1, 10.0.0.1", "unknown"),
    ],
)
def test_a_source_is_an_address_or_a_network(source: str, network: str) -> None:
    assert network_of(source) == network


def devices(clock: ManualClock, key: bytes = b"k" * 32) -> KnownDevices:
    return KnownDevices(key=Secret(key), clock=clock)


def test_a_device_is_known_to_the_account_it_signed_in_to() -> None:
    clock = ManualClock()
    known = devices(clock)
    token = known.issue("a")
    other = known.issue("a")
    assert known.recognised([token], "a")
    assert known.recognised(["", "x", "%", other, token], "a") == known.recognised([other], "a")
    assert known.recognised([token], "a") != known.recognised([other], "a")
    assert known.recognised([token], "b") == ""
    assert devices(clock, b"x" * 32).recognised([token], "a") == ""
    assert known.recognised([], "a") == ""
    assert known.recognised(["A" * 10_000, "A" * 46, "AAAA"], "a") == ""
    assert known.recognised(["x"] * MOST + [token], "a") == ""


def test_a_device_is_forgotten_in_time_and_cannot_prolong_it() -> None:
    clock = ManualClock()
    known = devices(clock)
    token = known.issue("a")
    changed = [
        token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :] for place in range(len(token))
    ]
    assert not any(known.recognised([each], "a") for each in changed)
    clock.advance(SECONDS)
    assert known.recognised([token], "a") == ""
