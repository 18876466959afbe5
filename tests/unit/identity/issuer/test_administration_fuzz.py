"""Nothing that can be sent to the administration makes it answer 500; every answer is as its description says."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.administered import admin_plan
from tests.support.desk import DESCRIPTION, Desk, check_answer
from tests.support.issuer_world import IssuerWorld

OPERATIONS = sorted(
    (method.upper(), path, operation["operationId"])
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
)
TEXT = st.text(max_size=40) | st.sampled_from(["ann", "admin", "nurse", "\0", "\ud800", "a\nb", "-", "x" * 300])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MEMBERS = sorted(
    {name for schema in DESCRIPTION["components"]["schemas"].values() for name in schema.get("properties", {})}
)
BODY = st.dictionaries(st.sampled_from(MEMBERS) | TEXT, VALUE, max_size=4)
SEGMENT = st.text(
    alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/?#%"), min_size=1, max_size=30
) | st.sampled_from(["%00", "%C3%A4", "%ff", "%2F", "%7C", "user", "admin", "nurse", "batch"])
QUERY = st.dictionaries(
    st.sampled_from(["after", "limit", "user_name", "name", "user", "client", "subject", "by", "x"]),
    st.sampled_from(["1", "0", "-1", "start", "WyIiXQ", "WzEuMCwiIl0", "%00", "%ff", "a%0ab", "%D0%B0nn"]) | SEGMENT,
    max_size=3,
)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with TemporaryDirectory() as folder:
        world = IssuerWorld(Path(folder), plan=admin_plan())
        yield Desk(world)
        world.context.people.close()


def encoded(body: Any) -> bytes:
    try:
        return json.dumps(body).encode()
    except (ValueError, UnicodeEncodeError):
        return b"\xff"


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_asked_the_answer_is_as_described(desk: Desk, data: st.DataObject) -> None:
    method, template, _ = data.draw(st.sampled_from(OPERATIONS))
    path = "/".join(data.draw(SEGMENT) if part.startswith("{") else part for part in template.split("/"))
    if query := data.draw(QUERY):
        path += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    body = data.draw(st.none() | st.binary(max_size=40) | BODY.map(encoded))

    async def ask() -> int:
        from tests.support.issuer_world import ask as send  # noqa: PLC0415

        response = await send(desk.app, method, path, content=body, headers={"if-match": data.draw(TAG)})
        assert response.status_code < 500 or response.status_code == 503, response.text
        if response.status_code == 503:
            assert template.startswith("/admin/revocations"), response.text
        assert b"Traceback" not in response.content
        if response.status_code != 405:
            check_answer(method, path, response)
        await desk.world.context.storage.close()
        object.__setattr__(desk.world.context.people, "_services", None)
        return response.status_code

    asyncio.run(ask())


TAG = st.sampled_from(["*", '"v1"', '"v999999999999999"', "x", 'W/"v1"', ""])
