"""Every request that was answered is in the log, with what was decided."""

import json
import time
from collections import Counter

from tests.support.system import System
from tests.support.traffic import Traffic

ASKED = [
    ("alice", "/api/patients/7", 200),
    ("alice", "/api/patients/8", 403),
    (None, "/api/patients/7", 401),
    (None, "/nothing", 404),
]
OUTCOMES = {200: "allowed", 403: "denied", 401: "unauthenticated", 404: "no-route"}


def _recorded(system: System, wanted: set[str], seconds: float = 60) -> dict[str, dict[str, object]]:
    """Return what the edge decided about each of the wanted requests."""
    end = time.monotonic() + seconds
    while True:
        lines = system.ringwall("log", "--limit", "100000", "--json").splitlines()
        events = (json.loads(line)["data"] for line in lines)
        found = {event["request_id"]: event for event in events if event["hop"] == "edge"}
        if wanted <= found.keys() or time.monotonic() > end:
            return found


def test_each_of_many_requests_is_there_with_its_outcome(clinic: System) -> None:
    replies = {}
    connection = clinic.connect()
    for _ in range(25):
        for person, path, status in ASKED:
            reply = clinic.ask("GET", path, person, over=connection)
            assert reply.status == status
            replies[reply.request_id] = OUTCOMES[status]
    connection.close()
    assert len(replies) == 25 * len(ASKED)
    recorded = _recorded(clinic, set(replies))
    assert {request_id: recorded[request_id]["outcome"] for request_id in replies} == replies


def test_a_burst_is_there_to_the_last_request(clinic: System) -> None:
    with Traffic(clinic.port, clinic.trust, "/api/patients/8", clinic.authorization("alice"), pause=0) as traffic:
        traffic.settle(1500)
    assert traffic.tally.errors == []
    assert set(traffic.tally.statuses) == {403}
    recorded = _recorded(clinic, set(traffic.tally.ids))
    missing = set(traffic.tally.ids) - recorded.keys()
    assert not missing
    assert Counter(str(recorded[i]["outcome"]) for i in traffic.tally.ids) == {"denied": len(traffic.tally.ids)}


def test_one_id_leads_through_all_services(clinic: System) -> None:
    reply = clinic.ask("GET", "/overview/7", "alice")
    hops = clinic.ringwall_json("explain", reply.request_id)["hops"]
    inbound = {hop["hop"] for hop in hops if ">" not in hop["hop"]}
    assert inbound == {"edge", "portal", "patients", "appointments", "messages", "billing"}
    assert {hop["subject"] for hop in hops if ">" not in hop["hop"]} == {"alice"}
