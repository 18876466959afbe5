import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.blueprint.load import load_blueprint
from ringwall.model.errors import InvalidBlueprintError


def codes(one: tuple[str, str], other: tuple[str, str], *, builtin: bool = True) -> set[str]:
    services = "".join(
        f"  s{n}: {{run: x, expose: {prefix}, operations: ['{route}'], allow: [{{users: any}}]}}\n"
        for n, (prefix, route) in enumerate((one, other))
    )
    issuers = "" if builtin else 'issuers: {p: {issuer: "https://p.example"}}\n'
    text = f"ringwall: 1\nsystem: x\n{issuers}services:\n{services}"
    try:
        return {d.code for d in load_blueprint(MemoryFiles({"ringwall.yaml": text}))[1]}
    except InvalidBlueprintError as error:
        return {d.code for d in error.diagnostics}


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (("/api", "GET /a"), ("/api", "GET /b"), False),
        (("/api", "GET /a"), ("/api", "PUT /a"), False),
        (("/api", "GET /a"), ("/api", "GET /a"), True),
        (("/api", "GET /a"), ("/api", "* /a"), True),
        (("/api", "GET /{x}"), ("/api", "GET /{y}"), True),
        (("/api", "GET /{x}"), ("/api", "GET /a"), False),
        (("/", "GET /api/a"), ("/api", "GET /a"), True),
        (("/", "GET /{x}/a"), ("/api", "GET /a"), False),
        (("/", "* /{rest...}"), ("/api", "GET /{rest...}"), False),
        (("/", "GET /{rest...}"), ("/", "GET /{other...}"), True),
        (("/", "GET /api"), ("/api", "GET /"), True),
        (("/", "GET /api/"), ("/api", "GET /"), True),
        (("/a", "GET /b"), ("/a/b", "GET /"), True),
        (("/a", "GET /b{x}"), ("/a", "GET /b{y}"), True),
    ],
)
def test_a_request_at_the_edge_is_one_operation(one: tuple[str, str], other: tuple[str, str], clash: object) -> None:
    assert ("duplicate-route" in codes(one, other)) is clash
    assert ("duplicate-route" in codes(other, one)) is clash


@pytest.mark.parametrize(
    ("prefix", "route"), [("/auth", "GET /x"), ("/auth/x", "GET /"), ("/", "GET /auth/token"), ("/", "GET /auth")]
)
def test_the_issuers_paths_are_its_own(prefix: str, route: str) -> None:
    assert "reserved-prefix" in codes((prefix, route), ("/z", "GET /"))
    assert codes((prefix, route), ("/z", "GET /"), builtin=False) == set()
