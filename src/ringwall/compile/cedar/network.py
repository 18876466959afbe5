"""The ip extension: the client's address against blocks of addresses."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from ringwall.compile.cedar.formula import FALSE, Atom, Formula, Lit, any_of, constant
from ringwall.compile.cedar.terms import Address, Source
from ringwall.compile.cedar.unsupported import UnsupportedError
from ringwall.plan.rule import Predicate, SourceIn

_BLOCKS = {
    "isIpv4": ("0.0.0.0/0",),
    "isIpv6": ("::/0",),
    "isLoopback": ("127.0.0.0/8", "::1/128"),
    "isMulticast": ("224.0.0.0/4", "ff00::/8"),
}
TESTS = frozenset(_BLOCKS)
"""Methods of an address that take no argument."""


@dataclass(frozen=True, slots=True)
class SourceInBlock(Atom):
    """The client's address lies in a block."""

    cidr: str

    def native(self) -> Predicate:
        """Envoy's `remote_ip`."""
        return SourceIn(cidr=self.cidr)

    def cel(self) -> None:
        """Envoy's CEL has no addresses."""


def parse_address(text: str) -> Address:
    """Return the literal `ip("…")`."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError as error:
        raise UnsupportedError(f"`ip({text!r})`, a form that is not known") from error
    if "%" in text:
        raise UnsupportedError(f"`ip({text!r})`, an address with a zone")
    network = interface.network
    return Address(str(network), single=network.prefixlen == network.max_prefixlen)


def is_in_range(value: Source | Address, block: Source | Address) -> Formula:
    """Return `value.isInRange(block)`."""
    if isinstance(block, Source):
        if isinstance(value, Source):
            return constant(True)
        # One address holds nothing but itself.
        return same_address(block, value) if value.single else FALSE
    if isinstance(value, Source):
        return Lit(SourceInBlock(block.cidr))
    inner, outer = ipaddress.ip_network(value.cidr), ipaddress.ip_network(block.cidr)
    return constant(_within(inner, outer))


def same_address(left: Source | Address, right: Source | Address) -> Formula:
    """Return `left == right`; a block of several addresses never equals the client's one address."""
    if isinstance(left, Source) and isinstance(right, Source):
        return constant(True)
    if isinstance(left, Source):
        return same_address(right, left)
    if isinstance(right, Source):
        return Lit(SourceInBlock(left.cidr)) if left.single else FALSE
    raise UnsupportedError("a comparison of two literal addresses")


def address_test(name: str, value: Source | Address) -> Formula:
    """Return `value.isIpv4()` and its like."""
    if isinstance(value, Address):
        raise UnsupportedError(f"`{name}` of a literal address")
    return any_of(_in_blocks(_BLOCKS[name]))


def _in_blocks(blocks: Iterable[str]) -> list[Formula]:
    return [Lit(SourceInBlock(block)) for block in blocks]


def _within(
    inner: ipaddress.IPv4Network | ipaddress.IPv6Network, outer: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)
