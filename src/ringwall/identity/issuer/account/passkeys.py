"""Adding and removing passkeys (Web Authentication, level 3)."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.account.door import FORM_SECONDS, Door, Holder
from ringwall.identity.issuer.account.overview import day
from ringwall.identity.issuer.oauth.visitor import binding_of
from ringwall.identity.issuer.pages.wording import told
from ringwall.identity.people.errors import AccountError, CredentialError, PasskeyRefusedError, PasskeysUnavailableError
from ringwall.identity.tokens.encoding import EncodingError, decode_base64url, encode_json

_PURPOSE = "passkeys"
_RENAMING = "rename-passkey"
_REFUSED = "What your device answered was not taken. Try again."


class PasskeysPage:
    """For somebody who has just signed in."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def get(self, request: Request) -> Response:
        """Show the form that makes a passkey."""
        here = await self._door.holder(request, "passkeys")
        return here if isinstance(here, Response) else await self._show(here)

    async def post(self, request: Request) -> Response:
        """Keep what the browser has made."""
        here = await self._door.holder(request, "passkeys", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, _PURPOSE)
        message = await keep(here, form.get("passkey", ""), form.get("name", ""))
        return await self._show(here, message=message) if message else self._door.to("/account", done="passkey")

    async def remove(self, request: Request) -> Response:
        """Take a passkey away."""
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, "remove-passkey")
        try:
            credential = decode_base64url(form.get("passkey", ""))
            await here.services.credentials.remove_passkey(here.subject, credential, by=here.subject)
        except EncodingError:
            return self._door.to("/account", done="gone")
        except CredentialError:
            known = await here.services.database.passkeys.get(credential)
            return self._door.to("/account", done="gone" if known is None else "only-way")
        return self._door.to("/account", done="passkey-removed")

    async def ask_name(self, request: Request) -> Response:
        """Show the form that calls a passkey something else."""
        here = await self._door.holder(request, "account")
        if isinstance(here, Response):
            return here
        return await self._show_name(here, request.query_params.get("passkey", ""))

    async def rename(self, request: Request) -> Response:
        """Call a passkey something else."""
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, _RENAMING)
        passkey = form.get("passkey", "")
        try:
            credential = decode_base64url(passkey)
            await here.services.credentials.rename_passkey(
                here.subject, credential, name=form.get("name", ""), by=here.subject
            )
        except (EncodingError, CredentialError):
            return self._door.to("/account", done="gone")
        except AccountError as error:
            return await self._show_name(here, passkey, message=told(error.message, error.hint))
        return self._door.to("/account", done="passkey-renamed")

    async def _show_name(self, here: Holder, passkey: str, message: str = "") -> Response:
        from ringwall.identity.people.passkeys import credential_text  # noqa: PLC0415  # not on the way to a start

        passkeys = await here.services.database.passkeys.of_account(here.subject)
        known = {credential_text(each.credential): each for each in passkeys}
        if passkey not in known:
            return self._door.to("/account", done="gone")
        return self._door.pages.show(
            "account_passkey_name",
            status=400 if message else 200,
            form_token=self._door.token(here, _RENAMING),
            passkey=passkey,
            label=known[passkey].label,
            added=day(known[passkey].created),
            message=message,
        )

    async def _show(self, here: Holder, message: str = "") -> Response:
        try:
            options = await options_for(here)
        except (CredentialError, PasskeysUnavailableError) as error:
            return self._door.error(told(error.message, error.hint))
        return self._door.pages.show(
            "account_passkey",
            status=400 if message else 200,
            script=True,
            form_token=self._door.token(here, _PURPOSE),
            options=options,
            message=message,
        )


async def options_for(here: Holder) -> str:
    """Return the options with which the browser makes a passkey, as JSON; bound to the session."""
    binding = binding_of(here.session.handle)
    options = await here.services.credentials.begin_passkey(here.subject, binding=binding)
    return encode_json(options).decode("utf-8")


async def keep(here: Holder, answer: str, name: str) -> str:
    """Keep the passkey that an authenticator has made; return what is wrong, or an empty string."""
    try:
        await here.services.credentials.add_passkey(
            here.subject,
            answer.encode("utf-8", "replace"),
            binding=binding_of(here.session.handle),
            name=name,
            by=here.subject,
        )
    except PasskeyRefusedError:
        return _REFUSED
    except (CredentialError, AccountError) as error:
        return told(error.message, error.hint)
    return ""
