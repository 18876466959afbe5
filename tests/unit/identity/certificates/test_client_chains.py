"""Whether an authority vouches for a client's certificate (RFC 5280, section 6), and whether it is about the client."""

import base64
import datetime as dt
import ipaddress
import itertools
from collections.abc import Callable
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from tests.support.certificate_authority import HOUR, Certified, as_envoy_says, authority, name, sans

from ringwall.identity.certificates.chain import CertificateRefusedError, read_chain, verify_chain
from ringwall.identity.certificates.subject import names
from ringwall.model.clock import ManualClock
from ringwall.plan.certificate import CertificateSubject, SubjectKind

CLOCK = ManualClock()
NOW = CLOCK.now()
ROOT = authority(at=NOW)
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
NUMBERS = itertools.count()
Extensions = x509.ExtensionType


def leaf(*extensions: Extensions, by: Certified = ROOT, subject: str = "robot", **more: object) -> Certified:
    return by.sign(subject, *extensions, at=NOW, **more)  # type: ignore[arg-type]


def between(*extensions: Extensions, by: Certified = ROOT, **more: object) -> Certified:
    subject = f"Between {next(NUMBERS)}"
    return by.sign(subject, *extensions, authority=True, at=NOW, **more)  # type: ignore[arg-type]


def verified(shown: tuple[x509.Certificate, ...], *roots: Certified, clock: ManualClock = CLOCK) -> x509.Certificate:
    return verify_chain(shown, authorities=tuple(root.der for root in roots or (ROOT,)), clock=clock)


def refusal(shown: tuple[x509.Certificate, ...], *roots: Certified, clock: ManualClock = CLOCK) -> str:
    with pytest.raises(CertificateRefusedError) as caught:
        verified(shown, *roots, clock=clock)
    return caught.value.reason


@pytest.mark.parametrize("extensions", [(), (CLIENT,), (BOTH,), (sans(x509.DNSName("robot.example")), CLIENT)])
def test_an_authority_vouches_for_what_it_has_signed(extensions: tuple[Extensions, ...]) -> None:
    made = leaf(*extensions)
    assert verified(made.shown) == made.certificate


@pytest.mark.parametrize(
    "key",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
)
def test_with_keys_of_these_kinds(key: Callable[[], object]) -> None:
    assert verified(leaf(key=key()).shown)


def test_those_between_may_be_shown_in_any_order_and_with_others() -> None:
    first = between()
    own = leaf(by=between(by=first))
    assert verified(own.shown)
    assert verified((own.certificate, authority(at=NOW).certificate, *reversed(own.between)))


def test_those_between_may_be_trusted_by_themselves() -> None:
    issuing = between()
    assert verified((leaf(by=issuing).certificate,), issuing)
    assert refusal((leaf().certificate,), issuing) == "chain", "and then vouch for themselves alone"


WRONG: dict[str, Callable[[], tuple[x509.Certificate, ...]]] = {
    "expired": lambda: leaf(valid=(-2 * HOUR, -HOUR)).shown,
    "not yet valid": lambda: leaf(valid=(HOUR, 2 * HOUR)).shown,
    "of a server": lambda: leaf(SERVER).shown,
    "for code": lambda: leaf(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])).shown,
    "an authority itself": lambda: between().shown,
    "the root itself": lambda: ROOT.shown,
    "signed by itself": lambda: authority("robot", at=NOW).shown,
    "of another authority": lambda: leaf(by=authority("Others", at=NOW)).shown,
    "of another authority of the same name": lambda: leaf(by=authority(at=NOW)).shown,
    "of another, shown with it": lambda: (*leaf(by=authority(at=NOW)).shown, ROOT.certificate),
    "without those between": lambda: (leaf(by=between()).certificate,),
    "signed by a client": lambda: leaf(by=leaf(subject="mallory")).shown,
    "below an expired one": lambda: leaf(by=between(valid=(-2 * HOUR, -HOUR))).shown,
    "below one for servers": lambda: leaf(by=between(SERVER)).shown,
    "too deep for a path length": lambda: leaf(by=between(by=between(path_length=0))).shown,
    "too deep": lambda: leaf(by=between(by=between(by=between(by=between())))).shown,
    "with a critical extension that nobody knows": lambda: ROOT.sign(
        "robot",
        x509.Extension(x509.ObjectIdentifier("1.2.3.4"), True, x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")),  # noqa: E501
        at=NOW,
    ).shown,
    "with a host that its authority may not name": lambda: leaf(
        sans(x509.DNSName("robot.other")), by=between(_only(x509.DNSName("example")))
    ).shown,
    "with a host that its authority must not name": lambda: leaf(
        sans(x509.DNSName("robot.example")), by=between(x509.NameConstraints(None, [x509.DNSName("example")]))
    ).shown,
    "with an address that its authority may not name": lambda: leaf(
        sans(x509.IPAddress(ipaddress.ip_address("192.0.2.7"))),
        by=between(_only(x509.IPAddress(ipaddress.ip_network("198.51.100.0/24")))),
    ).shown,
    "with a mail address that its authority may not name": lambda: leaf(
        sans(x509.RFC822Name("robot@other.example")), by=between(_only(x509.RFC822Name("clinic.example")))
    ).shown,
    "with a URI under constraints for URIs": lambda: leaf(
        sans(x509.UniformResourceIdentifier("https://robot.other/")),
        by=between(_only(x509.UniformResourceIdentifier("robot.example"))),
    ).shown,
}  # fmt: skip


def _only(*permitted: x509.GeneralName) -> x509.NameConstraints:
    return x509.NameConstraints(permitted, None)


@pytest.mark.parametrize("what", WRONG)
def test_nobody_vouches_for_one_that_is(what: str) -> None:
    assert refusal(WRONG[what]()) == "chain"


@pytest.mark.parametrize("critical", [True, False])
def test_constraints_on_distinguished_names_are_not_passed_over(*, critical: bool) -> None:
    """They are not applied here, so whoever has them vouches for nobody (RFC 5280, section 4.2.1.10)."""
    constraint = _only(x509.DirectoryName(name("Others")))
    issuing = ROOT.sign("Between", x509.Extension(constraint.oid, critical, constraint), authority=True, at=NOW)
    assert refusal(leaf(by=issuing).shown) == ("chain" if critical else "constraints")


def test_constraints_of_a_root_hold_too() -> None:
    root = authority("Narrow", _only(x509.DNSName("example")), at=NOW)
    assert verified(leaf(sans(x509.DNSName("robot.example")), by=root).shown, root)
    assert refusal(leaf(sans(x509.DNSName("robot.other")), by=root).shown, root) == "chain"


def test_weak_keys_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  # that is what is shown
    assert refusal(leaf(key=weak).shown) == "key"


def test_time_is_that_of_the_clock() -> None:
    own, clock = leaf(), ManualClock()
    assert verified(own.shown, clock=clock)
    clock.advance(dt.timedelta(hours=1).total_seconds() + 1)
    assert refusal(own.shown, clock=clock) == "chain"
    clock.jump(-3 * 3600)
    assert refusal(own.shown, clock=clock) == "chain"


def test_there_is_nobody_to_vouch_without_authorities() -> None:
    with pytest.raises(CertificateRefusedError):
        verify_chain(leaf().shown, authorities=(), clock=CLOCK)


# What the edge hands over


def test_a_chain_is_read_as_the_edge_writes_it() -> None:
    own = leaf(by=between())
    assert read_chain(as_envoy_says(own.shown), thumbprint=own.thumbprint) == own.shown


def test_what_is_looked_at_is_what_tokens_are_bound_to() -> None:
    own, other = leaf(), leaf()
    for shown in ((other.certificate, own.certificate), other.shown):
        with pytest.raises(CertificateRefusedError, match="another one"):
            read_chain(as_envoy_says(shown), thumbprint=own.thumbprint)


@pytest.mark.parametrize("text", ["", "x", "%", "%ff", "é", "-----BEGIN CERTIFICATE-----", "%2d" * 8000])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(CertificateRefusedError):
        read_chain(text, thumbprint="A" * 43)


def test_so_is_a_chain_that_is_too_long() -> None:
    own = leaf()
    assert read_chain(as_envoy_says(own.shown) + "%0A", thumbprint=own.thumbprint)
    with pytest.raises(CertificateRefusedError, match="too many"):
        read_chain(as_envoy_says(own.shown) + "%0A" * 6000, thumbprint=own.thumbprint)
    with pytest.raises(CertificateRefusedError, match="more than"):
        read_chain(as_envoy_says(own.shown * 7), thumbprint=own.thumbprint)


@given(noise=st.binary(max_size=300), whole=st.booleans())
def test_any_bytes_for_a_certificate_are_refused(*, noise: bytes, whole: bool) -> None:
    body = base64.b64encode(noise).decode() if whole else noise.decode("latin-1")
    text = quote(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n", safe="-", encoding="latin-1")
    with pytest.raises(CertificateRefusedError):
        read_chain(text, thumbprint="A" * 43)


# Whom it is about


def about(made: Certified, kind: SubjectKind, value: str) -> bool:
    return names(made.certificate, CertificateSubject(kind=kind, value=value))


ALL = sans(
    x509.DNSName("first.example"),
    x509.DNSName("Robot.Example"),
    x509.DNSName("*.wild.example"),
    x509.DNSName("nul.example\0.evil"),
    x509.UniformResourceIdentifier("urn:example:robot"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    x509.RFC822Name("Robot@Clinic.Example"),
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SubjectKind.DN, "CN=robot"),
        (SubjectKind.DNS, "robot.example"),
        (SubjectKind.DNS, "first.example"),
        (SubjectKind.URI, "urn:example:robot"),
        (SubjectKind.IP, "192.0.2.7"),
        (SubjectKind.IP, "2001:db8:0:0::7"),
        (SubjectKind.EMAIL, "Robot@clinic.example"),
    ],
)
def test_a_certificate_is_about_what_it_names(kind: SubjectKind, value: str) -> None:
    assert about(leaf(ALL), kind, value)
    assert about(leaf(), kind, value) is (kind is SubjectKind.DN)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SubjectKind.DN, "CN=robot2"),
        (SubjectKind.DNS, "robot"),
        (SubjectKind.DNS, "a.wild.example"),
        (SubjectKind.DNS, "nul.example"),
        (SubjectKind.DNS, "example"),
        (SubjectKind.DNS, "urn:example:robot"),
        (SubjectKind.DNS, "192.0.2.7"),
        (SubjectKind.URI, "urn:example:Robot"),
        (SubjectKind.URI, "robot.example"),
        (SubjectKind.IP, "192.0.2.8"),
        (SubjectKind.IP, "::ffff:192.0.2.7"),
        (SubjectKind.EMAIL, "robot@clinic.example"),
        (SubjectKind.EMAIL, "clinic.example"),
    ],
)
def test_and_about_nothing_else(kind: SubjectKind, value: str) -> None:
    assert not about(leaf(ALL), kind, value)


def test_a_common_name_is_no_host() -> None:
    assert not about(leaf(subject="robot.example"), SubjectKind.DNS, "robot.example")


def test_a_letter_that_only_looks_like_one_is_another() -> None:
    """The Kelvin sign in lower case is a `k`, and no letter of a host (RFC 5280, section 4.2.1.6)."""
    certificate = leaf(sans(x509.DNSName._init_without_validation("\u212aiosk.example"))).certificate
    assert not names(certificate, CertificateSubject(kind=SubjectKind.DNS, value="kiosk.example"))
