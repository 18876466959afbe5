import asyncio
import contextlib
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import argon2
import pytest

from ringwall.identity.people.errors import BusyError
from ringwall.identity.people.imported_hashes import pbkdf2
from ringwall.identity.people.passwords import FLOOR, LONGEST_QUEUE, Cost, PasswordHasher, Verdict, measure
from ringwall.model.secret import Secret

RIGHT = Secret("correct horse battery staple")
WRONG = Secret("correct horse battery stable")


@pytest.fixture
def passwords() -> Iterator[PasswordHasher]:
    made = PasswordHasher(FLOOR)
    with contextlib.closing(made):
        yield made


def test_only_the_password_matches_its_hash(passwords: PasswordHasher) -> None:
    kept = asyncio.run(passwords.hash(RIGHT))
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert asyncio.run(passwords.verify(RIGHT, kept)) == Verdict(right=True, renew=False)
    assert not asyncio.run(passwords.verify(WRONG, kept)).right
    assert not asyncio.run(passwords.verify(Secret(b""), kept)).right
    assert kept != asyncio.run(passwords.hash(RIGHT))


def test_a_library_that_is_not_ours_takes_the_hash(passwords: PasswordHasher) -> None:
    kept = asyncio.run(passwords.hash(RIGHT))
    assert argon2.PasswordHasher().verify(kept, RIGHT.reveal())


def test_a_password_is_the_same_however_it_is_composed(passwords: PasswordHasher) -> None:
    kept = asyncio.run(passwords.hash(Secret("fianc\u00e9 \ufb01ne")))
    assert asyncio.run(passwords.verify(Secret("fiance\u0301 fine"), kept)).right


def test_what_nobody_could_have_chosen_is_wrong(passwords: PasswordHasher) -> None:
    kept = asyncio.run(passwords.hash(RIGHT))
    for raw in (b"\xff", b"x" * 100_000, b"a\x00b"):
        assert not asyncio.run(passwords.verify(Secret(raw), kept)).right


def test_the_cost_is_never_below_the_floor() -> None:
    with contextlib.closing(PasswordHasher(Cost(memory=8, passes=1))) as passwords:
        assert "m=19456,t=2,p=1" in asyncio.run(passwords.hash(RIGHT))


def timer_of(*durations: float) -> Callable[[], float]:
    readings = iter([moment for duration in durations for moment in (0.0, duration)])
    return lambda: next(readings)


def test_the_cost_follows_the_machine() -> None:
    assert measure(0.08, timer=timer_of(0.02, 0.02, 0.5)) == Cost(19_456, 8)
    assert measure(0.08, timer=timer_of(1.0, 1.0, 1.0)) == FLOOR
    assert measure(0.08, timer=timer_of(0.0001, 0.0001, 0.0001)).passes == 10
    assert measure(0.08, timer=timer_of(0.0, 0.0, 0.0)) == FLOOR


def test_weaker_hashes_are_to_be_renewed_once_they_matched(passwords: PasswordHasher) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(RIGHT.reveal())
    assert asyncio.run(passwords.verify(RIGHT, weak)) == Verdict(right=True, renew=True)
    old = argon2.PasswordHasher(type=argon2.Type.I).hash(RIGHT.reveal())
    assert asyncio.run(passwords.verify(RIGHT, old)) == Verdict(right=True, renew=True)
    strong = argon2.PasswordHasher().hash(RIGHT.reveal())
    assert asyncio.run(passwords.verify(RIGHT, strong)) == Verdict(right=True, renew=False)


def test_a_hash_half_as_costly_as_this_machine_can_is_to_be_renewed(passwords: PasswordHasher) -> None:
    kept = asyncio.run(passwords.hash(RIGHT))
    with contextlib.closing(PasswordHasher(Cost(FLOOR.memory, 4))) as faster:
        assert asyncio.run(faster.verify(RIGHT, kept)).renew
    with contextlib.closing(PasswordHasher(Cost(FLOOR.memory, 3))) as about_as_fast:
        assert not asyncio.run(about_as_fast.verify(RIGHT, kept)).renew


def test_imported_hashes_of_the_text_as_typed_match(passwords: PasswordHasher) -> None:
    typed = Secret("fiance\u0301 of the year")
    foreign = argon2.PasswordHasher().hash(typed.reveal())
    assert asyncio.run(passwords.verify(typed, foreign)) == Verdict(right=True, renew=True)
    foreign = pbkdf2("sha256", 1000, b"saltsalt", hashlib.pbkdf2_hmac("sha256", typed.reveal(), b"saltsalt", 1000))
    assert asyncio.run(passwords.verify(typed, foreign)) == Verdict(right=True, renew=True)
    assert not asyncio.run(passwords.verify(WRONG, foreign)).right


def test_an_unknown_account_costs_what_a_known_one_does(passwords: PasswordHasher) -> None:
    kept = asyncio.run(passwords.hash(RIGHT))
    asyncio.run(passwords.verify(WRONG, None))  # makes the hash that is compared with

    def cost(kept: str | None) -> float:
        best = float("inf")
        for _ in range(5):
            begin = time.process_time()
            assert not asyncio.run(passwords.verify(WRONG, kept)).right
            best = min(best, time.process_time() - begin)
        return best

    assert 0.5 < cost(None) / cost(kept) < 2


def test_the_event_loop_goes_on_while_hashes_are_made(passwords: PasswordHasher) -> None:
    async def run() -> int:
        turns = 0
        hashing = asyncio.create_task(passwords.hash(RIGHT))
        while not hashing.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(run()) > 10


def test_a_flood_is_sent_away(passwords: PasswordHasher) -> None:
    async def run() -> None:
        waiting = [asyncio.create_task(passwords.hash(RIGHT)) for _ in range(LONGEST_QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await passwords.verify(RIGHT, None)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not (await passwords.verify(RIGHT, None)).right

    asyncio.run(run())


def test_the_hash_of_a_short_secret_depends_on_secret_and_salt(passwords: PasswordHasher) -> None:
    made = asyncio.run(passwords.secret_hash(Secret("abc"), b"0123456789abcdef"))
    assert len(made) == 32
    assert made == asyncio.run(passwords.secret_hash(Secret("abc"), b"0123456789abcdef"))
    assert made != asyncio.run(passwords.secret_hash(Secret("abd"), b"0123456789abcdef"))
    assert made != asyncio.run(passwords.secret_hash(Secret("abc"), b"0123456789abcdeg"))


MEASURE = """
import asyncio
from pathlib import Path
from ringwall.identity.people.passwords import FLOOR, PasswordHasher
from ringwall.model.secret import Secret

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

async def run():
    hasher = PasswordHasher(FLOOR)
    await hasher.elsewhere(lambda: __import__("argon2"))
    before = resident()
    await asyncio.gather(*(hasher.hash(Secret("correct horse")) for _ in range(8)))
    print(resident() - before)
    hasher.close()

asyncio.run(run())
"""


def test_hashing_leaves_no_memory_taken() -> None:
    kilobytes = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True).stdout
    assert int(kilobytes) < 10_000
