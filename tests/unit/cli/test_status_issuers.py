from ringwall.cli.status import issuers_away


def process(name: str, state: str) -> dict[str, str]:
    return {"name": name, "state": state}


def test_nothing_is_said_where_all_answer() -> None:
    assert issuers_away([process("ringwall-issuer", "ready"), process("ringwall-edge", "backing-off")]) == ""


def test_those_that_are_away_are_named() -> None:
    found = [process("ringwall-issuer", "ready"), process("ringwall-issuer-2", "crash-loop")]
    assert issuers_away(found) == "1 of 2 processes of the issuer is away: ringwall-issuer-2 (crash-loop)"
    found[0]["state"] = "starting"
    assert issuers_away(found).startswith("2 of 2 processes of the issuer are away: ringwall-issuer (starting), ")
