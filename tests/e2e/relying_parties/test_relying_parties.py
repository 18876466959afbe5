"""Relying parties that we did not write use the issuer through the real edge."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from joserfc.jwk import ECKey
from tests.support.joserfc_keys import make_key, public_jwk
from tests.support.node_party import installed, play
from tests.support.system import System, copy_example

CALLBACK = "https://portal.example/callback"
AFTER = "https://portal.example/"
SPA = "https://spa.example/callback"
REGISTERED = "https://shop.partner.example/callback"


@dataclass(frozen=True)
class World:
    """A running system, and what its relying parties know."""

    system: System
    setup: dict[str, Any]

    def play(self, script: str, scenario: str, **more: Any) -> dict[str, Any]:
        return asyncio.run(play(self.system, script, scenario, {**self.setup, **more}, "tess"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    installed()
    folder = copy_example("unmodified", tmp_path_factory.mktemp("relying-parties"))
    blueprint = folder / "ringwall.yaml"
    key = make_key("ES256", "signer-1")
    reader = ECKey.generate_key("P-256", {"use": "enc", "alg": "ECDH-ES+A256KW", "kid": "reader-1"})
    definition = yaml.safe_load(blueprint.read_text())
    definition["issuers"] = {"local": {"registration": {"hosts": ["*.partner.example"]}}}
    definition["clients"] = {
        "portal": {"kind": "web", "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [AFTER]},
        "spa": {"kind": "browser", "redirect_uris": [SPA]},
        "batch": {"scopes": ["jobs:run"]},
        "signer": {"kind": "web", "redirect_uris": [CALLBACK], "jwks": [public_jwk(key)]},
        "bank": {
            "kind": "web",
            "redirect_uris": [CALLBACK],
            "scopes": ["accounts"],
            "jwks": [public_jwk(key)],
            "profile": "fapi2",
        },
        "sealer": {
            "kind": "web",
            "redirect_uris": [CALLBACK],
            "jwks": [public_jwk(key), public_jwk(reader)],
            **{
                f"{what}_encrypted_response_{part}": value
                for what in ("id_token", "userinfo", "introspection")
                for part, value in (("alg", "ECDH-ES+A256KW"), ("enc", "A256GCM"))
            },
        },
        "tv": {"kind": "native", "redirect_uris": ["http://127.0.0.1/cb"], "device_flow": True},
    }
    blueprint.write_text(yaml.safe_dump(definition, sort_keys=False))
    with System(folder) as system:
        yield World(
            system,
            {
                "issuer": f"https://localhost:{system.port}/auth",
                "callback": CALLBACK,
                "after": AFTER,
                "registered": REGISTERED,
                "portal": {"id": "portal", "secret": system.ringwall("client", "portal").strip()},
                "batch": {"id": "batch", "secret": system.ringwall("client", "batch").strip()},
                "spa": {"id": "spa", "callback": SPA},
                "tv": {"id": "tv", "callback": "http://127.0.0.1:51515/cb"},
                "bank": {"id": "bank", "jwk": dict(key.as_dict(private=True))},
                "signer": {"id": "signer", "jwk": dict(key.as_dict(private=True))},
                "sealer": {
                    "id": "sealer",
                    "jwk": dict(key.as_dict(private=True)),
                    "reader": {name: reader.as_dict(private=True)[name] for name in ("kty", "crv", "x", "y", "d")},
                },
            },
        )


OPENID_CLIENT: dict[str, dict[str, Any]] = {
    "discovery": {"pkce": True},
    "code": {"sub": "tess", "name": "tess", "nonce": "string"},
    "secret_in_the_form": {"sub": "tess"},
    "secret_by_basic": {"sub": "tess"},
    "public_client": {"sub": "tess"},
    "step_up": {"fresh": True},
    "refresh": {"rotated": True, "same": True},
    "client_credentials": {"type": "bearer", "scope": "jobs:run", "seconds": 900},
    "introspection_and_revocation": {"before": True, "client": "batch", "after": False},
    "private_key_jwt": {"sub": "tess"},
    "par": {"sub": "tess"},
    "jar": {"sub": "tess"},
    "encrypted": {"subs": [[5, "tess", "tess", True]] * 3},
    "dpop": {"type": "dpop", "sub": "tess", "fresh": "dpop", "stolen": "refused"},
    "bound_tokens_at_a_service": {"status": 200},
    "device": {"sub": "tess"},
    "logout": {"back": f"{AFTER}?state=bye"},
    "wrong_issuer": {"refused": "OAUTH_INVALID_RESPONSE"},
}


@pytest.mark.parametrize("scenario", OPENID_CLIENT)
def test_openid_client(world: World, scenario: str) -> None:
    told = world.play("openid_client.mjs", scenario)
    assert {**told, **OPENID_CLIENT[scenario]} == told


def test_openid_client_registers_itself(world: World) -> None:
    token = world.system.ringwall("registration", "token").strip()
    told = world.play("openid_client.mjs", "registration", initial_access_token=token)
    assert told["sub"] == "tess"
    assert told["id"].startswith("dyn-")


OAUTH4WEBAPI: dict[str, dict[str, Any]] = {
    "code": {"sub": "tess", "rotated": True},
    "signed_introspection": {"kind": "application/token-introspection+jwt", "before": True, "after": False},
    "device": {"sub": "tess"},
    "fapi2": {
        "type": "dpop",
        "scope": "openid accounts",
        "sub": "tess",
        "unbound": "invalid_request",
        "kept": True,
    },
    "fapi2_without_pushing": {"let": "out"},
}


@pytest.mark.parametrize("scenario", OAUTH4WEBAPI)
def test_oauth4webapi(world: World, scenario: str) -> None:
    assert world.play("oauth4webapi.mjs", scenario) == OAUTH4WEBAPI[scenario]


def test_oauth4webapi_registers_and_removes_itself(world: World) -> None:
    token = world.system.ringwall("registration", "token").strip()
    told = world.play("oauth4webapi.mjs", "registration", initial_access_token=token)
    assert told == {"sub": "tess", "removed": 204, "dead": "refused"}


def test_appauth(world: World) -> None:
    assert world.play("appauth.mjs", "code") == {"id_token": True, "rotated": True, "revoked": True}
