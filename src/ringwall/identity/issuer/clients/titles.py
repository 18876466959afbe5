"""Names that clients choose for themselves: people read them when they decide, so they may look like no other."""

import unicodedata
from typing import Final

from ringwall.identity.people.errors import UserNameError
from ringwall.identity.people.names import normalised
from ringwall.model.errors import RingwallError

MAX_LENGTH: Final = 80
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class TitleRefusedError(RingwallError):
    """A name could deceive the person who reads it."""

    code = "client-title"


def checked_title(text: str) -> str:
    """Return a name in the form in which it is shown, or raise TitleRefusedError.

    1. One line of at most MAX_LENGTH characters, none of them hidden or able to turn the direction of others
       (UTS 36, section 2.3). 2. Its letters are of scripts that are written together, and not wholly letters that look
       like Latin ones (UTS 39, sections 4 and 5.2), as for user names. 3. It holds no brackets, behind which it is
       shown where it sends people to.
    """
    title = " ".join(unicodedata.normalize("NFKC", text[: MAX_LENGTH * 4]).split())
    if not 0 < len(title) <= MAX_LENGTH or any(unicodedata.category(char) in _HIDDEN for char in title):  # 1
        raise TitleRefusedError(f"a name is one line of 1 to {MAX_LENGTH} characters that can be seen")
    try:
        skeleton_of(title)  # 2
    except UserNameError as error:
        raise TitleRefusedError(error.message.replace("user name", "name")) from None
    if not set("()<>").isdisjoint(title):  # 3
        raise TitleRefusedError("a name holds no brackets")
    return title


def skeleton_of(title: str) -> str:
    """Return the letters and digits of a name, in one form; UserNameError where they mix scripts or imitate others."""
    return normalised("".join(char for char in title if unicodedata.category(char)[0] in "LMN"))
