"""device_code (RFC 8628, section 3.4): a device polls until a person has let it in."""

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest
from ringwall.identity.issuer.grants.login_tokens import OFFLINE, binding_of, invalid_grant, login_claims, make_tokens
from ringwall.identity.issuer.oauth.resources import check_resources
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.store.devices import Poll
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.model.secret import Secret

_TOLD = {
    Poll.PENDING: "nobody has decided yet",
    Poll.SLOW_DOWN: "wait longer between two requests",
    Poll.DENIED: "the person did not allow it",
    Poll.EXPIRED: "the device code has expired",
}


class DeviceCodeGrant:
    """For clients on devices where nobody can sign in."""

    name = "urn:ietf:params:oauth:grant-type:device_code"

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def issue(self, asked: TokenRequest) -> TokenAnswer:
        """Give tokens for a device code, once a person has allowed it.

        1. The code is there (RFC 8628, section 3.4); resources are parts of this system (RFC 8707, section 2.2).
        2. It is this client's; who polls too fast is told to wait longer, and nothing else is told but what happened to
        it (RFC 8628, section 3.5). One poll of all gets the tokens. 3. The session in which it was allowed has not
        ended, the person may still sign in, and the client may still use the flow.
        """
        context = self._context
        handle = Secret(asked.required("device_code"))  # 1
        check_resources(asked.form.all("resource"), context.directory.current())
        client = asked.client.client
        database, now = await context.storage.database(), context.clock.now()
        try:
            device = await database.devices.poll(handle, client=client.name, now=now)  # 2
        except HandleRefusedError:
            raise invalid_grant() from None
        if isinstance(device, Poll):
            raise RequestRefusedError(400, device.value, _TOLD[device])
        session = await database.sessions.get(device.session)
        person = await context.people.find(device.account)
        if session is None or session.ended is not None or person is None or not client.device_flow:  # 3
            raise invalid_grant()
        scopes = tuple(device.decision["scopes"])
        login = login_claims(device.decision, session=device.session, grant=device.family)
        access, id_token = make_tokens(context, asked, person, scopes=scopes, login=login, nonce="")
        started = await database.families.start(
            family=device.family,
            client=client.name,
            account=device.account,
            session="" if OFFLINE in scopes else device.session,
            payload={**device.decision, "sid": device.session},
            binding=binding_of(asked),
            now=now,
            idle_seconds=context.settings.refresh_idle_seconds,
            final_seconds=context.settings.refresh_final_seconds,
        )
        return TokenAnswer(access=access, refresh=started.token, id_token=id_token)
