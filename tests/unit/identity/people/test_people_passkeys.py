import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.soft_authenticator import BACKED_UP, ELIGIBLE, PRESENT, VERIFIED, SoftAuthenticator

from ringwall.identity.people.challenges import SECONDS, Challenges, Purpose
from ringwall.identity.people.errors import PasskeyCopiedError, PasskeyRefusedError
from ringwall.identity.people.passkeys import MAX_ANSWER, NewPasskey, Passkeys, PasskeyUse, RelyingParty
from ringwall.identity.tokens.encoding import decode_base64url, encode_base64url
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret

ISSUER = "https://shop.localhost:8443/auth"


class World:
    """Passkeys with a memory of what was used."""

    def __init__(self, issuer: str = ISSUER) -> None:
        self.clock = ManualClock()
        self.used: dict[bytes, float] = {}
        self.challenges = Challenges(key=Secret(b"k" * 32), once=self.once, clock=self.clock)
        party = RelyingParty.of_issuer(issuer, "Shop")
        assert party is not None
        self.passkeys = Passkeys(party, self.challenges)

    async def once(self, value: bytes, until: float) -> bool:
        new = value not in self.used
        self.used[value] = until
        return new

    def creation(self, *, binding: str = "b", account: str = "a1") -> dict[str, Any]:
        return self.passkeys.registration_options(
            binding=binding, account=account, user_name="alice", display_name="Alice", known=[b"known"]
        )

    def register(self, answer: bytes, *, binding: str = "b", account: str = "a1") -> NewPasskey:
        return asyncio.run(self.passkeys.verify_registration(answer, binding=binding, account=account))

    def registered(self, device: SoftAuthenticator) -> NewPasskey:
        return self.register(device.make(self.creation()))

    def sign_in(
        self, answer: bytes, known: NewPasskey, *, binding: str = "b", account: str = "a1", count: int | None = None
    ) -> PasskeyUse:
        return asyncio.run(
            self.passkeys.verify_sign_in(
                self.passkeys.presented(answer),
                binding=binding,
                account=account,
                public_key=known.public_key,
                sign_count=known.sign_count if count is None else count,
                backup_eligible=known.backup_eligible,
            )
        )

    def options(self, binding: str = "b") -> dict[str, Any]:
        return self.passkeys.sign_in_options(binding=binding)


@pytest.fixture
def world() -> World:
    return World()


def test_a_passkey_is_made_and_signs_in(world: World) -> None:
    device = SoftAuthenticator()
    made = world.registered(device)
    assert made.credential == device.credential
    assert world.sign_in(device.use(world.options()), made) == PasskeyUse(1, backed_up=False)
    assert world.sign_in(device.use(world.options()), made, count=1) == PasskeyUse(2, backed_up=False)


def test_what_browsers_are_asked_for(world: World) -> None:
    options = world.creation()
    assert options["rp"] == {"id": "shop.localhost", "name": "Shop"}
    assert options["user"] == {"id": encode_base64url(b"a1"), "name": "alice", "displayName": "Alice"}
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert options["attestation"] == "none"
    assert [each["id"] for each in options["excludeCredentials"]] == [encode_base64url(b"known")]
    json.dumps(options)
    options = world.options()
    assert options["rpId"] == "shop.localhost"
    assert options["userVerification"] == "required"
    assert options["allowCredentials"] == []
    assert len(decode_base64url(options["challenge"])) >= 16


def test_a_challenge_is_taken_once(world: World) -> None:
    device = SoftAuthenticator()
    answer = device.make(world.creation())
    made = world.register(answer)
    with pytest.raises(PasskeyRefusedError, match="used before"):
        world.register(answer)
    answer = device.use(world.options())
    world.sign_in(answer, made)
    with pytest.raises(PasskeyRefusedError, match="used before"):
        world.sign_in(answer, made)


def test_a_challenge_is_for_one_browser_one_account_and_one_purpose(world: World) -> None:
    device = SoftAuthenticator()
    answer = device.make(world.creation())
    for other in ({"binding": "c"}, {"account": "a2"}):
        with pytest.raises(PasskeyRefusedError, match="not given out"):
            world.register(answer, **other)
    made = world.register(answer)
    with pytest.raises(PasskeyRefusedError, match="not given out"):
        world.sign_in(device.use(world.options()), made, binding="c")
    with pytest.raises(PasskeyRefusedError, match="not given out"):
        world.sign_in(device.use({"challenge": world.creation()["challenge"]}), made)


def test_a_challenge_is_for_one_purpose_whatever_it_is_bound_to(world: World) -> None:
    challenge = world.challenges.issue(Purpose.SIGN_IN, "b")
    with pytest.raises(PasskeyRefusedError, match="not given out"):
        asyncio.run(world.challenges.take(challenge, Purpose.REGISTER, "b"))
    asyncio.run(world.challenges.take(challenge, Purpose.SIGN_IN, "b"))


def test_a_key_may_attest_itself_and_makers_are_not_asked_for(world: World) -> None:
    assert world.registered(SoftAuthenticator(format="packed")).public_key
    with pytest.raises(PasskeyRefusedError, match="not asked for"):
        world.registered(SoftAuthenticator(format="fido-u2f"))


def test_an_answer_that_is_too_large_is_not_even_read(world: World) -> None:
    device = SoftAuthenticator()
    answer = device.make(world.creation())
    with pytest.raises(PasskeyRefusedError, match="too large"):
        world.register(answer + b" " * MAX_ANSWER)
    assert world.register(answer)


def test_a_challenge_is_over_after_a_while(world: World) -> None:
    device = SoftAuthenticator()
    made = world.registered(device)
    late = device.use(world.options())
    world.clock.advance(SECONDS)
    with pytest.raises(PasskeyRefusedError, match="over"):
        world.sign_in(late, made)


@pytest.mark.parametrize("challenge", [b"", b"x" * 56, b"x" * 16 + (2**63).to_bytes(8, "big") + b"x" * 32])
def test_a_challenge_that_was_not_given_out_is_refused(world: World, challenge: bytes) -> None:
    with pytest.raises(PasskeyRefusedError, match="not given out"):
        world.register(SoftAuthenticator().make({**world.creation(), "challenge": encode_base64url(challenge)}))


def test_a_challenge_holds_when_it_was_given_out(world: World) -> None:
    challenge = bytearray(world.challenges.issue(Purpose.SIGN_IN, "b"))
    challenge[20] ^= 1
    with pytest.raises(PasskeyRefusedError, match="not given out"):
        asyncio.run(world.challenges.take(bytes(challenge), Purpose.SIGN_IN, "b"))


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://shop.localhost"},
        {"origin": "http://shop.localhost:8443"},
        {"origin": "https://evil.example"},
        {"origin": "https://shop.localhost:8443.evil.example"},
        {"rp_id": "evil.example"},
        {"rp_id": "localhost"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"client_data": {"crossOrigin": True}},
        {"client_data": {"crossOrigin": "yes"}},
        {"client_data": {"topOrigin": "https://evil.example"}},
        {"client_data": {"type": "webauthn.other"}},
        {"client_data": {"type": "payment.get"}},
        {"credential": b""},
        {"credential": b"x" * 1024},
    ],
)
def test_answers_that_are_not_for_this_issuer_or_of_no_verified_user_are_refused(
    world: World, change: dict[str, Any]
) -> None:
    with pytest.raises(PasskeyRefusedError):
        world.registered(SoftAuthenticator(**change))
    device = SoftAuthenticator()
    made = world.registered(device)
    for name, value in change.items():
        setattr(device, name, value)
    if "credential" not in change:
        with pytest.raises(PasskeyRefusedError):
            world.sign_in(device.use(world.options()), made)


def test_a_count_that_does_not_go_up_is_refused(world: World) -> None:
    device = SoftAuthenticator()
    made = world.registered(device)
    for known in (1, 2, 100):
        device.count = 0
        with pytest.raises(PasskeyCopiedError):
            world.sign_in(device.use(world.options()), made, count=known)


def test_only_who_holds_the_key_can_make_a_passkey_look_copied(world: World) -> None:
    device = SoftAuthenticator()
    made = world.registered(device)
    other = SoftAuthenticator(credential=device.credential, user_handle=device.user_handle, rp_id=device.rp_id)
    with pytest.raises(PasskeyRefusedError) as caught:
        world.sign_in(other.use(world.options()), made, count=7)
    assert not isinstance(caught.value, PasskeyCopiedError)


def test_authenticators_that_do_not_count_are_taken(world: World) -> None:
    device = SoftAuthenticator(counts=False)
    made = world.registered(device)
    for _ in range(2):
        assert world.sign_in(device.use(world.options()), made).sign_count == 0


def test_another_key_or_account_is_refused(world: World) -> None:
    device, other = SoftAuthenticator(), SoftAuthenticator()
    made, others = world.registered(device), world.registered(other)
    with pytest.raises(PasskeyRefusedError):
        world.sign_in(device.use(world.options()), others)
    with pytest.raises(PasskeyRefusedError, match="another account"):
        world.sign_in(device.use(world.options()), made, account="a2")


def test_whether_a_passkey_can_be_backed_up_never_changes(world: World) -> None:
    device = SoftAuthenticator(flags=PRESENT | VERIFIED | ELIGIBLE)
    made = world.registered(device)
    assert (made.backup_eligible, made.backed_up) == (True, False)
    device.flags |= BACKED_UP
    assert world.sign_in(device.use(world.options()), made).backed_up
    device.flags = PRESENT | VERIFIED
    with pytest.raises(PasskeyRefusedError, match="kind"):
        world.sign_in(device.use(world.options()), made, count=1)


@pytest.mark.parametrize(
    ("issuer", "party"),
    [
        (ISSUER, RelyingParty("shop.localhost", "https://shop.localhost:8443", "n")),
        ("https://shop.example/auth", RelyingParty("shop.example", "https://shop.example", "n")),
        ("https://shop.example:443/auth", RelyingParty("shop.example", "https://shop.example", "n")),
        ("https://127.0.0.1:8443/auth", None),
        ("https://[::1]:8443/auth", None),
    ],
)
def test_the_relying_party_is_the_issuer(issuer: str, party: RelyingParty | None) -> None:
    assert RelyingParty.of_issuer(issuer, "n") == party


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"response":7}',
        b'{"response":{}}',
        b'{"response":{"clientDataJSON":7}}',
        b'{"response":{"clientDataJSON":"e30"}}',
        b'{"response":{"clientDataJSON":"e30="}}',
        b"{" + b" " * MAX_ANSWER + b"}",
        b"\xff",
    ],
)
def test_malformed_answers_are_refused(world: World, answer: bytes) -> None:
    with pytest.raises(PasskeyRefusedError):
        world.register(answer)
    with pytest.raises(PasskeyRefusedError):
        world.passkeys.presented(answer)


_WORLD = World()
_DEVICE = SoftAuthenticator()
_MADE = _WORLD.registered(_DEVICE)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=2)
)


@given(
    st.sampled_from(["make", "use"]),
    st.sampled_from(["attestationObject", "authenticatorData", "signature", "transports", "userHandle", "id", "type"]),
    st.binary(max_size=80) | _JSON,
    st.integers(0, 200),
)
def test_whatever_an_answer_holds_it_is_refused_or_right(verb: str, member: str, value: Any, at: int) -> None:
    answer = json.loads(_DEVICE.make(_WORLD.creation()) if verb == "make" else _DEVICE.use(_WORLD.options()))
    place = answer if member in {"id", "type"} else answer["response"]
    if isinstance(value, bytes):
        old = decode_base64url(place[member]) if isinstance(place.get(member), str) and member != "type" else b""
        value = encode_base64url(old[:at] + value + old[at + len(value) :])
    place[member] = value
    try:
        if verb == "make":
            _WORLD.register(json.dumps(answer).encode())
        else:
            _WORLD.sign_in(json.dumps(answer).encode(), _MADE, count=0)
    except PasskeyRefusedError:
        pass
