from ringwall.bootstrap.in_force import in_force_seconds


def test_a_large_system_on_a_busy_machine_is_given_more_time() -> None:
    assert in_force_seconds(5) < 20
    assert in_force_seconds(200) > 60
