from dataclasses import asdict

from ringwall.cli.output import Style
from ringwall.cli.status import decision_log
from ringwall.observe.collector import CollectorStatus


def test_a_log_without_losses_says_what_it_holds() -> None:
    said = decision_log(asdict(CollectorStatus(running=True, stored=12)))
    assert said == ("decision log: 12 stored", Style.PLAIN)


def test_losses_are_counted_and_shown() -> None:
    status = CollectorStatus(
        running=True,
        stored=5,
        lag_seconds=7.2,
        drops=3,
        bad_lines=2,
        proxy_write_failures=1,
        problem="the disk is full",
    )
    text, style = decision_log(asdict(status))
    assert style is Style.BAD
    assert text == (
        "decision log: 5 stored, 7 s behind; the disk is full, 3 decisions dropped, 2 unreadable lines, "
        "1 failed writes of a proxy"
    )


def test_a_collector_that_ended_is_told() -> None:
    assert "does not run" in decision_log(asdict(CollectorStatus(running=False)))[0]
