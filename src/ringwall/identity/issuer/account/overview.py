"""The page that shows an account: who somebody is, how they sign in, where they are signed in, and for whom."""

import time
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.account.door import PLACES, Door, Here
from ringwall.identity.issuer.account.providers import DISCONNECT, AccountProviders
from ringwall.identity.issuer.request import RequestRefusedError, parse_parameters
from ringwall.identity.issuer.upstream_sign_out import UpstreamSignOut

if TYPE_CHECKING:
    from ringwall.identity.store.family import Family
    from ringwall.identity.store.passkeys import Passkey
    from ringwall.identity.store.sessions import LoginSession

ACTIONS: Final = (
    "remove-passkey",
    "remove-password",
    "remove-app",
    "recovery-codes",
    "end-session",
    "end-client",
    "withdraw",
    "everywhere",
    DISCONNECT,
)
"""What the page has forms for."""
_MOST_SHOWN: Final = 5
"""Sessions that are seen at once: this browser's first, then those that were used last."""
DONE: Final = {
    "password": "Your password is set. You are signed out everywhere else.",
    "password-removed": "Your password is removed.",
    "passkey": "Your passkey is added.",
    "passkey-renamed": "The passkey is renamed.",
    "passkey-removed": "The passkey is removed. Remove it from your device as well.",
    "app-removed": "The authenticator app and its recovery codes are removed.",
    "session": "That session is ended.",
    "client": "That application is disconnected.",
    "consent": "What you allowed is withdrawn.",
    "provider": "Your account is connected. You can sign in there from now on.",
    "provider-taken": "Who you are there is connected with an account already, so nothing is changed.",
    "provider-gone": "That provider is disconnected.",
    "gone": "That had ended already.",
    "only-way": "This is the only way to sign in to your account. Add another one first.",
}


class OverviewPage:
    """Shows everything, and changes nothing."""

    def __init__(self, door: Door, providers: AccountProviders, elsewhere: UpstreamSignOut) -> None:
        self._door = door
        self._providers = providers
        self._elsewhere = elsewhere

    async def get(self, request: Request) -> Response:
        """Show the page; or send somebody who comes back from signing in to where they wanted to go."""
        try:
            given = parse_parameters(request.scope["query_string"])
        except RequestRefusedError as error:
            return self._door.error("The request is malformed.", error.status)
        if "error" in given:
            return self._door.error("Signing in did not work.", 503)
        if "code" in given:
            return self._door.to(PLACES.get(given.get("state", ""), PLACES["account"]))
        here = await self._door.here(request)
        if isinstance(here, Response):
            return here
        return self._door.pages.show(
            "account",
            form_targets=await self._elsewhere.origins(here.session),
            person=here.person,
            done=DONE.get(given.get("done", ""), ""),
            tokens={action: self._door.token(here, action) for action in ACTIONS},
            **await self._credentials(here),
            **await self._connections(here),
        )

    async def _credentials(self, here: Here) -> dict[str, Any]:
        """Return how the person signs in; a person of the blueprint signs in with nothing."""
        account = await here.services.database.accounts.get(here.subject)
        if account is None:
            return {
                "ways": None,
                "passkeys": [],
                "passkeys_possible": False,
                "password_changed": "",
                "providers": [],
            }
        ways = await here.services.credentials.overview(here.subject)
        return {
            "ways": ways,
            "passkeys": [_passkey(each) for each in ways.passkeys],
            "passkeys_possible": here.services.credentials.passkeys_possible,
            "password_changed": day(ways.password_changed) if ways.password_changed else "",
            **await self._providers.shown(here),
        }

    async def _connections(self, here: Here) -> dict[str, Any]:
        database, now = here.services.database, self._door.context.clock.now()
        sessions = await database.sessions.of_account(here.subject, now=now)
        families = await database.families.of_account(here.subject, now=now)

        def of_interest(session: "LoginSession") -> tuple[bool, float]:
            return session.id != here.session.id, -session.seen

        consents = await database.consents.of_account(here.subject)
        return {
            "sessions": [_session(each, here.session.id) for each in sorted(sessions, key=of_interest)],
            "most_shown": _MOST_SHOWN,
            "clients": [{**_family(each), "title": self._title(each.client)} for each in families],
            "consents": [
                {
                    "client": each.client,
                    "title": self._title(each.client),
                    "scopes": each.scopes,
                    "granted": day(each.granted),
                }
                for each in consents
            ],
        }

    def _title(self, client: str) -> str:
        known = self._door.context.directory.current().clients.get(client)
        return (known.title if known is not None else "") or client


def _passkey(passkey: "Passkey") -> dict[str, Any]:
    from ringwall.identity.people.passkeys import credential_text  # noqa: PLC0415  # not on the way to a start

    return {
        "id": credential_text(passkey.credential),
        "name": passkey.label,
        "added": day(passkey.created),
        "used": day(passkey.used) if passkey.used else "",
        "backed_up": bool(passkey.payload.get("backed_up")),
    }


def _session(session: "LoginSession", here: str) -> dict[str, Any]:
    return {
        "id": session.id,
        "browser": str(session.payload.get("browser", "")) or "A browser",
        "address": str(session.payload.get("address", "")),
        "since": minute(session.created),
        "seen": minute(session.seen),
        "here": session.id == here,
    }


def _family(family: "Family") -> dict[str, Any]:
    return {
        "id": family.id,
        "since": day(family.created),
        "used": minute(family.rotated),
        "scopes": [str(scope) for scope in family.payload.get("scopes", ())],
    }


def day(seconds: float) -> str:
    """Return a day for people to read."""
    at = time.gmtime(seconds)
    return f"{at.tm_mday} {time.strftime('%B %Y', at)}"


def minute(seconds: float) -> str:
    """Return a time for people to read, to the minute."""
    return f"{day(seconds)}, {time.strftime('%H:%M', time.gmtime(seconds))} UTC"
