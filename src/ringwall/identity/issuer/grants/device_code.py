"""device_code (RFC 8628, section 3.4): a device polls until a person has let it in."""

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest
from ringwall.identity.issuer.grants.login_tokens import Origin, first_tokens, invalid_grant, still_signed_in
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
        person = await still_signed_in(context, client, session=device.session, account=device.account)  # 3
        if not client.device_flow:
            raise invalid_grant()
        origin = Origin(account=device.account, session=device.session, family=device.family, payload=device.decision)
        return await first_tokens(context, asked, person, origin, nonce="")
