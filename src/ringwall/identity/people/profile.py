"""What may stand in an account: names for people to read, e-mail addresses, roles, groups, attributes."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringwall.identity.people.errors import AccountError
from ringwall.identity.people.names import normalised
from ringwall.identity.tokens.encoding import encode_json

MAX_DISPLAY_NAME: Final = 128
MAX_EMAIL: Final = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""
MAX_NAMES: Final = 64
"""Roles, and groups, of one account: they go into every token."""
MAX_ATTRIBUTES: Final = 32
MAX_ATTRIBUTE_BYTES: Final = 2048
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,98}[A-Za-z0-9])?", re.ASCII)
_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\]\\]{1,64}@[^@\s\"(),:;<>\[\]\\.]+(?:\.[^@\s\"(),:;<>\[\]\\.]+)*")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Who somebody is, as `checked` has let it through.

    Attributes:
        user_name: as they write it.
        name_key: its one form, by which it is looked up.
        display_name: for people to read; may be empty.
        email: may be empty.
        email_key: its one form.
        roles: names of roles.
        groups: names of groups.
        attributes: further claims: text, whole numbers, true or false, or lists of text.
    """

    user_name: str
    name_key: str
    display_name: str = ""
    email: str = ""
    email_key: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def checked(
        cls,
        *,
        user_name: str,
        display_name: str = "",
        email: str = "",
        roles: tuple[str, ...] = (),
        groups: tuple[str, ...] = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> "Profile":
        """Return a profile of what somebody typed; AccountError or UserNameError says what cannot stand in it."""
        email, email_key = checked_email(email)
        return cls(
            user_name=unicodedata.normalize("NFC", user_name.strip(" ")),
            name_key=normalised(user_name),
            display_name=checked_display_name(display_name),
            email=email,
            email_key=email_key,
            roles=checked_names(roles, "role"),
            groups=checked_groups(groups),
            attributes=checked_attributes(attributes or {}),
        )


def checked_display_name(text: str) -> str:
    """Return a name for people to read; AccountError where it is too long, or would not look like what it is."""
    name = unicodedata.normalize("NFC", text).strip()
    if len(name) > MAX_DISPLAY_NAME:
        raise AccountError(f"a display name has at most {MAX_DISPLAY_NAME} characters")
    if any(unicodedata.category(char) in _HIDDEN for char in name):
        raise AccountError("a display name holds no control characters, nor any that cannot be seen")
    return name


def checked_email(text: str) -> tuple[str, str]:
    """Return an e-mail address and the form by which it is looked up; both empty for an empty one."""
    email = unicodedata.normalize("NFC", text).strip()
    if not email:
        return "", ""
    hidden = any(unicodedata.category(char) in _HIDDEN for char in email)
    if len(email) > MAX_EMAIL or hidden or not _EMAIL.fullmatch(email):
        raise AccountError("this is no e-mail address", hint="such as alice@example.org")
    return email, unicodedata.normalize("NFKC", email).casefold()


def checked_group_name(text: str) -> tuple[str, str]:
    """Return the name of a group, and the form by which it is looked up; AccountError where it cannot be one."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 0 < len(name) <= MAX_DISPLAY_NAME or any(unicodedata.category(char) in _HIDDEN for char in name):
        raise AccountError(
            f"{text[:80]!r} cannot be the name of a group",
            hint=f"1 to {MAX_DISPLAY_NAME} characters, none of which cannot be seen",
        )
    return name, unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def checked_groups(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of groups, each once, sorted; AccountError where one cannot be a name."""
    if len(names) > MAX_NAMES:
        raise AccountError(f"an account is in at most {MAX_NAMES} groups")
    return tuple(sorted({checked_group_name(name)[0] for name in names}))


def checked_names(names: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Return names of roles, each once, sorted; AccountError where one cannot be a name."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise AccountError(
                f"{name[:80]!r} cannot be the name of a {what}", hint="ASCII letters, digits and . _ : / - within"
            )
    if len(names) > MAX_NAMES:
        raise AccountError(f"an account has at most {MAX_NAMES} {what}s")
    return tuple(sorted(set(names)))


def checked_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes that policies can read; AccountError where there are too many, or of other types."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise AccountError(f"an account has at most {MAX_ATTRIBUTES} attributes")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise AccountError(f"{name[:80]!r} cannot be the name of an attribute")
        if not _is_value(value):
            raise AccountError(
                f"the attribute {name!r} is of a type that no policy can read",
                hint="text, a whole number, true or false, or a list of texts",
            )
    if len(encode_json(dict(attributes))) > MAX_ATTRIBUTE_BYTES:
        raise AccountError(
            f"the attributes together are larger than {MAX_ATTRIBUTE_BYTES} bytes", hint="they go into every token"
        )
    return dict(sorted(attributes.items()))


def _is_value(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_text(item) for item in value)
    if isinstance(value, bool):
        return True
    return abs(value) < 1 << 53 if isinstance(value, int) else _is_text(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
