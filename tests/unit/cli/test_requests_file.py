from pathlib import Path

import pytest

from ringwall.cli.requests_file import RequestsFileError, read_requests
from ringwall.model.errors import InvalidBlueprintError


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "requests.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_row_has_defaults(tmp_path: Path) -> None:
    (row,) = read_requests(write(tmp_path, "- {method: GET, path: /x, expect: 200}"))
    assert (row.who, row.via, row.to, row.headers, row.body, row.note) == ("guest", "edge", "", (), None, "")


def test_everything_can_be_given(tmp_path: Path) -> None:
    (row,) = read_requests(
        write(
            tmp_path,
            """
- as: alice
  method: POST
  path: /x?y=1
  headers: {x-purpose: test}
  body: {text: hello, list: [1, true, null]}
  via: portal
  to: patients
  expect: 403
  note: it is so
""",
        )
    )
    assert row.who == "alice"
    assert row.headers == (("x-purpose", "test"),)
    assert row.body == b'{"text": "hello", "list": [1, true, null]}'
    assert (row.via, row.to, row.expect, row.note) == ("portal", "patients", 403, "it is so")


def test_a_service_calls_through_its_own_listener(tmp_path: Path) -> None:
    (row,) = read_requests(write(tmp_path, "- {as: service:portal, method: GET, path: /x, expect: 401}"))
    assert row.via == "portal"


def test_text_is_sent_as_it_is(tmp_path: Path) -> None:
    (row,) = read_requests(write(tmp_path, '- {method: POST, path: /x, body: "a=1&b=2", expect: 200}'))
    assert row.body == b"a=1&b=2"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-file"),
        ("{}", "wrong-type"),
        ("- {}", "missing-key"),
        ("- {method: GET, path: /x, expect: 200, expekt: 1}", "unknown-key"),
        ("- {method: GET, path: x, expect: 200}", "bad-value"),
        ("- {method: GET, path: '/x y', expect: 200}", "bad-value"),
        ("- {method: get, path: /x, expect: 200}", "bad-value"),
        ("- {method: GET, path: /x, expect: 1000}", "out-of-range"),
        ('- {method: GET, path: /x, expect: 200, headers: {"a b": c}}', "bad-value"),
        ('- {method: GET, path: /x, expect: 200, headers: {a: "b\\r\\nc: d"}}', "bad-value"),
        ("- [", ""),
        ("&a [*a]", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str | bytes, code: str) -> None:
    with pytest.raises(InvalidBlueprintError) as caught:
        read_requests(write(tmp_path, text))
    assert not code or code in {found.code for found in caught.value.diagnostics}


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestsFileError, match="No such file"):
        read_requests(tmp_path / "none.yaml")


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestsFileError, match="larger"):
        read_requests(write(tmp_path, b"#" * (4 * 1024 * 1024 + 1)))
