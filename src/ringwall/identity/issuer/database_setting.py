"""Which database the issuer uses: one setting of the operator's environment.

The URL may hold a password, so it is in no blueprint and no plan, on no command line, and in no message.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ringwall.identity.key_folder import read_private
from ringwall.identity.store.errors import InvalidUrlError

DIRECT: Final = "RINGWALL_DATABASE_URL"
IN_FILE: Final = "RINGWALL_DATABASE_URL_FILE"
NAMES: Final = (DIRECT, IN_FILE)


def database_from(environment: Mapping[str, str]) -> str:
    """Return the URL that the environment gives; empty where it gives none, which means the issuer's own file.

    `RINGWALL_DATABASE_URL_FILE` names a file that only its owner can read and whose one line is the URL;
    `RINGWALL_DATABASE_URL` gives it directly; giving both is an error. InvalidUrlError says where it stands, never
    what it says; KeyStoreError where others can read the file.
    """
    path, direct = environment.get(IN_FILE), environment.get(DIRECT)
    if path and direct:
        raise InvalidUrlError(f"{IN_FILE} and {DIRECT} are both set", hint="set one")
    if path:
        return _checked(_line_of(Path(path)), f"{path}:1")
    return _checked(direct, DIRECT) if direct else ""


def _line_of(path: Path) -> str:
    raw = read_private(path)
    if raw is None:
        raise InvalidUrlError(f"the file {path} does not exist", hint=f"{IN_FILE} names it")
    try:
        lines = raw.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise InvalidUrlError(f"{path}:1: this is not UTF-8") from None
    if len(lines) != 1:
        raise InvalidUrlError(f"{path}:{min(len(lines), 1) + 1}: one line is expected, the URL of the database")
    return lines[0]


def _checked(url: str, where: str) -> str:
    from ringwall.identity.store.url import DatabaseUrl  # noqa: PLC0415  # not on the way to a start

    try:
        DatabaseUrl.parse(url)
    except InvalidUrlError as error:
        raise InvalidUrlError(f"{where}: {error.message}", hint=error.hint) from None
    return url
