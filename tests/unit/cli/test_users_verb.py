"""`ringwall users`, talking to a real issuer process."""

import asyncio
import base64
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.support.issuer_plan import issuer_plan, write_plan

from ringwall.cli import desk
from ringwall.cli.main import main
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.people.passwords import FLOOR
from ringwall.identity.people.people import People
from ringwall.identity.people.sign_in import Visitor
from ringwall.identity.store.database import Database
from ringwall.model.clock import SystemClock
from ringwall.model.secret import Secret
from ringwall.plan.identity import Role

RUN = """
import sys
from pathlib import Path
from ringwall.identity.issuer.server import run_issuer
from ringwall.identity.issuer.settings import IssuerSettings
run_issuer(IssuerSettings(state=Path(sys.argv[1])))
"""


class System:
    """An issuer that runs, and the command line beside it."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings = IssuerSettings(state=state)
        self.capsys = capsys

    def run(self, *words: str, code: int = 0, about: str = "users") -> str:
        """Run a command and return what it printed: results where it succeeds, else the error."""
        self.capsys.readouterr()
        assert main([about, *words]) == code
        printed = self.capsys.readouterr()
        return printed.err if code else printed.out

    def told(self, *words: str, about: str = "users") -> Any:
        return json.loads(self.run(*words, "--json", about=about))["data"]

    def accept(self, link: str, password: str) -> None:
        """Do what the page behind the link does."""

        async def run() -> None:
            async with await Database.open(self.settings.database_url) as database:
                people = People.over(
                    database,
                    keystore=MemoryKeyStore(),
                    clock=SystemClock(),
                    issuer="https://localhost:8443/auth",
                    system="clinic",
                    token_seconds=900,
                    cost=FLOOR,
                )
                handle = Secret(link.rpartition("=")[2].strip())
                await people.invitations.accept(
                    handle, Visitor(source="192.0.2.1", binding="b"), password=Secret(password)
                )
                people.close()

        asyncio.run(run())


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[System]:
    with TemporaryDirectory(prefix="rw") as folder:  # tmp_path can be longer than a socket's path may be
        state = Path(folder)
        write_plan(state, issuer_plan(roles=(Role(name="admin"), Role(name="clerk"))))
        process = subprocess.Popen([sys.executable, "-c", RUN, folder], stderr=subprocess.DEVNULL)
        try:
            found = System(state, capsys)
            deadline = time.monotonic() + 30
            while not answers(found.settings.admin_socket):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            monkeypatch.setattr(desk, "running", lambda: (None, None, found.settings.bindings))
            yield found
        finally:
            process.kill()
            process.wait()


def test_the_first_user_is_invited_and_administered(system: System) -> None:
    assert "invites the first one" in system.run()
    link = system.run("invite", "Ann", "--role", "admin", "--hours", "2", "--email", "ann@example.org")
    assert link.startswith("https://localhost:8443/auth/invitation?code=")
    assert link.count("\n") == 1
    assert "Ann" in system.run("invitations")
    system.accept(link, "correct horse battery staple")
    assert "Ann" not in system.run("invitations")
    assert [user["user_name"] for user in system.told("list")["users"]] == ["Ann"]
    shown = system.run("show", "ann")
    assert "password of" in shown
    assert "admin" in shown
    changed = system.told("change", "ann", "--rename", "anna", "--role", "clerk", "--take-role", "admin")
    assert (changed["user_name"], changed["roles"]) == ("anna", ["clerk"])
    assert "is disabled" in system.run("disable", "anna", "--reason", "on leave")
    assert "disabled" in system.run("list")
    assert "can sign in" in system.run("enable", "anna")
    assert "is signed out" in system.run("sign-out", "anna")
    assert system.run("invite", "anna", "--anew").startswith("https://")
    acts = [event["act"] for event in system.told("events", "anna")["events"]]
    assert acts[:4] == ["invited", "sessions-ended", "account-enabled", "account-disabled"]
    assert "account-disabled" in system.run("events", "anna")
    assert "is deleted" in system.run("delete", "anna", "--yes")
    assert system.told("list") == {"users": []}


def test_groups_are_made_filled_and_deleted(system: System) -> None:
    assert system.told(about="groups") == {"groups": []}
    assert "clerk" in system.run("add", "Ward 7", "--role", "clerk", about="groups")
    system.accept(system.run("invite", "ann", "--group", "ward 7"), "correct horse battery staple")
    shown = system.run("show", "ann")
    assert "Ward 7" in shown
    assert "clerk" in shown
    assert "no group" in system.run("change", "ann", "--group", "none", code=1)
    assert "ann" in system.run("show", "Ward 7", about="groups")
    changed = system.told("change", "Ward 7", "--rename", "Ward 8", "--take-member", "ann", about="groups")
    assert (changed["name"], changed["size"]) == ("Ward 8", 0)
    assert system.told("change", "ann", "--group", "Ward 8")["groups"] == ["Ward 8"]
    assert "--yes" in system.run("delete", "Ward 8", code=2, about="groups")
    assert "is deleted" in system.run("delete", "Ward 8", "--yes", about="groups")
    assert system.told("show", "ann")["groups"] == []
    assert "needs a name" in system.run("show", code=2, about="groups")


def test_an_invitation_is_withdrawn(system: System) -> None:
    made = system.told("invite", "bea")
    assert set(made) == {"id", "link", "expires"}
    assert "worth nothing" in system.run("withdraw", made["id"])
    assert system.told("invitations") == {"invitations": []}


def test_what_is_refused_says_why(system: System) -> None:
    assert "no account" in system.run("show", "nobody", code=1)
    assert "its roles: admin, clerk" in system.run("invite", "bea", "--role", "root", code=1)
    assert "several scripts" in system.run("invite", "\u0430nn", code=1)
    assert "--yes" in system.run("delete", "bea", code=2)
    assert "needs a name" in system.run("show", code=2)
    assert "takes no name" in system.run("list", "bea", code=2)
    assert "no profile" in system.run("invite", "bea", "--anew", "--role", "admin", code=2)


def test_a_name_cannot_lead_to_another_endpoint(system: System) -> None:
    system.run("invite", "bea")
    for name in ("..", "../keys", "x/disable", "x%2fdisable", "?limit=1", "#"):
        assert system.run("show", name, code=1)


def test_the_users_of_a_keycloak_realm_are_imported(system: System, tmp_path: Path) -> None:
    value = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"their own password", b"salt", 1000, 64)).decode()
    password = {
        "type": "password",
        "secretData": json.dumps({"value": value, "salt": base64.b64encode(b"salt").decode()}),
        "credentialData": json.dumps({"hashIterations": 1000, "algorithm": "pbkdf2-sha256"}),
    }
    users = [
        {"username": "ann", "enabled": True, "credentials": [password], "realmRoles": ["clerk", "nurse"]},
        {"username": "bea", "enabled": False, "credentials": [{"type": "webauthn"}]},
        {"username": "not a name"},
    ]
    file = tmp_path / "realm.json"
    file.write_text(json.dumps({"users": users}))
    for dry_run in (["--dry-run"], []):
        assert main(["users", "import", str(file), "--json", *dry_run]) == 1
        told = json.loads(system.capsys.readouterr().out)["data"]["users"]
        assert [user["imported"] for user in told] == [True, True, False]
        assert told[0]["remarks"] == ["without the role nurse"]
        assert any("--anew" in remark for remark in told[1]["remarks"])
        assert "U+0020" in told[2]["remarks"][0]
        assert len(system.told("list")["users"]) == (0 if dry_run else 2)
    assert system.told("show", "ann")["roles"] == ["clerk"]
    assert system.told("show", "bea")["disabled"]
    assert main(["users", "import", str(file)]) == 1
    assert "0 of 3 imported" in system.capsys.readouterr().out
    assert "cannot read" in system.run("import", str(tmp_path / "none.json"), code=1)
    file.write_text("[]")
    assert "no users" in system.run("import", str(file), code=1)
