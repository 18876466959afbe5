"""Whatever is sent, the answer is one of SCIM's own and never a 5xx; `ask` checks both."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.scim_world import ENTERPRISE, GROUP, PATCH, USER, ScimWorld

NAMES = st.sampled_from(
    [
        *("userName", "displayName", "name", "emails", "roles", "active", "password", "externalId", "members", "id"),
        *("value", "type", "primary", "groups", "meta", "title", "givenName", ENTERPRISE, "department", "NAME", "x"),
    ]
)
SMALL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["ada", "nurse", "False", "a@b.c", "\x00", "\ud7ff", "User", "quiet-harbour-lantern-42"]),
)
JSON = st.recursive(
    SMALL,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
BODIES = st.dictionaries(NAMES, JSON, max_size=5)
PATHS = st.one_of(
    st.sampled_from(
        ["", "emails", 'emails[type eq "work"].value', "roles", "members", 'members[value eq "x"]', "name"]
    ),
    st.builds(lambda a, b: f"{a}.{b}", NAMES, NAMES),
    NAMES,
    st.text(max_size=12),
)
OPERATIONS = st.lists(
    st.fixed_dictionaries({"op": st.sampled_from(["add", "Replace", "remove"]), "path": PATHS, "value": JSON}),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScimWorld, str, str]]:
    world = ScimWorld(tmp_path_factory.mktemp("fuzz"))
    ada = world.hr.user("fuzzed")
    yield world, f"/Users/{ada['id']}", f"/Groups/{world.hr.group('fuzzed', ada['id'])['id']}"
    world.context.people.close()


settings.register_profile(
    "endpoints", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FEW = settings.get_profile("endpoints")


@given(BODIES, st.sampled_from(["POST", "PUT"]), st.booleans())
@settings(FEW)
def test_any_resource(shared: tuple[ScimWorld, str, str], body: dict[str, Any], method: str, group: bool) -> None:  # noqa: FBT001  # drawn
    world, user, its_group = shared
    schema, path = (GROUP, its_group) if group else (USER, user)
    where = path if method == "PUT" else path.rpartition("/")[0]
    world.hr.ask(method, where, {"schemas": [schema], "userName": "eve", "displayName": "eve", **body}, status=None)


@given(OPERATIONS, st.booleans())
@settings(FEW)
def test_any_patch(shared: tuple[ScimWorld, str, str], operations: list[dict[str, Any]], group: bool) -> None:  # noqa: FBT001  # drawn
    world, user, its_group = shared
    world.hr.ask("PATCH", its_group if group else user, {"schemas": [PATCH], "Operations": operations}, status=None)


@given(
    st.dictionaries(
        st.sampled_from(["filter", "sortBy", "startIndex", "count", "cursor", "attributes", "excludedAttributes"]),
        st.one_of(
            st.text(max_size=20), st.sampled_from(["title pr", 'userName eq "\\u0000"', "-1", "99999999999", "id"])
        ),
    ),
    st.sampled_from(["/Users", "/Groups", "/Schemas", "/Users/x", "/Groups/%00", "/Users/\u00e9"]),
)
@settings(FEW)
def test_any_query(shared: tuple[ScimWorld, str, str], asked: dict[str, str], path: str) -> None:
    shared[0].hr.ask("GET", f"{path}?{httpx.QueryParams(asked)}", status=None)


@given(st.binary(max_size=60), st.sampled_from(["/Users", "/Groups", "/.search", "/Users/.search"]))
@settings(FEW)
def test_any_bytes(shared: tuple[ScimWorld, str, str], body: bytes, path: str) -> None:
    shared[0].hr.ask("POST", path, body, status=None)
