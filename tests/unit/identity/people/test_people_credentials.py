from pathlib import Path

import pyotp
import pytest
from tests.support.people_world import PASSWORD, VISITOR, PeopleWorld, in_world
from tests.support.soft_authenticator import SoftAuthenticator

from ringwall.identity.people.credentials import MOST_PASSKEYS
from ringwall.identity.people.errors import (
    AccountError,
    CredentialError,
    PasskeysUnavailableError,
    PasswordRefusedError,
    SignInRefusedError,
)
from ringwall.identity.people.pending_apps import SECONDS
from ringwall.model.secret import Secret


async def add_passkey(world: PeopleWorld, account: str, device: SoftAuthenticator | None = None) -> SoftAuthenticator:
    device = device or SoftAuthenticator()
    options = await world.people.credentials.begin_passkey(account, binding="b")
    await world.people.credentials.add_passkey(account, device.make(options), binding="b", name="Key 1", by=account)
    return device


def test_a_password_is_held_to_the_rules_and_about_its_person(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account("alice.meyer", email="lisa@hospital.example")
        for bad in ("short", "password1", "meyer-2026", "hospital1234", "shop.localhost"):
            with pytest.raises(PasswordRefusedError):
                await world.people.credentials.set_password(account.id, Secret(bad), by=account.id)
        assert (await world.people.sign_in.identify("alice.meyer")).account == account.id
        who = await world.people.sign_in.identify("alice.meyer")
        assert await world.people.sign_in.verify_password(who, PASSWORD, VISITOR)
        with pytest.raises(AccountError):
            await world.people.credentials.set_password("x", PASSWORD, by="operator")

    in_world(tmp_path, scenario)


def test_a_new_password_ends_other_sessions(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        now = world.clock.now()
        ids = []
        for _ in range(2):
            _, begun = await world.database.sessions.start(
                account=account.id, payload={}, now=now, idle_seconds=60, final_seconds=60
            )
            ids.append(begun.id)
        await world.people.credentials.set_password(
            account.id, Secret("another horse entirely"), by=account.id, spared=ids[0]
        )
        assert [each.id for each in await world.database.sessions.of_account(account.id, now=now)] == ids[:1]

    in_world(tmp_path, scenario)


def test_the_last_way_to_sign_in_stays(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        credentials = world.people.credentials
        account = await world.account()
        with pytest.raises(CredentialError, match="only way"):
            await credentials.remove_password(account.id, by=account.id)
        device = await add_passkey(world, account.id)
        await credentials.remove_password(account.id, by=account.id)
        with pytest.raises(CredentialError, match="only way"):
            await credentials.remove_passkey(account.id, device.credential, by=account.id)
        other = await add_passkey(world, account.id)
        await credentials.remove_passkey(account.id, device.credential, by=account.id)
        assert [each.credential for each in (await credentials.overview(account.id)).passkeys] == [other.credential]

    in_world(tmp_path, scenario)


def test_passkeys_are_kept_once_named_and_not_without_end(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        credentials = world.people.credentials
        account, bob = await world.account(), await world.account("bob")
        device = await add_passkey(world, account.id)
        with pytest.raises(CredentialError, match="already"):
            await add_passkey(world, bob.id, SoftAuthenticator(credential=device.credential))
        await credentials.rename_passkey(account.id, device.credential, name=" Blue\u0020one ", by="t")
        assert (await credentials.overview(account.id)).passkeys[0].label == "Blue one"
        with pytest.raises(AccountError):
            await credentials.rename_passkey(account.id, device.credential, name="a\u202eb", by="t")
        for attempt in (
            credentials.rename_passkey(bob.id, device.credential, name="mine", by="t"),
            credentials.remove_passkey(bob.id, device.credential, by=bob.id),
        ):
            with pytest.raises(CredentialError, match="no such"):
                await attempt
        for _ in range(MOST_PASSKEYS - 1):
            await add_passkey(world, account.id)
        with pytest.raises(CredentialError, match="at most"):
            await credentials.begin_passkey(account.id, binding="b")

    in_world(tmp_path, scenario)


def test_an_issuer_at_an_address_has_no_passkeys(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        with pytest.raises(PasskeysUnavailableError):
            await world.people.credentials.begin_passkey(account.id, binding="b")
        with pytest.raises(PasskeysUnavailableError):
            world.people.sign_in.passkey_options(VISITOR)

    in_world(tmp_path, scenario, issuer="https://127.0.0.1:8443/auth")


def test_an_app_is_enrolled_with_a_code_of_its_own(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        credentials = world.people.credentials
        account, bob = await world.account(), await world.account("bob")
        app = await credentials.begin_totp(account.id)
        assert app.typed not in app.pending
        theirs = pyotp.parse_uri(app.uri)
        assert isinstance(theirs, pyotp.TOTP)
        assert theirs.secret == app.typed
        code = theirs.at(int(world.clock.now()))
        for whose, pending, typed in (
            (account.id, app.pending, "000000" if code != "000000" else "000001"),
            (bob.id, app.pending, code),
            (account.id, app.pending[:-4] + "AAAA", code),
            (account.id, "é", code),
            (account.id, "", code),
        ):
            with pytest.raises(SignInRefusedError):
                await credentials.confirm_totp(whose, pending, typed, by=account.id)
        await credentials.confirm_totp(account.id, app.pending, code, by=account.id)
        kept = await world.database.totp.get(account.id)
        assert kept is not None
        assert app.typed.encode() not in kept.secret.reveal()
        assert (await credentials.overview(account.id)).totp
        with pytest.raises(SignInRefusedError):
            await credentials.use_totp(account.id, code)
        for attempt in (
            credentials.begin_totp(account.id),
            credentials.confirm_totp(account.id, app.pending, code, by=account.id),
        ):
            with pytest.raises(CredentialError, match="authenticator app"):
                await attempt
        await credentials.new_recovery_codes(account.id, by=account.id)
        await credentials.remove_totp(account.id, by=account.id)
        overview = await credentials.overview(account.id)
        assert (overview.totp, overview.recovery_codes) == (False, 0)
        with pytest.raises(CredentialError):
            await credentials.remove_totp(account.id, by=account.id)

    in_world(tmp_path, scenario)


def test_an_app_that_is_set_up_too_late_is_refused(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        app = await world.people.credentials.begin_totp(account.id)
        world.clock.advance(SECONDS)
        code = pyotp.TOTP(app.typed).at(int(world.clock.now()))
        with pytest.raises(SignInRefusedError):
            await world.people.credentials.confirm_totp(account.id, app.pending, code, by=account.id)

    in_world(tmp_path, scenario)


def test_every_act_is_an_event_and_none_holds_a_secret(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        credentials = world.people.credentials
        account = await world.account()
        device = await add_passkey(world, account.id)
        app = await credentials.begin_totp(account.id)
        code = pyotp.TOTP(app.typed).at(int(world.clock.now()))
        await credentials.confirm_totp(account.id, app.pending, code, by=account.id)
        codes = await credentials.new_recovery_codes(account.id, by=account.id)
        await credentials.remove_totp(account.id, by=account.id)
        await credentials.remove_passkey(account.id, device.credential, by=account.id)
        await credentials.remove_all(account.id, by="operator")
        assert await world.event_kinds(account.id) == [
            "account-created",
            "password-set",
            "sessions-ended",
            "passkey-added",
            "totp-added",
            "recovery-codes-made",
            "totp-removed",
            "passkey-removed",
            "credentials-removed",
        ]
        told = str(await world.database.events.page())
        for secret in (PASSWORD.reveal().decode(), app.typed, code, *(each.reveal().decode() for each in codes)):
            assert secret not in told

    in_world(tmp_path, scenario)
