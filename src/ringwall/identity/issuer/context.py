"""What the endpoints work with, put together once when the issuer starts."""

from dataclasses import dataclass

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.client_secrets import ClientSecrets
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.keeper import KeyKeeper
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.keystore import KeyStore
from ringwall.model.clock import Clock


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
    """

    settings: IssuerSettings
    directory: LiveDirectory
    keys: KeyKeeper
    secrets: ClientSecrets
    clock: Clock
    storage: Storage
    people: IssuerPeople
    keystore: KeyStore
