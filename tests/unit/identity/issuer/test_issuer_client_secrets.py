import stat
import threading
from pathlib import Path

import pytest
from tests.support.issuer_plan import BATCH, SPA, issuer_plan

from ringwall.identity.issuer.client_secrets import (
    PREFIX,
    ClientSecrets,
    UnknownClientError,
    create_client_secret,
    revoke_client_secrets,
)
from ringwall.identity.issuer.directory import Directory
from ringwall.model.clock import ManualClock
from ringwall.model.durable import StorageError
from ringwall.model.secret import Secret
from ringwall.plan.client import Client

DIRECTORY = Directory.of(issuer_plan(clients=(BATCH, Client(name="other"), SPA)))


def create(file: Path, client: str = "batch") -> Secret:
    return create_client_secret(file, client, directory=DIRECTORY, clock=ManualClock())


def test_a_secret_is_long_random_and_recognisable(tmp_path: Path) -> None:
    first, second = (create(tmp_path / "clients.json").reveal().decode() for _ in range(2))
    assert first != second
    assert first.startswith(PREFIX)
    assert len(first) == len(PREFIX) + 43


def test_only_a_hash_is_kept_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "issuer" / "clients.json"
    secret = create(file)
    assert secret.reveal() not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_secret_is_its_own_clients_only(tmp_path: Path) -> None:
    file = tmp_path / "clients.json"
    checker = ClientSecrets(file)
    mine, others = create(file), create(file, "other")
    assert checker.holds("batch", mine)
    assert not checker.holds("batch", others)
    assert not checker.holds("nobody", mine)
    assert not checker.holds("batch", Secret(""))


def test_a_client_without_secrets_cannot_authenticate_whatever_it_shows(tmp_path: Path) -> None:
    checker = ClientSecrets(tmp_path / "clients.json")
    for shown in ("", "None", "no client has this"):
        assert not checker.holds("batch", Secret(shown))


def test_the_newest_two_work_so_that_one_can_replace_the_other(tmp_path: Path) -> None:
    file = tmp_path / "clients.json"
    checker = ClientSecrets(file)
    secrets = [create(file) for _ in range(3)]
    assert [checker.holds("batch", secret) for secret in secrets] == [False, True, True]


def test_revoked_secrets_stop_at_once(tmp_path: Path) -> None:
    file = tmp_path / "clients.json"
    secret, others = create(file), create(file, "other")
    checker = ClientSecrets(file)
    assert revoke_client_secrets(file, "batch") == 1
    assert not checker.holds("batch", secret)
    assert checker.holds("other", others)
    assert revoke_client_secrets(file, "batch") == 0


def test_a_client_that_is_not_in_the_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownClientError) as raised:
        create(tmp_path / "clients.json", "bacth")
    assert "batch" in raised.value.hint


DAMAGED = [
    "",
    "[]",
    "{}",
    '{"clients":[]}',
    '{"clients":{"batch":[{}]}}',
    '{"clients":{"batch":[{"sha256":"zz"}]}}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_an_error_not_an_empty_one(tmp_path: Path, content: str) -> None:
    file = tmp_path / "clients.json"
    checker = ClientSecrets(file)
    file.write_text(content)
    for _ in range(2):
        with pytest.raises(StorageError):
            checker.holds("batch", Secret("x"))
    with pytest.raises(StorageError):
        create(file)


def test_two_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "clients.json"
    made: list[tuple[str, Secret]] = []
    threads = [
        threading.Thread(target=lambda name=name: made.append((name, create(file, name))))
        for name in ("batch", "other") * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checker = ClientSecrets(file)
    assert len(made) == 4
    assert all(checker.holds(name, secret) for name, secret in made)


def test_a_public_client_is_given_no_secret(tmp_path: Path) -> None:
    with pytest.raises(UnknownClientError, match="public client"):
        create(tmp_path / "clients.json", "spa")
    assert not (tmp_path / "clients.json").exists()
