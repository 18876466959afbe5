"""A SAML provider as a way to sign in: begins with a redirect, ends with a signed assertion that a form brings."""

import secrets
from collections.abc import Mapping
from typing import Any

from ringwall.identity.upstream.identity import UpstreamIdentity, UpstreamRefusedError
from ringwall.identity.upstream.levels import at_least
from ringwall.identity.upstream.saml.assertion import SKEW_SECONDS, Asserted, Expected, read_assertion
from ringwall.identity.upstream.saml.request import authn_request, redirect
from ringwall.identity.upstream.saml.response import signed_assertion
from ringwall.identity.upstream.source import Begun, Wish
from ringwall.plan.upstream import Upstream


def entity_id_of(callback: str) -> str:
    """Return who we are to a provider: the address of our metadata for it, beside our address for its answers."""
    return f"{callback.rpartition('/')[0]}/metadata"


class SamlSource:
    """One SAML provider; a `SignInSource`."""

    def __init__(self, upstream: Upstream) -> None:
        assert upstream.saml is not None  # noqa: S101  # the registry chooses by it
        self._upstream = upstream
        self._saml = upstream.saml

    async def begin(self, wish: Wish) -> Begun:
        """Begin: an authentication request by redirect (saml-profiles-2.0-os, section 4.1.4.1).

        Where somebody may have signed in some time ago but not too long, they are asked to do it now: SAML cannot say
        the one without the other.
        """
        name = f"_{secrets.token_hex(20)}"  # an NCName, with more than the 128 bits of saml-core-2.0-os, section 1.3.4
        again = wish.again or wish.max_age is not None
        request = authn_request(
            name=name,
            now=wish.now,
            issuer=entity_id_of(wish.return_to),
            location=self._saml.location,
            return_to=wish.return_to,
            again=again,
            classes=at_least(wish.levels, self._upstream.acr),
        )
        kept = {"request": name, "return_to": wish.return_to, "again": again, "begun": wish.now}
        return Begun(kept=kept, location=lambda state: redirect(self._saml.location, request, state))

    async def finish(self, kept: Mapping[str, Any], answer: Mapping[str, str], *, now: float) -> UpstreamIdentity:
        """Return whom the provider has signed in.

        1. Its answer to our request holds an assertion that it has signed. 2. The assertion is for this sign-in.
        3. Who was to sign in anew, has. 4. It names somebody by what stays theirs.
        """
        request, return_to = str(kept["request"]), str(kept["return_to"])
        signed = signed_assertion(
            answer.get("SAMLResponse", ""), certificates=self._saml.certificates, request=request, return_to=return_to
        )  # 1
        expected = Expected(
            issuer=self._saml.entity_id,
            audience=entity_id_of(return_to),
            request=request,
            return_to=return_to,
            now=now,
        )
        said = read_assertion(signed, expected)  # 2
        if kept["again"] and said.authenticated < float(kept["begun"]) - SKEW_SECONDS:  # 3
            raise UpstreamRefusedError("stale", "the person was to sign in anew, and has not")
        return UpstreamIdentity(
            issuer=self._saml.entity_id,
            subject=self._subject(said),  # 4
            claims=_claims(said),
            authenticated=said.authenticated,
        )

    async def sign_out(self, session: Mapping[str, Any], *, return_to: str, state: str) -> str | None:
        """Return None: single logout is not spoken."""
        del session, return_to, state
        return None

    def _subject(self, said: Asserted) -> str:
        subject = said.attributes.get(self._saml.subject, "") if self._saml.subject else said.name_id
        if not isinstance(subject, str) or not subject:
            raise UpstreamRefusedError(
                "subject",
                f"the assertion has not one {self._saml.subject or 'lasting NameID'}",
                hint="let the provider send a persistent NameID, or name an attribute as `subject`",
            )
        return subject


def _claims(said: Asserted) -> dict[str, Any]:
    """Return attributes in the form of claims. Directories vouch for addresses: SAML has no word for others."""
    return {**said.attributes, "name_id": said.name_id, "acr": said.context, "email_verified": True}
