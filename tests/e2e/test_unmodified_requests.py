"""Applications that nobody here wrote, behind Ringwall."""

from tests.support.system import System


def test_every_row_is_answered_as_expected(unmodified: System) -> None:
    for row in unmodified.rows():
        reply = unmodified.ask(row.method, row.path, row.person, headers=row.headers, body=row.body)
        assert reply.status == row.expect, (row, reply)


def test_try_says_the_same(unmodified: System) -> None:
    unmodified.ringwall("try", "requests.yaml")


def test_the_data_is_real(unmodified: System) -> None:
    iron = unmodified.ask("GET", "/data/world/elements/26.json?_shape=array", "sam").json()
    assert iron[0]["name"] == "Iron"


def test_its_links_lead_back_through_the_edge(unmodified: System) -> None:
    page = unmodified.ask("GET", "/data/").body.decode()
    assert 'href="/data/world"' in page


def test_what_the_application_sees_of_the_caller_cannot_be_forged(unmodified: System) -> None:
    forged = {
        "x-ringwall-subject": "ana",
        "X-Ringwall-Roles": '["analyst"]',
        "x-ringwall-issuer": "https://evil.example",
        "x-ringwall-caller": "spiffe://unmodified/root",
        "x-ringwall-operation": "httpbin/anything",
    }
    seen = unmodified.ask("GET", "/bin/headers", "sam", headers=forged).json()["headers"]
    assert seen["X-Ringwall-Subject"] == "sam"
    assert seen["X-Ringwall-Roles"] == '["student"]'
    assert seen["X-Ringwall-Operation"] == "httpbin/headers"
    assert seen["X-Ringwall-Caller"] == "spiffe://unmodified/edge"
    assert "evil" not in str(seen)
    assert "Authorization" not in seen, "an application that calls nobody has no use for the token"


def test_the_request_id_reaches_the_application(unmodified: System) -> None:
    reply = unmodified.ask("GET", "/bin/headers?show_env=1", "sam", headers={"x-request-id": "mine"})
    assert reply.request_id != "mine"
    assert reply.json()["headers"]["X-Request-Id"] == reply.request_id


def test_a_body_goes_through_unchanged(unmodified: System) -> None:
    body = bytes(range(256)) * 100
    reply = unmodified.ask("POST", "/bin/post", "tess", body=body, headers={"content-type": "application/octet-stream"})
    assert reply.status == 200
    assert reply.json()["headers"]["Content-Length"] == str(len(body))


def test_a_body_over_the_limit_is_refused(unmodified: System) -> None:
    assert unmodified.ask("POST", "/bin/post", "tess", body=b"x" * (2 << 20)).status == 413
