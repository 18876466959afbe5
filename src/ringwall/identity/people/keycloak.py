"""Reads the users of a Keycloak realm export (`kc.sh export`, one file): who they are, and the hashes they sign in by.

What cannot be taken over is told for each user, never left out in silence. Nothing here writes.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringwall.identity.people.errors import PeopleError
from ringwall.identity.people.imported_hashes import ImportedHashError, argon2, checked, pbkdf2

_PBKDF2: Final = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}
_ARGON2_VERSIONS: Final = {"1.0": 16, "1.3": 19}
_OURS: Final = {"digits": 6, "period": 30, "algorithm": "HmacSHA1"}
"""Authenticator apps as Keycloak sets them up unless told otherwise, and as they are here."""
_OWN_ROLES: Final = ("default-roles-", "offline_access", "uma_authorization")


class ExportError(PeopleError):
    """A file is no realm export."""

    code = "realm-export"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedUser:
    """One user of an export.

    Attributes:
        user_name: as it stands there.
        display_name: first and last name.
        email: may be empty.
        roles: realm roles, without those that Keycloak gives everybody.
        groups: paths without the first slash.
        attributes: of one value each as text, of several as lists.
        disabled: whether nobody may sign in.
        password: a PHC string, or None.
        totp: secret of an authenticator app in base32, or None.
        left_out: what was not taken over, for people to read.
    """

    user_name: str
    display_name: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    disabled: bool = False
    password: str | None = None
    totp: str | None = None
    left_out: tuple[str, ...] = ()


def read_export(data: bytes) -> tuple[ExportedUser, ...]:
    """Return the people of a realm export, without service accounts; ExportError where it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ExportError("the file is not JSON", hint="`kc.sh export --file realm.json --users realm_file`") from error
    users = value.get("users") if isinstance(value, dict) else None
    if not isinstance(users, list):
        raise ExportError("the file holds no users", hint="`kc.sh export --file realm.json --users realm_file`")
    return tuple(_user(user) for user in users if not (isinstance(user, dict) and user.get("serviceAccountClientId")))


def _user(user: Any) -> ExportedUser:
    if not isinstance(user, dict) or not isinstance(user.get("username"), str):
        raise ExportError("a user of the export has no user name")
    left_out: list[str] = []
    password = totp = None
    for credential in _list(user, "credentials"):
        try:
            kind, found = _credential(credential)
        except (ImportedHashError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            left_out.append(f"a credential: {error}" if isinstance(error, ImportedHashError) else "a credential")
            continue
        if kind == "password" and password is None:
            password = found
        elif kind == "otp" and totp is None:
            totp = found
        else:
            left_out.append(f"a credential of type {kind[:40]!r}")
    left_out += [name for name in ("clientRoles", "federatedIdentities", "federationLink") if user.get(name)]
    names = [name for name in (user.get("firstName"), user.get("lastName")) if isinstance(name, str) and name]
    return ExportedUser(
        user_name=user["username"],
        display_name=" ".join(names),
        email=user["email"] if isinstance(user.get("email"), str) else "",
        roles=tuple(role for role in _texts(user, "realmRoles") if not role.startswith(_OWN_ROLES)),
        groups=tuple(group.removeprefix("/") for group in _texts(user, "groups")),
        attributes=_attributes(user.get("attributes")),
        disabled=user.get("enabled") is not True,
        password=password,
        totp=totp,
        left_out=tuple(left_out),
    )


def _credential(credential: Any) -> tuple[str, str]:
    """Return the type of a credential and its form here: a PHC string, or a base32 secret; empty for another type."""
    kind = str(credential["type"])
    if kind not in {"password", "otp"}:
        return kind, ""
    secret, data = json.loads(credential["secretData"]), json.loads(credential["credentialData"])
    if kind == "otp":
        if data.get("subType") != "totp" or any(data.get(name) != ours for name, ours in _OURS.items()):
            return "otp of another kind", ""
        if data.get("secretEncoding") == "BASE32":
            return kind, str(secret["value"])
        return kind, base64.b32encode(str(secret["value"]).encode()).decode("ascii").rstrip("=")
    return kind, _password(secret, data)


def _password(secret: Any, data: Any) -> str:
    algorithm, iterations = str(data["algorithm"]), int(data["hashIterations"])
    if algorithm == "bcrypt":  # as extensions of Keycloak keep it: whole
        return checked(str(secret["value"]))
    salt, value = _decode(secret["salt"]), _decode(secret["value"])
    if algorithm in _PBKDF2:
        return pbkdf2(_PBKDF2[algorithm], iterations, salt, value)
    if algorithm == "argon2":
        more = {name: values[0] for name, values in data["additionalParameters"].items()}
        return argon2(
            str(more["type"]),
            version=_ARGON2_VERSIONS[more["version"]],
            memory=int(more["memory"]),
            passes=iterations,
            lanes=int(more["parallelism"]),
            salt=salt,
            value=value,
        )
    raise ImportedHashError(f"passwords hashed by {algorithm[:40]!r} cannot be verified here")


def _decode(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ImportedHashError("a password hash is damaged") from error


def _attributes(attributes: Any) -> dict[str, Any]:
    if not isinstance(attributes, dict):
        return {}
    return {
        name: values[0] if isinstance(values, list) and len(values) == 1 else values
        for name, values in attributes.items()
    }


def _list(user: Mapping[str, Any], name: str) -> list[Any]:
    value = user.get(name)
    return value if isinstance(value, list) else []


def _texts(user: Mapping[str, Any], name: str) -> list[str]:
    return [item for item in _list(user, name) if isinstance(item, str)]
