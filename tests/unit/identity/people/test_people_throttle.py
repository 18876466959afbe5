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
        self.database = database
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


def spend(world: World, *, device: str = "") -> int:
    """Guess until that is refused; return how often it was let through."""
    for count in range(1000):
        try:
            world.guess(device=device)
        except TooManyAttemptsError:
            return count
    raise AssertionError("never refused")


@pytest.mark.parametrize("jump", [1.0, 299.0, 3600.0, 86_400.0 * 365 * 30])
@pytest.mark.parametrize("device", ["", "d1"])
def test_a_clock_that_is_turned_back_locks_nobody_out_and_lets_nobody_in(
    world: World, jump: float, device: str
) -> None:
    budget = DEVICE if device else STRANGERS
    world.clock.jump(jump)  # it was ahead, somebody guessed, and it is put right
    assert spend(world, device=device) == budget.burst
    world.clock.jump(-jump)
    for _ in range(3):
        assert 0 < world.refused(device=device) <= budget.seconds, "no fresh budget, and none of the far future"
        world.clock.advance(world.refused(device=device))
        world.guess(device=device)


def test_a_clock_that_jumps_ahead_and_back_gives_one_budget_at_a_time(world: World) -> None:
    let_through = spend(world)
    for _ in range(5):
        world.clock.jump(86_400)
        let_through += spend(world)
        world.clock.jump(-86_400)
        let_through += spend(world)
    assert let_through <= 6 * STRANGERS.burst


def test_what_was_right_while_the_clock_was_ahead_costs_nothing_after(world: World) -> None:
    world.clock.jump(86_400)
    world.guess(right=True)
    world.clock.jump(-86_400)
    assert spend(world) == STRANGERS.burst


def test_what_was_given_back_is_no_more_than_a_full_budget_after_the_clock_is_turned_back(world: World) -> None:
    async def all_right() -> None:
        admitted = []
        for _ in range(3):
            admitted.append(await world.throttle.admit_password(account="alice", source="192.0.2.1", device="d1"))
            world.clock.advance(DEVICE.seconds - 1)
        for each in admitted:
            await each.was_right()

    world.run(all_right())
    world.clock.jump(-3600)
    assert spend(world, device="d1") == DEVICE.burst


def test_many_sources_use_up_the_strangers_budget_of_one_account_and_no_more(world: World) -> None:
    sources = [f"203.0.{number // 250}.{number % 250}" for number in range(1000)]
    let_through = 0
    for source in sources:
        with contextlib.suppress(TooManyAttemptsError):
            world.guess(source=source)
            let_through += 1
    assert let_through == STRANGERS.burst
    world.guess(source=sources[0], account="bob")  # nor does the refusal of one account cost them another
    world.guess(device="d1", source=sources[0])


def test_a_table_that_guessers_have_filled_is_swept(world: World) -> None:
    async def fill() -> tuple[int, int]:
        for number in range(2500):
            with contextlib.suppress(TooManyAttemptsError):
                await world.throttle.admit_password(
                    account=f"made-up-{number}", source=f"2001:db8:{number // 30:x}::1", device=""
                )
        now = world.clock.now()
        early = await world.database.sweep(now=now)
        return early, await world.database.sweep(now=now + STRANGERS.burst * STRANGERS.seconds)

    early, late = world.run(fill())
    assert early == 0, "what still counts is not forgotten"
    assert late >= 2500
    assert world.run(world.database.sweep(now=world.clock.now() + 86_400)) == 0


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
