"""Nothing that can be sent makes the issuer answer 500, leak, or issue a token."""

import base64
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.issuer_world import IssuerWorld

REFUSALS = {400, 401, 404, 405, 413, 429}
PATHS = ["/token", "/jwks", "/.well-known/openid-configuration", "/", "/token/", "/%00", "/keys"]
ADMIN_PATHS = ["/dev/token", "/nothing"]
HEADER_VALUES = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
FORMS = st.lists(
    st.tuples(
        st.sampled_from(["grant_type", "scope", "client_id", "client_secret", "x"]) | st.text(max_size=5),
        st.sampled_from(["client_credentials", "read", "batch", ""]) | st.text(max_size=20),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def world() -> Iterator[IssuerWorld]:
    with TemporaryDirectory() as folder:
        made = IssuerWorld(Path(folder))
        made.new_secret()
        yield made


def check(status: int, body: bytes) -> None:
    assert status in REFUSALS, (status, body)
    assert set(json.loads(body)) >= {"error", "error_description"}
    assert b"Traceback" not in body


REQUESTS = st.tuples(st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "PATCH"]), st.sampled_from(PATHS))
HEADERS = st.fixed_dictionaries({"content-type": HEADER_VALUES, "authorization": HEADER_VALUES})


@settings(max_examples=150, deadline=None)
@given(REQUESTS, st.binary(max_size=200), HEADERS)
def test_arbitrary_requests(world: IssuerWorld, asked: tuple[str, str], body: bytes, headers: dict[str, str]) -> None:
    response = world.ask(*asked, content=body, headers=headers)
    if asked in {("GET", "/jwks"), ("GET", "/.well-known/openid-configuration")}:
        assert response.status_code == 200
    else:
        check(response.status_code, response.content)


@settings(max_examples=150, deadline=None)
@given(FORMS, st.none() | st.binary(max_size=40) | st.text(max_size=20).map(lambda text: f"batch:{text}".encode()))
def test_arbitrary_forms(world: IssuerWorld, form: list[tuple[str, str]], credentials: bytes | None) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if credentials is not None:
        headers["authorization"] = "Basic " + base64.b64encode(credentials).decode()
    body = urllib.parse.urlencode(form, errors="surrogatepass")
    response = world.ask("POST", "/token", content=body, headers=headers)
    check(response.status_code, response.content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.dictionaries(st.sampled_from(["scopes", "lifetime", "compromise", "x"]), JSON, max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ADMIN_PATHS), st.binary(max_size=100) | MEMBERS.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_administration_requests(world: IssuerWorld, path: str, body: bytes) -> None:
    response = world.ask_admin("POST", path, content=body)
    if path == "/keys/rotate" and response.status_code == 200:
        assert body in {b"", b"{}"}
    else:
        check(response.status_code, response.content)


@settings(max_examples=100, deadline=None)
@given(MEMBERS)
def test_arbitrary_wishes_for_a_token(world: IssuerWorld, wishes: dict[str, Any]) -> None:
    response = world.ask_admin("POST", "/dev/token", content=json.dumps({**wishes, "person": "alice"}))
    if response.status_code == 200:
        assert world.verify(response.json()["access_token"]).subject == "alice"
    else:
        check(response.status_code, response.content)
