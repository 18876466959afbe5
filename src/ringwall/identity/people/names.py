"""User names: one form for each, and none that looks like another's.

After the UsernameCaseMapped profile of PRECIS (RFC 8265, section 3.3) with stricter contents. Compatibility forms
are mapped (NFKC), letters are case folded, and a name keeps to one script as UTS 39, section 5.2, advises, so
that `admin` with a Cyrillic first letter is refused and not another account beside the one in Latin letters.
"""

import unicodedata
from typing import Final

from ringwall.identity.people.errors import UserNameError

MAX_LENGTH: Final = 128
"""Code points; e-mail addresses may be user names."""
_MAX_RAW: Final = 512
_PUNCTUATION: Final = frozenset("._-+@")
_LATIN_EXTRA: Final = frozenset("æœøđðþłŋħ")
"""Latin letters that do not decompose to an ASCII letter with marks, and look like none."""

_TOGETHER: Final = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
"""Scripts that are written together (UTS 39, section 5.2, "highly restrictive")."""

_SCRIPTS: Final = frozenset(
    (
        *("ARABIC", "ARMENIAN", "BENGALI", "BOPOMOFO", "CYRILLIC", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GREEK"),
        *("GUJARATI", "GURMUKHI", "HAN", "HANGUL", "HEBREW", "HIRAGANA", "KANNADA", "KATAKANA", "KHMER", "LAO"),
        *("LATIN", "MALAYALAM", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN"),
    )
)
"""The recommended scripts of UAX 31, table 5."""
_CALLED: Final = {"CJK": "HAN", "IDEOGRAPHIC": "HAN", "KATAKANA-HIRAGANA": "KATAKANA"}
"""Scripts by the first word of a character's name, where that is not the script's name."""

_LIKE_LATIN: Final = frozenset(
    "асԁеһіјкӏорԛѕухѵԝгꙅ"  # Cyrillic
    "αγηικνορσυχωϲ"  # Greek
    "գզհոսօցյ"  # Armenian
)
"""Letters that look like Latin ones, or nearly; after UTS 39's table of confusable characters."""
_LOOKING_ALIKE: Final = frozenset({"CYRILLIC", "GREEK", "ARMENIAN"})


def normalised(text: str) -> str:
    """Return the one form of a user name, for keeping and for looking up; UserNameError where it cannot be one.

    1. Map compatibility forms and fold case (RFC 8265, section 3.3.1, with full case folding).
    2. Only letters, marks, ASCII digits and `. _ - + @` (the IdentifierClass of RFC 8264, section 4.2, without the rest
       of ASCII's punctuation, and with one kind of digit).
    3. One script, or scripts written together (UTS 39, section 5.2).
    4. Not written wholly in letters that look like Latin ones (UTS 39, section 4).
    5. Marks only where the script needs them, after a letter, and two at most.
    6. A right-to-left name begins and ends so (after the Bidi Rule, RFC 5893, section 2).
    """
    if len(text) > _MAX_RAW:
        raise UserNameError(f"a user name has at most {MAX_LENGTH} characters")
    name = _folded(text)  # 1
    if not 0 < len(name) <= MAX_LENGTH:
        raise UserNameError(f"a user name has 1 to {MAX_LENGTH} characters")
    scripts = {_script(char) for char in name} - {None}  # 2
    if not any(unicodedata.category(char)[0] in "LN" for char in name):
        raise UserNameError("a user name holds a letter or a digit")
    if name[0] in _PUNCTUATION or name[-1] in _PUNCTUATION:
        raise UserNameError("a user name begins and ends with a letter or a digit")
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):  # 3
        raise UserNameError(
            "the user name mixes letters of several scripts", hint="some letters may only look like the ones you mean"
        )
    _check_lookalike(name, scripts)  # 4
    _check_marks(name)  # 5
    _check_direction(name)  # 6
    return name


def _folded(text: str) -> str:
    """Return NFKC, case folded; repeated because folding can give what NFKC maps again."""
    name = unicodedata.normalize("NFKC", text.strip(" "))
    while (again := unicodedata.normalize("NFKC", name.casefold())) != name:
        name = again
    return name


def _script(char: str) -> str | None:
    """Return the script of a character, None for what goes with every script; UserNameError where none may have it."""
    if char in _PUNCTUATION or (char.isascii() and char.isalnum()):
        return "LATIN" if char.isalpha() else None
    category = unicodedata.category(char)
    word = unicodedata.name(char, "").partition(" ")[0]
    script = _CALLED.get(word, word)
    if category not in {"Ll", "Lo", "Lm", "Mn", "Mc"} or script not in _SCRIPTS or _odd_latin(char, script):
        raise UserNameError(
            f"a user name cannot hold the character U+{ord(char):04X}",
            hint="letters, ASCII digits and . _ - + @ can be in it",
        )
    return script


def _odd_latin(char: str, script: str) -> bool:
    """Tell whether this is a Latin letter that is neither ASCII with marks nor one of a few others, such as U+0261."""
    return script == "LATIN" and not unicodedata.normalize("NFKD", char)[0].isascii() and char not in _LATIN_EXTRA


def _check_lookalike(name: str, scripts: set[str | None]) -> None:
    letters = {char for char in name if unicodedata.category(char)[0] == "L"}
    if letters and len(scripts) == 1 and scripts <= _LOOKING_ALIKE and letters <= _LIKE_LATIN:
        raise UserNameError(
            "every letter of the user name looks like a Latin one", hint="write it with Latin letters, or add others"
        )


def _check_marks(name: str) -> None:
    marks = 2  # so that a name cannot begin with one
    for char in name:
        if unicodedata.category(char)[0] != "M":
            marks = 0 if unicodedata.category(char)[0] == "L" else 2
            continue
        marks += 1
        if marks > 2:  # noqa: PLR2004  # as step 5 says
            raise UserNameError("the user name has marks where no letter carries them")


def _check_direction(name: str) -> None:
    directions = [unicodedata.bidirectional(char) for char in name]
    if {"R", "AL"}.isdisjoint(directions):
        return
    while directions[-1] == "NSM":
        directions.pop()
    if directions[0] not in {"R", "AL"} or directions[-1] not in {"R", "AL", "EN"}:
        raise UserNameError("a user name that is written from right to left begins and ends so")
