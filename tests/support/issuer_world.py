"""The built-in issuer in one process, with a clock that tests move, asked over ASGI."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from tests.support.issuer_plan import AUDIENCE, ISSUER, issuer_plan, write_plan

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.admin import create_admin_app
from ringwall.identity.issuer.app import create_app
from ringwall.identity.issuer.client_secrets import ClientSecrets, create_client_secret
from ringwall.identity.issuer.client_servers import ClientServers
from ringwall.identity.issuer.clients.documents import ClientDocuments
from ringwall.identity.issuer.clients.keys import ClientKeys
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.keeper import KeyKeeper
from ringwall.identity.issuer.ring import Schedule
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.issuer.subjects import Subjects
from ringwall.identity.keystore import KeyStore, MemoryKeyStore
from ringwall.identity.people.passwords import FLOOR
from ringwall.identity.people.profile import Profile
from ringwall.identity.tokens.claims import ACCESS_TOKEN, Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret
from ringwall.plan.model import Plan
from ringwall.plan.store import PlanStore

EXPECTED = Expected(issuer=ISSUER, audiences=frozenset({AUDIENCE}), types=frozenset({ACCESS_TOKEN}))


class IssuerWorld:
    def __init__(self, state: Path, *, plan: Plan | None = None, store: KeyStore | None = None) -> None:
        self.settings = IssuerSettings(state=state)
        self.clock = ManualClock()
        self.store = store or MemoryKeyStore()
        write_plan(state, plan or issuer_plan())
        self.directory = LiveDirectory(PlanStore(self.settings.plan_folder))
        self.schedule = Schedule(lifetime=1000.0, overlap=100.0)
        self.keys = self.open_keys()
        self.secrets = ClientSecrets(self.settings.clients_file)
        storage = Storage(self.settings.database_url)
        documents = ClientDocuments(ClientServers(self.settings.development_root))
        self.context = IssuerContext(
            settings=self.settings,
            directory=self.directory,
            keys=self.keys,
            secrets=self.secrets,
            clock=self.clock,
            storage=storage,
            people=IssuerPeople(
                storage=storage,
                directory=self.directory,
                keystore=self.store,
                clock=self.clock,
                token_seconds=self.settings.token_seconds,
                cost=FLOOR,
            ),
            keystore=self.store,
            documents=documents,
            client_keys=ClientKeys(documents, self.directory, self.clock),
            subjects=Subjects(self.store),
        )
        self.app = create_app(self.context)
        self.admin = create_admin_app(self.context)

    def open_keys(self) -> KeyKeeper:
        return KeyKeeper(
            store=self.store, jwks_file=self.settings.bindings.jwks, clock=self.clock, schedule=self.schedule
        )

    def new_secret(self, client: str = "batch") -> str:
        secret = create_client_secret(
            self.settings.clients_file, client, directory=self.directory.current(), clock=self.clock
        )
        return secret.reveal().decode()

    async def new_account(self, user_name: str, password: str, **profile: Any) -> str:
        """Make an account that can sign in with a password, and the groups it is in; return its id."""
        services = await self.context.people.services()
        await services.groups.ensure(profile.get("groups", ()), by="test")
        account = await services.accounts.create(Profile.checked(user_name=user_name, **profile), by="test")
        await services.credentials.set_password(account.id, Secret(password), by="test")
        return account.id

    def published(self) -> KeySet:
        """What the control plane finds in the file, right now."""
        return KeySet.parse(self.settings.bindings.jwks.read_bytes())

    def verify(self, token: str) -> VerifiedClaims:
        return verify_token(token, keys=self.published(), expected=EXPECTED, clock=self.clock)

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return asyncio.run(ask(self.app, method, path, **arguments))

    def ask_admin(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return asyncio.run(ask(self.admin, method, path, **arguments))

    def token(self, secret: str, client: str = "batch", **form: str) -> httpx.Response:
        return self.ask("POST", "/token", data={"grant_type": "client_credentials", **form}, auth=(client, secret))

    def development_token(self, person: str = "alice", **more: Any) -> str:
        response = self.ask_admin("POST", "/dev/token", content=json.dumps({"person": person, **more}))
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])


async def ask(app: Starlette, method: str, path: str, **arguments: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://issuer") as client:
        return await client.request(method, path, **arguments)
