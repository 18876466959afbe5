"""An issuer that is killed under load takes no code and no refresh token twice, and loses none that it has answered."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.support.issuer_killing import Outcome, load_under_kills
from tests.support.issuer_plan import login_plan
from tests.support.issuer_processes import IssuerProcess, issuer_processes, issuer_state, new_secret
from tests.support.postgres import Postgres, running_postgres

pytestmark = pytest.mark.filterwarnings(
    # httpx leaves the socket open whose connection is refused while nobody listens.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def issuer(request: pytest.FixtureRequest) -> Iterator[tuple[IssuerProcess, str]]:
    with issuer_state(login_plan()) as state:
        secret = new_secret(state, "portal")
        if request.param == "sqlite":
            with issuer_processes(state, "", 1) as (process,):
                yield process, secret
            return
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as url, issuer_processes(state, url, 1) as (process,):
            yield process, secret


def _holds(outcome: Outcome, kills: int) -> None:
    assert outcome.twice == []
    assert outcome.lost == []
    assert outcome.kills == kills
    assert outcome.answered > kills
    assert outcome.broken > 0, "no kill came in the middle of anything"


def test_nothing_is_taken_twice_and_nothing_answered_is_lost(issuer: tuple[IssuerProcess, str]) -> None:
    _holds(asyncio.run(load_under_kills(*issuer, kills=5)), 5)


@pytest.mark.deep
def test_the_same_for_a_hundred_kills(issuer: tuple[IssuerProcess, str]) -> None:
    _holds(asyncio.run(load_under_kills(*issuer, kills=100)), 100)
