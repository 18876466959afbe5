"""Nothing that can be sent to the pages makes the issuer fail, or send anybody where no client has registered."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.issuer_browser import ORIGIN, RelyingParty, browser, forms_of
from tests.support.issuer_plan import ISSUER, PORTAL, login_plan
from tests.support.issuer_world import IssuerWorld

RIGHT = RelyingParty().parameters()
NAMES = st.sampled_from([*RIGHT, "prompt", "max_age", "resource", "acr_values", "id_token_hint", "request", "claims"])
VALUES = (
    st.sampled_from([*RIGHT.values(), "none", "login", "form_post", "0", "openid email", "phone", "spa", "batch"])
    | st.text(max_size=30)
    | st.sampled_from(PORTAL.redirect_uris).flatmap(lambda uri: st.text(max_size=8).map(lambda more: uri + more))
)
QUERIES = st.dictionaries(NAMES, VALUES | st.none(), max_size=4).map(
    lambda changes: urlencode(
        {name: value for name, value in {**RIGHT, **changes}.items() if value is not None}, errors="surrogatepass"
    )
) | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=60)
KNOWN = ("https://portal.example/", "https://partner.example/", "https://spa.example/", ISSUER + "/")


@pytest.fixture(scope="module")
def world() -> Iterator[IssuerWorld]:
    with TemporaryDirectory() as folder:
        yield IssuerWorld(Path(folder), plan=login_plan())


def check(response: httpx.Response) -> None:
    assert response.status_code in {200, 303, 400, 403, 413, 414, 429}, (response.status_code, response.text)
    assert "Traceback" not in response.text
    assert response.headers.get("location", KNOWN[0]).startswith(KNOWN)
    for form in forms_of(response) if response.headers.get("content-type", "").startswith("text/html") else ():
        assert form.action.startswith(KNOWN)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(["/authorize", "/end_session", "/login", "/consent"]), QUERIES)
def test_arbitrary_queries(world: IssuerWorld, path: str, query: str) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            check(await page.get(httpx.URL(f"{ISSUER}{path}", query=query.encode("ascii"))))

    asyncio.run(run())


FORM = st.dictionaries(
    st.sampled_from(["person", "user_name", "password", "form_token", "decision", "fresh", "step", "code", "way"]),
    st.sampled_from(["alice", "allow", "yes", "totp", ""]) | st.text(max_size=20),
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["/login", "/consent", "/sign-out", "/authorize", "/end_session"]), FORM, st.booleans())
def test_arbitrary_forms(world: IssuerWorld, path: str, values: dict[str, str], right: bool) -> None:  # noqa: FBT001  # drawn
    async def run() -> None:
        async with browser(world.app) as page:
            url = RelyingParty(verifier="v" * 43, state="s", nonce="n").url()
            shown = forms_of(await page.get(url))[0].fields if right else {}
            content = urlencode({**values, **shown}, errors="surrogatepass")
            headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
            query = url.partition("?")[2]
            check(await page.post(f"{ISSUER}{path}?{query}", content=content, headers=headers))

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/authorize", "/login", "/consent", "/end_session", "/sign-out", "/userinfo", "/assets/x"]),
    st.binary(max_size=40),
    st.lists(st.tuples(st.sampled_from([b"origin", b"cookie", b"authorization", b"host"]), st.binary(max_size=30))),
)
def test_arbitrary_bytes(
    world: IssuerWorld, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Without a client library that would refuse to send them."""
    status = asyncio.run(raw(world, method, path, query, headers))
    assert status in {200, 303, 400, 401, 403, 404, 405, 413, 414}


async def raw(world: IssuerWorld, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(b"content-type", b"application/x-www-form-urlencoded"), *headers],
        "client": None,
        "server": None,
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"form_token=x", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await world.app(scope, receive, send)
    return int(sent[0]["status"])
