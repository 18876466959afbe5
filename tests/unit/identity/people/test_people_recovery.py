import asyncio
import contextlib
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.identity.people.passwords import FLOOR, PasswordHasher
from ringwall.identity.people.recovery import HOW_MANY, digest, new_codes, understood
from ringwall.model.secret import Secret


@pytest.fixture
def passwords() -> Iterator[PasswordHasher]:
    made = PasswordHasher(FLOOR)
    with contextlib.closing(made):
        yield made


def test_codes_can_be_read_and_are_never_the_same() -> None:
    codes = [code.reveal().decode() for _ in range(20) for code in new_codes()]
    assert len(set(codes)) == 20 * HOW_MANY
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){2}", code) for code in codes)


@pytest.mark.parametrize("typed", ["k1v9-0tq2-xm5d", "K1V9 0TQ2 XM5D", "kiv9otq2xm5d", " klv9-Otq2--xm5d "])
def test_a_code_is_understood_however_it_is_typed(typed: str) -> None:
    assert understood(typed) == Secret("k1v9-0tq2-xm5d")


@pytest.mark.parametrize("typed", ["", "k1v9-0tq2", "k1v9-0tq2-xm5du", "k1v9-0tq2-xm5u", "k1v9-0tq2-xm5é", "-" * 9999])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert understood(typed) is None


@given(st.text(max_size=70))
def test_any_text_is_a_code_or_none(typed: str) -> None:
    code = understood(typed)
    assert code is None or understood(code.reveal().decode()) == code


def test_what_is_kept_depends_on_code_and_account(passwords: PasswordHasher) -> None:
    async def run() -> None:
        first, second = new_codes()[:2]
        kept = await digest(first, account="a", hasher=passwords)
        assert kept == await digest(first, account="a", hasher=passwords)
        assert kept != await digest(first, account="b", hasher=passwords)
        assert kept != await digest(second, account="a", hasher=passwords)

    asyncio.run(run())
