"""authorization_code (RFC 6749, section 4.1.3; RFC 7636, section 4.5)."""

import hashlib
import hmac
import logging
import re
from typing import Final

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest
from ringwall.identity.issuer.grants.login_tokens import OFFLINE, binding_of, invalid_grant, login_claims, make_tokens
from ringwall.identity.issuer.grants.reuse import end_what_came_of
from ringwall.identity.issuer.oauth.resources import check_resources
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.identity.tokens.encoding import encode_base64url
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
        4. Who asks is who began: the verifier fits the challenge (RFC 7636, section 4.6).
        5. The token request shows the key that the authorization request named, if it named one (RFC 9449, section 10).
        6. The session in which it was given has not ended, and the person may still sign in.
        7. The resources asked for are parts of this system (RFC 8707, section 2.2).
        """
        context = self._context
        presented, redirect_uri, verifier = (  # 1
            asked.required(name) for name in ("code", "redirect_uri", "code_verifier")
        )
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
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
            _challenge(verifier), code.payload["challenge"]
        ):
            raise invalid_grant()  # 4
        if code.payload.get("dpop_jkt") and code.payload["dpop_jkt"] != asked.confirmation.get("jkt"):  # 5
            raise invalid_grant()
        session = await database.sessions.get(code.session)
        person = await context.people.find(code.account)
        if session is None or session.ended is not None or person is None:  # 6
            raise invalid_grant()
        check_resources(asked.form.all("resource"), context.directory.current())  # 7
        scopes = tuple(code.payload["scopes"])
        login = login_claims(code.payload, session=code.session, grant=code.family)
        access, id_token = make_tokens(context, asked, person, scopes=scopes, login=login, nonce=code.payload["nonce"])
        try:
            started = await database.families.start(
                family=code.family,
                client=client.name,
                account=code.account,
                session="" if OFFLINE in scopes else code.session,
                payload={**code.payload, "sid": code.session},
                binding=binding_of(asked),
                now=now,
                idle_seconds=context.settings.refresh_idle_seconds,
                final_seconds=context.settings.refresh_final_seconds,
            )
        except HandleRefusedError:  # somebody used the code a second time meanwhile
            raise invalid_grant() from None
        return TokenAnswer(access=access, refresh=started.token, id_token=id_token)


def _challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return encode_base64url(hashlib.sha256(verifier.encode("ascii")).digest())
