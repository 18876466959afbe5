"""A SAML provider as a way to sign in: begins with a redirect, ends with a signed assertion that a form brings."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from ringwall.identity.store.origins import Origin
from ringwall.identity.upstream.identity import UpstreamIdentity, UpstreamRefusedError
from ringwall.identity.upstream.levels import at_least
from ringwall.identity.upstream.saml.assertion import SKEW_SECONDS, Asserted, Expected, read_assertion
from ringwall.identity.upstream.saml.document import parse
from ringwall.identity.upstream.saml.keys import SamlKeys, SamlRing
from ringwall.identity.upstream.saml.logout import LogoutRequest, logout_request, logout_response, read_logout_request
from ringwall.identity.upstream.saml.metadata import service_provider
from ringwall.identity.upstream.saml.redirect import signed_message, with_message
from ringwall.identity.upstream.saml.request import authn_request
from ringwall.identity.upstream.saml.response import decoded, is_signed, signed_assertion
from ringwall.identity.upstream.saml.signature import verified_element
from ringwall.identity.upstream.source import Begun, Wish
from ringwall.plan.upstream import Upstream


def entity_id_of(callback: str) -> str:
    """Return who we are to a provider: the address of our metadata for it, beside our address for its answers."""
    return _beside(callback, "metadata")


def _beside(address: str, what: str) -> str:
    return f"{address.rpartition('/')[0]}/{what}"


def _new_name() -> str:
    """Return an `ID`: an NCName, with more than the 128 bits of saml-core-2.0-os, section 1.3.4."""
    return f"_{secrets.token_hex(20)}"


class SamlSource:
    """One SAML provider; a `SignInSource`."""

    def __init__(self, upstream: Upstream, keys: SamlKeys) -> None:
        assert upstream.saml is not None  # noqa: S101  # the registry chooses by it
        self._upstream = upstream
        self._saml = upstream.saml
        self._keys = keys

    async def begin(self, wish: Wish) -> Begun:
        """Begin: an authentication request by redirect (saml-profiles-2.0-os, section 4.1.4.1).

        Where somebody may have signed in some time ago but not too long, they are asked to do it now: SAML cannot say
        the one without the other.
        """
        name = _new_name()
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
        key = (await self._ring()).active.signing if self._saml.sign_requests else None
        return Begun(
            kept=kept,
            location=lambda state: with_message(
                self._saml.location, kind="SAMLRequest", message=request, state=state, key=key
            ),
        )

    async def finish(self, kept: Mapping[str, Any], answer: Mapping[str, str], *, now: float) -> UpstreamIdentity:
        """Return whom the provider has signed in.

        1. Its answer to our request holds an assertion that it has signed. 2. The assertion is for this sign-in.
        3. Who was to sign in anew, has. 4. It names somebody by what stays theirs.
        """
        request, return_to = str(kept["request"]), str(kept["return_to"])
        signed = signed_assertion(
            answer.get("SAMLResponse", ""),
            certificates=self._saml.certificates,
            request=request,
            return_to=return_to,
            decryption_keys=(await self._ring()).decryption_keys if self._saml.encrypted else None,
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
            session=_kept_session(said) if self._saml.logout and said.named else {},
            origin=Origin(issuer=self._saml.entity_id, person=said.named, session=said.session),
        )

    async def sign_out(self, session: Mapping[str, Any], *, return_to: str, state: str) -> str | None:
        """Return where a browser signs out there (saml-profiles-2.0-os, section 4.4.3.1); None where none is wanted."""
        if not self._saml.logout or not session:
            return None
        location = self._saml.logout_location
        message = logout_request(
            name=_new_name(),
            now=self._keys.clock.now(),
            issuer=entity_id_of(return_to),
            location=location,
            session=session,
        )
        key = (await self._ring()).active.signing
        return with_message(location, kind="SAMLRequest", message=message, state=state, key=key)

    def ended(self, asked: Mapping[str, str], query: str | None, *, address: str, now: float) -> LogoutRequest:
        """Return what a logout request ends (saml-profiles-2.0-os, section 4.4.3.3).

        Args:
            asked: what came.
            query: the query in which it came, as it came; None where it came by form.
            address: our single logout service.
            now: seconds since the epoch.
        """
        if query is not None:
            root = parse(signed_message(query, kind="SAMLRequest", certificates=self._saml.certificates))
        else:
            root = parse(decoded(asked.get("SAMLRequest", "")))
            if not is_signed(root):
                raise UpstreamRefusedError("unsigned", "the logout request is not signed")
            root = verified_element(root, self._saml.certificates)
        return read_logout_request(root, issuer=self._saml.entity_id, address=address, now=now)

    async def ended_answer(self, request: LogoutRequest, *, address: str, state: str, now: float) -> str | None:
        """Return where a browser brings our answer to a logout request; None where the provider takes none."""
        location = self._saml.logout_response_location or self._saml.logout_location
        if not location:
            return None
        message = logout_response(
            name=_new_name(), request=request.name, now=now, issuer=entity_id_of(address), location=location
        )
        key = (await self._ring()).active.signing
        return with_message(location, kind="SAMLResponse", message=message, state=state, key=key)

    async def metadata(self, return_to: str) -> str:
        """Return what the provider has to know about us.

        Args:
            return_to: our assertion consumer service.
        """
        ring = await self._ring()
        return service_provider(
            entity_id=entity_id_of(return_to),
            return_to=return_to,
            logout=_beside(return_to, "logout"),
            signing=ring.signing_certificates,
            encryption=ring.encryption_certificate if self._saml.encrypted else "",
            signs=self._saml.sign_requests,
        )

    async def _ring(self) -> SamlRing:
        return await asyncio.to_thread(self._keys.ring)

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


def _kept_session(said: Asserted) -> dict[str, Any]:
    """Return what signing out there needs."""
    return {"name_id": said.named, "attributes": said.named_with, "index": said.session}
