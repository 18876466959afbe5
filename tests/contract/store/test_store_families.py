"""Refresh tokens: rotation, grace, reuse."""

import asyncio
import secrets

import pytest

from ringwall.identity.store.database import Database
from ringwall.identity.store.driver import BATCH, Statement
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.identity.store.families import GRACE_SECONDS
from ringwall.identity.store.family import Refreshed
from ringwall.identity.store.family_statements import SWEEP
from ringwall.identity.store.holders import Holder
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


async def _start(database: Database, *, binding: str = "", account: str = "a1", client: str = "shop") -> Refreshed:
    return await database.families.start(
        client=client,
        account=account,
        session="s1",
        payload={"scope": ["orders"]},
        now=NOW,
        idle_seconds=600,
        final_seconds=1000,
        binding=binding,
    )


async def _rotate(database: Database, token: Secret, at: float, *, client: str = "shop") -> Refreshed:
    return await database.families.rotate(token, client=client, now=NOW + at, idle_seconds=600)


def test_a_chain_of_rotations(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            step = await _start(database)
            assert step.token.reveal().startswith(b"rwrt_")
            assert (step.family.generation, step.family.expires, step.family.final) == (1, NOW + 600, NOW + 1000)
            seen = {step.token.reveal()}
            for number in range(2, 6):
                step = await _rotate(database, step.token, 100 * number)
                assert (step.family.generation, step.repeated) == (number, False)
                assert step.family.payload == {"scope": ["orders"]}
                seen.add(step.token.reveal())
            assert len(seen) == 5
            assert step.family.expires == NOW + 1000  # never past the family's end
            with pytest.raises(HandleRefusedError):
                await _rotate(database, step.token, 1000)

    asyncio.run(body())


def test_a_token_that_is_kept_stays_the_same_and_lasts_longer(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            step = await _start(database, binding="jkt:x")

            async def keep(token: Secret, at: float, *, client: str = "shop", binding: str = "jkt:x") -> float:
                kept = await database.families.keep(
                    token, client=client, binding=binding, now=NOW + at, idle_seconds=600
                )
                assert (kept.token, kept.family.generation, kept.family.id) == (token, 1, step.family.id)
                return kept.family.expires - NOW

            assert [await keep(step.token, at) for at in (100, 300, 500)] == [700, 900, 1000]  # not past its end
            for wrong in ({"client": "other"}, {"binding": ""}):
                with pytest.raises(HandleRefusedError):
                    await keep(step.token, 500, **wrong)
            for token in (Secret("rwrt_x"), Secret(step.token.reveal()[:-1] + b"_")):
                with pytest.raises(HandleRefusedError):
                    await keep(token, 500)
            with pytest.raises(HandleRefusedError):
                await keep(step.token, 1000)
            other = await _start(database)
            await _rotate(database, other.token, 1)
            with pytest.raises(HandleRefusedError):
                await database.families.keep(other.token, client="shop", now=NOW + 2, idle_seconds=600)

    asyncio.run(body())


def test_parallel_requests_within_the_grace_get_the_same_successor(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            second = await _rotate(database, first.token, 10)
            again = await _rotate(database, first.token, 10 + GRACE_SECONDS)
            assert again.repeated
            assert again.token == second.token
            assert again.family == second.family
            third = await _rotate(database, again.token, 30)
            assert not third.repeated

    asyncio.run(body())


def test_one_of_many_parallel_requests_rotates(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            steps = await asyncio.gather(*(_rotate(database, first.token, 1) for _ in range(20)))
            assert sorted(step.repeated for step in steps) == [False] + [True] * 19
            assert len({step.token.reveal() for step in steps}) == 1

    asyncio.run(body())


def test_reuse_outside_the_grace_ends_the_family_and_is_told_once(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            second = await _rotate(database, first.token, 10)
            with pytest.raises(HandleReusedError) as reused:
                await _rotate(database, first.token, 10 + GRACE_SECONDS + 0.1)
            assert reused.value.family == first.family.id
            assert (reused.value.account, reused.value.session, reused.value.client) == ("a1", "s1", "shop")
            for token in (first.token, second.token):
                with pytest.raises(HandleRefusedError) as refused:
                    await _rotate(database, token, 21)
                assert not isinstance(refused.value, HandleReusedError)
            ended = await database.families.get(first.family.id)
            assert ended is not None
            assert ended.reason == "token-reused"

    asyncio.run(body())


def test_a_successor_that_was_tampered_with_is_not_given_out(url: str) -> None:
    """White box: who may write to the database, and no more, cannot choose what a client gets."""

    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            await _rotate(database, first.token, 1)
            await database._driver.run(Statement("UPDATE families SET sealed = :other"), other=bytes(32))
            with pytest.raises(HandleReusedError):
                await _rotate(database, first.token, 1)

    asyncio.run(body())


def test_a_token_whose_successor_was_used_has_no_grace(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            second = await _rotate(database, first.token, 1)
            await _rotate(database, second.token, 2)
            with pytest.raises(HandleReusedError):
                await _rotate(database, first.token, 2)

    asyncio.run(body())


def test_another_client_or_another_key_changes_nothing(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database, binding="jkt:abc")
            for client, binding in (("other", "jkt:abc"), ("shop", "jkt:def"), ("shop", "")):
                with pytest.raises(HandleRefusedError) as refused:
                    await database.families.rotate(
                        first.token, client=client, binding=binding, now=NOW, idle_seconds=600
                    )
                assert not isinstance(refused.value, HandleReusedError)
            second = await database.families.rotate(
                first.token, client="shop", binding="jkt:abc", now=NOW, idle_seconds=600
            )
            with pytest.raises(HandleRefusedError) as refused:  # an old token, and not by its owner: no alarm
                await database.families.rotate(
                    first.token, client="other", binding="jkt:abc", now=NOW + 500, idle_seconds=600
                )
            assert not isinstance(refused.value, HandleReusedError)
            assert (await database.families.read(second.token, client="shop", now=NOW)).ended is None

    asyncio.run(body())


def test_what_is_no_token_is_refused_and_ends_nothing(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            text = first.token.reveal().decode()
            for wrong in ("", "rwrt_", text[:-1], text + "A", text[5:], "x" * len(text), text[:-1] + "!", "\0" * 70):
                with pytest.raises(HandleRefusedError):
                    await _rotate(database, Secret(wrong), 1)
            stranger = "rwrt_" + secrets.token_urlsafe(16) + text[27:]
            with pytest.raises(HandleRefusedError):
                await _rotate(database, Secret(stranger), 1)
            assert not (await _rotate(database, first.token, 1)).repeated

    asyncio.run(body())


def test_only_who_has_seen_a_token_can_end_its_family(url: str) -> None:
    """A family's id is in access tokens, so it must not be what a refresh token is found by."""

    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            guess = Secret(f"rwrt_{first.family.id}{secrets.token_urlsafe(32)}")
            with pytest.raises(HandleRefusedError) as refused:
                await _rotate(database, guess, 1)
            assert not isinstance(refused.value, HandleReusedError)
            assert (await database.families.read(first.token, client="shop", now=NOW)).ended is None

    asyncio.run(body())


def test_read_uses_nothing_up_and_knows_only_the_current_token(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            assert await database.families.read(first.token, client="shop", now=NOW) == first.family
            second = await _rotate(database, first.token, 1)
            for token, client, now in (
                (first.token, "shop", NOW + 100),
                (second.token, "other", NOW),
                (second.token, "shop", NOW + 601),
            ):
                with pytest.raises(HandleRefusedError):
                    await database.families.read(token, client=client, now=now)
            assert await database.families.read(second.token, client="shop", now=NOW + 2) == second.family

    asyncio.run(body())


def test_families_end_by_account_client_and_session(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            families = database.families
            one = (await _start(database)).family.id
            two = (await _start(database, client="app")).family.id
            three = (await _start(database, account="a2")).family.id
            assert {family.id for family in await families.of_account("a1", now=NOW)} == {one, two}
            assert await families.end_account("a1", client="app", reason="r", now=NOW) == (two,)
            assert await families.end_client("app", reason="r", now=NOW) == ()
            assert set(await families.end_session("s1", reason="signed-out", now=NOW)) == {one, three}
            assert await families.end(one, reason="again", now=NOW) is False
            ended = await families.get(one)
            assert ended is not None
            assert ended.reason == "signed-out"
            assert await families.of_account("a1", now=NOW) == ()
            assert await families.end_account("a2", reason="r", now=NOW) == ()
            assert await families.end("none", reason="r", now=NOW) is False

    asyncio.run(body())


def test_swept_are_only_families_whose_tokens_have_expired(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            first = await _start(database)
            used = await _start(database)
            await _rotate(database, used.token, 300)
            assert await database.families.sweep(now=NOW + 599) == 0
            assert await database._driver.run(SWEEP, now=NOW + 600, batch=BATCH) == 1  # none in use goes, come what may
            assert await database.families.sweep(now=NOW + 600) == 0
            assert await database.families.get(first.family.id) is None
            assert await database.families.sweep(now=NOW + 899) == 0
            assert await database.families.get(used.family.id) is not None
            assert await database.families.sweep(now=NOW + 900) == 1
            assert await database.families.get(used.family.id) is None

    asyncio.run(body())


def test_sweeping_goes_through_more_families_in_use_than_one_batch(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            for number in range(BATCH + 2):
                step = await _start(database)
                if number <= BATCH:
                    await _rotate(database, step.token, 300)
            assert await database.families.sweep(now=NOW + 600) == 1
            looked_at_again = Statement("SELECT count(*) FROM families WHERE due <= :now")
            assert (await database._driver.rows(looked_at_again, now=NOW + 899))[0][0] == 0
            assert await database.families.sweep(now=NOW + 900) == BATCH
            assert await database.families.sweep(now=NOW + 900) == 1

    asyncio.run(body())


def test_a_token_that_is_used_tells_whose_it_is_as_they_are_now(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            ann = await database.accounts.create(
                user_name='Ann "A" ü',
                name_key="ann",
                display_name="Ann",
                email="ann@example.org",
                roles=("clerk",),
                attributes={"ward": ["3", "\\"], "age": 41},
                now=NOW,
            )
            group = await database.groups.create(name_key="staff", name="Staff", roles=("nurse",), now=NOW)
            await database.groups.change_members(group.id, add=[ann.id], now=NOW)
            first = await _start(database, account=ann.id)
            step = await _rotate(database, first.token, 1)
            known = await database.accounts.get(ann.id)
            assert known is not None
            assert known.effective_roles == ("clerk", "nurse")
            for name in Holder.__dataclass_fields__:
                assert getattr(step.holder, name) == getattr(known, name)
            await database.accounts.disable(ann.id, now=NOW + 2)
            repeated = await _rotate(database, first.token, 3)
            kept = await database.families.keep(step.token, client="shop", now=NOW + 4, idle_seconds=600)
            for used in (repeated, kept):
                assert used.holder is not None
                assert used.holder.disabled == NOW + 2
            await database.accounts.delete(ann.id, now=NOW + 5)
            nobody = await _start(database, account="no account")
            assert (await _rotate(database, nobody.token, 6)).holder is None

    asyncio.run(body())
