"""Accounts, passwords, consents."""

import asyncio
from dataclasses import replace

import pytest

from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import ConflictError, UnstorableError
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


def test_an_account_is_found_by_id_name_and_email(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            accounts = database.accounts
            made = await accounts.create(
                name_key="ann",
                user_name="Ann",
                display_name="Ann Ö",
                email="Ann@Example.org",
                email_key="ann@example.org",
                roles=("doctor",),
                attributes={"department": "surgery", "levels": [1, 2]},
                now=NOW,
            )
            assert (made.created, made.version, made.disabled) == (NOW, 1, None)
            assert await accounts.get(made.id) == made
            assert await accounts.by_name("ann") == made
            assert await accounts.by_email("ann@example.org") == (made,)
            assert await accounts.by_email("") == ()
            assert await accounts.by_name("Ann") is None
            with pytest.raises(ConflictError):
                await accounts.create(name_key="ann", user_name="ANN", now=NOW)
            assert await accounts.count() == 1

    asyncio.run(body())


def test_a_change_is_stored_only_over_what_was_read(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            accounts = database.accounts
            made = await accounts.create(name_key="ann", user_name="Ann", now=NOW)
            await accounts.create(name_key="bob", user_name="Bob", now=NOW)
            changed = await accounts.update(replace(made, roles=("doctor",)), now=NOW + 1)
            assert (changed.version, changed.changed, changed.roles) == (2, NOW + 1, ("doctor",))
            with pytest.raises(ConflictError):
                await accounts.update(replace(made, roles=("admin",)), now=NOW + 2)
            with pytest.raises(ConflictError):
                await accounts.update(replace(changed, name_key="bob"), now=NOW + 2)
            assert await accounts.get(made.id) == changed
            disabled = await accounts.disable(made.id, now=NOW + 3)
            assert disabled is not None
            assert disabled.disabled == NOW + 3
            enabled = await accounts.enable(made.id, now=NOW + 4)
            assert enabled is not None
            assert enabled.disabled is None
            assert await accounts.disable("none", now=NOW) is None

    asyncio.run(body())


def test_pages_hold_everybody_once_in_order(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            names = ["a", "A", "b", "ä", "Z", "10", "9", "a b", "a-b", "ab"]
            for name in names:
                await database.accounts.create(name_key=name, user_name=name, now=NOW)
            seen: list[str] = []
            while page := await database.accounts.page(after=seen[-1] if seen else "", limit=3):
                seen.extend(account.name_key for account in page)
            assert seen == sorted(names)

    asyncio.run(body())


def test_with_an_account_goes_what_belongs_to_it(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            made = await database.accounts.create(name_key="ann", user_name="Ann", now=NOW)
            other = await database.accounts.create(name_key="bob", user_name="Bob", now=NOW)
            for account in (made.id, other.id):
                await database.passwords.set(account, Secret("$argon2id$x"), now=NOW)
                await database.consents.grant(account=account, client="shop", scopes=["a"], now=NOW)
                await database.totp.set(account, Secret("sealed"), counter=1, now=NOW)
                await database.recovery.replace(account, [Secret("code")], now=NOW)
                await database.passkeys.add(
                    credential=account.encode(),
                    account=account,
                    public_key=b"",
                    sign_count=0,
                    label="",
                    payload={},
                    now=NOW,
                )
            handle, _ = await database.sessions.start(
                account=made.id, payload={}, now=NOW, idle_seconds=60, final_seconds=60
            )
            begun = await database.families.start(
                client="shop", account=made.id, session="", payload={}, now=NOW, idle_seconds=60, final_seconds=60
            )
            assert await database.accounts.delete(made.id, now=NOW) is True
            assert await database.accounts.delete(made.id, now=NOW) is False
            assert await database.accounts.get(made.id) is None
            assert await database.passwords.get(made.id) is None
            assert await database.consents.of_account(made.id) == ()
            assert await database.passkeys.get(made.id.encode()) is None
            assert await database.totp.get(made.id) is None
            assert await database.recovery.left(made.id) == 0
            assert await database.sessions.read(handle, now=NOW) is None
            family = await database.families.get(begun.family.id)
            assert family is not None
            assert family.reason == "account-deleted"
            assert await database.passwords.get(other.id) is not None
            assert await database.consents.of_account(other.id) != ()
            assert await database.passkeys.get(other.id.encode()) is not None
            assert await database.totp.get(other.id) is not None
            assert await database.recovery.left(other.id) == 1

    asyncio.run(body())


def test_a_rehash_never_brings_an_old_password_back(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            passwords = database.passwords
            assert await passwords.get("a1") is None
            await passwords.set("a1", Secret("old"), now=NOW)
            await passwords.set("a1", Secret("new"), now=NOW + 1, expires=NOW + 9)
            assert await passwords.rehash("a1", former=Secret("old"), encoded=Secret("stronger old")) is False
            assert await passwords.rehash("a1", former=Secret("new"), encoded=Secret("stronger")) is True
            kept = await passwords.get("a1")
            assert kept is not None
            assert (kept.encoded.reveal(), kept.changed, kept.expires) == (b"stronger", NOW + 1, NOW + 9)
            assert "stronger" not in repr(kept)
            assert await passwords.remove("a1") is True
            assert await passwords.remove("a1") is False

    asyncio.run(body())


def test_consents_add_up_until_they_are_withdrawn(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            consents = database.consents
            assert await consents.scopes(account="a1", client="shop") is None
            await consents.grant(account="a1", client="shop", scopes=["b", "a"], now=NOW)
            await consents.grant(account="a1", client="shop", scopes=["c", "a"], now=NOW + 1)
            await consents.grant(account="a1", client="bare", scopes=[], now=NOW)
            assert await consents.scopes(account="a1", client="shop") == frozenset({"a", "b", "c"})
            assert await consents.scopes(account="a1", client="bare") == frozenset()
            bare, shop = await consents.of_account("a1")
            assert (bare.client, bare.scopes) == ("bare", ())
            assert (shop.client, shop.scopes, shop.granted) == ("shop", ("a", "b", "c"), NOW + 1)
            assert await consents.withdraw(account="a1", client="shop") is True
            assert await consents.withdraw(account="a1", client="shop") is False
            assert await consents.scopes(account="a1", client="shop") is None

    asyncio.run(body())


@pytest.mark.parametrize("text", ["nul\0", "surrogate\ud800"])
def test_texts_that_a_database_cannot_keep_are_refused_by_both(url: str, text: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            with pytest.raises(UnstorableError):
                await database.accounts.create(name_key=text, user_name="x", now=NOW)
            with pytest.raises(UnstorableError):
                await database.accounts.by_name(text)
            assert await database.accounts.count() == 0

    asyncio.run(body())


def test_payloads_keep_every_json_value_and_refuse_what_is_none(url: str) -> None:
    async def body() -> None:
        async with await Database.open(url) as database:
            payload = {"nul": "a\0b", "deep": {"list": [1, 2.5, None, True, "ü😀"]}, "": ""}
            handle = await database.pushed.put(owner="shop", payload=payload, now=NOW, seconds=60)
            assert (await database.pushed.take(handle, owner="shop", now=NOW)).payload == payload
            for wrong in ({"x": "\ud800"}, {"x": object()}, {"x": 1 << 70}):
                with pytest.raises(UnstorableError):
                    await database.pushed.put(owner="shop", payload=wrong, now=NOW, seconds=60)

    asyncio.run(body())
