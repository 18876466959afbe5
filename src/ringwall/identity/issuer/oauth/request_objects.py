"""Signed request objects (RFC 9101): authorization requests that only the client can have made.

They may come encrypted for the issuer, so that nobody on the way reads them; then one that is signed is inside.
"""

from typing import Any, Final

from ringwall.identity.issuer.clients.keys import has_keys
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import MAX_BODY, REPEATABLE, Parameters
from ringwall.identity.tokens.claims import Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.encryption import is_encrypted
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.model.errors import RingwallError
from ringwall.plan.client import Client

TYPE: Final = "oauth-authz-req+jwt"
LONGEST_SECONDS: Final = 3600.0
"""How long a request object may be good at most (FAPI 2.0 Message Signing, section 5.3.1)."""
LEEWAY_SECONDS: Final = 10.0
_KIND: Final = "request-object"
_ABOUT_THE_OBJECT: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
_NEVER: Final = ("request", "request_uri", "sub")
_MAX_JTI: Final = 256


class RequestObjectRefusedError(RingwallError):
    """A request object is not believed (`invalid_request_object`; RFC 9101, section 6)."""

    code = "request-object"


class RequestObjects:
    """Reads what clients have signed."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def read(self, text: str, client: Client) -> Parameters:
        """Return the parameters that a request object holds, or raise RequestObjectRefusedError.

        What stands beside it in the query is not looked at by anybody (RFC 9101, section 6.3).

        1. An encrypted one is decrypted (section 6.1); what is inside is signed and not encrypted again.
        2. The client has keys, and one of them has signed the object with that key's own algorithm, never `none` (RFC
           9101, sections 6.2 and 10.1); its type is that of a request object (section 10.8; RFC 8725, section 3.11);
           `iss` is the client, `aud` the issuer, `exp` is there and ahead, `nbf` is not (RFC 9101, section 4).
        3. It is good for an hour at most, and not older than that.
        4. It holds neither another request object, nor a reference to one, nor a subject (sections 4 and 10.8).
        5. Its `client_id` is the one beside it (sections 5 and 6.3).
        6. Each parameter has a value as a query would have (section 4).
        7. `jti`, where there is one, was never seen.
        """
        if not has_keys(client):
            raise RequestObjectRefusedError("the client has no keys to sign requests with")
        issuer = self._context.directory.current().issuer
        expected = Expected(
            issuer=client.name,
            audiences=frozenset({issuer}),
            types=frozenset({TYPE}),
            leeway=LEEWAY_SECONDS,
            about_somebody=False,
        )
        try:
            signed = self._decrypted(text)  # 1
            keys = await self._context.client_keys.of(client, signed=signed)
            found = verify_token(signed, keys=keys, expected=expected, clock=self._context.clock)  # 2
        except (TokenRefusedError, KeyRefusedError) as error:
            raise RequestObjectRefusedError(f"the request object is not believed: {error.message}") from None
        now = self._context.clock.now()
        begins = float(found.claims.get("nbf", found.claims.get("iat", now)))
        if found.expires > now + LONGEST_SECONDS + LEEWAY_SECONDS or begins < now - LONGEST_SECONDS:  # 3
            raise RequestObjectRefusedError("the request object is too old, or good for too long")
        if any(name in found.claims for name in _NEVER):  # 4
            raise RequestObjectRefusedError("a request object holds no other, and no subject")
        if found.claims.get("client_id") != client.name:  # 5
            raise RequestObjectRefusedError("the request object is another client's")
        parameters = _parameters(found)  # 6
        await self._once(found, client)  # 7
        return parameters

    def _decrypted(self, text: str) -> str | bytes:
        if not is_encrypted(text):
            return text
        from ringwall.identity.tokens.jwe import decrypt  # noqa: PLC0415  # not on the way to a start

        return decrypt(text, self._context.keys.encryption.readers())

    async def _once(self, found: VerifiedClaims, client: Client) -> None:
        if "jti" not in found.claims:
            return
        identifier, now = found.claims["jti"], self._context.clock.now()
        if not isinstance(identifier, str) or not 0 < len(identifier) <= _MAX_JTI:
            raise RequestObjectRefusedError("the `jti` of the request object is no short text")
        replay = (await self._context.storage.database()).replay
        until = found.expires + LEEWAY_SECONDS
        if not await replay.once(_KIND, f"{client.name}\n{identifier}", until=until, now=now):
            raise RequestObjectRefusedError("the request object was used before")


def _parameters(found: VerifiedClaims) -> Parameters:
    first: dict[str, str] = {}
    more: dict[str, tuple[str, ...]] = {}
    for name, value in found.claims.items():
        if name in _ABOUT_THE_OBJECT:
            continue
        values = [_text(each) for each in value] if isinstance(value, list) and name in REPEATABLE else [_text(value)]
        filled = [each for each in values if each]  # one without a value counts as absent (RFC 6749, section 3.1)
        if filled:
            first[name], more[name] = filled[0], tuple(filled[1:])
    parameters = Parameters(first, more)
    if len(parameters.encoded()) > MAX_BODY:
        raise RequestObjectRefusedError("the request object is too large")
    return parameters


def _text(value: Any) -> str:
    """Return a value as a query would have it: texts as they are, numbers in JSON (RFC 9101, section 4)."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RequestObjectRefusedError("a parameter of the request object is neither text nor number")
    return str(value)
