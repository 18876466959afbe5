"""Filters: what is taken, what is refused, and how little it may cost."""

import time

import pytest
from tests.support.scim_world import ENTERPRISE, USER

from ringwall.identity.issuer.scim.attributes import user_type
from ringwall.identity.issuer.scim.errors import ScimError
from ringwall.identity.issuer.scim.filter import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_TERMS,
    Compare,
    Logical,
    Not,
    Path,
    Present,
    ValueFilter,
    parse_filter,
    parse_patch_path,
)
from ringwall.identity.issuer.scim.match import compile_filter

TYPE = user_type(roles=["nurse"], claims=["department"])
ADA = {
    "id": "A1",
    "userName": "Ada",
    "name": {"familyName": "O'Malley"},
    "active": True,
    "title": "Dr",
    "emails": [{"value": "ada@example.org", "type": "work", "primary": True}, {"value": "a@home.org", "type": "home"}],
    "roles": [{"value": "nurse"}],
    "meta": {"created": "2026-01-02T03:04:05.000000Z", "version": 'W/"1"'},
    ENTERPRISE: {"department": "er"},
}


def holds(text: str) -> bool:
    return compile_filter(parse_filter(text), TYPE)(ADA)


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ada"',
        'USERNAME Eq "ADA"',
        f'{USER}:userName sw "AD"',
        f'{USER.lower()}:name.familyName co "O\'M"',
        'id eq "A1"',
        'not (id eq "a1")',  # case exact
        'userName eq "x" or title pr and active eq true',
        '(userName eq "x" or title pr) and active eq "True"',
        "not(externalId pr)",
        "externalId eq null",
        'title ne "x"',
        'title gt "dq" and title lt "ds" and title ge "dr" and title le "dr"',
        'emails eq "a@home.org"',
        'emails.value ew "home.org"',
        'emails[type eq "work" and value co "@example"]',
        'not (emails[type eq "work" and value co "@home"])',
        'emails[not (type eq "work")]',
        'emails.type eq "home"',
        'meta.created gt "2026-01-02T04:04:04+01:00"',
        'meta.created lt "2026-01-02T03:04:05.5Z"',
        f'{ENTERPRISE}:department eq "ER"',
        'roles eq "nurse"',
        'not (photos pr) and not (photos eq "x")',
        'userName co ""',
        r'not (userName eq "\u0041da\"\\")',
    ],
)
def test_filters_that_hold(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


def test_and_binds_more_than_or() -> None:
    tree = parse_filter("a pr or b pr and not (c eq 1.5) or d[e eq null]")
    assert tree == Logical(
        "or",
        (
            Present(Path("", "a")),
            Logical("and", (Present(Path("", "b")), Not(Compare(Path("", "c"), "eq", 1.5)))),
            ValueFilter(Path("", "d"), Compare(Path("", "e"), "eq", None)),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "userName",
        "userName eq",
        'userName xx "a"',
        'userName eq "a" and',
        'userName eq "a" "b"',
        'userName eq "a',
        "userName eq a",
        "userName eq 'a'",
        'userName eq "a\n"',
        'userName eq "\\x"',
        'userName eq "\\ud800"',
        "(userName pr",
        "userName pr)",
        "emails[type pr",
        "emails[]",
        'emails[type eq "work"].value eq "x"',
        "emails[emails[type pr]]",
        "not userName pr",
        "active gt true",
        "active co true",
        "name co 1",
        'name gt "a"',
        "title gt true",
        "title co 5",
        'meta.created co "2026"',
        "nonsense pr",
        "name.nonsense pr",
        "userName.value pr",
        "password pr",
        'password sw "a"',
        "userName[value pr]",
        "urn:x:y:z pr",
        f"{ENTERPRISE} pr",
        "userName pr; DROP TABLE accounts",
        "1 eq 1",
        '"a" eq "a"',
        "userName eq 1e",
        "ｕserName pr",  # noqa: RUF001  # full width
        "(" * (MAX_DEPTH + 2) + "title pr" + ")" * (MAX_DEPTH + 2),
        "(" * 2000 + "title pr" + ")" * 2000,
        "not (" * (MAX_DEPTH + 2) + "title pr" + ")" * (MAX_DEPTH + 2),
        " or ".join(["title pr"] * (MAX_TERMS + 1)),
        "title pr" + " " * MAX_LENGTH,
    ],
)
def test_filters_that_are_refused(text: str) -> None:
    with pytest.raises(ScimError) as refused:
        holds(text)
    assert (refused.value.status, refused.value.scim_type) == (400, "invalidFilter")


@pytest.mark.parametrize("piece", ['"', "\\", "(", "[", "a.", "a:", "urn:", "not (", '"\\', "-1", "a eq "])
def test_no_filter_costs_much(piece: str) -> None:
    text = (piece * MAX_LENGTH)[:MAX_LENGTH]
    began = time.process_time()
    for parse in (parse_filter, parse_patch_path):
        with pytest.raises(ScimError):
            parse(text)
    assert time.process_time() - began < 0.5  # a hundred times what it takes


def test_a_very_long_filter_is_not_even_read() -> None:
    with pytest.raises(ScimError, match="longer than"):
        parse_filter('"' * 10_000_000)
