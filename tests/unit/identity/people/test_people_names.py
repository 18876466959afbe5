import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringwall.identity.people.errors import UserNameError
from ringwall.identity.people.names import MAX_LENGTH, normalised


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("alice", "alice"),
        (" Alice ", "alice"),
        ("ALICE", "alice"),
        ("ａｌｉｃｅ", "alice"),  # noqa: RUF001  # full width
        ("José", "josé"),
        ("Jose\u0301", "josé"),
        ("Straße", "strasse"),
        ("ﬁona", "fiona"),
        ("alice.b_c-d+e@example.org", "alice.b_c-d+e@example.org"),
        ("7of9", "7of9"),
        ("Борис", "борис"),
        ("Ελένη", "ελένη"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
        ("山田たろうtaro", "山田たろうtaro"),
        ("김철수kim", "김철수kim"),
        ("राम", "राम"),
        ("שלום7", "שלום7"),  # noqa: RUF001  # Hebrew
        ("محمد", "محمد"),
        ("Nguyễn", "nguyễn"),
    ],
)
def test_a_user_name_has_one_form(typed: str, kept: str) -> None:
    assert normalised(typed) == kept


@pytest.mark.parametrize(
    "homograph",
    [
        "\u0430dmin",  # Cyrillic a
        "admi\u0578",  # Armenian vo
        "r\u03bfot",  # Greek omicron
        "\u0430\u0440\u0435",  # all Cyrillic, looks like "ape"
        "\u03bf\u03c1\u03b1",  # all Greek
        "\u0131van",  # dotless i
        "\u0251dmin",  # Latin alpha
        "\u0261oogle",  # Latin script g
        "admin\u0660",  # Arabic-Indic digit
        "ad\u200dmin",  # joiner
        "ad\u00admin",  # soft hyphen
        "admin\u202e",  # direction override
        "admin\u0334",  # a mark that no composition takes in
        "a\u0307\u0323\u0304dmin\u0307",
    ],
)
def test_homographs_are_refused(homograph: str) -> None:
    with pytest.raises(UserNameError):
        normalised(homograph)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "@",
        "-alice",
        "alice.",
        "al ice",
        "al\tice",
        "alice\n",
        "alice\x00",
        "al/ice",
        "al:ice",
        "<alice>",
        "alice\ud800",
        "\u0301alice",
        "रााा\u093e",
        "a" * (MAX_LENGTH + 1),
        "a" * 100_000,
        "\u066d",
        "😀",
        "שלוםalice",  # noqa: RUF001  # Hebrew
        ".שלום",
        "7שלום",  # noqa: RUF001  # Hebrew
    ],
)
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(UserNameError):
        normalised(text)


def test_the_longest_name_is_taken() -> None:
    assert len(normalised("a" * MAX_LENGTH)) == MAX_LENGTH


@given(st.text(max_size=20) | st.text(st.characters(categories=["L", "M", "Nd"]), max_size=8))
@example("\u03d2")
@example("ŉ")
@example("İ")
def test_whatever_is_typed_is_refused_or_becomes_a_fixed_form(text: str) -> None:
    try:
        name = normalised(text)
    except UserNameError:
        return
    assert normalised(name) == name
    assert unicodedata.normalize("NFKC", name) == name
    assert name == name.casefold()
    assert normalised(text.upper()) in {name, normalised(name.upper())}
    assert not any(char.isspace() or not char.isprintable() for char in name)
