"""Several processes of the issuer in a running system: one is killed and mended, all are replaced, nobody notices."""

import asyncio
import base64
import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path

import httpx
import pytest
from tests.support.issuer_browser import RelyingParty, forms_of, sent_back
from tests.support.postgres import running_postgres
from tests.support.system import System, copy_example
from tests.support.traffic import Traffic

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.state import StateFolder
from ringwall.cli.status import issuers_away

CALLBACK = "https://portal.example/callback"
MORE = f"""
clients:
  robot: {{roles: [tester]}}
  portal: {{kind: web, redirect_uris: [{CALLBACK}]}}
issuers: {{local: {{processes: 2}}}}
"""
FORM = "application/x-www-form-urlencoded"
CONNECTIONS = 4
MEMORY_KIB = 120 * 1024


@dataclass
class Issuers:
    """A system with several processes of the issuer, and secrets of its clients."""

    system: System
    database: Path | None
    secrets: dict[str, str] = field(default_factory=dict)

    def processes(self) -> dict[str, tuple[str, int | None]]:
        """State and id of the issuer's processes; those that are about to end have other names."""
        return {name: at for name, at in self.system.states().items() if name.startswith("ringwall-issuer")}

    def pids(self) -> list[int]:
        return [pid for name, (_, pid) in sorted(self.processes().items()) if pid and "~" not in name]

    def traffic(self) -> Traffic:
        """Programs that fetch tokens."""
        headers = {"authorization": f"Basic {self.basic('robot')}", "content-type": FORM}
        body = b"grant_type=client_credentials"
        return Traffic(
            self.system.port, self.system.trust, "/auth/token", headers, body=body, connections=CONNECTIONS, pause=0.01
        )

    def basic(self, client: str) -> str:
        return base64.b64encode(f"{client}:{self.secrets[client]}".encode()).decode()

    def set_processes(self, count: int) -> None:
        text = self.system.blueprint.read_text()
        before = text[text.index("{local: {processes: ") :].splitlines()[0]
        self.system.blueprint.write_text(text.replace(before, f"{{local: {{processes: {count}}}}}"))
        self.system.ringwall("apply")

    def cut(self) -> int:
        """How many requests to the issuer failed so far, each because its connection broke after it was sent."""
        lines = [json.loads(line) for line in (self.system.state / "log" / "mesh.jsonl").read_text().splitlines()]
        failed = [line for line in lines if line["h"] == "ringwall-issuer" and line["s"] >= 500]
        assert {line["f"] for line in failed} <= {"UC"}, failed
        return len(failed)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def issuers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuers]:
    folder = tmp_path_factory.mktemp("several")
    copy = copy_example("unmodified", folder)
    (copy / "ringwall.yaml").write_text((copy / "ringwall.yaml").read_text() + MORE)
    environ = {}
    database = None
    with ExitStack() as stack:
        if request.param == "postgresql":
            database = folder / "database-url"
            database.touch(mode=0o600)
            database.write_text(stack.enter_context(stack.enter_context(running_postgres()).database()))
            environ["RINGWALL_DATABASE_URL_FILE"] = str(database)
        made = Issuers(stack.enter_context(System(copy, environ=environ)), database)
        made.secrets = {name: made.system.ringwall("client", name).strip() for name in ("robot", "portal")}
        yield made


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


@dataclass
class Person:
    """Signs in at the edge again and again, with a fresh browser each time."""

    issuers: Issuers
    done: int = 0
    cut: int = 0
    wrong: list[str] = field(default_factory=list)

    async def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            origin = f"https://localhost:{self.issuers.system.port}"
            async with httpx.AsyncClient(verify=self.issuers.system.trust, base_url=origin, timeout=60) as page:
                try:
                    await self._sign_in(page, origin)
                    self.done += 1
                except httpx.HTTPStatusError as error:
                    if error.response.status_code == 503:
                        self.cut += 1
                    else:
                        self.wrong.append(error.response.text)
                except Exception as error:  # noqa: BLE001  # whatever it is, the test is to say so
                    self.wrong.append(repr(error))

    async def _sign_in(self, page: httpx.AsyncClient, origin: str) -> None:
        party = RelyingParty(callback=CALLBACK, scope="openid")
        shown = (await page.get("/auth/authorize", params=party.parameters())).raise_for_status()
        form = next(form for form in forms_of(shown) if ("person", "tess") in form.buttons)
        back = await page.post(form.action, data={**form.fields, "person": "tess"}, headers={"origin": origin})
        if back.status_code >= 400:
            back.raise_for_status()
        redeemed = await page.post(
            "/auth/token",
            data=party.redemption(sent_back(back, CALLBACK)["code"]),
            auth=("portal", self.issuers.secrets["portal"]),
        )
        redeemed.raise_for_status()


@contextmanager
def somebody(issuers: Issuers) -> Iterator[Person]:
    person, stop = Person(issuers), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(person.run(stop)), daemon=True)
    thread.start()
    try:
        until(lambda: person.done > 0 or bool(person.wrong), "the first sign-in")
        yield person
    finally:
        stop.set()
        thread.join(60)


def memory_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_one_that_is_killed_is_mended_and_only_what_it_had_received_is_lost(issuers: Issuers) -> None:
    assert [state for state, _ in issuers.processes().values()] == ["ready", "ready"]
    folder = StateFolder(issuers.system.state)
    told: list[str] = []

    def away() -> str:
        return issuers_away(request(folder.supervisor_socket, "status")["processes"])

    before = issuers.cut()
    with issuers.traffic() as traffic, somebody(issuers) as person:
        for name in ("ringwall-issuer", "ringwall-issuer-2", "ringwall-issuer"):
            pid = issuers.system.processes()[name]
            os.kill(pid, signal.SIGKILL)
            until(lambda: bool(away()), "it is known to be away")
            told.append(away())
            done = person.done
            traffic.settle()
            until(lambda: not away(), "it is mended")
            until(lambda: person.done > done, "somebody signs in")  # noqa: B023
            assert issuers.system.processes()[name] != pid
            traffic.settle()
    assert all(text.startswith("1 of 2 processes of the issuer is away: ringwall-issuer") for text in told), told
    assert traffic.tally.errors == []
    assert person.wrong == []
    lost = traffic.tally.statuses[503] + person.cut
    assert set(traffic.tally.statuses) <= {200, 503}
    assert lost == issuers.cut() - before
    assert lost <= 3 * (CONNECTIONS + 1)
    assert all(memory_kib(pid) <= MEMORY_KIB for pid in issuers.pids())
    written = (issuers.system.state / "log").glob("ringwall-issuer*.log")
    assert {path.name for path in written} == {"ringwall-issuer.log", "ringwall-issuer-2.log"}


def test_all_are_replaced_without_one_failed_request(issuers: Issuers) -> None:
    before = set(issuers.pids())
    with issuers.traffic() as traffic, somebody(issuers) as person:
        issuers.system.ringwall("restart", "issuer")
        after = set(issuers.pids())
        assert "active" in issuers.system.ringwall("keys")
        issuers.system.ringwall("revoke", "user", "eve")
        issuers.system.ringwall("revoke", "user", "eve", "--lift")
        done = person.done
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before), "the old ones end")
        traffic.settle()
        until(lambda: person.done > done, "somebody signs in")
    assert len(after) == 2
    assert not before & after
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}
    assert (person.cut, person.wrong) == (0, [])


def test_their_number_changes_and_the_only_one_is_replaced_without_one_failed_request(issuers: Issuers) -> None:
    with issuers.traffic() as traffic, somebody(issuers) as person:
        for count in (3, 1):
            issuers.set_processes(count)
            until(lambda: len(issuers.processes()) == count, "those that are too many end")  # noqa: B023
            traffic.settle()
        (only,) = issuers.pids()
        issuers.system.ringwall("restart", "issuer")
        until(lambda: not Path(f"/proc/{only}").exists(), "the old one ends")
        traffic.settle()
        issuers.set_processes(2)
        traffic.settle()
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}
    assert (person.cut, person.wrong) == (0, [])


def test_what_one_that_leaves_has_begun_it_answers(issuers: Issuers) -> None:
    body = b"grant_type=client_credentials"
    connection: HTTPSConnection = issuers.system.connect()
    before = issuers.pids()
    try:
        connection.putrequest("POST", "/auth/token")
        for name, value in (
            ("authorization", f"Basic {issuers.basic('robot')}"),
            ("content-type", FORM),
            ("content-length", str(len(body))),
        ):
            connection.putheader(name, value)
        connection.endheaders(body[:10])
        issuers.system.ringwall("restart", "issuer")
        assert all(Path(f"/proc/{pid}").exists() for pid in before)
        connection.send(body[10:])
        assert connection.getresponse().status == 200
    finally:
        connection.close()


@contextmanager
def nothing_starts(issuers: Issuers) -> Iterator[None]:
    """Let fresh processes read a wrong setting; where there is none, let others hold what they need."""
    if issuers.database is not None:
        url = issuers.database.read_text()
        issuers.database.write_text("postgresql://postgres@localhost:1/nowhere")
        yield
        issuers.database.write_text(url)
        return
    with ExitStack() as stack:
        for number in range(9):
            file = stack.enter_context((issuers.system.state / "issuer" / f"lock-{number or ''}".rstrip("-")).open("a"))
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def test_fresh_ones_that_do_not_start_leave_the_old_ones(issuers: Issuers) -> None:
    until(lambda: len(issuers.processes()) == 2, "those of the last test have ended")
    before = issuers.pids()
    with issuers.traffic() as traffic:
        with nothing_starts(issuers):
            assert "ringwall-issuer" in issuers.system.ringwall_error("restart", "issuer")
        traffic.settle()
        assert issuers.pids() == before
        issuers.system.ringwall("restart", "issuer")
        traffic.settle()
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {200}
