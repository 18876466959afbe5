"""What tokens and sign-ins cost the issuer, on SQLite and on PostgreSQL, and its memory.

Against the smallest JSON answer of the same kind of server, and with 100,000 people, clients, sessions and families of
refresh tokens against 100 of each.
"""

import html
import json
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from envoys import resident_bytes
from figures import Figure, median
from issuer_bed import (
    CALLBACK,
    CONNECTIONS,
    Server,
    Take,
    bare_server,
    basic,
    get,
    issuer,
    on_the_other_core,
    post,
    prepare,
)
from issuer_fill import Held, fill

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # for what starts PostgreSQL

FEW, MANY = 100, 100_000
ROUNDS = 20
COMPARED_ROUNDS = 60
"""Of what is held against the bare answer: two servers differ more from round to round than one does from itself."""
DATABASES = ("sqlite", "postgresql")
ORIGIN = "https://localhost"
GUESSES = 12
MB = 1e6


@dataclass(frozen=True)
class _Load:
    """How one server is asked for one thing: a request and what to do with its answer, for each connection."""

    make: Sequence[Callable[[], bytes]]
    take: Sequence[Take]
    expect: int = 200

    def on(self, server: Server) -> float:
        return server.round(self.make, self.take, expect=self.expect)


def _same(request: bytes, expect: int = 200) -> _Load:
    return _Load([lambda: request] * CONNECTIONS, [lambda _: None] * CONNECTIONS, expect)


def _token(server: Server, _: Held) -> _Load:
    return _same(post("/token", {"grant_type": "client_credentials", "scope": "read"}, server.batch))


def _registered_token(_: Server, held: Held) -> _Load:
    return _same(post("/token", {"grant_type": "client_credentials", "scope": "read"}, basic(*held.client)))


def _refresh(kind: str) -> Callable[[Server, Held], _Load]:
    """Refresh with the token that the last answer on the same connection gave."""

    def load(server: Server, held: Held) -> _Load:
        tokens = held.refresh[kind]

        def make(number: int) -> bytes:
            return post("/token", {"grant_type": "refresh_token", "refresh_token": tokens[number]}, server.portal)

        def take(number: int, body: bytes) -> None:
            tokens[number] = json.loads(body)["refresh_token"]

        numbers = range(CONNECTIONS)
        return _Load([lambda n=n: make(n) for n in numbers], [lambda body, n=n: take(n, body) for n in numbers])

    return load


def _introspect(server: Server, _: Held) -> _Load:
    asked = post("/token", {"grant_type": "client_credentials"}, server.batch)
    token = json.loads(server.ask(asked).partition(b"\r\n\r\n")[2])["access_token"]
    return _same(post("/introspect", {"token": token}, server.batch))


def _authorize(_: Server, held: Held) -> _Load:
    """Find the session of a cookie, and give a code."""
    return _same(get(f"/authorize?{_request(prompt='none')}", f"cookie: __Host-ringwall-issuer={held.session}"), 303)


def _sign_in(server: Server, _: Held) -> _Load:
    """Begin a session for a development user, and give a code."""
    return _same(_login(server, "person", {"person": "alice"}), 303)


def _sign_in_without_hash(server: Server, held: Held) -> _Load:
    """Look a person up by name, and the budgets of attempts: these are used up, so no password is hashed."""
    request = _login(server, "password", {"user_name": held.user_name, "password": "wrong"})
    for _ in range(GUESSES):
        server.ask(request, expect=0)
    return _same(request, 429)


def _login(server: Server, field: str, values: dict[str, str]) -> bytes:
    """Return what a browser sends that fills the form with this field."""
    answer = server.ask(get(f"/authorize?{_request()}")).decode()
    cookie = re.search(r"set-cookie: ([^;]+);", answer, re.IGNORECASE)
    form = next(form for form in answer.split("<form")[1:] if f'name="{field}"' in form)
    action = html.unescape(re.search(r'action="([^"]*)"', form)[1])  # type: ignore[index]  # the page has it
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    headers = (f"origin: {ORIGIN}", f"cookie: {cookie[1]}") if cookie else (f"origin: {ORIGIN}",)
    fields = {name: html.unescape(value) for name, value in hidden}
    return post(action.removeprefix(f"{ORIGIN}/auth").removeprefix("/auth"), {**fields, **values}, *headers)


def _request(**more: str) -> str:
    challenge = secrets.token_urlsafe(32)
    asked = {"client_id": "portal", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"}
    return urlencode({**asked, "code_challenge": challenge, "code_challenge_method": "S256", **more})


OPERATIONS: dict[str, Callable[[Server, Held], _Load]] = {
    "token": _token,
    "registered-client-token": _registered_token,
    "refresh": _refresh("plain"),
    "refresh-with-id-token": _refresh("with-id-token"),
    "introspection": _introspect,
    "authorize": _authorize,
    "sign-in": _sign_in,
    "sign-in-by-name": _sign_in_without_hash,
}
AGAINST_BARE = {"token": 5, "refresh": 8, "refresh-with-id-token": 8}


@contextmanager
def databases() -> Iterator[Any]:
    """Yield what makes an empty PostgreSQL database; None where this machine has no server."""
    import pytest  # noqa: PLC0415  # the tests' own way to a server
    from tests.support.postgres import running_postgres  # noqa: PLC0415

    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_postgres())
        except pytest.skip.Exception as missing:
            print(missing, file=sys.stderr)
            yield None
        else:
            yield server.database


def measure() -> list[Figure]:
    """Measure both databases; the CPU is the issuer's alone, on a core of its own."""
    with on_the_other_core(), databases() as postgresql:
        found = _measured("sqlite", None)
        return found + (_measured("postgresql", postgresql) if postgresql else _not_measured("postgresql"))


def _measured(kind: str, make: Any) -> list[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rw-bench-")))
        bare = stack.enter_context(bare_server(folder))
        sides = []
        for count in (FEW, MANY):
            own = folder / str(count)
            own.mkdir()
            url = prepare(own)
            if make is not None:
                url = stack.enter_context(make())
            held = fill(url, count, families=CONNECTIONS)
            sides.append((stack.enter_context(issuer(own, url if make is not None else "")), held))
        figures = [figure for name in OPERATIONS for figure in _operation(kind, name, bare, sides)]
        memory = max(resident_bytes(server.pid) for server, _ in sides)
        return [*figures, Figure(f"issuer-memory-{kind}", memory / MB, "MB", at_most=120)]


def _operation(kind: str, name: str, bare: Server, sides: Sequence[tuple[Server, Held]]) -> list[Figure]:
    """Ask all in turns, so that what else the machine does falls on all of them."""
    load = OPERATIONS[name]
    few, many = ((server, load(server, held)) for server, held in sides)
    costs: dict[str, list[float]] = {"bare": [], "few": [], "many": []}
    for number in range((COMPARED_ROUNDS if name in AGAINST_BARE else ROUNDS) + 2):
        measured = {"bare": _BARE.on(bare), "few": few[1].on(few[0]), "many": many[1].on(many[0])}
        for side, cost in measured.items():
            if number > 1:  # the first ones warm up
                costs[side].append(cost)
    figures = [Figure(f"issuer-{name}-{kind}", median(costs["few"]), "us")]
    if name in AGAINST_BARE:
        ratio = median([cost / least for cost, least in zip(costs["few"], costs["bare"], strict=True)])
        figures.append(Figure(f"issuer-{name}-to-bare-answer-{kind}", ratio, "ratio", at_most=AGAINST_BARE[name]))
    flat = median([much / little for much, little in zip(costs["many"], costs["few"], strict=True)])
    return [*figures, Figure(f"issuer-{name}-flat-{kind}", flat, "ratio", at_most=1.2)]


_BARE = _same(post("/token", {"grant_type": "client_credentials", "scope": "read"}, basic("batch", "x" * 48)))


def _not_measured(kind: str) -> list[Figure]:
    """Return the goals that nothing shows to be met."""
    return [Figure(f"issuer-{name}-flat-{kind}", None, "ratio", at_most=1.2) for name in OPERATIONS]
