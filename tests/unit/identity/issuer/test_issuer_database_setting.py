"""The setting that says which database the issuer uses."""

from pathlib import Path

import pytest

from ringwall.identity.issuer.database_setting import database_from
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.keystore import KeyStoreError
from ringwall.identity.store.errors import InvalidUrlError

URL = "postgresql://ringwall:hunter2@db.example/ringwall"


def in_file(folder: Path, text: str | bytes, mode: int = 0o600) -> dict[str, str]:
    path = folder / "url"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return {"RINGWALL_DATABASE_URL_FILE": str(path)}


def test_a_file_or_the_environment_gives_it(tmp_path: Path) -> None:
    assert database_from({}) == ""
    assert database_from({"RINGWALL_DATABASE_URL": ""}) == ""
    assert database_from({"RINGWALL_DATABASE_URL": URL}) == URL
    assert database_from(in_file(tmp_path, f"{URL}\n")) == URL


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError, match="other users"):
        database_from(in_file(tmp_path, URL, mode=0o640))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("\n", 1),
        (f"{URL}\n{URL}\n", 2),
        ("mysql://ringwall:hunter2@db.example/x", 1),
        ("hunter2", 1),
        ("postgresql://ringwall:hunter2@[::1/x", 1),
        ("postgresql://ringwall:hunter2@db\u2100example/x", 1),  # its own words would quote what stands before the host
        (b"postgresql://hunter2:\xff@db/x", 1),
    ],
)
def test_what_is_wrong_is_told_by_its_line_and_never_quoted(tmp_path: Path, text: str | bytes, line: int) -> None:
    given = in_file(tmp_path, text)
    with pytest.raises(InvalidUrlError) as caught:
        database_from(given)
    told = f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    assert f"{tmp_path / 'url'}:{line}" in told
    assert "hunter2" not in told


def test_what_is_wrong_in_the_environment_is_told_by_its_name_and_never_quoted() -> None:
    with pytest.raises(InvalidUrlError, match="RINGWALL_DATABASE_URL: ") as caught:
        database_from({"RINGWALL_DATABASE_URL": "hunter2"})
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_one_setting_is_enough(tmp_path: Path) -> None:
    with pytest.raises(InvalidUrlError, match="both set"):
        database_from({**in_file(tmp_path, URL), "RINGWALL_DATABASE_URL": URL})
    with pytest.raises(InvalidUrlError, match="does not exist"):
        database_from({"RINGWALL_DATABASE_URL_FILE": str(tmp_path / "absent")})


def test_settings_do_not_show_it() -> None:
    assert "hunter2" not in repr(IssuerSettings(state=Path("/x"), database=URL))
