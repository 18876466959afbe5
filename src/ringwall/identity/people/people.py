"""Puts the services of this package together, over one database."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from ringwall.identity.keystore import KeyStore
from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.challenges import Challenges
from ringwall.identity.people.credentials import Credentials
from ringwall.identity.people.endings import Endings
from ringwall.identity.people.groups import Groups
from ringwall.identity.people.importing import Importer
from ringwall.identity.people.invitations import Invitations
from ringwall.identity.people.journal import Journal
from ringwall.identity.people.keys import PeopleKeys
from ringwall.identity.people.known_devices import KnownDevices
from ringwall.identity.people.passkeys import Passkeys, RelyingParty
from ringwall.identity.people.password_rules import PasswordRules
from ringwall.identity.people.passwords import Cost, PasswordHasher
from ringwall.identity.people.pending_apps import PendingApps
from ringwall.identity.people.sign_in import SignIn
from ringwall.identity.people.throttle import Throttle
from ringwall.identity.sealing import Sealer
from ringwall.identity.store.database import Database
from ringwall.model.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everything about people, for pages and administration.

    Attributes:
        accounts: who there is.
        groups: which groups they are in.
        credentials: how they can sign in.
        endings: ends what was begun in their names.
        invitations: who may come.
        importer: takes people over from other systems.
        sign_in: signing in, step by step.
        journal: writes events.
        database: what lies below.
    """

    accounts: Accounts
    groups: Groups
    credentials: Credentials
    endings: Endings
    invitations: Invitations
    importer: Importer
    sign_in: SignIn
    journal: Journal
    database: Database
    hasher: PasswordHasher

    @classmethod
    def over(
        cls,
        database: Database,
        *,
        keystore: KeyStore,
        clock: Clock,
        issuer: str,
        system: str,
        token_seconds: float,
        cost: Cost | None = None,
    ) -> Self:
        """Put them together.

        Args:
            database: the open database.
            keystore: where the keys lie that protect what is kept; given one at the first time.
            clock: where time comes from.
            issuer: URL of the issuer, which passkeys are bound to.
            system: name of the system, shown by browsers and authenticator apps.
            token_seconds: how long an access token can live at most.
            cost: of a password hash; measured where it is not given.
        """
        keys = PeopleKeys.load(keystore)
        journal = Journal(database.events, clock)
        throttle = Throttle(database.budgets, clock)
        devices = KnownDevices(key=keys.devices, clock=clock)
        hasher = PasswordHasher(cost)
        sealer = Sealer(keys.totp)
        endings = Endings(database, journal, clock, token_seconds=token_seconds)
        accounts = Accounts(database, journal, clock, endings=endings)
        groups = Groups(database, journal, clock, accounts=accounts)
        credentials = Credentials(
            database,
            journal,
            clock,
            accounts=accounts,
            hasher=hasher,
            rules=PasswordRules(words=("ringwall", system, urlsplit(issuer).hostname or "")),
            passkeys=_passkeys(database, keys, clock, issuer=issuer, system=system),
            throttle=throttle,
            sealer=sealer,
            pending=PendingApps(keys.totp, clock),
            issuer_name=system,
        )
        return cls(
            accounts=accounts,
            groups=groups,
            credentials=credentials,
            endings=endings,
            invitations=Invitations(
                database,
                journal,
                clock,
                accounts=accounts,
                credentials=credentials,
                throttle=throttle,
                devices=devices,
                issuer=issuer,
            ),
            importer=Importer(database, journal, clock, accounts=accounts, groups=groups, sealer=sealer),
            sign_in=SignIn(
                database,
                journal,
                clock,
                credentials=credentials,
                hasher=hasher,
                throttle=throttle,
                devices=devices,
            ),
            journal=journal,
            database=database,
            hasher=hasher,
        )

    def close(self) -> None:
        """Let the threads that hash passwords end; the database is the caller's."""
        self.hasher.close()


def _passkeys(database: Database, keys: PeopleKeys, clock: Clock, *, issuer: str, system: str) -> Passkeys | None:
    party = RelyingParty.of_issuer(issuer, system)
    if party is None:
        return None

    async def once(challenge: bytes, until: float) -> bool:
        return await database.replay.once("passkey-challenge", challenge.hex(), until=until, now=clock.now())

    return Passkeys(party, Challenges(key=keys.challenges, once=once, clock=clock))
