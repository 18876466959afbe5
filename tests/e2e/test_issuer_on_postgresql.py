"""One setting moves the issuer to PostgreSQL: what it promises holds there, and no password is shown."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.issuer_browser import forms_of
from tests.support.postgres import Postgres, running_postgres
from tests.support.relying_party import RelyingParty
from tests.support.system import System, copy_example

CALLBACK = "https://portal.example/callback"
PASSWORD = "hunter2-of-the-database"
DEFINITION = f"\nclients: {{portal: {{kind: web, redirect_uris: [{CALLBACK}]}}}}\n"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


def with_password(url: str) -> str:
    """Return a URL with a password, which the server of the tests does not ask for."""
    return url.replace("//postgres@", f"//postgres:{PASSWORD}@")


def setting(folder: Path, url: str) -> dict[str, str]:
    path = folder / "database-url"
    path.touch(mode=0o600)
    path.write_text(f"{url}\n")
    return {"RINGWALL_DATABASE_URL_FILE": str(path)}


def example(folder: Path) -> Path:
    copy = copy_example("unmodified", folder)
    blueprint = copy / "ringwall.yaml"
    blueprint.write_text(blueprint.read_text() + DEFINITION)
    return copy


async def sign_in(page: httpx.AsyncClient, portal: RelyingParty, port: int) -> str:
    shown = await page.get(await portal.send_to_issuer(CALLBACK))
    form = next(form for form in forms_of(shown) if ("person", "tess") in form.buttons)
    origin = f"https://localhost:{port}"
    back = await page.post(form.action, data={**form.fields, "person": "tess"}, headers={"origin": origin})
    return str((await portal.take_back(back.headers["location"]))["refresh_token"])


def test_a_sign_in_outlives_a_restart_and_nothing_shows_the_password(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.database() as url, System(example(tmp_path), environ=setting(tmp_path, with_password(url))) as system:
        secret = system.ringwall("client", "portal").strip()

        def party() -> RelyingParty:
            issuer = f"https://localhost:{system.port}/auth"
            return RelyingParty(issuer, "portal", secret, "openid", {"verify": system.trust})

        async def run() -> None:
            async with httpx.AsyncClient(verify=system.trust, base_url=f"https://localhost:{system.port}") as page:
                refresh = await sign_in(page, party(), system.port)
                cookies = dict(page.cookies)
                shown = system.ringwall("status") + system.ringwall("status", "--json")
                shown += "".join(command for _, command in system.leftovers())
                system.stop()
                system.start()
                assert dict(page.cookies) == cookies
                fresh = await party().refresh(refresh)
                assert fresh["refresh_token"] != refresh
                portal = party()
                silent = await page.get(await portal.send_to_issuer(CALLBACK, prompt="none"))
                assert "code=" in urlsplit(silent.headers["location"]).query, silent.headers["location"]
                for text in (shown, system.output, system.ringwall("log", "--json")):
                    assert PASSWORD not in text

        asyncio.run(run())
        assert not (system.state / "issuer" / "issuer.db").exists()
        written = [path for path in system.state.rglob("*") if path.is_file()]
        assert system.state / "log" / "ringwall-issuer.log" in written
        assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize("kind", ["nobody", "malformed"])
def test_a_database_that_cannot_be_used_is_told_at_once_without_its_url(
    postgres: Postgres, tmp_path: Path, kind: str
) -> None:
    url = with_password(postgres.url("nowhere") if kind == "nobody" else "postgresql://postgres@db:port/x")
    folder = example(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "ringwall.cli.main", "up", str(folder)],
        env={**os.environ, "NO_COLOR": "1", **setting(tmp_path, url)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert "PostgreSQL database" in told
    assert "Traceback" not in told
    written = "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())
    assert PASSWORD not in told + written
