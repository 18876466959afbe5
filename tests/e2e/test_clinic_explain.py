"""Every decision is recorded and explained, and `can` says what the data plane does."""

import pytest
from tests.support.system import System

DECIDED = [
    # person, path, status, the policy file and line that decided, or what was missing
    (None, "/", 200, "ringwall.yaml"),
    ("alice", "/api/patients/7", 200, "policies/own-record.cedar:3"),
    ("noor", "/api/patients/8", 200, "policies/clinicians.cedar:2"),
    ("cleo", "/api/patients/7", 403, "policies/privacy.cedar"),
    ("cleo", "/api/invoices/7", 200, "ringwall.yaml"),
    ("adam", "/api/patients", 200, "policies/administration.cedar:3"),
]


@pytest.mark.parametrize(("person", "path", "status", "where"), DECIDED)
def test_explain_names_the_policy_and_its_line(
    clinic: System, person: str | None, path: str, status: int, where: str
) -> None:
    reply = clinic.ask("GET", path, person)
    assert reply.status == status
    assert where in clinic.ringwall("explain", reply.request_id)


def test_explain_tells_a_default_deny_from_a_forbid(clinic: System) -> None:
    reply = clinic.ask("GET", "/api/patients/8", "alice")
    said = clinic.ringwall("explain", reply.request_id)
    assert "own-record.cedar" in said, "the permit that nearly applied is named"


def test_explain_of_an_unknown_request_says_so(clinic: System) -> None:
    clinic.ringwall("explain", "00000000-0000-4000-8000-000000000000", code=1)


def test_no_token_is_ever_in_a_log(clinic: System) -> None:
    token = clinic.token("alice")
    clinic.ask("GET", "/api/patients/7?secret=in-the-query", "alice", headers={"cookie": "session=in-the-cookie"})
    clinic.ask("POST", "/api/patients/7/notes", "alice", body=b'{"diagnosis": "in-the-body"}')
    clinic.ringwall("log")
    signature = token.rpartition(".")[2]
    for file in clinic.state.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for secret in (signature, "in-the-query", "in-the-cookie", "in-the-body"):
                assert secret.encode() not in content, file
