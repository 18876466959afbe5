import asyncio
from pathlib import Path

import pyotp
import pytest
from tests.support.people_world import ISSUER, PASSWORD, VISITOR, PeopleWorld, in_world
from tests.support.soft_authenticator import SoftAuthenticator

from ringwall.identity.people.errors import (
    AccountError,
    InvitationRefusedError,
    PasswordRefusedError,
    SignInRefusedError,
    TooManyAttemptsError,
)
from ringwall.identity.people.invitations import MAX_SECONDS, PATH, SECONDS, Invited
from ringwall.identity.people.profile import Profile
from ringwall.identity.people.sign_in import Acr, SignedIn
from ringwall.model.secret import Secret

ALICE = Profile.checked(user_name="Alice", roles=("admin",), attributes={"ward": "7"})


def handle_of(invited: Invited) -> Secret:
    link = invited.link.reveal().decode()
    assert link.startswith(ISSUER + PATH)
    return Secret(link.removeprefix(ISSUER + PATH))


def test_the_first_administrator_comes_in_by_an_invitation(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        invited = await world.people.invitations.invite(ALICE, by="operator")
        looked = await world.people.invitations.look(handle_of(invited), VISITOR)
        assert (looked.profile, looked.account, looked.by) == (ALICE, "", "operator")
        done = await world.people.invitations.accept(handle_of(invited), VISITOR, password=PASSWORD)
        assert (done.acr, done.amr) == (Acr.PASSWORD, ("pwd",))
        account = await world.people.accounts.get(done.account)
        assert (account.user_name, account.roles, dict(account.attributes)) == ("Alice", ("admin",), {"ward": "7"})
        who = await world.people.sign_in.identify("alice")
        assert await world.people.sign_in.verify_password(who, PASSWORD, VISITOR)
        assert await world.event_kinds() == [
            "invited",
            "account-created",
            "invitation-accepted",
            "password-set",
            "signed-in",
        ]
        assert handle_of(invited).reveal().decode() not in str(await world.database.events.page())

    in_world(tmp_path, scenario)


def test_an_invitation_works_once_also_for_two_at_once(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        handle = handle_of(await world.people.invitations.invite(ALICE, by="operator"))
        tries = [world.people.invitations.accept(handle, VISITOR, password=PASSWORD) for _ in range(3)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "InvitationRefusedError",
            "InvitationRefusedError",
            "SignedIn",
        ]
        with pytest.raises(InvitationRefusedError):
            await world.people.invitations.look(handle, VISITOR)

    in_world(tmp_path, scenario)


def test_a_password_that_is_refused_costs_nobody_the_invitation(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        handle = handle_of(await world.people.invitations.invite(ALICE, by="operator"))
        with pytest.raises(PasswordRefusedError):
            await world.people.invitations.accept(handle, VISITOR, password=Secret("alice-2026"))
        assert isinstance(await world.people.invitations.accept(handle, VISITOR, password=PASSWORD), SignedIn)

    in_world(tmp_path, scenario)


def test_without_a_password_the_person_can_make_a_passkey(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        handle = handle_of(await world.people.invitations.invite(ALICE, by="operator"))
        done = await world.people.invitations.accept(handle, VISITOR)
        assert done.acr is Acr.INVITATION
        assert await world.people.credentials.begin_passkey(done.account, binding="b")
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_password(await world.people.sign_in.identify("alice"), PASSWORD, VISITOR)

    in_world(tmp_path, scenario)


def test_invitations_end_and_can_be_withdrawn(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        invitations = world.people.invitations
        first = await invitations.invite(ALICE, by="operator")
        second = await invitations.invite(ALICE, by="operator")
        assert {each.id for each in await invitations.pending()} == {first.id, second.id}
        await invitations.withdraw(first.id, by="operator")
        with pytest.raises(InvitationRefusedError):
            await invitations.withdraw(first.id, by="operator")
        world.clock.advance(SECONDS)
        assert not await invitations.pending()
        for each in (first, second):
            with pytest.raises(InvitationRefusedError):
                await invitations.accept(handle_of(each), VISITOR, password=PASSWORD)
        for seconds in (0, -1, MAX_SECONDS + 1):
            with pytest.raises(InvitationRefusedError):
                await invitations.invite(ALICE, by="operator", seconds=seconds)

    in_world(tmp_path, scenario)


def test_names_that_are_taken_cannot_be_invited_nor_taken_meanwhile(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        invited = await world.people.invitations.invite(ALICE, by="operator")
        await world.account("alice")
        with pytest.raises(AccountError, match="already"):
            await world.people.invitations.invite(ALICE, by="operator")
        with pytest.raises(AccountError, match="already"):
            await world.people.invitations.accept(handle_of(invited), VISITOR, password=PASSWORD)

    in_world(tmp_path, scenario)


def test_somebody_who_has_lost_everything_begins_anew(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account(roles=("nurse",))
        await world.database.sessions.start(
            account=account.id, payload={}, now=world.clock.now(), idle_seconds=60, final_seconds=60
        )
        credentials = world.people.credentials
        app = await credentials.begin_totp(account.id)
        code = pyotp.TOTP(app.typed).at(int(world.clock.now()))
        await credentials.confirm_totp(account.id, app.pending, code, by=account.id)
        await credentials.new_recovery_codes(account.id, by=account.id)
        options = await credentials.begin_passkey(account.id, binding="b")
        made = SoftAuthenticator().make(options)
        await credentials.add_passkey(account.id, made, binding="b", name="", by=account.id)
        invited = await world.people.invitations.invite_anew(account.id, by="operator")
        who = await world.people.sign_in.identify("alice")
        assert await world.people.sign_in.verify_password(who, PASSWORD, VISITOR)
        done = await world.people.invitations.accept(
            handle_of(invited), VISITOR, password=Secret("another horse entirely")
        )
        assert done.account == account.id
        assert (await world.people.accounts.get(account.id)).roles == ("nurse",)
        assert await world.database.sessions.of_account(account.id, now=world.clock.now()) == ()
        overview = await credentials.overview(account.id)
        assert (overview.totp, overview.recovery_codes, overview.passkeys) == (False, 0, ())
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_password(who, PASSWORD, VISITOR)

    in_world(tmp_path, scenario)


@pytest.mark.parametrize("do", ["disable", "delete"])
def test_nobody_begins_anew_with_an_account_that_is_disabled_or_gone(tmp_path: Path, do: str) -> None:
    async def scenario(world: PeopleWorld) -> None:
        account = await world.account()
        invited = await world.people.invitations.invite_anew(account.id, by="operator")
        accounts = world.people.accounts
        await {"disable": accounts.disable, "delete": accounts.delete}[do](account.id, by="operator")
        with pytest.raises(InvitationRefusedError):
            await world.people.invitations.accept(handle_of(invited), VISITOR, password=PASSWORD)

    in_world(tmp_path, scenario)


def test_links_cannot_be_guessed_at_speed(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        for _ in range(30):
            with pytest.raises(InvitationRefusedError):
                await world.people.invitations.look(Secret("guess"), VISITOR)
        with pytest.raises(TooManyAttemptsError):
            await world.people.invitations.look(Secret("guess"), VISITOR)

    in_world(tmp_path, scenario)
