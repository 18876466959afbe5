import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import argon2
import pytest
from tests.support.people_world import PASSWORD, VISITOR, PeopleWorld, in_world
from tests.support.soft_authenticator import SoftAuthenticator

from ringwall.identity.people.errors import (
    PasskeyCopiedError,
    PasskeyRefusedError,
    SignInRefusedError,
    TooManyAttemptsError,
)
from ringwall.identity.people.sign_in import (
    SECOND_FACTOR_SECONDS,
    Acr,
    Factor,
    PasswordVerified,
    SignedIn,
    Visitor,
)
from ringwall.identity.people.totp import code_of, step_at
from ringwall.identity.store.accounts import Account
from ringwall.model.secret import Secret

WRONG = Secret("wrong horse battery staple")


async def verified(world: PeopleWorld, name: str = "alice", visitor: Visitor = VISITOR) -> PasswordVerified:
    who = await world.people.sign_in.identify(name)
    return await world.people.sign_in.verify_password(who, PASSWORD, visitor)


async def with_app(world: PeopleWorld, account: Account) -> Secret:
    """Give an account an authenticator app, and return its secret; its present code is used up."""
    app = await world.people.credentials.begin_totp(account.id)
    secret = Secret(base64.b32decode(app.typed))
    code = code_of(secret, step_at(world.clock.now()))
    await world.people.credentials.confirm_totp(account.id, app.pending, code, by=account.id)
    return secret


async def with_passkey(world: PeopleWorld, account: Account) -> SoftAuthenticator:
    device = SoftAuthenticator()
    options = await world.people.credentials.begin_passkey(account.id, binding="b")
    await world.people.credentials.add_passkey(account.id, device.make(options), binding="b", name="", by=account.id)
    return device


async def by_passkey(world: PeopleWorld, device: SoftAuthenticator, visitor: Visitor = VISITOR) -> SignedIn:
    answer = device.use(world.people.sign_in.passkey_options(visitor))
    return await world.people.sign_in.verify_passkey(answer, visitor)


def test_a_password_signs_in(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        step = await verified(world, " Alice ")
        assert step == PasswordVerified(account.id, world.clock.now(), frozenset())
        done = await world.people.sign_in.finish(step, VISITOR)
        assert (done.account, done.acr, done.amr, done.auth_time) == (
            account.id,
            Acr.PASSWORD,
            ("pwd",),
            world.clock.now(),
        )
        assert (await world.event_kinds())[-1] == "signed-in"

    in_world(tmp_path, scenario)


@pytest.mark.parametrize("name", ["alice", "nobody", "", "\u0430lice", "a" * 9999, "\ud800", "bob"])
def test_whatever_is_wrong_the_answer_is_the_same(tmp_path: Path, name: str) -> None:
    async def scenario(world: PeopleWorld) -> str:
        await world.account()
        bob = await world.account("bob")
        await world.people.accounts.disable(bob.id, by="operator")
        who = await world.people.sign_in.identify(name)
        with pytest.raises(SignInRefusedError) as caught:
            await world.people.sign_in.verify_password(who, PASSWORD if name == "bob" else WRONG, VISITOR)
        assert type(caught.value) is SignInRefusedError
        (event,) = await world.database.events.page(limit=1)
        assert event.act == "sign-in-refused"
        assert event.actor == "nobody"
        assert not name or name == "bob" or name not in str(event.payload)
        return f"{caught.value} {caught.value.hint} {caught.value.code}"

    assert in_world(tmp_path, scenario) == "this does not match what is known here  sign-in-refused"


def test_nobody_signs_in_by_password_without_one(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        await world.account(password=None)
        for password in (PASSWORD, Secret(b""), Secret(b"\xff")):
            with pytest.raises(SignInRefusedError):
                await world.people.sign_in.verify_password(
                    await world.people.sign_in.identify("alice"), password, VISITOR
                )

    in_world(tmp_path, scenario)


def test_guesses_are_slowed_and_strangers_lock_nobody_out(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        await world.account()
        known = await world.people.sign_in.finish(await verified(world), VISITOR)
        who = await world.people.sign_in.identify("alice")
        outcomes = []
        for number in range(14):
            stranger = Visitor(source=f"198.51.100.{number}", binding="x")
            try:
                await world.people.sign_in.verify_password(who, WRONG, stranger)
            except (SignInRefusedError, TooManyAttemptsError) as error:
                outcomes.append(type(error).__name__)
        assert outcomes == ["SignInRefusedError"] * 10 + ["TooManyAttemptsError"] * 4
        # A right password from a stranger waits too: else waiting would mean nothing.
        with pytest.raises(TooManyAttemptsError):
            await verified(world)
        # The owner's own browser does not.
        assert (await verified(world, visitor=replace(VISITOR, devices=(known.device_token,)))).account == who.account
        device = await with_passkey(world, await world.people.accounts.named("alice"))
        assert (await by_passkey(world, device)).account == who.account

    in_world(tmp_path, scenario)


def test_an_unknown_name_is_slowed_as_a_known_one_is(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        who = await world.people.sign_in.identify("nobody")
        for number in range(10):
            with pytest.raises(SignInRefusedError):
                await world.people.sign_in.verify_password(who, WRONG, Visitor(source=f"192.0.2.{number}", binding="x"))
        with pytest.raises(TooManyAttemptsError):
            await world.people.sign_in.verify_password(who, WRONG, VISITOR)

    in_world(tmp_path, scenario)


def test_an_app_is_asked_for_once_it_is_confirmed(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        await world.people.credentials.begin_totp(account.id)
        assert (await verified(world)).then == frozenset()
        secret = await with_app(world, account)
        step = await verified(world)
        assert step.then == {Factor.TOTP}
        assert PasswordVerified.of_payload(step.payload()) == step
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.finish(step, VISITOR)
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.finish(replace(step, then=frozenset()), VISITOR)
        used = code_of(secret, step_at(world.clock.now()))
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_totp(step, used, VISITOR)
        world.clock.advance(30)
        code = code_of(secret, step_at(world.clock.now()))
        done = await world.people.sign_in.verify_totp(step, code, VISITOR)
        assert (done.acr, done.amr) == (Acr.MULTI_FACTOR, ("pwd", "otp", "mfa"))
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_totp(step, code, VISITOR)

    in_world(tmp_path, scenario)


def test_one_code_signs_in_one_of_many_at_once(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        secret = await with_app(world, account)
        step = await verified(world)
        world.clock.advance(30)
        code = code_of(secret, step_at(world.clock.now()))
        tries = [world.people.sign_in.verify_totp(step, code, VISITOR) for _ in range(4)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1

    in_world(tmp_path, scenario)


def test_guesses_at_codes_are_slowed(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        await with_app(world, account)
        step = await verified(world)
        for _ in range(6):
            with pytest.raises(SignInRefusedError):
                await world.people.sign_in.verify_totp(step, "000000", VISITOR)
        with pytest.raises(TooManyAttemptsError):
            await world.people.sign_in.verify_recovery_code(step, "0000-0000-0000", VISITOR)

    in_world(tmp_path, scenario)


def test_a_recovery_code_works_once(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        await with_app(world, account)
        codes = await world.people.credentials.new_recovery_codes(account.id, by=account.id)
        step = await verified(world)
        assert step.then == {Factor.TOTP, Factor.RECOVERY_CODE}
        typed = codes[3].reveal().decode().upper().replace("-", " ")
        done = await world.people.sign_in.verify_recovery_code(step, typed, VISITOR)
        assert done.acr is Acr.MULTI_FACTOR
        for again in (typed, "0000-0000-0000", "nonsense"):
            with pytest.raises(SignInRefusedError):
                await world.people.sign_in.verify_recovery_code(step, again, VISITOR)
        assert (await world.people.credentials.overview(account.id)).recovery_codes == 9
        await world.people.credentials.new_recovery_codes(account.id, by=account.id)
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_recovery_code(step, codes[4].reveal().decode(), VISITOR)

    in_world(tmp_path, scenario)


def test_the_password_step_is_over_after_a_while_and_when_things_change(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        late = await verified(world)
        world.clock.advance(SECOND_FACTOR_SECONDS + 1)
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.finish(late, VISITOR)
        changed = await verified(world)
        world.clock.advance(1)
        await world.people.credentials.set_password(account.id, Secret("another horse entirely"), by="operator")
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.finish(changed, VISITOR)
        await world.people.credentials.set_password(account.id, PASSWORD, by="operator")
        disabled = await verified(world)
        await world.people.accounts.disable(account.id, by="operator")
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.finish(disabled, VISITOR)
        await world.people.accounts.enable(account.id, by="operator")
        assert await world.people.sign_in.finish(disabled, VISITOR)
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.finish(replace(disabled, account="other"), VISITOR)
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.finish(replace(disabled, at=world.clock.now() + 60), VISITOR)

    in_world(tmp_path, scenario)


def test_a_passkey_signs_in_alone_and_says_whose_it_is(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account(password=None)
        await world.account("bob")
        device = await with_passkey(world, account)
        done = await by_passkey(world, device)
        assert (done.account, done.acr, done.amr) == (account.id, Acr.PHISHING_RESISTANT, ("pop", "user", "mfa"))
        kept = (await world.people.credentials.overview(account.id)).passkeys[0]
        assert (kept.sign_count, kept.used, kept.label) == (1, world.clock.now(), "passkey")
        await world.people.accounts.disable(account.id, by="operator")
        with pytest.raises(SignInRefusedError):
            await by_passkey(world, device)

    in_world(tmp_path, scenario)


def test_passkeys_that_are_unknown_or_elsewhere_are_refused(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        device = await with_passkey(world, account)
        with pytest.raises(SignInRefusedError):
            await by_passkey(world, SoftAuthenticator(rp_id="shop.localhost", user_handle=account.id.encode()))
        answer = device.use(world.people.sign_in.passkey_options(VISITOR))
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_passkey(answer, replace(VISITOR, binding="browser-2"))
        assert await world.people.sign_in.verify_passkey(answer, VISITOR)
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_passkey(answer, VISITOR)
        with pytest.raises(PasskeyRefusedError):
            await world.people.sign_in.verify_passkey(b"{", VISITOR)
        await world.people.credentials.remove_passkey(account.id, device.credential, by=account.id)
        with pytest.raises(SignInRefusedError):
            await by_passkey(world, device)

    in_world(tmp_path, scenario)


def test_a_copied_passkey_is_noticed_and_noted(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        device = await with_passkey(world, account)
        copy = replace(device)
        await by_passkey(world, device)
        await by_passkey(world, device)
        with pytest.raises(PasskeyCopiedError):
            await by_passkey(world, copy)
        assert "passkey-copied" in await world.event_kinds(account.id)

    in_world(tmp_path, scenario)


def test_a_weak_imported_hash_is_renewed_at_the_first_sign_in(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        weak = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD.reveal())
        await world.database.passwords.set(account.id, Secret(weak), now=world.clock.now())
        assert await verified(world)
        kept = await world.database.passwords.get(account.id)
        assert kept is not None
        assert b"m=19456,t=2,p=1" in kept.encoded.reveal()
        assert await verified(world)

    in_world(tmp_path, scenario)


def test_a_damaged_hash_signs_nobody_in_and_is_noted(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        for damaged in ("plain", "$argon2id$", "$pbkdf2-sha256$i=1$$", "$2b$12$x"):
            await world.database.passwords.set(account.id, Secret(damaged), now=world.clock.now())
            with pytest.raises(SignInRefusedError):
                await verified(world)
        assert "password-unreadable" in str([e.payload for e in await world.database.events.page()])

    in_world(tmp_path, scenario)


def test_a_password_that_is_over_signs_nobody_in(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        kept = await world.database.passwords.get(account.id)
        assert kept is not None
        await world.database.passwords.set(
            account.id, kept.encoded, now=world.clock.now(), expires=world.clock.now() + 10
        )
        assert await verified(world)
        world.clock.advance(10)
        with pytest.raises(SignInRefusedError):
            await verified(world)

    in_world(tmp_path, scenario)


def test_stronger_ways_do_where_weaker_ones_are_asked_for() -> None:
    assert Acr.PHISHING_RESISTANT.satisfies(Acr.MULTI_FACTOR)
    assert Acr.PASSWORD.satisfies(Acr.PASSWORD)
    assert not Acr.PASSWORD.satisfies(Acr.MULTI_FACTOR)
    assert not Acr.INVITATION.satisfies(Acr.PASSWORD)
