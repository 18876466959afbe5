"""Distinguished names by `distinguishedNameMatch` (RFC 4517, section 4.2.15)."""

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ringwall.model.distinguished_names import comparable, read_name

CN, O, OU, UNKNOWN = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, "1.3.6.1.4.1.9.9"  # noqa: E741  # as X.520


def certified(*relative: tuple[tuple[x509.ObjectIdentifier, str], ...]) -> x509.Name:
    """As a certificate has it, which begins with what text has last."""
    rdns = [x509.RelativeDistinguishedName([x509.NameAttribute(*pair) for pair in pairs]) for pairs in relative]
    return x509.Name(rdns)


ROBOT = certified(((O, "Example"),), ((CN, "robot"),))


@pytest.mark.parametrize(
    "text",
    [
        "CN=robot,O=Example",
        "cn=robot,o=Example",
        "CN=ROBOT,O=eXAMPLE",
        "2.5.4.3=robot,2.5.4.10=Example",
    ],
)
def test_these_are_the_same(text: str) -> None:
    assert read_name(text) == comparable(ROBOT)


@pytest.mark.parametrize(
    "text",
    [
        "O=Example,CN=robot",
        "CN=robot",
        "O=Example",
        "CN=robot,O=Example,C=DE",
        "CN=robot+O=Example",
        "CN=robot2,O=Example",
        "CN=robot,OU=Example",
        "CN=rob ot,O=Example",
        "CN=robot,CN=robot,O=Example",
        r"CN=robot\,O=Example",
    ],
)
def test_these_are_not(text: str) -> None:
    assert read_name(text) != comparable(ROBOT)


def test_how_text_is_encoded_does_not_count() -> None:
    for kind in (_ASN1Type.UTF8String, _ASN1Type.PrintableString, _ASN1Type.BMPString):
        name = x509.Name([x509.NameAttribute(O, "Example", kind), x509.NameAttribute(CN, "robot", kind)])
        assert comparable(name) == read_name("CN=robot,O=Example")


def test_attributes_of_one_relative_name_have_no_order_but_all_count() -> None:
    both = comparable(certified(((CN, "robot"), (OU, "night"))))
    assert both == comparable(certified(((OU, "night"), (CN, "robot")))) == read_name("OU=night+CN=robot")
    assert both != read_name("CN=robot")
    assert both != read_name("CN=robot+OU=day")
    assert both != read_name("CN=robot,OU=night")


def test_how_much_space_there_is_does_not_count() -> None:
    assert comparable(certified(((O, " My   Example "),))) == read_name("O=my example")


def test_letters_are_folded_and_composed_as_rfc_4518_does() -> None:
    composed, apart = certified(((O, "Stra\u00dfe \u00c9"),)), certified(((O, "STRASSE  e\u0301"),))
    assert comparable(composed) == comparable(apart) is not None


@pytest.mark.parametrize(
    "odd", ["rob\0ot", "rob\u00adot", "rob\u200bot", "robot\x1f", "\u202erobot", "rob\ue000ot", " "]
)
def test_what_nobody_sees_fits_nothing(odd: str) -> None:
    """A certificate with `rob\\0ot` is not cut short, and does not become `robot` either."""
    assert comparable(certified(((O, "Example"),), ((CN, odd),))) is None


def test_attributes_of_unknown_kinds_are_compared_letter_by_letter() -> None:
    named = certified(((x509.ObjectIdentifier(UNKNOWN), "Robot"),))
    assert comparable(named) == read_name(f"{UNKNOWN}=Robot")
    assert comparable(named) != read_name(f"{UNKNOWN}=robot")


def test_bits_are_no_text() -> None:
    bits = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x01", _ASN1Type.BitString)
    assert comparable(x509.Name([bits])) is None


@pytest.mark.parametrize(
    "text", ["", "robot", "CN=", "CN", "=robot", "CN=a;O=b", "XX=a", "CN=a,", "CN=rob\\00ot", "CN=#zz", "CN=#0c0161"]
)
def test_what_is_no_name_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 4514"):
        read_name(text)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_is_said_to_be_none(text: str) -> None:
    try:
        found = read_name(text)
    except ValueError:
        return
    assert found


@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text), min_size=1, max_size=4))
def test_a_name_is_itself_when_it_is_written_down(values: list[str]) -> None:
    name = x509.Name([x509.NameAttribute(O, value) for value in values])
    found = comparable(name)
    if found is not None:
        assert read_name(name.rfc4514_string()) == found
