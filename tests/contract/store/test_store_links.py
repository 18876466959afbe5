"""Links between people at providers of others and accounts."""

import asyncio

from ringwall.identity.store.database import Database

NOW = 1_700_000_000.0
ISSUER = "https://idp.example"


def test_one_person_of_one_provider_has_one_account(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            links = database.links
            assert await links.get(ISSUER, "s1") is None
            made = await links.add(
                issuer=ISSUER, subject="s1", account="a1", upstream="sso", payload={"roles": ["clerk"]}, now=NOW
            )
            assert made is not None
            assert (made.account, made.payload, made.created, made.used) == ("a1", {"roles": ["clerk"]}, NOW, None)
            again = await links.add(issuer=ISSUER, subject="s1", account="a2", upstream="sso", payload={}, now=NOW)
            assert again is None
            assert await links.get(ISSUER, "s1") == made
            for issuer, subject in ((ISSUER, "S1"), (f"{ISSUER}/", "s1"), (ISSUER, "s1 ")):
                assert await links.get(issuer, subject) is None

    asyncio.run(body())


def test_of_many_at_once_one_is_linked(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            made = await asyncio.gather(
                *(
                    database.links.add(
                        issuer=ISSUER, subject="s1", account=f"a{number}", upstream="sso", payload={}, now=NOW
                    )
                    for number in range(10)
                )
            )
            assert sum(link is not None for link in made) == 1

    asyncio.run(body())


def test_a_use_is_noted_and_a_link_that_is_gone_stays_gone(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            links = database.links
            made = await links.add(issuer=ISSUER, subject="s1", account="a1", upstream="sso", payload={}, now=NOW)
            assert made is not None
            assert await links.use(made, upstream="other", payload={"roles": ["x"]}, now=NOW + 1)
            used = await links.get(ISSUER, "s1")
            assert used is not None
            assert (used.upstream, used.payload, used.created, used.used) == ("other", {"roles": ["x"]}, NOW, NOW + 1)
            assert await links.of_account("a1") == (used,)
            assert await links.of_account("a2") == ()
            assert await links.remove(used)
            assert not await links.remove(used)
            assert not await links.use(used, upstream="sso", payload={}, now=NOW)
            assert await links.get(ISSUER, "s1") is None

    asyncio.run(body())


def test_a_deleted_account_leaves_no_link(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            account = await database.accounts.create(name_key="ann", user_name="Ann", now=NOW)
            await database.links.add(
                issuer=ISSUER, subject="s1", account=account.id, upstream="sso", payload={}, now=NOW
            )
            assert await database.accounts.delete(account.id, now=NOW)
            assert await database.links.get(ISSUER, "s1") is None

    asyncio.run(body())
