"""client_credentials (RFC 6749, section 4.4): a client gets a token of its own. Touches no database."""

from ringwall.identity.issuer.access_tokens import for_client, parse_scopes
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest


class ClientCredentialsGrant:
    """For machine clients."""

    name = "client_credentials"

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def issue(self, asked: TokenRequest) -> TokenAnswer:
        """Issue a token with the scopes asked for, or all that the client has (sections 3.3 and 4.4.3)."""
        context = self._context
        issued = for_client(
            asked.client.client,
            parse_scopes(asked.form["scope"]) if "scope" in asked.form else (),
            directory=context.directory.current(),
            clock=context.clock,
            seconds=context.settings.token_seconds,
            sign=context.keys.sign,
            confirmation=asked.confirmation,
        )
        return TokenAnswer(access=issued)
