"""Lists: pages, cursors, order, projections, and the end of what is read for one request."""

from typing import Any

import httpx
import pytest
from tests.support.scim_world import ENTERPRISE, ScimWorld

from ringwall.identity.issuer.scim import query
from ringwall.identity.issuer.scim.query import SEARCH

NAMES = ["ada", "bob", "carol", "dave", "eve"]


@pytest.fixture
def world(world: ScimWorld) -> ScimWorld:
    for place, name in enumerate(NAMES):
        world.hr.user(name, title=str(9 - place), emails=[{"value": f"{name}@x.org", "type": "work"}])
    return world


def listed(world: ScimWorld, kind: str = "Users", **asked: object) -> dict[str, Any]:
    return dict(world.hr.ask("GET", f"/{kind}?{httpx.QueryParams({k: str(v) for k, v in asked.items()})}").json())


def names(found: dict[str, Any]) -> list[str]:
    return [each["userName"] for each in found.get("Resources", [])]


def test_pages_by_place(world: ScimWorld) -> None:
    found = listed(world)
    assert (names(found), found["totalResults"], found["startIndex"], found["itemsPerPage"]) == (NAMES, 5, 1, 5)
    for start, count, expected in (
        (2, 2, ["bob", "carol"]),
        (5, 9, ["eve"]),
        (6, 1, []),
        (0, 1, ["ada"]),
        (-3, 1, ["ada"]),
    ):
        found = listed(world, startIndex=start, count=count)
        assert (names(found), found["totalResults"]) == (expected, 5)
        assert listed(world, startIndex=start, count=count, filter="title pr")[
            "Resources" if expected else "startIndex"
        ]
    for count in (0, -1):
        found = listed(world, count=count)
        assert (found["totalResults"], found["itemsPerPage"], "Resources" in found) == (5, 0, False)


def test_pages_by_cursor(world: ScimWorld) -> None:
    for asked in ({}, {"filter": 'not (userName eq "carol")'}):
        seen: list[str] = []
        cursor = ""
        while True:
            found = listed(world, cursor=cursor, count=2, **asked)
            assert "startIndex" not in found
            seen += names(found)
            cursor = found.get("nextCursor", "")
            if not cursor:
                break
        assert seen == [name for name in NAMES if not asked or name != "carol"]
    for wrong in ("%", "AA", "x" * 3000, "4pyT"):
        answered = world.hr.ask("GET", f"/Users?{httpx.QueryParams({'cursor': wrong})}", status=None)
        assert answered.status_code in {200, 400}


def test_results_in_order(world: ScimWorld) -> None:
    assert names(listed(world, sortBy="title")) == NAMES[::-1]
    assert names(listed(world, sortBy="title", sortOrder="descending")) == NAMES
    assert names(listed(world, sortBy="emails.value", count=2, startIndex=2)) == ["bob", "carol"]
    world.hr.user("zoe")
    assert names(listed(world, sortBy="title"))[-1] == "zoe"
    assert names(listed(world, sortBy="title", sortOrder="descending"))[-1] == "zoe"
    for wrong in ("password", "nonsense", "a b", ENTERPRISE):
        world.hr.refused("GET", f"/Users?{httpx.QueryParams({'sortBy': wrong})}")
    world.hr.refused("GET", "/Users?sortOrder=sideways")
    world.hr.refused("GET", "/Users?startIndex=one")


def test_look_ups_find_what_reading_would_find(world: ScimWorld) -> None:
    for where in ('userName eq "EVE"', 'emails.value eq "eve@x.org"', 'emails eq "EVE@X.ORG" and active eq true'):
        assert world.hr.names(where) == ["eve"]
        assert world.hr.names(f"not (not ({where}))") == ["eve"]
    assert world.hr.names('userName eq "eve" and title eq "9"') == []
    for nobody in ('userName eq "\u0435ve"', 'userName eq ""', 'id eq "x"', 'emails eq "no address"', "userName eq 7"):
        assert world.hr.names(nobody) == []


def test_reading_ends_somewhere(world: ScimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "SCAN_MOST", 4)
    monkeypatch.setattr(query, "_LOT", 2)
    assert world.hr.refused("GET", "/Users?filter=title pr") == "tooMany"
    assert world.hr.refused("GET", "/Users?sortBy=title") == "tooMany"
    assert names(listed(world, filter='userName eq "eve" and title pr')) == ["eve"]
    assert names(listed(world)) == NAMES
    seen, cursor = [], ""
    while True:
        found = listed(world, filter='title eq "5"', cursor=cursor)
        seen += names(found)
        if not (cursor := found.get("nextCursor", "")):
            break
    assert seen == ["eve"]


def test_attributes_are_shown_as_asked(world: ScimWorld) -> None:
    shown = listed(world, attributes="userName,emails.value,name", count=1)["Resources"]
    assert shown[0] == {
        **{k: shown[0][k] for k in ("schemas", "id")},
        "userName": "ada",
        "emails": [{"value": "ada@x.org"}],
    }
    (shown,) = listed(world, excludedAttributes="emails.type,meta,schemas,id,title", count=1)["Resources"]
    assert (shown["emails"], "meta" in shown, "id" in shown, "title" in shown) == (
        [{"value": "ada@x.org"}],
        False,
        True,
        False,
    )
    world.hr.refused("GET", "/Users?attributes=a&excludedAttributes=b")


def test_searches_in_a_body(world: ScimWorld) -> None:
    world.hr.group("alpha")
    body: dict[str, Any] = {"schemas": [SEARCH], "filter": 'title eq "9"', "attributes": ["userName"], "count": 5}
    assert names(world.hr.ask("POST", "/Users/.search", body).json()) == ["ada"]
    assert names(world.hr.ask("POST", "/.search", body).json()) == ["ada"]
    found = world.hr.ask("POST", "/.search", {"schemas": [SEARCH], "startIndex": 5, "count": 2}).json()
    assert [each.get("userName") or each["displayName"] for each in found["Resources"]] == ["eve", "alpha"]
    assert found["totalResults"] == 6
    found = world.hr.ask("POST", "/Groups/.search", {"schemas": [SEARCH], "filter": 'displayName sw "AL"'}).json()
    assert found["totalResults"] == 1
    wrong: list[dict[str, Any]] = [
        {},
        {"schemas": []},
        {"schemas": 7},
        *(
            {"schemas": [SEARCH], **more}
            for more in (
                {"count": "x"},
                {"attributes": [1]},
                {"filter": 7},
                {"filter": "nonsense pr"},
                {"cursor": "x"},
            )
        ),
    ]
    for each in wrong:
        world.hr.refused("POST", "/.search", each)


def test_it_says_what_it_can_do(world: ScimWorld) -> None:
    config = world.hr.ask("GET", "/ServiceProviderConfig").json()
    assert (config["bulk"]["supported"], config["patch"]["supported"], config["etag"]["supported"]) == (
        True,
        True,
        True,
    )
    assert config["filter"]["maxResults"] == query.MAX_RESULTS
    types = world.hr.ask("GET", "/ResourceTypes").json()["Resources"]
    assert [each["id"] for each in types] == ["User", "Group"]
    for each in (*types, *world.hr.ask("GET", "/Schemas").json()["Resources"]):
        path = each["meta"]["location"].partition("/scim/v2")[2]
        assert world.hr.ask("GET", path).json() == each
    for path in ("/Schemas/urn:x", "/ResourceTypes/Device"):
        world.hr.ask("GET", path, status=404)
    world.hr.ask("GET", '/Schemas?filter=id eq "x"', status=403)
    extension = world.hr.ask("GET", f"/Schemas/{ENTERPRISE}").json()
    assert sorted(each["name"] for each in extension["attributes"]) == ["department", "employeeNumber"]
