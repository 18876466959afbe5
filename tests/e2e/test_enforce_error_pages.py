"""Who asks the real proxies for a page gets one where they answer by themselves; programs get a problem document."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Answer, Rig, running

from ringwall.plan.rule import DENY

PAGE = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LEAKS = re.compile(rb"envoy|upstream|rbac|jwt|filter|127\.0\.0\.1|spiffe|stack|connect|%|CEL", re.IGNORECASE)
PLAN = plan(
    service(
        "patients",
        operation("patients", "get", "GET", "/patients/{id}"),
        operation("patients", "health", "GET", "/health", token=False),
        operation("patients", "closed", "GET", "/closed", token=False, edge=DENY),
        operation("patients", "inner", "GET", "/inner-closed", token=False, rule=DENY),
        prefix="/api",
        timeout_seconds=1,
        max_body_bytes=1000,
    ),
    service("gone", operation("gone", "any", "GET", "/", token=False), prefix="/gone"),
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("error-pages")) as started:
        started.apps.pop("gone").stop()
        yield started


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self._within = ""

    def handle_starttag(self, tag: str, _: object) -> None:
        self._within = tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._within, data)


def texts_of(answer: Answer) -> dict[str, str]:
    """Return the first text in each kind of element, of a page that is as safe as it should be."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    reader = _Texts()
    reader.feed(answer.body.decode())
    own = base64.b64encode(hashlib.sha256(reader.texts["style"].encode()).digest()).decode()
    assert answer.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{own}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert not re.search(rb"<script|src=|href=|style=|url\(", answer.body)
    assert not LEAKS.search(answer.body)
    assert b'<html lang="en">' in answer.body
    return reader.texts


@pytest.mark.parametrize(
    ("method", "path", "status", "heading"),
    [
        ("GET", "/api/patients/7", 401, "You are not signed in"),
        ("GET", "/api/closed", 403, "You may not do this"),
        ("GET", "/nowhere", 404, "There is nothing here"),
        ("PUT", "/api/health", 405, "This did not work"),
        ("GET", "/gone/", 503, "Not available now"),
        ("GET", "/api/inner-closed", 403, "You may not do this"),
    ],
)
def test_a_browser_is_told_in_words_what_is_wrong(rig: Rig, method: str, path: str, status: int, heading: str) -> None:
    answer = rig.request(method, path, headers=PAGE)
    assert answer.status == status
    texts = texts_of(answer)
    assert texts["h1"] == texts["title"] == heading
    assert texts["code"] == answer.headers["x-request-id"]
    assert len(texts["p"]) > 15
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert rig.request(method, path).headers["content-type"] == "application/problem+json"


def test_a_service_that_takes_too_long(rig: Rig) -> None:
    rig.apps["patients"].delay = 2
    try:
        answer = rig.get("/api/health", headers=PAGE)
    finally:
        rig.apps["patients"].delay = 0
    assert (answer.status, texts_of(answer)["h1"]) == (504, "This took too long")


def test_what_is_refused_before_it_has_an_id_shows_none_that_the_client_chose(rig: Rig) -> None:
    answer = rig.get("/api/closed%2fx", headers={**PAGE, "X-Request-Id": "<b>chosen</b>"})
    assert answer.status == 400
    assert b"chosen" not in answer.body
    assert "code" not in texts_of(answer)


JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/*", "image/png", "", JAVA])
def test_programs_get_problem_documents(rig: Rig, accept: str) -> None:
    answer = rig.get("/nowhere", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_a_token_that_is_no_good_says_so_to_both(rig: Rig) -> None:
    for headers in ({}, PAGE):
        answer = rig.get("/api/patients/7", token="a.b.c", headers=headers)
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
