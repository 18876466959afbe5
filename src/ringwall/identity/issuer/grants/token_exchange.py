"""Token exchange (RFC 8693): a service that acts for its caller gets a token for one service that it calls.

Allowed only along the calls that the plan declares. The new token says less or the same, never more: the same subject,
at most the same scopes, at most the same end. It names the service as actor, and proxies take it from that one alone
(docs/adr/0009). A token for an audience outside the system has that one's URL as its only `aud`, so that nothing of
this system takes it, and says still less; where the audience has a key, it alone can read it.
"""

from collections.abc import Mapping
from typing import Any, Final

from ringwall.identity.issuer.access_tokens import MAX_BYTES, IssuedToken, TokenNotIssuedError, new_jti, parse_scopes
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.encrypted_answers import access_token_for
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.issuer.services import ServiceClient, Services
from ringwall.identity.issuer.standing import Standing
from ringwall.identity.tokens.claims import ACCESS_TOKEN, VerifiedClaims
from ringwall.plan.audience import Audience

NAME: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name
_JWT_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"
_TYPES: Final = frozenset({ACCESS_TOKEN_TYPE, _JWT_TYPE})
_REPLACED: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "client_id", "azp", "scope", "act", "cnf"})
"""What an exchanged token does not take over as it is."""
_TOLD_OUTSIDE: Final = ("sub", "auth_time", "acr", "amr")
"""All that one for an audience outside takes over: roles, claims and sessions are this system's own business."""


class TokenExchangeGrant:
    """For services of the plan."""

    name = NAME

    def __init__(self, context: IssuerContext, *, services: Services, standing: Standing) -> None:
        self._context = context
        self._services = services
        self._standing = standing

    async def issue(self, asked: TokenRequest) -> TokenAnswer:
        """Exchange a token.

        1. `subject_token` and its type are there; what is asked for is an access token (RFC 8693, section 2.1).
        2. The actor is the service that has authenticated; nobody is named beside it (RFC 8693, sections 1.1 and 2.1).
        3. There is one target, by the plan: a service that the actor calls, or an audience outside that it lists
           (RFC 8693, sections 2.1 and 2.2.2; RFC 8707, section 2).
        4. The subject token is one of ours, has neither expired nor been revoked, and its subject has not either
           (RFC 8693, sections 2.1 and 2.2.2); one that was exchanged before was meant for this actor (RFC 8693, 4.1).
        5. Scopes are at most those of the subject token (RFC 8693, section 2.1; RFC 6749, section 3.3).
        6. It ends with the subject token at the latest. 7. The actor comes in front of those before (section 4.1).
        8. It is signed, then encrypted for an audience that has a key (RFC 7519, section 11.2; RFC 9068, section 4).
        """
        subject_token = asked.required("subject_token")  # 1
        if asked.required("subject_token_type") not in _TYPES:
            raise RequestRefusedError(400, "invalid_request", f"`subject_token_type` must be {ACCESS_TOKEN_TYPE}")
        if asked.form.get("requested_token_type", ACCESS_TOKEN_TYPE) not in _TYPES:
            raise RequestRefusedError(400, "invalid_request", "only access tokens are given")
        actor = self._services.named(asked.client.service) if asked.client.service else None  # 2
        if actor is None:
            raise RequestRefusedError(400, "unauthorized_client", "only services of the plan exchange tokens")
        if "actor_token" in asked.form or "actor_token_type" in asked.form:
            raise RequestRefusedError(400, "invalid_request", "the actor is who asks; `actor_token` is not taken")
        target = self._target(asked, actor)  # 3
        subject = await self._standing.access_token(subject_token)  # 4
        if subject is None or not _meant_for(subject, actor):
            raise RequestRefusedError(400, "invalid_request", "the subject token is not good")
        scopes = _narrowed(asked, subject)  # 5
        issued = self._issue(subject, actor=actor, target=target, scopes=scopes, confirmation=asked.confirmation)
        more = {"issued_token_type": ACCESS_TOKEN_TYPE}
        if not isinstance(target, Audience):  # it is the actor's by `act`, and no key has to be shown with it
            more |= {"token_type": "Bearer"}
        return TokenAnswer(access=issued, more=more)

    def _target(self, asked: TokenRequest, actor: ServiceClient) -> ServiceClient | Audience:
        named = (*asked.form.all("audience"), *asked.form.all("resource"))
        if len(named) != 1:
            raise TokenNotIssuedError("invalid_target", "name one service as `audience`")
        for audience in self._context.directory.current().audiences:
            if audience.name in actor.audiences and named[0] in {audience.name, audience.url}:
                return audience
        found = self._services.named(named[0]) or self._services.find(named[0])
        if found is None or found.name not in actor.calls:
            raise TokenNotIssuedError("invalid_target", "the plan does not let this service call that one")
        return found

    def _issue(
        self,
        subject: VerifiedClaims,
        *,
        actor: ServiceClient,
        target: ServiceClient | Audience,
        scopes: tuple[str, ...],
        confirmation: Mapping[str, str],
    ) -> IssuedToken:
        context, said = self._context, subject.claims
        directory = context.directory.current()
        now = int(context.clock.now())
        ends = min(int(subject.expires), now + context.settings.token_seconds)  # 6
        claims: dict[str, Any] = {
            "iss": directory.issuer,
            "exp": ends,
            "iat": now,
            "jti": new_jti(),
            "client_id": actor.spiffe_id,
            # Whoever began stays named, so that revoking that client reaches this token too.
            "azp": said.get("azp", said["client_id"]),
            "act": {"sub": actor.spiffe_id, **({"act": said["act"]} if "act" in said else {})},  # 7
        }
        if isinstance(target, Audience):
            claims |= {"aud": target.url, **{name: said[name] for name in _TOLD_OUTSIDE if name in said}}
            if "jkt" in confirmation:  # the actor's own key, of which it shows a proof there (RFC 9449, section 6.1)
                claims["cnf"] = {"jkt": confirmation["jkt"]}
        else:
            claims |= {name: value for name, value in said.items() if name not in _REPLACED}
            claims["aud"] = [directory.audience, target.spiffe_id]
        if scopes:
            claims["scope"] = " ".join(scopes)
        text = context.keys.sign(claims, typ=ACCESS_TOKEN)
        if isinstance(target, Audience):
            text = access_token_for(target, text)  # 8
        if len(text) > MAX_BYTES:
            raise TokenNotIssuedError("invalid_request", "the exchanged token would be too large")
        return IssuedToken(text=text, seconds=max(ends - now, 0), scopes=scopes)


def _meant_for(subject: VerifiedClaims, actor: ServiceClient) -> bool:
    return "act" not in subject.claims or actor.spiffe_id in subject.audiences


def _narrowed(asked: TokenRequest, subject: VerifiedClaims) -> tuple[str, ...]:
    had = tuple(str(subject.claims.get("scope", "")).split())
    if "scope" not in asked.form:
        return had
    wanted = parse_scopes(asked.form["scope"])
    if not set(wanted) <= set(had):
        raise TokenNotIssuedError("invalid_scope", "the subject token does not have every scope that is asked for")
    return wanted
