"""What the endpoints work with, put together once when the issuer starts."""

from dataclasses import dataclass

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.client_secrets import ClientSecrets
from ringwall.identity.issuer.clients.documents import ClientDocuments
from ringwall.identity.issuer.clients.keys import ClientKeys
from ringwall.identity.issuer.clients.registered import client_of, is_registered_id
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.keeper import KeyKeeper
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.issuer.subjects import Subjects
from ringwall.identity.keystore import KeyStore
from ringwall.identity.turn import FirstLook, every_time
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.clock import Clock
from ringwall.plan.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerContext:
    """The issuer's own state and its surroundings.

    Attributes:
        settings: where things lie and how long they last.
        directory: what the plan in force says.
        keys: the signing keys.
        secrets: hashes of client secrets.
        clock: where time comes from.
        storage: the database.
        people: who can be signed in; `services()` is what administration asks.
        keystore: where keys that are no signing keys lie.
        documents: fetches what clients keep at addresses of theirs.
        client_keys: finds the keys of clients.
        subjects: says by what name a client knows a person.
        first_look: says whether to look at a file that is followed.
    """

    settings: IssuerSettings
    directory: LiveDirectory
    keys: KeyKeeper
    secrets: ClientSecrets
    clock: Clock
    storage: Storage
    people: IssuerPeople
    keystore: KeyStore
    documents: ClientDocuments
    client_keys: ClientKeys
    subjects: Subjects
    first_look: FirstLook = every_time

    async def client(self, name: str) -> Client | None:
        """Return a client: of the plan, or one that has registered itself, for which alone the database is asked."""
        directory = self.directory.current()
        known = directory.clients.get(name)
        if known is not None or directory.registration is None or not name.startswith(REGISTERED_PREFIX):
            return known

        if not is_registered_id(name):
            return None
        found = await (await self.storage.database()).clients.get(name)
        return (
            None if found is None else client_of(found, directory.registration, directory.profile, now=self.clock.now())
        )
