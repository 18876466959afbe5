"""Accounts as SCIM users (RFC 7643, section 4.1), in both directions."""

import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from ringwall.identity.issuer.scim.attributes import ENTERPRISE, USER, ResourceType
from ringwall.identity.issuer.scim.errors import invalid_value
from ringwall.identity.people.accounts import with_profile
from ringwall.identity.people.errors import PeopleError
from ringwall.identity.people.profile import Profile, checked_email
from ringwall.identity.store.accounts import Account
from ringwall.identity.tokens.encoding import encode_json
from ringwall.model.secret import Secret

MAX_PROFILE_BYTES: Final = 16_384
_KEPT_AS_IT_IS: Final = (
    *("name", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone"),
    *("emails", "phoneNumbers", "addresses"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedUser:
    """What a request wants an account to be.

    Attributes:
        profile: checked; without groups.
        more: attributes that are kept as they are.
        active: whether the person may sign in.
        external_id: what the client calls the account; empty for nothing.
        password: a new one; None to leave it.
    """

    profile: Profile
    more: Mapping[str, Any]
    active: bool
    external_id: str
    password: Secret | None

    def applied(self, account: Account, *, now: float) -> Account:
        """Return an account as it is wanted."""
        changed = replace(with_profile(account, self.profile), profile=self.more)
        if self.active is (account.disabled is None):
            return changed
        return replace(changed, disabled=None if self.active else now)


class UserForm:
    """Turns accounts into resources, and resources into what accounts are to be.

    Args:
        of: the type, whose roles and extension are those of the plan.
        base: URL below which the endpoints are.
        known: the roles of the plan.
    """

    def __init__(self, of: ResourceType, *, base: str, known: frozenset[str]) -> None:
        self._of = of
        self._base = base
        self._known = known

    def told(self, account: Account, external_id: str) -> dict[str, Any]:
        """Return an account as a resource."""
        extension = {
            attribute.name: value
            for attribute in self._of.extension
            if isinstance(value := account.attributes.get(attribute.name), str)
        }
        resource: dict[str, Any] = {
            "schemas": [USER, *([ENTERPRISE] if extension else [])],
            "id": account.id,
            "userName": account.user_name,
            **{name: account.profile[name] for name in _KEPT_AS_IT_IS if name in account.profile},
            "active": account.disabled is None,
            "meta": {
                "resourceType": "User",
                "created": moment(account.created),
                "lastModified": moment(account.changed),
                "location": f"{self._base}/Users/{account.id}",
                "version": version_of(account, external_id),
            },
        }
        optional = {
            "externalId": external_id,
            "displayName": account.display_name,
            "emails": _emails(account),
            "roles": [{"value": role} for role in account.roles if role in self._known],
            "groups": [
                {"value": each.id, "$ref": f"{self._base}/Groups/{each.id}", "display": each.name, "type": "direct"}
                for each in account.memberships
            ],
            ENTERPRISE: extension,
        }
        resource.pop("emails", None)
        return resource | {name: value for name, value in optional.items() if value}

    def replaced(self, given: Mapping[str, Any], account: Account | None, external_id: str) -> dict[str, Any]:
        """Return what a PUT makes of an account (RFC 7644, section 3.5.1).

        What it does not say is cleared, but for what administration may have set, or what the client may not know:
        roles, the extension, `active` and `externalId` stay as they are until they are named.
        """
        now = {} if account is None else self.told(account, external_id)
        kept = ("roles", ENTERPRISE, "active", "externalId")
        return {name: now[name] for name in kept if name in now and name not in given} | dict(given)

    def wanted(self, resource: Mapping[str, Any], account: Account | None) -> WantedUser:
        """Return what a resource says; ScimError where an account cannot be so."""
        was_roles = () if account is None else account.roles
        attributes = {} if account is None else dict(account.attributes)
        extension = resource.get(ENTERPRISE) or {}
        for attribute in self._of.extension:
            attributes.pop(attribute.name, None)
            if extension.get(attribute.name):
                attributes[attribute.name] = extension[attribute.name]
        user_name = resource.get("userName")
        if not user_name:
            raise invalid_value("`userName` is missing")
        roles = [each.get("value", "") for each in resource.get("roles") or ()]
        emails = resource.get("emails") or []
        try:
            profile = Profile.checked(
                user_name=user_name,
                display_name=resource.get("displayName") or "",
                email=_primary(emails),
                roles=tuple({*roles, *(role for role in was_roles if role not in self._known)}),
                attributes=attributes,
            )
        except PeopleError as error:
            raise invalid_value(f"{error.message}; {error.hint}" if error.hint else error.message) from None
        more = {name: resource[name] for name in _KEPT_AS_IT_IS if resource.get(name)}
        if len(encode_json(more)) > MAX_PROFILE_BYTES:
            raise invalid_value(f"the attributes together are larger than {MAX_PROFILE_BYTES} bytes")
        password = resource.get("password")
        return WantedUser(
            profile=profile,
            more=more,
            active=resource.get("active") is not False,
            external_id=resource.get("externalId") or "",
            password=Secret(password) if password else None,
        )


def _primary(emails: list[dict[str, Any]]) -> str:
    """Return the address that counts: the primary one, else one for work, else the first; each must be one."""
    try:
        for each in emails:
            if not checked_email(each.get("value", ""))[0]:
                raise invalid_value("an e-mail address is empty")
    except PeopleError as error:
        raise invalid_value(error.message) from None
    marked = [each for each in emails if each.get("primary")]
    work = [each for each in emails if each.get("type") == "work"]
    return str((marked or work or emails or [{}])[0].get("value", ""))


def _emails(account: Account) -> list[dict[str, Any]]:
    """Return the addresses: the account's own is the primary one, whoever has set it."""
    if not account.email:
        return []
    others = list(account.profile.get("emails") or [])
    if any(same_text(each.get("value", ""), account.email) for each in others):
        return others
    return [{"value": account.email, "primary": True}, *({**each, "primary": False} for each in others)]


def same_text(one: str, other: str) -> bool:
    """Return whether two texts differ in nothing but how their characters are composed, and space around."""
    return unicodedata.normalize("NFC", one).strip() == unicodedata.normalize("NFC", other).strip()


def version_of(account: Account, external_id: str) -> str:
    """Return the ETag of a user (RFC 7644, section 3.14): it changes with the account and with its groups."""
    groups = "\n".join((external_id, *(f"{each.id} {each.name}" for each in account.memberships)))
    return f'W/"{account.version}-{zlib.crc32(groups.encode()):08x}"'


def moment(seconds: float) -> str:
    """Return a time as RFC 7643, section 2.3.5, writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
