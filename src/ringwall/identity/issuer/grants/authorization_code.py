"""authorization_code (RFC 6749, section 4.1.3; RFC 7636, section 4.5)."""

import hmac
import logging
import re
from typing import Final

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest
from ringwall.identity.issuer.grants.login_tokens import Origin, first_tokens, invalid_grant, still_signed_in
from ringwall.identity.issuer.grants.pkce import challenge_of, may_go_without
from ringwall.identity.issuer.grants.reuse import end_what_came_of
from ringwall.identity.issuer.oauth.resources import check_resources
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.model.secret import Secret

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)

_log = logging.getLogger(__name__)


class AuthorizationCodeGrant:
    """For clients that sign people in."""

    name = "authorization_code"

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def issue(self, asked: TokenRequest) -> TokenAnswer:
        """Give tokens for a code.

        1. All parameters are there (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
        2. The code is this client's, and is used up by being looked at, so that nothing can be tried out on it. A
           second use ends what came of the first (RFC 6749, section 4.1.2).
        3. It was sent to this redirect URI (RFC 6749, section 4.1.3).
        4. Who asks is who began: the verifier fits the challenge (RFC 7636, section 4.6). Where no challenge had to be
           sent, there is no verifier without one either, and none is left out where there was one (RFC 9700, 2.1.1).
        5. The token request shows the key that the authorization request named, if it named one (RFC 9449, section 10).
        6. The session in which it was given has not ended, and the person may still sign in.
        7. The resources asked for are parts of this system (RFC 8707, section 2.2).
        """
        context = self._context
        presented, redirect_uri = (asked.required(name) for name in ("code", "redirect_uri"))  # 1
        free = may_go_without(asked.client.client, context.directory.current().profile)
        verifier = asked.form.get("code_verifier", "") if free else asked.required("code_verifier")
        database = await context.storage.database()
        now = context.clock.now()
        client = asked.client.client
        try:
            code = await database.codes.take(Secret(presented), client=client.name, now=now)  # 2
        except HandleReusedError as reuse:
            await end_what_came_of(context, reuse)
            raise invalid_grant() from None
        except HandleRefusedError:
            raise invalid_grant() from None
        if code.payload["redirect_uri"] != redirect_uri:  # 3
            raise invalid_grant()
        if not code.payload["challenge"] == verifier == "":  # 4
            _check_verifier(verifier, code.payload["challenge"])
        if code.payload.get("dpop_jkt") and code.payload["dpop_jkt"] != asked.confirmation.get("jkt"):  # 5
            raise invalid_grant()
        person = await still_signed_in(context, client, session=code.session, account=code.account)  # 6
        check_resources(asked.form.all("resource"), context.directory.current())  # 7
        origin = Origin(account=code.account, session=code.session, family=code.family, payload=code.payload)
        try:
            return await first_tokens(context, asked, person, origin, nonce=code.payload["nonce"])
        except HandleRefusedError:  # somebody used the code a second time meanwhile
            raise invalid_grant() from None


def _check_verifier(verifier: str, challenge: str) -> None:
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(challenge_of(verifier), challenge):
        raise invalid_grant()
