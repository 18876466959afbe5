import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import bcrypt
import pyotp
import pytest
from argon2.low_level import Type, hash_secret_raw
from hypothesis import given
from hypothesis import strategies as st
from tests.support.people_world import VISITOR, PeopleWorld, in_world

from ringwall.identity.people.errors import AccountError, CredentialError, PeopleError, SignInRefusedError
from ringwall.identity.people.imported_hashes import ImportedHashError
from ringwall.identity.people.keycloak import ExportError, read_export
from ringwall.identity.people.profile import Profile
from ringwall.model.secret import Secret

SALT = b"0123456789abcdef"


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def credential(kind: str, secret: dict[str, Any], data: dict[str, Any]) -> dict[str, str]:
    return {"type": kind, "secretData": json.dumps(secret), "credentialData": json.dumps(data)}


def by_bcrypt(password: str) -> dict[str, str]:
    value = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    return credential("password", {"value": value, "salt": ""}, {"hashIterations": 4, "algorithm": "bcrypt"})


def by_pbkdf2(password: str, *, algorithm: str = "pbkdf2-sha256", size: int = 64) -> dict[str, str]:
    digest = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}[algorithm]
    value = hashlib.pbkdf2_hmac(digest, password.encode(), SALT, 27_500, size)
    secret = {"value": text(value), "salt": text(SALT), "additionalParameters": {}}
    return credential("password", secret, {"hashIterations": 27_500, "algorithm": algorithm})


def by_argon2(password: str) -> dict[str, str]:
    value = hash_secret_raw(password.encode(), SALT, 5, 7168, 1, 32, Type.ID)
    more = {"hashLength": ["32"], "memory": ["7168"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}
    secret = {"value": text(value), "salt": text(SALT), "additionalParameters": {}}
    return credential("password", secret, {"hashIterations": 5, "algorithm": "argon2", "additionalParameters": more})


def by_app(secret: str, **changes: Any) -> dict[str, str]:
    data = {"subType": "totp", "digits": 6, "counter": 0, "period": 30, "algorithm": "HmacSHA1", **changes}
    return credential("otp", {"value": secret}, data)


def export(*users: dict[str, Any]) -> bytes:
    return json.dumps({"realm": "clinic", "users": users}).encode()


ALICE = {
    "id": "f7",
    "username": "alice",
    "enabled": True,
    "firstName": "Alice",
    "lastName": "Meyer",
    "email": "alice@example.org",
    "attributes": {"ward": ["7"], "shifts": ["early", "late"]},
    "realmRoles": ["nurse", "default-roles-clinic", "offline_access", "uma_authorization"],
    "groups": ["/staff/ward-7"],
}


def test_who_somebody_is_is_read() -> None:
    (user,) = read_export(export(ALICE))
    assert (user.user_name, user.display_name, user.email) == ("alice", "Alice Meyer", "alice@example.org")
    assert (user.roles, user.groups) == (("nurse",), ("staff/ward-7",))
    assert user.attributes == {"ward": "7", "shifts": ["early", "late"]}
    assert (user.disabled, user.password, user.totp, user.left_out) == (False, None, None, ())


def test_service_accounts_are_no_people_and_whoever_is_not_enabled_is_disabled() -> None:
    users = read_export(export({"username": "sa", "serviceAccountClientId": "x"}, {"username": "bob"}))
    assert [(user.user_name, user.disabled) for user in users] == [("bob", True)]


@pytest.mark.parametrize(
    "how",
    [
        by_argon2("their own password"),
        by_pbkdf2("their own password"),
        by_bcrypt("their own password"),
        by_pbkdf2("their own password", size=32),
        by_pbkdf2("their own password", algorithm="pbkdf2"),
        by_pbkdf2("their own password", algorithm="pbkdf2-sha512"),
    ],
)
def test_people_sign_in_with_the_password_they_had_and_get_a_new_hash(tmp_path: Path, how: dict[str, str]) -> None:
    async def scenario(world: PeopleWorld) -> None:
        (user,) = read_export(export({**ALICE, "credentials": [how]}))
        profile = Profile.checked(user_name=user.user_name, roles=user.roles)
        await world.people.importer.add(profile, by="operator", password=user.password)
        who = await world.people.sign_in.identify("alice")
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_password(who, Secret("another password"), VISITOR)
        verified = await world.people.sign_in.verify_password(who, Secret("their own password"), VISITOR)
        assert await world.people.sign_in.finish(verified, VISITOR)
        kept = await world.database.passwords.get(who.account)
        assert kept is not None
        assert kept.encoded.reveal().startswith(b"$argon2id$v=19$m=19456,t=2,p=1$")
        assert await world.people.sign_in.verify_password(who, Secret("their own password"), VISITOR)
        assert "account-imported" in await world.event_kinds(who.account)

    in_world(tmp_path, scenario)


@pytest.mark.parametrize("encoding", ["", "BASE32"])
def test_an_app_goes_on_working(tmp_path: Path, encoding: str) -> None:
    async def scenario(world: PeopleWorld) -> None:
        raw = b"abcdefghij0123456789"
        shown = base64.b32encode(raw).decode() if encoding else raw.decode()
        how = [by_pbkdf2("their own password"), by_app(shown, secretEncoding=encoding)]
        (user,) = read_export(export({**ALICE, "credentials": how}))
        await world.people.importer.add(
            Profile.checked(user_name="alice"), by="operator", password=user.password, app=user.totp
        )
        who = await world.people.sign_in.identify("alice")
        verified = await world.people.sign_in.verify_password(who, Secret("their own password"), VISITOR)
        theirs = pyotp.TOTP(base64.b32encode(raw).decode())
        with pytest.raises(SignInRefusedError):  # it may have been used over there
            await world.people.sign_in.verify_totp(verified, theirs.at(int(world.clock.now())), VISITOR)
        world.clock.advance(30)
        assert await world.people.sign_in.verify_totp(verified, theirs.at(int(world.clock.now())), VISITOR)

    in_world(tmp_path, scenario)


@pytest.mark.parametrize(
    "how",
    [
        by_app("secret", algorithm="HmacSHA256"),
        by_app("secret", digits=8),
        by_app("secret", period=60),
        by_app("secret", subType="hotp"),
        {"type": "webauthn-passwordless", "secretData": "{}", "credentialData": "{}"},
        credential("password", {"value": "AAAA", "salt": "AAAA"}, {"hashIterations": 1, "algorithm": "bcrypt"}),
        credential("password", {"value": "%", "salt": "AAAA"}, {"hashIterations": 1, "algorithm": "pbkdf2"}),
        credential("password", {"value": "AAAA", "salt": "AAAA"}, {"hashIterations": 0, "algorithm": "pbkdf2"}),
        credential("password", {}, {}),
        {"type": "password", "secretData": "{", "credentialData": "{}"},
        {},
        None,
        7,
    ],
)
def test_what_cannot_be_taken_over_is_told(how: Any) -> None:
    (user,) = read_export(export({**ALICE, "credentials": [how]}))
    assert (user.password, user.totp) == (None, None)
    assert len(user.left_out) == 1


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"users":{}}', b'{"users":[7]}', b'{"users":[{"username":7}]}', b"\xff", b"[" * 9999]
)
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(ExportError):
        read_export(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


BY_ARGON2 = by_argon2("x")
"""Made once: each costs a good part of the time that Hypothesis gives an example."""


@given(
    st.sampled_from([*ALICE, "credentials", "clientRoles"]),
    _JSON,
    st.sampled_from(["secretData", "credentialData", "type"]),
)
def test_any_user_is_read_or_refused(member: str, value: Any, part: str) -> None:
    strange = {**BY_ARGON2, part: json.dumps(value)}
    for user in ({**ALICE, member: value}, {**ALICE, "credentials": [strange]}):
        try:
            read_export(export(user))
        except ExportError:
            continue


def test_an_import_that_is_refused_keeps_nothing(tmp_path: Path) -> None:
    async def scenario(world: PeopleWorld) -> None:
        add = world.people.importer.add
        alice = Profile.checked(user_name="alice")
        good = by_pbkdf2("their own password")
        (user,) = read_export(export({**ALICE, "credentials": [good]}))
        refusals: list[tuple[type[PeopleError], dict[str, Any]]] = [
            (ImportedHashError, {"password": "$2b$12$abc"}),
            (ImportedHashError, {"password": "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$" + "A" * 43}),
            (CredentialError, {"password": user.password, "app": "%"}),
            (CredentialError, {"password": user.password, "app": "AAAA"}),
        ]
        for refusal, wrong in refusals:
            with pytest.raises(refusal):
                await add(alice, by="operator", **wrong)
        await add(alice, by="operator", password=user.password, dry_run=True)
        assert await world.people.accounts.page() == ()
        assert await world.event_kinds() == []
        await add(alice, by="operator", password=user.password, disabled=True)
        with pytest.raises(AccountError):
            await add(alice, by="operator", password=user.password)
        who = await world.people.sign_in.identify("alice")
        with pytest.raises(SignInRefusedError):
            await world.people.sign_in.verify_password(who, Secret("their own password"), VISITOR)

    in_world(tmp_path, scenario)
