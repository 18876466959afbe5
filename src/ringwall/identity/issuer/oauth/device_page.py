"""The page on which people connect a device (RFC 8628, section 3.3)."""

import logging
import math
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.assurance import admits
from ringwall.identity.issuer.browser_sessions import BrowserSession, BrowserSessions
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.device_authorization import readable
from ringwall.identity.issuer.oauth.own_pages import DEVICE, sign_in_for
from ringwall.identity.issuer.pages.forms import FormTokens
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.people import Person
from ringwall.identity.issuer.request import Parameters, RequestRefusedError, parse_parameters, read_form
from ringwall.identity.store.devices import ALPHABET, USER_CODE_LETTERS, Device
from ringwall.identity.store.errors import HandleRefusedError

GUESSES: Final = 10
"""User codes that somebody may try at once (RFC 8628, section 5.1)."""
GUESS_SECONDS: Final = 30.0
"""Until they may try one more."""
_MAX_CODE: Final = 64
_ENTER: Final = "device"
_UNKNOWN: Final = "No device waits with this code. It may have expired: start again on the device."

_log = logging.getLogger(__name__)


class DevicePage:
    """Takes user codes from people who are signed in, shows what asks for access, and takes their decision."""

    def __init__(self, context: IssuerContext, *, sessions: BrowserSessions, pages: Pages, forms: FormTokens) -> None:
        self._context = context
        self._sessions = sessions
        self._pages = pages
        self._forms = forms

    async def get(self, request: Request) -> Response:
        """Show where to type a code; whoever is not signed in does that first (RFC 8628, section 3.3).

        A code in the address is only written into the form: nothing is looked up, let alone allowed, by following a
        link (sections 3.3.1 and 5.4).
        """
        try:
            given = parse_parameters(request.scope["query_string"])
        except RequestRefusedError as error:
            return self._pages.show("error", status=error.status, message="The request is malformed.")
        code = (given.get("user_code") or given.get("state", ""))[:_MAX_CODE]
        here = await self._here(request)
        return self._to_sign_in(code) if here is None else self._ask(here[0], code=code)

    async def post(self, request: Request) -> Response:
        """Take a code, or a decision.

        1. Somebody is signed in, and not only to set themselves up. 2. The form is one that this session was shown, for
        a decision about this very code, so that no other site makes people allow anything (RFC 6749, section 10.12). 3.
        Codes are not guessed: each person has a budget of them (RFC 8628, section 5.1). 4. The device still waits, and
        its client may still use the flow. 5. Show who asks for what, and that this may be somebody else's device
        (section 5.4); or let the person's one decision count.
        """
        form = await read_form(request)
        code = _letters(form.get("user_code", ""))
        here = await self._here(request)
        if here is None:  # 1
            return self._to_sign_in(code)
        session, person = here
        deciding = "decision" in form
        self._forms.check(request, form, _decision(code) if deciding else _ENTER)  # 2
        database, now = await self._context.storage.database(), self._context.clock.now()
        if not deciding:  # 3
            wait = await database.budgets.take("device", session.subject, burst=GUESSES, seconds=GUESS_SECONDS, now=now)
            if wait:
                message = f"Too many codes were tried. Try again in {math.ceil(wait)} seconds."
                return self._ask(session, code="", message=message, status=429)
        device = await database.devices.find(code, now=now)
        client = await self._context.client(device.client) if device else None
        if device is None or client is None or not client.device_flow:  # 4
            return self._ask(session, code="", message=_UNKNOWN, status=400)
        if not deciding:  # 5
            return self._pages.show(
                "device_confirm",
                client=client.title or client.name,
                person=person.display_name or person.user_name,
                scopes=device.payload["scopes"],
                user_code=readable(code),
                form_token=self._forms.issue_for(session.handle, _decision(code)),
            )
        return await self._decide(form, code, session, device)

    async def _decide(self, form: Parameters, code: str, session: BrowserSession, device: Device) -> Response:
        devices, now = (await self._context.storage.database()).devices, self._context.clock.now()
        allowed = form["decision"] == "allow"
        try:
            if allowed:
                decision = {
                    "scopes": device.payload["scopes"],
                    "auth_time": int(session.authenticated),
                    "acr": session.acr,
                    "amr": list(session.amr),
                }
                await devices.approve(code, account=session.subject, session=session.id, decision=decision, now=now)
            else:
                await devices.deny(code, now=now)
        except HandleRefusedError:
            return self._ask(session, code="", message=_UNKNOWN, status=400)
        _log.info("a device of client %r was %s", device.client, "connected" if allowed else "refused")
        return self._pages.show("device_done", allowed=allowed)

    def _ask(self, session: BrowserSession, *, code: str, message: str = "", status: int = 200) -> Response:
        token = self._forms.issue_for(session.handle, _ENTER)
        return self._pages.show("device", status=status, form_token=token, user_code=code, message=message)

    def _to_sign_in(self, code: str) -> Response:
        location = sign_in_for(DEVICE, self._context.directory.current(), state=code)
        return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})

    async def _here(self, request: Request) -> tuple[BrowserSession, Person] | None:
        session = await self._sessions.current(request)
        if session is None or not admits(session.acr):
            return None
        person = await self._context.people.find(session.subject)
        return None if person is None else (session, person)


def _letters(typed: str) -> str:
    """Return what counts of a code as it was typed (RFC 8628, section 6.1); empty where it cannot be one."""
    letters = "".join(letter for letter in typed[:_MAX_CODE].upper() if letter in ALPHABET)
    return letters if len(letters) == USER_CODE_LETTERS else ""


def _decision(code: str) -> str:
    return f"device\0{code}"
