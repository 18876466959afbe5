"""Passkeys: WebAuthn (W3C, level 3) over py_webauthn, which checks signatures and structures; what is asked is here.

Discoverable credentials with user verification, so that a passkey alone signs in: something one has and something
one knows or is. Attestation is not asked for, so nothing is learnt about whose make an authenticator is.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from ringwall.identity.people.challenges import SECONDS, Challenges, Purpose
from ringwall.identity.people.errors import PasskeyCopiedError, PasskeyRefusedError
from ringwall.identity.tokens.encoding import EncodingError, decode_base64url, decode_json_object, encode_base64url

MAX_ANSWER: Final = 32_768
"""Bytes of an authenticator's answer; the largest have certificates in them."""
MAX_CREDENTIAL_ID: Final = 1023
"""Bytes (section 7.1, step 25)."""
_FORMATS: Final = frozenset({"none", "packed"})
"""Attestation that comes unasked; packed may be a signature by the new key itself."""
_TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "smart-card", "internal", "hybrid"})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who passkeys are made for.

    Attributes:
        id: host name of the issuer; a passkey works for it, and for nobody else.
        origin: scheme, host and port of the pages.
        name: shown by browsers.
    """

    id: str
    origin: str
    name: str

    @classmethod
    def of_issuer(cls, url: str, name: str) -> Self | None:
        """Take them from the issuer's URL; None where its host is an address, for which browsers make no passkeys."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
            return cls(host, f"{parts.scheme}://{host}{port}", name)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """A passkey that an authenticator has just made, verified.

    Attributes:
        credential: its id.
        public_key: COSE key (RFC 9052), CBOR.
        sign_count: how often the authenticator says it was used; 0 where it does not count.
        backup_eligible: whether it may be copied to other devices of its owner; never changes.
        backed_up: whether it is.
        transports: how browsers can reach the authenticator.
        aaguid: the make of the authenticator, as it says, for showing an icon.
    """

    credential: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    transports: tuple[str, ...]
    aaguid: str


@dataclass(frozen=True, slots=True)
class PresentedPasskey:
    """What a browser sent in order to sign in. Nothing of it is verified.

    Attributes:
        credential: id of the passkey, by which to look it up.
        user_handle: what the authenticator keeps as the account's id.
        challenge: what it says it signed.
        answer: all of it.
    """

    credential: bytes
    user_handle: bytes
    challenge: bytes
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PasskeyUse:
    """A passkey was used, verified: how often by now, and whether it is backed up."""

    sign_count: int
    backed_up: bool


class Passkeys:
    """Makes the options that browsers are given, and verifies what authenticators answer."""

    def __init__(self, party: RelyingParty, challenges: Challenges) -> None:
        self._party = party
        self._challenges = challenges

    def registration_options(
        self, *, binding: str, account: str, user_name: str, display_name: str, known: Sequence[bytes]
    ) -> dict[str, Any]:
        """Return the options of `navigator.credentials.create()` (section 5.4) in their JSON form.

        Args:
            binding: as in `Challenges.issue`.
            account: its id, which the authenticator keeps; it says nothing about the person (section 14.6.1).
            user_name: shown by the browser.
            display_name: shown by the browser.
            known: ids of the account's passkeys, so that no authenticator makes a second one.
        """
        from webauthn import generate_registration_options  # noqa: PLC0415  # 0.2 s, needed by few requests
        from webauthn.helpers import options_to_json_dict, structs  # noqa: PLC0415

        options = generate_registration_options(
            rp_id=self._party.id,
            rp_name=self._party.name,
            user_id=account.encode(),
            user_name=user_name,
            user_display_name=display_name or user_name,
            challenge=self._challenges.issue(Purpose.REGISTER, f"{binding}\0{account}"),
            timeout=SECONDS * 1000,
            attestation=structs.AttestationConveyancePreference.NONE,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in known],
        )
        return options_to_json_dict(options)

    async def verify_registration(self, answer: bytes, *, binding: str, account: str) -> NewPasskey:
        """Verify what an authenticator made (section 7.1); PasskeyRefusedError where it is not to be believed.

        1. Read the answer, bounded, in one way only.
        2. The challenge was given out to this browser, to register for this account, and is used the first time.
        3. Type, origin, relying party, presence, verification of the user, key and attestation, by py_webauthn.
        4. The attestation is of a kind that comes unasked, and the credential's id is not too long.
        """
        from webauthn import verify_registration_response  # noqa: PLC0415  # as above
        from webauthn.helpers.structs import CredentialDeviceType  # noqa: PLC0415

        value = _read(answer)  # 1
        challenge = _challenge_of(value)
        await self._challenges.take(challenge, Purpose.REGISTER, f"{binding}\0{account}")  # 2
        try:  # 3
            made = verify_registration_response(
                credential=value,
                expected_challenge=challenge,
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                require_user_verification=True,
            )
        except Exception as error:  # whatever a hostile answer makes the parsers raise is a refusal
            raise PasskeyRefusedError(f"the authenticator's answer is refused: {_said(error)}") from error
        if made.fmt not in _FORMATS or len(made.credential_id) > MAX_CREDENTIAL_ID:  # 4
            raise PasskeyRefusedError("the authenticator's answer is of a kind that was not asked for")
        return NewPasskey(
            credential=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            backup_eligible=made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            backed_up=made.credential_backed_up,
            transports=_transports(value["response"].get("transports")),
            aaguid=made.aaguid,
        )

    def sign_in_options(self, *, binding: str, known: Sequence[bytes] = ()) -> dict[str, Any]:
        """Return the options of `navigator.credentials.get()` (section 5.5) in their JSON form.

        Without `known`, any passkey for this issuer may answer, and says by itself whose it is; so that nobody learns
        from the options which accounts exist, or have passkeys. `known` is for somebody who is signed in.
        """
        return {
            "challenge": encode_base64url(self._challenges.issue(Purpose.SIGN_IN, binding)),
            "timeout": SECONDS * 1000,
            "rpId": self._party.id,
            "allowCredentials": [{"type": "public-key", "id": encode_base64url(each)} for each in known],
            "userVerification": "required",
        }

    @staticmethod
    def presented(answer: bytes) -> PresentedPasskey:
        """Read what a browser sent; PasskeyRefusedError where it is malformed."""
        value = _read(answer)
        return PresentedPasskey(
            credential=_bytes_of(value, "rawId"),
            user_handle=_bytes_of(value["response"], "userHandle"),
            challenge=_challenge_of(value),
            answer=value,
        )

    async def verify_sign_in(
        self,
        presented: PresentedPasskey,
        *,
        binding: str,
        account: str,
        public_key: bytes,
        sign_count: int,
        backup_eligible: bool,
    ) -> PasskeyUse:
        """Verify a signature by a passkey that is known (section 7.2); PasskeyRefusedError.

        1. The challenge was given out to this browser, to sign in, and is used the first time.
        2. The authenticator keeps it for the account that it was made for (step 6).
        3. Type, origin, relying party, presence, verification of the user and signature, by py_webauthn.
        4. Whether it may be backed up has not changed (step 18).
        5. The count has gone up, or is not kept (step 22): else PasskeyCopiedError. Looked at last, so that only who
           holds the key can make it look copied.
        """
        from webauthn import verify_authentication_response  # noqa: PLC0415  # as above
        from webauthn.helpers.structs import CredentialDeviceType  # noqa: PLC0415

        await self._challenges.take(presented.challenge, Purpose.SIGN_IN, binding)  # 1
        if presented.user_handle != account.encode():  # 2
            raise PasskeyRefusedError("the passkey is kept for another account")
        try:  # 3
            used = verify_authentication_response(
                credential=presented.answer,
                expected_challenge=presented.challenge,
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,  # looked at in 5
                require_user_verification=True,
            )
        except Exception as error:  # as in verify_registration
            raise PasskeyRefusedError(f"the authenticator's answer is refused: {_said(error)}") from error
        if (used.credential_device_type is CredentialDeviceType.MULTI_DEVICE) != backup_eligible:  # 4
            raise PasskeyRefusedError("the passkey is not of the kind that it was")
        if (used.new_sign_count or sign_count) and used.new_sign_count <= sign_count:  # 5
            raise PasskeyCopiedError("the passkey has counted less than before, as a copy of it would")
        return PasskeyUse(used.new_sign_count, used.credential_backed_up)


def _read(answer: bytes) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise PasskeyRefusedError("the authenticator's answer is too large")
    try:
        value = decode_json_object(answer)
    except EncodingError as error:
        raise PasskeyRefusedError(f"the authenticator's answer is {error}") from None
    if not isinstance(value.get("response"), dict):
        raise PasskeyRefusedError("the authenticator's answer lacks its response")
    return value


def _challenge_of(value: dict[str, Any]) -> bytes:
    """Return the challenge that the client data names; refuse what another page has had signed in a frame of it."""
    try:
        data = decode_json_object(_bytes_of(value["response"], "clientDataJSON"))
    except EncodingError as error:
        raise PasskeyRefusedError(f"the client data is {error}") from None
    # Sections 7.1 (step 9) and 7.2 (step 13): our pages are in nobody's frame.
    if data.get("crossOrigin", False) is not False or "topOrigin" in data:
        raise PasskeyRefusedError("the passkey was asked for from within another site's page")
    return _bytes_of(data, "challenge")


def _bytes_of(value: dict[str, Any], name: str) -> bytes:
    text = value.get(name)
    try:
        if not isinstance(text, str):
            raise EncodingError("missing")  # noqa: TRY301  # the same refusal
        return decode_base64url(text)
    except EncodingError as error:
        raise PasskeyRefusedError(f"the authenticator's answer has no {name}: {error}") from None


def _transports(value: Any) -> tuple[str, ...]:
    return tuple(sorted(name for name in _TRANSPORTS if name in value)) if isinstance(value, list) else ()


def _said(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__


def credential_text(credential: bytes) -> str:
    """Return a credential's id as text, for administration and events."""
    return encode_base64url(credential)
