"""Relying parties that run in Node.js: installed once, driven over standard input and output."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.issuer_browser import Form, forms_of
from tests.support.system import System

FOLDER = Path(__file__).resolve().parents[1] / "e2e" / "relying_parties"
INSTALL_SECONDS = 300
SECONDS = 60
WITH_WEBCRYPTO = 20
"""From this version on, `crypto` is there without being asked for."""
MAX_STEPS = 12


def installed() -> list[str]:
    """Return the command of Node.js, with what package-lock.json names installed beside the scripts."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = "there is no Node.js: `apt-get install nodejs npm`"
        if os.environ.get("CI"):
            raise AssertionError(missing)
        pytest.skip(missing)  # a newcomer's machine needs no Node.js; what lands is tested with it
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    with (FOLDER / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FOLDER / "node_modules" / ".ringwall"
        if not stamp.exists() or stamp.read_text() != wanted:
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(
                command, cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
            assert done.returncode == 0, f"npm cannot install the relying parties:\n{done.stderr}"
            stamp.write_text(wanted)
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    older = int(version.removeprefix("v").partition(".")[0]) < WITH_WEBCRYPTO
    return [node, "--experimental-global-webcrypto"] if older else [node]


async def play(system: System, script: str, scenario: str, setup: Mapping[str, Any], person: str) -> dict[str, Any]:
    """Run one scenario of a script while `person` does in a browser what it asks for; return what it reports."""
    trust = str(system.state / "dev-ca.pem")
    process = await asyncio.create_subprocess_exec(
        *installed(),
        script,
        scenario,
        json.dumps(setup),
        cwd=FOLDER,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": trust, "NODE_NO_WARNINGS": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS), browser(system) as page:
            while line := await process.stdout.readline():
                told = json.loads(line)
                if "visit" not in told:
                    assert "done" in told, told["failed"]
                    return dict(told["done"])
                back = await act(page, told["visit"], person)
                process.stdin.write(json.dumps({"back": back}).encode() + b"\n")
                await process.stdin.drain()
        stderr = await process.stderr.read() if process.stderr else b""
        raise AssertionError(f"{script} ended without a word:\n{stderr.decode()}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def browser(system: System) -> httpx.AsyncClient:
    """Return a browser that trusts the system and follows no redirect by itself."""
    return httpx.AsyncClient(verify=system.trust, base_url=f"https://localhost:{system.port}", timeout=30)


async def act(page: httpx.AsyncClient, url: str, person: str) -> str:
    """Open a page, sign in, and allow whatever is asked; return where the person ends up outside the issuer."""
    origin = str(page.base_url).rstrip("/")
    response = await page.get(url)
    for _ in range(MAX_STEPS):
        if response.status_code == 303:
            location = response.headers["location"]
            if not location.startswith(origin):
                return str(location)
            response = await page.get(location)
            continue
        found = _next(response, person)
        if found is None:
            return str(response.url)
        form, values = found
        response = await page.post(form.action, data={**form.fields, **values}, headers={"origin": origin})
    raise AssertionError(f"{urlsplit(url).path} leads nowhere: {response.text}")


def _next(response: httpx.Response, person: str) -> tuple[Form, dict[str, str]] | None:
    """Return the form that goes on; None on a page that asks nothing, or tells of an error."""
    if response.status_code != 200:
        return None
    forms = forms_of(response)
    for choice in (("person", person), ("decision", "allow")):
        for form in forms:
            if choice in form.buttons:
                return form, dict([choice])
    return next(((form, {}) for form in forms if "user_code" in form.fields), None)
