from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.identity.people.errors import PeopleError
from ringwall.identity.people.profile import MAX_NAMES, Profile, checked_attributes


def test_a_profile_is_put_into_one_form() -> None:
    profile = Profile.checked(
        user_name=" Jose\u0301 ",
        display_name=" José Ñ. ",
        email=" Jose@Example.ORG ",
        roles=("b", "a", "b"),
        attributes={"z": True, "a": ["x"]},
    )
    assert (profile.user_name, profile.name_key, profile.display_name) == ("José", "josé", "José Ñ.")
    assert (profile.email, profile.email_key) == ("Jose@Example.ORG", "jose@example.org")
    assert profile.roles == ("a", "b")
    assert list(profile.attributes) == ["a", "z"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"display_name": "x" * 129},
        {"display_name": "a\u202eb"},
        {"display_name": "a\nb"},
        {"display_name": "a\u200bb"},
        {"email": "alice"},
        {"email": "a b@example.org"},
        {"email": "alice@"},
        {"email": "alice@example..org"},
        {"email": "a@b@example.org"},
        {"email": "Alice <alice@example.org>"},
        {"email": "alice@example.org,bob@example.org"},
        {"email": "alice@example.org\x00"},
        {"email": "a" * 250 + "@b.org"},
        {"roles": ("",)},
        {"roles": ("a b",)},
        {"roles": ("a" * 101,)},
        {"groups": ("\u200b",)},
        {"groups": tuple(f"g{number}" for number in range(MAX_NAMES + 1))},
        {"attributes": {"a b": 1}},
        {"attributes": {"a": None}},
        {"attributes": {"a": 1.5}},
        {"attributes": {"a": {}}},
        {"attributes": {"a": [1]}},
        {"attributes": {"a": 1 << 53}},
        {"attributes": {"a": "\x00"}},
        {"attributes": {"a": "\ud800"}},
        {"attributes": {"a": "x" * 3000}},
        {"attributes": {f"a{number}": 1 for number in range(33)}},
    ],
)
def test_what_cannot_stand_in_an_account_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PeopleError):
        Profile.checked(user_name="alice", **wrong)


@given(st.dictionaries(st.text(max_size=5), st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists)))
def test_any_attributes_are_kept_or_refused(attributes: dict[str, Any]) -> None:
    try:
        assert checked_attributes(attributes) == attributes
    except PeopleError:
        return
