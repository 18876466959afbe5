"""refresh_token (RFC 6749, section 6; RFC 9700, section 4.14.2)."""

import contextlib

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError, parse_scopes
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest
from ringwall.identity.issuer.grants.login_tokens import binding_of, invalid_grant, login_claims, make_tokens
from ringwall.identity.issuer.grants.reuse import end_what_came_of
from ringwall.identity.issuer.oauth.resources import check_resources
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.identity.store.family import Refreshed
from ringwall.model.secret import Secret
from ringwall.plan.client import Profile


class RefreshTokenGrant:
    """For clients that sign people in."""

    name = "refresh_token"

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def issue(self, asked: TokenRequest) -> TokenAnswer:
        """Give fresh tokens for a refresh token, and another refresh token in its place.

        1. The parameters are well-formed, and the resources parts of this system (RFC 8707, section 2.2).
        2. Scopes are only ever narrowed (RFC 6749, section 6), which is looked at before the token is used up.
        3. The token is this client's, is bound to the key it proved to hold if to any, and is used up; a second use
           ends all that came of the authorization (RFC 9700, section 4.14.2).
        4. The person may still sign in; roles and claims are theirs as of now.
        """
        context = self._context
        presented = Secret(asked.required("refresh_token"))  # 1
        wanted = parse_scopes(asked.form["scope"]) if "scope" in asked.form else ()
        check_resources(asked.form.all("resource"), context.directory.current())
        database = await context.storage.database()
        now = context.clock.now()
        client = asked.client.client.name
        if wanted:
            # What an earlier token of the family means is decided where it is used up.
            with contextlib.suppress(HandleRefusedError):
                family = await database.families.read(presented, client=client, now=now)
                _narrowed(wanted, family.payload["scopes"])  # 2
        used = await self._use(asked, presented)  # 3
        family = used.family
        person = context.people.known(family.account, used.holder)
        if person is None:  # 4
            await database.families.end(family.id, reason="account", now=now)
            raise invalid_grant()
        login = login_claims(family.payload, session=family.payload["sid"], grant=family.id)
        scopes = _narrowed(wanted, family.payload["scopes"])
        access, id_token = make_tokens(context, asked, person, scopes=scopes, login=login, nonce="")
        successor = None if _kept(asked) else used.token
        return TokenAnswer(access=access, refresh=successor, id_token=id_token)

    async def _use(self, asked: TokenRequest, presented: Secret) -> Refreshed:
        """Return what a token gives that is used up by this."""
        context = self._context
        families = (await context.storage.database()).families
        use = families.keep if _kept(asked) else families.rotate
        try:
            return await use(
                presented,
                client=asked.client.client.name,
                binding=binding_of(asked),
                now=context.clock.now(),
                idle_seconds=context.settings.refresh_idle_seconds,
            )
        except HandleReusedError as reuse:
            await end_what_came_of(context, reuse)
            raise invalid_grant() from None
        except HandleRefusedError:
            raise invalid_grant() from None


def _kept(asked: TokenRequest) -> bool:
    """Return whether a client's refresh tokens stay good, and have no successors.

    Under FAPI 2.0 they do: its client authenticates by a key (FAPI 2.0 Security Profile, section 5.3.2.1, item 9).
    """
    return asked.client.client.profile is Profile.FAPI2


def _narrowed(wanted: tuple[str, ...], granted: list[str]) -> tuple[str, ...]:
    if not set(wanted) <= set(granted):
        raise TokenNotIssuedError("invalid_scope", "the scope was not granted")
    return wanted or tuple(granted)
