"""What is done when a code or a refresh token is used twice: it may have been stolen, so all that came of it ends."""

import logging

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.standing import SKEW_SECONDS
from ringwall.identity.store.errors import HandleReusedError

_log = logging.getLogger(__name__)


async def end_what_came_of(context: IssuerContext, reuse: HandleReusedError) -> None:
    """Revoke the access tokens of a grant whose refresh tokens the database has ended already (RFC 9700, 4.14.2)."""
    database = await context.storage.database()
    now = context.clock.now()
    expires = now + context.settings.token_seconds + SKEW_SECONDS
    await database.endings.tokens_of(reuse.family, account=reuse.account, reason="reused", now=now, expires=expires)
    _log.warning("a code or refresh token of client %r was used twice; what came of it was revoked", reuse.client)
