"""Registered clients, events, and sweeping all of it."""

import asyncio
from dataclasses import replace

import pytest

from ringwall.identity.store.database import Database
from ringwall.identity.store.driver import BATCH
from ringwall.identity.store.errors import ConflictError, HandleRefusedError
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


def test_a_registered_client_proves_itself_and_is_managed_by_its_token(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            clients = database.clients
            made = await clients.create(payload={"client_name": "App"}, with_secret=True, now=NOW)
            public = await clients.create(payload={}, with_secret=False, now=NOW)
            assert made.secret is not None
            assert public.secret is None
            assert made.client.id.startswith("dyn-")
            assert await clients.get(made.client.id) == made.client
            assert await clients.authenticate(made.client.id, made.secret) == made.client
            for name, secret in (
                (made.client.id, Secret("wrong")),
                (made.client.id, Secret("")),
                (public.client.id, Secret("")),
                (public.client.id, made.secret),
                ("unknown", made.secret),
            ):
                with pytest.raises(HandleRefusedError):
                    await clients.authenticate(name, secret)
            assert await clients.managed(made.client.id, made.token) == made.client
            for name, token in ((public.client.id, made.token), (made.client.id, made.secret)):
                with pytest.raises(HandleRefusedError):
                    await clients.managed(name, token)
            changed = await clients.update(replace(made.client, payload={"client_name": "Other"}), now=NOW + 1)
            assert (changed.version, changed.changed, changed.has_secret) == (2, NOW + 1, True)
            with pytest.raises(ConflictError):
                await clients.update(made.client, now=NOW)
            renewed = await clients.renew_secret(made.client.id, now=NOW)
            assert renewed is not None
            assert (await clients.authenticate(made.client.id, renewed)).id == made.client.id
            with pytest.raises(HandleRefusedError):
                await clients.authenticate(made.client.id, made.secret)
            both = await clients.page()
            assert [client.id for client in both] == sorted([made.client.id, public.client.id])
            assert await clients.page(after=both[0].id) == both[1:]
            assert await clients.delete(made.client.id) is True
            assert await clients.delete(made.client.id) is False
            assert await clients.renew_secret(made.client.id, now=NOW) is None

    asyncio.run(body())


def test_events_are_read_backwards_page_by_page(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            events = database.events
            made = [
                await events.add("signed-in", actor=f"a{n % 2}", subject="s", payload={"n": n}, now=NOW + n // 3)
                for n in range(10)
            ]
            newest_first = sorted(made, key=lambda event: (event.time, event.id), reverse=True)
            seen = list(await events.page(limit=4))
            while page := await events.page(before=seen[-1], limit=4):
                seen.extend(page)
            assert seen == newest_first
            assert list(await events.by_actor("a1")) == [event for event in newest_first if event.actor == "a1"]
            first, second = await events.by_subject("s", limit=2)
            assert (await events.by_subject("s", before=first, limit=1)) == (second,)
            assert await events.by_subject("other") == ()
            assert await events.sweep(now=NOW + 1, kept_seconds=0) == 6
            assert len(await events.page()) == 4

    asyncio.run(body())


def test_a_sweep_takes_more_than_one_batch_and_leaves_what_lives(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            await asyncio.gather(
                *(
                    database.replay.once("dpop", str(n), until=NOW + (1 if n else 100), now=NOW)
                    for n in range(BATCH + 51)
                )
            )
            await database.budgets.take("account", "x", burst=1, seconds=1, now=NOW)
            await database.pushed.put(owner="", payload={}, now=NOW, seconds=1)
            await database.devices.start(client="tv", payload={}, now=NOW - 10_000, seconds=1)
            await database.codes.put(client="c", account="a", session="s", payload={}, now=NOW - 10_000, seconds=1)
            assert await database.sweep(now=NOW + 1) == BATCH + 50 + 4
            assert await database.sweep(now=NOW + 1) == 0
            assert await database.replay.once("dpop", "0", until=NOW + 100, now=NOW + 1) is False

    asyncio.run(body())
