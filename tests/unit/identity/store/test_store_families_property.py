"""Any history of refreshes, held to what a family is said to do."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ringwall.identity.store.database import Database, sqlite_url
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError

START = 1_700_000_000.0
IDLE = 100.0
FINAL = 400.0
GRACE = 10.0

STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from((0.0, 1.0, GRACE, GRACE + 1, IDLE - 1, IDLE))), min_size=1, max_size=12
)
"""Which token is used (0 for the newest, 1 for the one before, …), and how long after the step before."""


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_a_family_does_what_is_said_of_it(steps: list[tuple[int, float]]) -> None:
    async def body(folder: str) -> None:
        async with await Database.open(sqlite_url(Path(folder) / "issuer.db")) as database:
            begun = await database.families.start(
                client="c", account="", session="", payload={}, now=START, idle_seconds=IDLE, final_seconds=FINAL
            )
            chain = [begun.token]
            now = rotated = START
            ended = False
            for back, pause in steps:
                now += pause
                used = chain[max(len(chain) - 1 - back, 0)]
                place = len(chain) - 1 - chain.index(used)
                expired = now >= min(rotated + IDLE, START + FINAL)
                rotating = database.families.rotate(used, client="c", now=now, idle_seconds=IDLE, grace_seconds=GRACE)
                try:
                    step = await rotating
                except HandleReusedError:
                    assert not ended
                    assert not expired
                    assert place > 1 or (place == 1 and now - rotated > GRACE)
                    ended = True
                except HandleRefusedError:
                    assert ended or expired
                else:
                    assert not ended
                    assert not expired
                    if place == 0:
                        assert not step.repeated
                        chain.append(step.token)
                        rotated = now
                    else:
                        assert place == 1
                        assert now - rotated <= GRACE
                        assert step.repeated
                        assert step.token == chain[-1]
                    assert step.family.generation == len(chain)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(body(folder))
