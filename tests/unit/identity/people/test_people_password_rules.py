import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.identity.people.errors import PasswordRefusedError
from ringwall.identity.people.password_rules import MAX_LENGTH, PasswordRules, normalised
from ringwall.model.secret import Secret

RULES = PasswordRules(words=("clinic", "ringwall"))
ABOUT = ("alice.meyer", "Alice Meyer", "alice@example.org")


@pytest.mark.parametrize(
    "good",
    [
        "correct horse battery staple",
        "kxq vbtz",
        "пароль из слов",
        "das grüne haus 7",
        "   spaces inside   ",
        "x7$kk2!q",
        "the meyer family cat",
        "🦀🐙🐚 under the sea",
        "q" * 60 + "wert",
        "ab cd ef gh " * 21,
    ],
)
def test_any_long_text_that_is_no_common_one_may_be_chosen(good: str) -> None:
    assert RULES.check(Secret(good), about=ABOUT).reveal()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("kxqvbtz", "shorter"),
        ("", "shorter"),
        ("password", "tried first"),
        ("PassWord", "tried first"),
        ("password1!", "tried first"),
        ("12password", "tried first"),
        ("football", "tried first"),
        ("trustno1", "tried first"),
        ("christopher", "tried first"),
        ("ｐａｓｓｗｏｒｄ", "tried first"),  # noqa: RUF001  # full width
        ("aaaaaaaaaaaa", "repeats"),
        ("abcabcabcabc", "repeats"),
        ("abcdabcdab", "repeats"),
        ("abababba", "repeats"),
        ("23456789", "repeats"),
        ("ihgfedcba", "repeats"),
        ("alicemeyer1", "name"),
        ("alice.meyer", "name"),
        ("reyem2026x", "name"),
        ("ringwall2026", "name"),
        ("Clinic-2026", "name"),
        ("alice@example.org", "name"),
        ("correct\thorse", "typed"),
        ("correct\x00horse", "typed"),
        ("correct horse\ue000", "typed"),
        ("correct horse\u0378", "typed"),
        ("x7$kk2!q" * 33, "longer"),
        ("x" * 5000, "longer"),
    ],
)
def test_what_would_be_tried_first_is_refused_with_the_reason(bad: str, why: str) -> None:
    with pytest.raises(PasswordRefusedError, match=why):
        RULES.check(Secret(bad), about=ABOUT)


def test_sixty_four_characters_and_more_are_taken() -> None:
    long = "".join(chr(0x61 + index * 7 % 26) for index in range(MAX_LENGTH))
    assert RULES.check(Secret(long)).reveal().decode() == long


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(PasswordRefusedError, match="not text"):
        RULES.check(Secret(b"\xff" * 12))


def test_the_error_does_not_hold_the_password() -> None:
    with pytest.raises(PasswordRefusedError) as caught:
        RULES.check(Secret("trustno1"))
    assert "trustno1" not in f"{caught.value}{caught.value.hint}"


def test_rules_cannot_be_laxer_than_allowed() -> None:
    with pytest.raises(ValueError, match="8"):
        PasswordRules(shortest=7)
    with pytest.raises(PasswordRefusedError):
        PasswordRules(shortest=15).check(Secret("x7$kk2!q lmno"))


@given(st.text(max_size=300))
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
    try:
        once = normalised(Secret(raw))
    except PasswordRefusedError:
        return
    assert normalised(once) == once
