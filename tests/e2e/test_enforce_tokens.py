"""Tokens at the real edge: what is believed, what is refused, and what a token can say to a service."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.enforce_pki import Tokens
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running

from ringwall.plan.identity import Issuer

OPERATIONS = (
    operation("patients", "get", "GET", "/patients/{id}"),
    operation("patients", "health", "GET", "/health", token=False),
)
PLAN = plan(service("patients", *OPERATIONS, prefix="/api"))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("tokens")) as started:
        yield started


def _refused(rig: Rig, header: str, *statuses: int) -> None:
    """The token is refused where one is required, and just so where it is not."""
    before = len(rig.apps["patients"].seen)
    for path in ("/api/patients/7", "/api/health"):
        answer = rig.get(path, headers={"Authorization": header})
        assert answer.status in statuses, (path, answer)
        assert answer.headers["content-type"] == "application/problem+json"
    assert len(rig.apps["patients"].seen) == before


def test_a_good_token_is_believed(rig: Rig) -> None:
    assert rig.get("/api/patients/7", token=rig.tokens.token()).status == 200
    assert rig.get("/api/health", token=rig.tokens.token()).status == 200
    assert rig.apps["patients"].seen[-1].header("x-ringwall-subject") == "alice"


def test_the_scheme_may_be_written_small(rig: Rig) -> None:
    header = {"Authorization": f"bearer {rig.tokens.token()}"}
    assert rig.get("/api/patients/7", headers=header).status == 200


def test_without_a_token_the_answer_says_how_to_ask(rig: Rig) -> None:
    answer = rig.get("/api/patients/7")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="ringwall"'
    assert rig.get("/api/health").status == 200


def test_a_bad_token_is_called_invalid(rig: Rig) -> None:
    answer = rig.get("/api/patients/7", token=rig.tokens.token(exp=1))
    assert answer.headers["www-authenticate"] == 'Bearer realm="ringwall", error="invalid_token"'


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": 4_000_000_000},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["another"]},
        {"aud": "https://lab.example/api", "act": {"sub": "spiffe://test/service/portal"}},
        {"iss": "https://localhost/auth/"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "alice\r\nx-ringwall-roles: admin"},
        {"sub": "alice\x00"},
    ],
    ids=repr,
)
def test_a_token_that_says_the_wrong_thing_is_refused(rig: Rig, claims: dict[str, Any]) -> None:
    _refused(rig, f"Bearer {rig.tokens.token(**claims)}", 401, 403)


def test_thirty_seconds_of_clock_skew_are_allowed_and_no_more(rig: Rig) -> None:
    now = int(time.time())
    assert rig.get("/api/patients/7", token=rig.tokens.token(exp=now - 10)).status == 200
    assert rig.get("/api/patients/7", token=rig.tokens.token(exp=now - 45)).status == 401


def test_a_token_without_signature_is_refused(rig: Rig) -> None:
    for algorithm in ("none", "None", "NONE"):
        token = rig.tokens.token(header={"alg": algorithm})
        _refused(rig, f"Bearer {token.rpartition('.')[0]}.", 401)
        _refused(rig, f"Bearer {token}", 401)


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(rig: Rig) -> None:
    head, payload, _ = rig.tokens.token(header={"alg": "HS256"}).split(".")
    for secret in (rig.tokens.key_sets()["local"].encode(), b""):
        mac = hmac.digest(secret or b"\0", f"{head}.{payload}".encode(), hashlib.sha256)
        forged = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        _refused(rig, f"Bearer {head}.{payload}.{forged}", 401)


def test_a_token_of_a_stranger_is_refused(rig: Rig) -> None:
    _refused(rig, f"Bearer {Tokens().token()}", 401)


def test_a_key_inside_the_token_is_not_used(rig: Rig) -> None:
    stranger = Tokens()
    key = json.loads(stranger.key_sets()["local"])["keys"][0]
    _refused(rig, f"Bearer {stranger.token(header={'jwk': key})}", 401)


@pytest.mark.parametrize("change", ["head", "payload", "signature", "cut", "longer"])
def test_a_token_that_was_changed_is_refused(rig: Rig, change: str) -> None:
    head, payload, signature = rig.tokens.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    other = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "admin"}).encode()).rstrip(b"=").decode()
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    changed = {
        "head": f"{head[:-2]}.{payload}.{signature}",
        "payload": f"{head}.{other}.{signature}",
        "signature": f"{head}.{payload}.{flipped}",
        "cut": f"{head}.{payload}.{signature[:-4]}",
        "longer": f"{head}.{payload}.{signature}.{signature}",
    }
    _refused(rig, f"Bearer {changed[change]}", 401)


@pytest.mark.parametrize(
    "shape",
    [
        "{}",
        "Basic {}",
        "Bearer",
        "Bearer ",
        "Token {}",
        "Bearer  {}",
        "Bearer {0},Bearer {0}",
        "Basic x, Bearer {}",
        "Bearer {} x",
        "Bearer x.y",
        "DPoP {}",
        "bEARER {}",
    ],
)
def test_what_is_not_one_bearer_token_is_refused_and_not_ignored(rig: Rig, shape: str) -> None:
    _refused(rig, shape.format(rig.tokens.token()), 401)


def test_two_authorization_headers_are_refused(rig: Rig) -> None:
    token = rig.tokens.token()
    two = f"Authorization: Bearer {token}\r\nAuthorization: Bearer x"
    assert rig.raw(f"GET /api/health HTTP/1.1\r\nHost: localhost\r\n{two}\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 401 "
    )


def test_a_token_in_the_query_is_not_a_token(rig: Rig) -> None:
    assert rig.get(f"/api/patients/7?access_token={rig.tokens.token()}").status == 401


def test_a_subject_beyond_ascii_arrives_as_it_is(rig: Rig) -> None:
    answer = rig.get("/api/patients/7", token=rig.tokens.token("jürgen@例え"))
    assert answer.status == 200
    value = rig.apps["patients"].seen[-1].header("x-ringwall-subject")
    assert value is not None
    assert value.encode("latin-1").decode() == "jürgen@例え"


@pytest.mark.parametrize("subject", [" alice", "alice ", " ", "  alice  ", "alice\t", "alice\x7f", "alice\r\n"])
def test_a_subject_that_a_header_would_change_is_refused(rig: Rig, subject: str) -> None:
    """A service must not take ` alice` for `alice`: parsers of HTTP drop the space."""
    _refused(rig, f"Bearer {rig.tokens.token(subject)}", 401)


@pytest.mark.parametrize("subject", ["a", "a b", "partner|alice", "a  b", "é", "- -"])
def test_a_subject_with_a_space_inside_is_a_name(rig: Rig, subject: str) -> None:
    assert rig.get("/api/patients/7", token=rig.tokens.token(subject)).status == 200


@pytest.mark.parametrize(
    "roles", ["admin\r\nx-ringwall-subject: root", "a\nb", "a\0b", ["a\r\nx-evil: 1"], {"x": "\r\n"}]
)
def test_no_claim_can_break_out_of_its_header(rig: Rig, roles: Any) -> None:
    before = len(rig.apps["patients"].seen)
    rig.get("/api/patients/7", token=rig.tokens.token(roles=roles))
    for seen in rig.apps["patients"].seen[before:]:
        assert seen.header("x-ringwall-subject") == "alice"
        assert seen.header("x-evil") is None
        assert "\n" not in (seen.header("x-ringwall-roles") or "")


def test_a_new_key_is_believed_at_once_and_the_old_one_no_longer(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(PLAN, tmp_path_factory.mktemp("keys")) as rig:
        connection, old = rig.open(), rig.tokens.token()
        assert rig.on(connection, "GET", "/api/patients/7", token=old).status == 200
        rig.tokens.key = Tokens().key
        new = rig.tokens.token()
        rig.tokens.changed()
        deadline = time.monotonic() + 5
        while rig.on(connection, "GET", "/api/patients/7", token=new).status != 200:
            assert time.monotonic() < deadline
        assert rig.on(connection, "GET", "/api/patients/7", token=old).status == 401


def test_two_issuers_are_told_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    partner = Issuer(name="partner", url="https://idp.example", audiences=("clinic", "x"), algorithms=("ES256",))
    both = PLAN.model_copy(update={"issuers": (*PLAN.issuers, partner)})
    theirs = Tokens("https://idp.example", name="partner")

    def join(rig: Rig) -> None:
        own = rig.tokens.key_sets
        rig.tokens.key_sets = lambda: {**own(), **theirs.key_sets()}  # type: ignore[method-assign]  # a second issuer

    with running(both, tmp_path_factory.mktemp("two"), before=join) as rig:
        for tokens in (rig.tokens, theirs):
            assert rig.get("/api/patients/7", token=tokens.token(roles=["admin"])).status == 200
            seen = rig.apps["patients"].seen[-1]
            assert seen.header("x-ringwall-issuer") == tokens.url
            assert seen.header("x-ringwall-roles") is None  # one word could mean two things
        _refused(rig, f"Bearer {theirs.token(iss='https://localhost/auth')}", 401)
        _refused(rig, f"Bearer {theirs.token(exp=None)}", 401)
        assert rig.get("/api/health").status == 200


def test_an_issuer_without_keys_is_believed_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    def nothing(rig: Rig) -> None:
        rig.tokens.key_sets = dict  # type: ignore[method-assign]  # no key has come yet

    with running(PLAN, tmp_path_factory.mktemp("none"), before=nothing) as rig:
        _refused(rig, f"Bearer {rig.tokens.token()}", 401)
        assert rig.get("/api/patients/7").status == 401
        assert rig.get("/api/health").status == 200


def test_a_workload_with_a_token_is_both(rig: Rig) -> None:
    context = rig.mesh_context(spiffe("edge"))
    rig.get("/patients/7", token=rig.tokens.token("bob"), to=rig.bindings.inbound["patients"], context=context)
    seen = rig.apps["patients"].seen[-1]
    assert (seen.header("x-ringwall-subject"), seen.header("x-ringwall-caller")) == ("bob", spiffe("edge"))
