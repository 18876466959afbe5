import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwall.identity.keystore import KeyStoreError
from ringwall.identity.workload.rotation import Phase, RotationError, RotationState

STABLE = RotationState(Phase.STABLE, "aa")
ANNOUNCED = STABLE.begin("bb")
RETIRING = ANNOUNCED.switch(1_000.0)


def test_the_whole_way() -> None:
    assert STABLE.trusted == ("aa",)
    assert (ANNOUNCED.issuing, ANNOUNCED.trusted) == ("aa", ("aa", "bb"))
    assert (RETIRING.issuing, RETIRING.trusted, RETIRING.retire_at) == ("bb", ("bb", "aa"), 1_000.0)
    assert RETIRING.retire() == RotationState(Phase.STABLE, "bb")


def test_no_step_out_of_turn() -> None:
    for state in (ANNOUNCED, RETIRING):
        with pytest.raises(RotationError, match="under way") as caught:
            state.begin("cc")
        assert "--compromised" in caught.value.hint
    for state in (STABLE, RETIRING):
        with pytest.raises(RotationError, match="nothing to switch"):
            state.switch(0.0)
    for state in (STABLE, ANNOUNCED):
        with pytest.raises(RotationError, match="nothing to retire"):
            state.retire()


@pytest.mark.parametrize("state", [STABLE, ANNOUNCED, RETIRING])
def test_a_compromise_leaves_only_the_new_one_from_any_phase(state: RotationState) -> None:
    assert state.drop_all_for("cc") == RotationState(Phase.STABLE, "cc")


def test_trust_is_only_ever_made_to_last_longer() -> None:
    assert RETIRING.keep_until(2_000.0).retire_at == 2_000.0
    assert RETIRING.keep_until(10.0).retire_at == 1_000.0


@pytest.mark.parametrize("state", [STABLE, ANNOUNCED, RETIRING])
def test_kept_and_brought_back(state: RotationState) -> None:
    assert RotationState.from_json(state.to_json()) == state


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries(
        {
            "phase": st.sampled_from(["stable", "announced", "retiring", "x"]) | json_values,
            "issuing": st.just("aa") | json_values,
            "other": st.sampled_from([None, "bb"]) | json_values,
            "retire_at": st.floats(0, 9) | json_values,
        }
    )
    | json_values
)
def test_anything_else_is_refused(kept: object) -> None:
    try:
        state = RotationState.from_json(kept)
    except KeyStoreError:
        return
    assert state.to_json() == kept
    assert (state.phase is Phase.STABLE) == (len(state.trusted) == 1)
