"""An OpenID provider on this machine that does what a test wants, rightly or wrongly: real HTTP, and keys not ours."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc.jwk import ECKey
from tests.support.joserfc_keys import make_key, public_jwk, sign
from tests.support.misbehaving_issuer import DISCOVERY, Answer, send

from ringwall.model.clock import ManualClock

CLIENT = "ringwall-here"
SECRET = "s3cret+/: &"


@dataclass
class Begun:
    """What a browser brought to the authorization endpoint."""

    parameters: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    @classmethod
    def of(cls, location: str) -> "Begun":
        query = urlsplit(location).query
        return cls({name: values[0] for name, values in parse_qs(query, strict_parsing=True).items()})


@dataclass
class ScriptedProvider:
    """A right provider; change its attributes to make it a wrong one.

    Attributes:
        issuer: its `iss`.
        document: its metadata.
        people: claims by subject.
        changes: claims of ID tokens that are not what they should be; None leaves one out.
        header: members of ID tokens' headers that are not what they should be.
        signer: signs ID tokens; published under its `kid`.
        keys: the published keys.
        answers: by path, what is done instead of answering properly.
        asked: method and path of every request.
        forms: what came to the token endpoint.
        userinfo: what the UserInfo endpoint adds or changes.
    """

    clock: ManualClock
    issuer: str = ""
    url: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    userinfo: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, tuple[str, Begun]] = field(default_factory=dict)
    signer: ECKey = field(default_factory=lambda: _key("k1"))
    id_token: str = ""

    def answer(self, begun: Begun, subject: str = "ines", **more: str) -> dict[str, str]:
        """Let somebody sign in; return the parameters that the browser takes back."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = (subject, begun)
        return {"code": code, "state": begun["state"], **more}

    def publish(self, key: ECKey) -> None:
        """Sign with this key from now on."""
        self.signer = key
        self.keys = [public_jwk(key)]

    def claims(self, subject: str, begun: Begun) -> dict[str, Any]:
        now = int(self.clock.now())
        made = {
            "iss": self.issuer,
            "sub": subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": begun["nonce"],
            **self.people.get(subject, {}),
            **self.changes,
        }
        return {name: value for name, value in made.items() if value is not None}

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        pair = base64.b64encode(f"{CLIENT}:s3cret%2B%2F%3A+%26".encode()).decode()
        if authorization != f"Basic {pair}" and form.get("client_secret") != SECRET and "client_assertion" not in form:
            return 401, {"error": "invalid_client"}
        subject, begun = self.codes.pop(form["code"], ("", None))
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            begun is None
            or form["redirect_uri"] != begun["redirect_uri"]
            or base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != begun["code_challenge"]
        ):
            return 400, {"error": "invalid_grant", "error_description": "<b>no</b>"}
        header = {"alg": "ES256", "kid": self.signer.as_dict()["kid"], **self.header}
        claims = self.claims(subject, begun)
        if header["alg"] == "none":
            parts = [json.dumps(part).encode() for part in (header, claims)]
            self.id_token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
        else:
            self.id_token = sign(header, json.dumps(claims), self.signer)
        return 200, {"access_token": f"at-{subject}", "token_type": "Bearer", "id_token": self.id_token}

    def about(self, authorization: str) -> dict[str, Any]:
        return {"sub": authorization.removeprefix("Bearer at-"), **self.userinfo}


def _key(kid: str) -> ECKey:
    key = make_key("ES256", kid)
    assert isinstance(key, ECKey)
    return key


@contextmanager
def scripted_provider(clock: ManualClock) -> Iterator[ScriptedProvider]:
    provider = ScriptedProvider(clock)
    provider.publish(provider.signer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            provider.asked.append(f"GET {self.path}")
            if self.path in provider.answers:
                provider.answers[self.path](self)
            elif self.path == DISCOVERY:
                send(self, json.dumps(provider.document).encode())
            elif self.path == "/keys":
                send(self, json.dumps({"keys": provider.keys}).encode())
            elif self.path == "/userinfo":
                send(self, json.dumps(provider.about(self.headers["authorization"])).encode())
            else:
                send(self, b"{}", 404)

        def do_POST(self) -> None:
            provider.asked.append(f"POST {self.path}")
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path in provider.answers:
                provider.answers[self.path](self)
                return
            form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
            provider.forms.append(form)
            authorization = self.headers.get("authorization", "")
            provider.authorizations.append(authorization)
            status, told = provider.redeem(form, authorization)
            send(self, json.dumps(told).encode(), status)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Clients that hang up are what is tested."""

    server = Server(("127.0.0.1", 0), Handler)
    provider.url = provider.issuer = f"http://127.0.0.1:{server.server_port}"
    provider.document = {
        "issuer": provider.issuer,
        "jwks_uri": f"{provider.url}/keys",
        "authorization_endpoint": f"{provider.url}/authorize?realm=1",
        "token_endpoint": f"{provider.url}/token",
        "userinfo_endpoint": f"{provider.url}/userinfo",
        "end_session_endpoint": f"{provider.url}/logout",
    }
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
