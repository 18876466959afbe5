from ringwall.plan.policy import Mode, Policy, Source


def test_a_changed_copy_has_bytes_of_its_own() -> None:
    policy = Policy(id="a", cedar="permit(principal, action, resource);", source=Source(file="a.cedar"))
    assert b"enforce" in policy.canonical_bytes
    assert b"shadow" in policy.model_copy(update={"mode": Mode.SHADOW}).canonical_bytes
    assert policy.model_copy() == policy
    assert policy.model_copy().canonical_bytes == policy.canonical_bytes
