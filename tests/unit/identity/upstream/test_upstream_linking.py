"""Whose account somebody from a provider gets. The classic attack is an address that is not the attacker's."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.people_world import PeopleWorld, in_world

from ringwall.identity.store.accounts import Account
from ringwall.identity.upstream.identity import NoAccountError, UpstreamError, UpstreamIdentity, UpstreamRefusedError
from ringwall.identity.upstream.linking import Linking, Outcome
from ringwall.plan.upstream import AttributeRule, RoleRule, Upstream

ISSUER = "https://idp.example"
HOSPITAL = Upstream(
    name="hospital",
    title="Hospital",
    create=True,
    roles=(
        RoleRule(claim=("groups",), value="doctors", role="clinician", at="ringwall.yaml:7"),
        RoleRule(claim=("groups",), value="staff", role="clerk", at="ringwall.yaml:8"),
    ),
    attributes=(AttributeRule(claim=("ward",), attribute="ward", at="ringwall.yaml:9"),),
)
CLOSED = HOSPITAL.model_copy(update={"create": False})
TRUSTED = CLOSED.model_copy(update={"authoritative_for": ("clinic.example",)})
OTHER = HOSPITAL.model_copy(update={"name": "other"})
ALICE = {"email": "alice@clinic.example", "email_verified": True}


class Here:
    def __init__(self, world: PeopleWorld) -> None:
        self.world = world
        self.linking = Linking(world.database, world.people.journal, world.clock, accounts=world.people.accounts)

    async def sign_in(
        self, claims: Mapping[str, Any], *, by: Upstream = HOSPITAL, subject: str = "s1", issuer: str = ISSUER
    ) -> Account:
        identity = UpstreamIdentity(issuer=issuer, subject=subject, claims=claims)
        done = await self.linking.sign_in(by, identity, source="192.0.2.0")
        return await self.world.people.accounts.get(done.account)

    async def look(self, claims: Mapping[str, Any], *, by: Upstream, subject: str = "s1") -> Outcome:
        return await self.linking.look(by, UpstreamIdentity(issuer=ISSUER, subject=subject, claims=claims))

    async def refused(
        self, claims: Mapping[str, Any], *, by: Upstream, subject: str = "s1", issuer: str = ISSUER
    ) -> str:
        before = await self.world.database.accounts.count()
        with pytest.raises(UpstreamError) as error:
            await self.sign_in(claims, by=by, subject=subject, issuer=issuer)
        assert await self.world.database.accounts.count() == before
        assert (await self.world.event_kinds())[-1] == "sign-in-refused"
        return error.value.reason


def here(folder: Path, scenario: Callable[[Here], Awaitable[None]]) -> None:
    in_world(folder, lambda world: scenario(Here(world)))


def test_who_comes_for_the_first_time_gets_an_account_and_keeps_it(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        made = await here.sign_in(
            {"preferred_username": "ines", "name": "Ines", "groups": ["doctors"], "ward": "north"}
        )
        assert (made.user_name, made.display_name, made.roles) == ("ines", "Ines", ("clinician",))
        assert made.attributes == {"ward": "north"}
        renamed = await here.sign_in({"preferred_username": "ines.new", "name": "Ines N.", "groups": ["staff"]})
        assert renamed.id == made.id, "a name there is no name here"
        assert (renamed.user_name, renamed.display_name, renamed.roles) == ("ines", "Ines N.", ("clerk",))
        assert renamed.attributes == {}
        assert await here.world.event_kinds(made.id) == [
            "account-created",
            "account-linked",
            "account-changed",
            "signed-in",
            "account-changed",
            "signed-in",
        ]

    here(tmp_path, scenario)


@pytest.mark.parametrize(
    ("by", "claims"),
    [
        (CLOSED, ALICE),
        (TRUSTED, {**ALICE, "email_verified": False}),
        (TRUSTED, {"email": "alice@clinic.example"}),
        (TRUSTED, {**ALICE, "email_verified": "no"}),
        (TRUSTED, {**ALICE, "email_verified": ["true"]}),
        (TRUSTED, {"email": "alice@evil.example", "email_verified": True}),
        (TRUSTED, {"email": "alice@sub.clinic.example", "email_verified": True}),
        (TRUSTED, {"email": "alice@clinic.example@evil.example", "email_verified": True}),
        (TRUSTED, {"email": ["alice@clinic.example"], "email_verified": True}),
        (TRUSTED, {"preferred_username": "alice", "email": "x@clinic.example", "email_verified": True}),
        (CLOSED, {"preferred_username": "alice"}),
    ],
    ids=repr,
)
def test_nobody_takes_an_account_over_by_an_address_or_a_name(
    tmp_path: Path, by: Upstream, claims: dict[str, Any]
) -> None:
    async def scenario(here: Here) -> None:
        alice = await here.world.account("alice", email="alice@clinic.example", roles=("admin",))
        assert await here.refused(claims, by=by) == "no-account"
        other = await here.sign_in(claims, by=by.model_copy(update={"create": True}))
        assert other.id != alice.id, "an account of their own, where the plan makes one"
        assert other.roles == ()
        assert other.email_key != "alice@clinic.example"
        assert (await here.world.people.accounts.get(alice.id)) == alice

    here(tmp_path, scenario)


def test_a_verified_address_finds_an_account_where_the_provider_has_the_say(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        alice = await here.world.account("alice", email="Alice@Clinic.Example", roles=("patient",))
        found = await here.sign_in({**ALICE, "name": "Mallory", "groups": ["staff"]}, by=TRUSTED)
        assert found.id == alice.id
        assert found.roles == ("clerk", "patient")
        assert (found.display_name, found.email) == (alice.display_name, alice.email), "what is local stays local"
        assert (await here.sign_in({"groups": []}, by=CLOSED)).id == alice.id, "linked from now on"

    here(tmp_path, scenario)


def test_an_address_that_was_given_to_somebody_else_does_not_hand_the_account_on(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        alice = await here.world.account("alice", email="alice@clinic.example")
        assert (await here.sign_in(ALICE, by=TRUSTED)).id == alice.id
        assert await here.refused(ALICE, by=TRUSTED, subject="s2") == "address-of-another"

    here(tmp_path, scenario)


def test_an_address_of_several_accounts_finds_none(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        for name in ("alice", "alice2"):
            await here.world.account(name, email="alice@clinic.example")
        assert await here.refused(ALICE, by=TRUSTED) == "address-of-several"

    here(tmp_path, scenario)


def test_nobody_waits_for_a_victim_under_their_address(tmp_path: Path) -> None:
    """An address is kept only where the provider has the say over it: else the victim would be led to this account."""

    async def scenario(here: Here) -> None:
        waiting = await here.sign_in(ALICE, by=OTHER, subject="mallory", issuer="https://other.example")
        assert waiting.email == ""
        assert await here.refused(ALICE, by=TRUSTED) == "no-account"

    here(tmp_path, scenario)


def test_issuers_and_subjects_do_not_meet(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        first = await here.sign_in({}, subject="s1")
        assert (await here.sign_in({}, subject="S1")).id != first.id
        assert (await here.sign_in({}, subject="s1", issuer="https://idp.example/", by=OTHER)).id != first.id
        assert (await here.sign_in({}, subject="s1")).id == first.id

    here(tmp_path, scenario)


def test_who_is_disabled_stays_out(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        made = await here.sign_in({"groups": ["doctors"]})
        await here.world.people.accounts.disable(made.id, by="operator")
        assert await here.refused({"groups": ["doctors"]}, by=HOSPITAL) == "account-disabled"
        alice = await here.world.account("alice", email="alice@clinic.example")
        await here.world.people.accounts.disable(alice.id, by="operator")
        assert await here.refused(ALICE, by=TRUSTED, subject="s2") == "account-disabled"
        assert await here.world.database.links.of_account(alice.id) == (), "nor is anything changed meanwhile"

    here(tmp_path, scenario)


def test_roles_given_here_stay_and_roles_given_there_go(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        accounts = here.world.people.accounts
        made = await here.sign_in({"groups": ["doctors", "staff"]})
        assert made.roles == ("clerk", "clinician")

        def by_hand(was: Account) -> Account:
            return replace(was, roles=(*was.roles, "admin"))

        await accounts.change(made.id, by_hand, by="operator")
        assert (await here.sign_in({"groups": ["staff"]})).roles == ("admin", "clerk")
        assert (await here.sign_in({"groups": "doctors"})).roles == ("admin", "clinician")
        assert (await here.sign_in({})).roles == ("admin",)

    here(tmp_path, scenario)


def test_a_role_that_somebody_had_before_is_not_the_providers_to_take(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        alice = await here.world.account("alice", email="alice@clinic.example", roles=("clerk",))
        assert (await here.sign_in({**ALICE, "groups": ["staff", "doctors"]}, by=TRUSTED)).roles == (
            "clerk",
            "clinician",
        )
        assert (await here.sign_in({**ALICE, "groups": []}, by=TRUSTED)).roles == alice.roles

    here(tmp_path, scenario)


def test_an_attribute_given_here_is_not_replaced(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        await here.world.account("alice", email="alice@clinic.example", attributes={"ward": "south"})
        found = await here.sign_in({**ALICE, "ward": "north"}, by=TRUSTED)
        assert found.attributes == {"ward": "south"}

    here(tmp_path, scenario)


def test_two_providers_of_one_account_do_not_take_each_others_roles(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        second = TRUSTED.model_copy(update={"name": "second"})
        alice = await here.world.account("alice", email="alice@clinic.example")
        await here.sign_in({**ALICE, "groups": ["staff"]}, by=TRUSTED)
        both = await here.sign_in({**ALICE, "groups": ["staff", "doctors"]}, by=second, issuer="https://second.example")
        assert (both.id, both.roles) == (alice.id, ("clerk", "clinician"))
        assert (await here.sign_in({**ALICE}, by=second, issuer="https://second.example")).roles == ("clerk",)
        assert (await here.sign_in({**ALICE}, by=TRUSTED)).roles == ()

    here(tmp_path, scenario)


def test_tenants_and_domains_are_held_to(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        tenants = HOSPITAL.model_copy(update={"tenants": ("t1",), "tenant_claim": ("tid",)})
        wrong: tuple[dict[str, Any], ...] = ({}, {"tid": "t2"}, {"tid": ["t1"]})
        for claims in wrong:
            assert await here.refused(claims, by=tenants) == "tenant"
        domains = HOSPITAL.model_copy(update={"create_for": ("clinic.example",)})
        wrong = ({}, {**ALICE, "email_verified": False}, {"email": "x@evil.example", "email_verified": True})
        for claims in wrong:
            assert await here.refused(claims, by=domains) == "domain"
        assert (await here.sign_in({"tid": "t1"}, by=tenants)).roles == ()
        assert (await here.sign_in(ALICE, by=domains, subject="s2")).email == "", "not authoritative: not kept"

    here(tmp_path, scenario)


@pytest.mark.parametrize(
    "name", ["admin", "ADMIN", "\u0430dmin", "", " ", "a" * 500, "x\0y", "\ud800", "../x"], ids=ascii
)
def test_a_name_from_outside_is_never_another_account(tmp_path: Path, name: str) -> None:
    async def scenario(here: Here) -> None:
        admin = await here.world.account("admin", roles=("admin",))
        made = await here.sign_in({"preferred_username": name})
        assert made.id != admin.id
        assert made.name_key != admin.name_key
        assert made.roles == ()

    here(tmp_path, scenario)


def test_what_cannot_be_kept_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        made = await here.sign_in({"groups": ["doctors"]})
        with pytest.raises(UpstreamRefusedError, match="larger"):
            await here.sign_in({"groups": [], "ward": "x" * 3000})
        assert (await here.world.people.accounts.get(made.id)).roles == ("clinician",)
        for subject in ("", "x" * 1001):
            with pytest.raises(UpstreamRefusedError):
                await here.sign_in({}, subject=subject)
        assert (await here.sign_in({"groups": []})).roles == (), "nothing of before was taken for local"

    here(tmp_path, scenario)


def test_parallel_first_sign_ins_of_one_person_make_one_account(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        made = await asyncio.gather(*(here.sign_in({"preferred_username": "ines"}) for _ in range(5)))
        assert len({account.id for account in made}) == 1
        assert await here.world.database.accounts.count() == 1

    here(tmp_path, scenario)


def test_a_deleted_account_takes_its_links_along(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        made = await here.sign_in({})
        await here.world.people.accounts.delete(made.id, by="operator")
        assert await here.world.database.links.get(ISSUER, "s1") is None
        assert await here.refused({}, by=CLOSED) == "no-account"

    here(tmp_path, scenario)


def test_the_operator_links_and_parts_by_hand(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        alice = await here.world.account("alice", roles=("patient",), display_name="Alice")
        bert = await here.world.account("bert")
        linking = here.linking
        await linking.link(CLOSED, alice, issuer=ISSUER, subject="s1", by="operator")
        for account in (alice, bert):
            with pytest.raises(NoAccountError, match="already"):
                await linking.link(CLOSED, account, issuer=ISSUER, subject="s1", by="operator")
        with pytest.raises(NoAccountError, match="characters"):
            await linking.link(CLOSED, alice, issuer=ISSUER, subject="", by="operator")
        signed_in = await here.sign_in({"groups": ["staff"], "ward": "north", "name": "Other"}, by=CLOSED)
        assert (signed_in.id, signed_in.roles, signed_in.display_name) == (alice.id, ("clerk", "patient"), "Alice")
        assert await linking.unlink(OTHER, signed_in, by="operator") == 0
        assert await linking.unlink(CLOSED, signed_in, by="operator") == 1
        parted = await here.world.people.accounts.get(alice.id)
        assert (parted.roles, parted.attributes) == (("patient",), {}), "what came by the link goes with it"
        assert await here.refused({}, by=CLOSED) == "no-account"
        kinds = await here.world.event_kinds(alice.id)
        assert [kind for kind in kinds if "link" in kind] == ["account-linked", "account-unlinked"]

    here(tmp_path, scenario)


def test_a_disabled_account_can_be_parted(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        made = await here.sign_in({"groups": ["staff"]})
        await here.world.people.accounts.disable(made.id, by="operator")
        assert await here.linking.unlink(HOSPITAL, made, by="operator") == 1
        assert (await here.world.people.accounts.get(made.id)).roles == ()

    here(tmp_path, scenario)


def test_looking_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario(here: Here) -> None:
        assert (await here.look({}, by=HOSPITAL)).how == "a new account"
        refused = (await here.look({}, by=CLOSED)).refused
        assert isinstance(refused, NoAccountError)
        assert await here.world.event_kinds() == []
        made = await here.sign_in({})
        found = await here.look({}, by=CLOSED)
        assert found.account == made
        assert found.how == "linked to it by issuer and subject"

    here(tmp_path, scenario)
