"""Which passwords may be chosen: NIST SP 800-63B, section 5.1.1.2 (3.1.1.2 in revision 4).

Long ones, of any characters, and none that are tried first. No composition rules, no expiry, no hints.
"""

import functools
import itertools
import os
import re
import runpy
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ringwall.identity.people.errors import PasswordRefusedError
from ringwall.model.secret import Secret

MAX_LENGTH: Final = 256
"""Code points; at least 64 must be possible. Longer ones add nothing but work."""
_MAX_RAW: Final = 4096
_LISTS: Final = ("passwords", "english_wikipedia", "us_tv_and_film", "surnames", "female_names", "male_names")
_ADDED: Final = 4
"""So many digits or signs around a common password leave it a common one."""
_SHORTEST_WORD: Final = 4
_LONGEST_UNIT: Final = 4
_FEWEST_DIFFERENT: Final = 4
_WORD = re.compile(r"[^\W_]+")
_HINT: Final = "a few words that do not belong together are long and easy to remember"


def normalised(password: Secret) -> Secret:
    """Return a password in the one form that is hashed: NFKC, UTF-8 (section 5.1.1.2); PasswordRefusedError.

    Code points that are not assigned are refused, as a later Unicode may normalise them in another way; so are
    control characters, which not every keyboard can type again.
    """
    raw = password.reveal()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PasswordRefusedError("the password is not text") from None
    if len(raw) > _MAX_RAW or len(form := unicodedata.normalize("NFKC", text)) > MAX_LENGTH:
        raise PasswordRefusedError(f"the password is longer than {MAX_LENGTH} characters")
    if any(unicodedata.category(char) in {"Cc", "Cn", "Cs", "Co"} for char in form):
        raise PasswordRefusedError("the password holds characters that cannot be typed everywhere")
    return Secret(form)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What is asked of a new password.

    Attributes:
        shortest: code points; 8 at the least. NIST asks for 15 where a password is used alone (revision 4).
        words: names of the system, which everybody would try.
    """

    shortest: int = 8
    words: tuple[str, ...] = ("ringwall",)

    def __post_init__(self) -> None:
        """Refuse what NIST does not allow."""
        if self.shortest < 8:  # noqa: PLR2004  # section 5.1.1.2
            raise ValueError("a password has at least 8 characters")

    def check(self, password: Secret, *, about: Iterable[str] = ()) -> Secret:
        """Return a new password in its one form; PasswordRefusedError with the reason.

        Blocks for some 0.1 s at the first call, while lists are read.

        Args:
            password: as typed.
            about: names of the one who chooses it: user name, display name, e-mail address.
        """
        form = normalised(password)
        text = form.reveal().decode()
        if len(text) < self.shortest:
            raise PasswordRefusedError(f"the password is shorter than {self.shortest} characters", hint=_HINT)
        folded = text.casefold()
        if _is_monotone(folded):
            raise PasswordRefusedError("the password repeats a few characters, or counts them up", hint=_HINT)
        if _is_common(folded):
            raise PasswordRefusedError("the password is one of those that are tried first", hint=_HINT)
        if self._is_about(folded, about):
            raise PasswordRefusedError("the password is little more than a name", hint=_HINT)
        return form

    def _is_about(self, folded: str, about: Iterable[str]) -> bool:
        names = [unicodedata.normalize("NFKC", name).casefold() for name in (*self.words, *about)]
        words = {word for name in names for word in (name, *_WORD.findall(name)) if len(word) >= _SHORTEST_WORD}
        rest = folded
        for word in sorted(words, key=len, reverse=True):
            rest = rest.replace(word, "").replace(word[::-1], "")
        return rest != folded and len(rest) < self.shortest


def _is_common(folded: str) -> bool:
    """Tell whether this is a common password, or one with a little around it."""
    common = _common()
    core = folded.strip("0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return folded in common or (core in common and len(folded) - len(core) <= _ADDED)


def _is_monotone(folded: str) -> bool:
    """Tell whether a short unit is repeated, hardly any characters differ, or each is the one after the last."""
    if len(set(folded)) < _FEWEST_DIFFERENT:
        return True
    if any(
        folded == (folded[:unit] * (len(folded) // unit + 1))[: len(folded)] for unit in range(1, _LONGEST_UNIT + 1)
    ):
        return True
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(folded)}
    return steps in ({1}, {-1})


@functools.cache
def _common() -> frozenset[str]:
    """Return what is tried first, from the lists that zxcvbn ships: a file of its own, of which nothing else is kept.

    Importing it would load the package, which builds 20 MB of tables that nobody here needs.
    """
    package = find_spec("zxcvbn")
    if package is None or not package.submodule_search_locations:
        raise PasswordRefusedError("the lists of common passwords are missing", hint="install Ringwall again")
    file = Path(package.submodule_search_locations[0]) / "frequency_lists.py"
    lists: dict[str, list[str]] = runpy.run_path(os.fspath(file))["FREQUENCY_LISTS"]
    return frozenset(word.casefold() for name in _LISTS for word in lists[name] if len(word) >= _SHORTEST_WORD)
