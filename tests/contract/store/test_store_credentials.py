"""Passkeys, one-time passwords, recovery codes, invitations, attempts."""

import asyncio

import pytest

from ringwall.identity.store.database import Database
from ringwall.identity.store.driver import Statement
from ringwall.identity.store.errors import ConflictError, HandleRefusedError
from ringwall.identity.store.passkeys import Passkey
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


async def _passkey(database: Database, credential: bytes, *, account: str = "a1", count: int = 0) -> Passkey:
    return await database.passkeys.add(
        credential=credential,
        account=account,
        public_key=b"\x00cose\xff",
        sign_count=count,
        label="phone",
        payload={"transports": ["usb"]},
        now=NOW,
    )


def test_a_passkey_belongs_to_one_account(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            passkeys = database.passkeys
            made = await _passkey(database, b"\x00\x01")
            assert await passkeys.get(b"\x00\x01") == made
            assert await passkeys.get(b"\x00") is None
            with pytest.raises(ConflictError):
                await _passkey(database, b"\x00\x01", account="a2")
            other = await _passkey(database, b"\x02")
            assert await passkeys.of_account("a1") == (made, other)
            assert await passkeys.rename(b"\x02", account="a2", label="x") is False
            assert await passkeys.rename(b"\x02", account="a1", label="key") is True
            assert await passkeys.remove(b"\x02", account="a2") is False
            assert await passkeys.remove(b"\x02", account="a1") is True
            assert await passkeys.of_account("a1") == (made,)

    asyncio.run(body())


def test_a_passkeys_counter_must_grow_unless_it_does_not_count(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            passkeys = database.passkeys
            await _passkey(database, b"counts", count=5)
            await _passkey(database, b"does not")
            uses = [(6, True), (6, False), (5, False), (0, False), (9, True)]
            for count, accepted in uses:
                assert await passkeys.use(b"counts", sign_count=count, now=NOW + count) is accepted
            kept = await passkeys.get(b"counts")
            assert kept is not None
            assert (kept.sign_count, kept.used) == (9, NOW + 9)
            for count, accepted in [(0, True), (0, True), (1, True), (0, False)]:
                assert await passkeys.use(b"does not", sign_count=count, now=NOW) is accepted
            assert await passkeys.use(b"unknown", sign_count=1, now=NOW) is False

    asyncio.run(body())


def test_a_one_time_password_is_used_once_and_none_before_it_after(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            totps = database.totp
            await totps.set("a1", Secret(b"\xff\x00sealed"), counter=100, now=NOW)
            totp = await totps.get("a1")
            assert totp is not None
            assert (totp.secret, totp.counter, totp.created) == (Secret(b"\xff\x00sealed"), 100, NOW)
            for counter, accepted in [(100, False), (101, True), (101, False), (99, False), (103, True), (102, False)]:
                assert await totps.use(totp, counter=counter) is accepted
            await totps.set("a1", Secret("another"), counter=0, now=NOW)
            assert await totps.use(totp, counter=200) is False  # of the generator that was replaced
            assert await totps.remove("a1") is True
            assert await totps.remove("a1") is False
            assert await totps.get("a1") is None

    asyncio.run(body())


def test_recovery_codes_work_once_for_their_account_until_they_are_replaced(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            recovery = database.recovery
            codes = [Secret(f"code-{n}") for n in range(3)]
            await recovery.replace("a1", codes, now=NOW)
            assert await recovery.left("a1") == 3
            assert await recovery.take("a2", codes[0]) is False
            assert sum(await asyncio.gather(*(recovery.take("a1", codes[0]) for _ in range(10)))) == 1
            assert await recovery.left("a1") == 2
            await recovery.replace("a1", [Secret("new")], now=NOW)
            assert await recovery.take("a1", codes[1]) is False
            with pytest.raises(ConflictError):
                await recovery.replace("a1", [Secret("x"), Secret("y"), Secret("x")], now=NOW)
            await recovery.replace("a2", [Secret("new")], now=NOW)
            hashes = await database._driver.rows(Statement("SELECT digest FROM recovery"))
            assert len({bytes(row[0]) for row in hashes}) == 2  # equal codes of two people cannot be told to be equal
            assert await recovery.take("a1", Secret("new")) is True  # the failed replacement changed nothing
            assert await recovery.left("a1") == 0

    asyncio.run(body())


def test_an_invitation_is_accepted_once_or_taken_back(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            invitations = database.invitations
            handle, made = await invitations.put(author="root", payload={"email": "a@b"}, now=NOW, seconds=600)
            back, other = await invitations.put(author="root", payload={}, now=NOW, seconds=900)
            assert await invitations.pending(now=NOW) == (made, other)
            assert await invitations.read(handle, now=NOW) == made
            with pytest.raises(HandleRefusedError):
                await invitations.take(handle, now=NOW + 600)
            assert await invitations.take(handle, now=NOW) == made
            assert await invitations.cancel(other.id) is True
            assert await invitations.cancel(other.id) is False
            for refused in (handle, back, Secret("unknown")):
                with pytest.raises(HandleRefusedError):
                    await invitations.take(refused, now=NOW)
            await invitations.put(author="root", payload={}, now=NOW, seconds=900)
            assert await invitations.sweep(now=NOW + 900) == 1

    asyncio.run(body())


def test_a_budget_is_shared_by_all_who_take_from_it_and_refills(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            budgets = database.budgets

            async def take(key: str = "ann", *, now: float = NOW, kind: str = "account") -> float:
                return await budgets.take(kind, key, burst=5, seconds=60, now=now)

            waits = await asyncio.gather(*(take() for _ in range(12)))
            assert waits.count(0.0) == 5
            assert {round(wait) for wait in waits} == {0, 60}
            assert (await take("bob"), await take(kind="source")) == (0.0, 0.0)
            assert await take(now=NOW + 59) > 0
            assert await take(now=NOW + 60) == 0
            assert await take(now=NOW + 60) > 0
            await budgets.give_back("account", "ann", seconds=60)
            assert await take(now=NOW + 60) == 0
            await budgets.give_back("account", "nobody", seconds=60)
            assert [await take(now=NOW + 1000) for _ in range(6)].count(0.0) == 5
            assert await budgets.sweep(now=NOW + 1000 + 300) == 3
            assert [await take(now=NOW + 9000) for _ in range(6)].count(0.0) == 5
            assert [round(await take(now=now)) for now in (NOW, NOW + 59, NOW + 61, NOW + 62)] == [60, 1, 0, 58], (
                "the clock was turned back"
            )

    asyncio.run(body())
