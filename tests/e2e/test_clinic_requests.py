"""The clinic, asked as its README says, and as an attacker would."""

import base64
import json
import time

import pytest
from tests.support.system import System


def test_every_row_is_answered_as_expected(clinic: System) -> None:
    for row in clinic.rows():
        if row.through_edge:
            reply = clinic.ask(row.method, row.path, row.person, headers=row.headers, body=row.body)
            assert reply.status == row.expect, (row, reply)


def test_try_says_the_same_and_names_the_policy(clinic: System) -> None:
    clinic.ringwall("try", "requests.yaml")


def test_try_asks_as_services_do_what_they_may_not(clinic: System) -> None:
    rows = clinic.folder / "hops.yaml"
    rows.write_text(
        """
- {as: "service:portal", to: billing-store, method: TCP, path: /, expect: 403}
- {as: "service:appointments", to: billing-store, method: TCP, path: /, expect: 403}
- {as: "service:billing", to: billing-store, method: TCP, path: /, body: "{}\\n", expect: 200}
- {as: alice, via: billing, to: patients, method: GET, path: /patients/7, expect: 403}
- {as: alice, via: portal, to: patients, method: GET, path: /patients/7, expect: 200}
"""
    )
    found = clinic.ringwall_json("try", "hops.yaml")["rows"]
    assert [row["got"] for row in found] == [403, 403, 200, 403, 200]
    store, portal = _line(clinic, "  billing:"), "policies/own-record.cedar:3"
    assert [row["decided_by"] for row in found] == [[], [], [store], [], [portal]]
    assert [row["nearest"] for row in found[:2]] == [[store], [store]]
    assert "portal may not connect; billing may" in found[0]["why"]
    assert "'billing' may not call this operation" in found[3]["why"]
    clinic.ringwall("try", "hops.yaml")


def _line(clinic: System, text: str) -> str:
    lines = clinic.blueprint.read_text().splitlines()
    return f"ringwall.yaml:{lines.index(text) + 1}"


@pytest.mark.parametrize(
    "row",
    [
        "{method: TCP, path: /, expect: 403}",
        '{as: "service:portal", to: patients, method: TCP, path: /, expect: 403}',
        '{as: "service:billing", method: GET, path: /, expect: 200}',
        '{as: "service:portal", method: GET, path: /, expect: 200}',
        '{as: "service:nobody", method: GET, path: /, expect: 200}',
        '{as: "service:portal", to: nobody, method: GET, path: /, expect: 200}',
    ],
)
def test_a_row_that_cannot_be_sent_is_an_error(clinic: System, row: str) -> None:
    wrong = clinic.folder / "unsendable.yaml"
    wrong.write_text(f"- {row}\n")
    assert "unsendable.yaml:1" in clinic.ringwall_error("try", "unsendable.yaml")


def test_try_fails_where_a_row_is_not_as_expected(clinic: System) -> None:
    wrong = clinic.folder / "wrong.yaml"
    wrong.write_text("- {method: GET, path: /, expect: 403}\n")
    clinic.ringwall("try", "wrong.yaml", code=1)


def test_the_portal_gathers_what_the_caller_may_see(clinic: System) -> None:
    alice = clinic.ask("GET", "/overview/7", "alice").json()
    assert alice["record"]["name"] == "Alice Adler"
    assert [note["diagnosis"] for note in alice["record"]["notes"]] == ["Seasonal allergic rhinitis"]
    assert alice["invoices"][0]["cents"] == 4200
    cleo = clinic.ask("GET", "/overview/7", "cleo").json()
    refused = {"refused": 403}
    assert {part: cleo[part] for part in ("record", "appointments", "messages")} == dict.fromkeys(
        ("record", "appointments", "messages"), refused
    )
    assert cleo["invoices"][0]["card"] == "4242"
    other = clinic.ask("GET", "/overview/8", "alice").json()
    assert set(map(str, other.values())) == {str(refused)}


def test_a_patient_pays_an_invoice_over_the_store_that_only_billing_reaches(clinic: System) -> None:
    clinic.ask("POST", "/api/invoices/8", "cleo", body=json.dumps({"cents": 1234}).encode())
    mine = clinic.ask("GET", "/api/invoices/8", "bert").json()[-1]
    path = f"/api/invoices/8/{mine['id']}/payment"
    card = json.dumps({"card": "4000 0000 0000 0077"}).encode()
    assert clinic.ask("POST", path, "alice", body=card).status == 403
    assert clinic.ask("POST", path, "bert", body=card).status == 200
    assert clinic.ask("GET", "/api/invoices/8", "bert").json()[-1]["card"] == "0077"


def test_a_note_is_signed_with_the_name_in_the_token(clinic: System) -> None:
    body = json.dumps({"diagnosis": "Tension headache"}).encode()
    spoofed = {"x-ringwall-subject": "dana"}
    reply = clinic.ask("POST", "/api/patients/8/notes", "noor", headers=spoofed, body=body)
    assert (reply.status, reply.json()["author"]) == (201, "noor")


def _forged(token: str, header: dict[str, object] | None, claims: dict[str, object]) -> str:
    parts = token.split(".")
    for index, change in enumerate((header, claims)):
        part = json.loads(base64.urlsafe_b64decode(parts[index] + "=="))
        part.update(change or {})
        parts[index] = base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    if header:
        parts[2] = ""
    return ".".join(parts)


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        pytest.param(None, {"patient": "8"}, id="changed claim"),
        pytest.param(None, {"sub": "bert"}, id="changed subject"),
        pytest.param({"alg": "none"}, {}, id="no signature"),
        pytest.param({"alg": "none"}, {"patient": "8"}, id="no signature, changed claim"),
        pytest.param({"alg": "HS256"}, {}, id="symmetric algorithm"),
        pytest.param(None, {"exp": int(time.time()) + 10**6}, id="longer life"),
        pytest.param(None, {"iss": "https://evil.example"}, id="other issuer"),
    ],
)
def test_a_forged_token_is_refused(clinic: System, header: dict[str, object] | None, claims: dict[str, object]) -> None:
    token = _forged(clinic.token("alice"), header, claims)
    for path in ("/api/patients/8", "/"):  # also where no token is needed
        reply = clinic.ask("GET", path, headers={"authorization": f"Bearer {token}"})
        assert reply.status == 401, path
        assert "diagnosis" not in reply.body.decode()


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "." * 20, "é" * 5, "A" * 5000])
def test_what_is_not_a_token_is_refused(clinic: System, token: str) -> None:
    reply = clinic.ask(
        "GET", "/api/patients/7", headers={"authorization": f"Bearer {token}".encode().decode("latin-1")}
    )
    assert reply.status in {400, 401}


@pytest.mark.parametrize(
    "path",
    [
        "/api/patients/%38",
        "/api/patients/7/../8",
        "/api//patients/8",
        "/api/patients/8;x",
        "/api/patients/7%2f..%2f8",
        "/api/patients/8?id=7",
        "/api/./patients/8",
        "/API/patients/8",
    ],
)
def test_no_spelling_of_a_path_opens_another_record(clinic: System, path: str) -> None:
    reply = clinic.ask("GET", path, "alice")
    assert reply.status in {400, 403, 404}, reply


def test_refusals_are_problem_documents_with_the_request_id(clinic: System) -> None:
    for person, path, status in ((None, "/api/patients/7", 401), ("alice", "/api/patients/8", 403), (None, "/no", 404)):
        reply = clinic.ask("GET", path, person)
        assert reply.status == status
        assert reply.headers["content-type"].startswith("application/problem+json")
        assert reply.request_id in reply.body.decode()
        assert reply.request_id
        assert "envoy" not in str(reply.headers).lower() + reply.body.decode().lower()
