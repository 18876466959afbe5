"""Finds the one way in which a client authenticates, and lets it."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request

from ringwall.identity.issuer.clients.model import AuthenticatedClient, ClientMethod, unauthenticated
from ringwall.identity.issuer.clients.public import PublicMethod
from ringwall.identity.issuer.request import Parameters, RequestRefusedError
from ringwall.plan.client import Profile

FAPI2_METHODS: Final = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
"""FAPI 2.0 Security Profile, section 5.3.2.1, item 6."""


class ClientAuthenticator:
    """Every way to authenticate that exists; the token endpoint and its like ask here."""

    def __init__(
        self, methods: Sequence[ClientMethod], *, public: PublicMethod, revoked: Callable[[str], bool]
    ) -> None:
        """Put the ways together.

        Args:
            methods: ways to prove who one is.
            public: for those who show no credentials at all.
            revoked: says of a client's name whether the operator has revoked it.
        """
        self._methods = tuple(methods)
        self._public = public
        self._revoked = revoked

    @property
    def names(self) -> tuple[str, ...]:
        """What the metadata document lists."""
        return (*(name for method in self._methods for name in method.names), *self._public.names)

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:
        """Return who asks.

        1. More than one way at once is refused (RFC 6749, section 2.3). 2. Who shows no credentials can only be a
        public client. 3. The method checks what is shown. 4. A client whose `client_id` is there as well means itself
        by it (RFC 6749, section 3.2.1). 5. A client that is revoked is nobody. 6. Under FAPI 2.0
        nobody authenticates by a secret, or not at all (FAPI 2.0 Security Profile, section 5.3.2.1, items 3 and 6).
        """
        shown = [method for method in self._methods if await method.presented(request, form)]
        if len(shown) > 1:  # 1
            raise RequestRefusedError(400, "invalid_request", "the client authenticates in more than one way")
        method: ClientMethod | PublicMethod = shown[0] if shown else self._public  # 2
        found = await method.authenticate(request, form)  # 3
        if form.get("client_id", found.client.name) != found.client.name:  # 4
            raise unauthenticated()
        if self._revoked(found.client.name):  # 5
            raise unauthenticated()
        if found.client.profile is Profile.FAPI2 and found.method not in FAPI2_METHODS:  # 6
            raise unauthenticated()
        return found
