"""The development certificate of the edge, and the root that people may choose to trust for it.

This root is apart from the workload roots: no service believes it, and nobody is asked to trust a workload root. It can
vouch only for the names that it was made for, so that trusting it in a browser gives little away. When the edge is
given a name outside of these, a new root is made and must be trusted anew.
"""

import ipaddress
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ringwall.identity.keystore import KeyMissingError, KeyStore, KeyStoreError
from ringwall.identity.workload.certificates import (
    credential,
    half_life,
    is_valid_at,
    new_key,
    web_certificate,
    web_root_certificate,
)
from ringwall.identity.workload.generation import pem_of
from ringwall.model.credentials import X509Credential
from ringwall.model.durable import replace_file
from ringwall.model.errors import RingwallError

ROOT_SECONDS: Final = 365 * 86_400
LEAF_SECONDS: Final = 30 * 86_400
_ENTRY: Final = "web-root"
_ALWAYS_DNS: Final = ("localhost", "test")
_ALWAYS_ADDRESSES: Final = ("127.0.0.0/8", "::1/128")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")

_log = logging.getLogger(__name__)


class WebNameError(RingwallError):
    """A name cannot stand in a certificate."""

    code = "edge-domain"


class WebRoot:
    """Issues development server certificates; keeps its root in the key store."""

    def __init__(self, store: KeyStore, export: Path | None) -> None:
        """Remember where the root is to be kept, and to which file its certificate is written for users to trust."""
        self._store = store
        self._export = export

    def issue(self, domains: Sequence[str], now: float) -> X509Credential:
        """Return a fresh certificate for host names (also `*.name`) and addresses, for 30 days."""
        names = [_name(domain) for domain in dict.fromkeys(domains)]
        if not names:
            raise WebNameError("the edge has no domain to make a certificate for", hint="set edge.domains")
        root, root_key = self._root(names, now)
        key = new_key()
        until = min(LEAF_SECONDS, root.not_valid_after_utc.timestamp() - now)
        return credential([web_certificate(key, names, root, root_key, now=now, seconds=until)], key)

    def _root(self, names: list[x509.GeneralName], now: float) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        kept = self._kept()
        if kept is not None and _usable(kept[0], names, now):
            self._publish(kept[0])
            return kept
        key = new_key()
        root = web_root_certificate(key, _permitted(names), now, ROOT_SECONDS)
        self._store.put_key(_ENTRY, key)
        self._store.put_json(_ENTRY, {"certificate": pem_of(root).decode()})
        self._publish(root)
        if kept is not None:
            _log.warning("a new development root was made for the edge; trust %s anew", self._export)
        return root, key

    def _kept(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        try:
            root = x509.load_pem_x509_certificate(str(self._store.get_json(_ENTRY).get("certificate")).encode())
            key = self._store.get_key(_ENTRY)
        except KeyMissingError:
            return None
        except ValueError as error:
            raise KeyStoreError(f"the entry {_ENTRY}.json does not hold a certificate") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != root.public_key():
            return None  # a crash came between writing the key and its certificate
        return root, key

    def _publish(self, root: x509.Certificate) -> None:
        if self._export is None:
            return
        pem = pem_of(root)
        try:
            if self._export.is_file() and self._export.read_bytes() == pem:
                return
            replace_file(self._export, pem)
            self._export.chmod(0o644)  # a certificate, for every user of this machine who wants to trust it
        except OSError as error:
            raise KeyStoreError(f"cannot write {self._export}: {error.strerror}") from error


def _name(domain: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(domain.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    host = domain.lower().removesuffix(".")
    labels = host.removeprefix("*.").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004  # RFC 1035 2.3.4
        raise WebNameError(
            f"{domain!r} is not a host name or an address", hint="write other alphabets in their xn-- form"
        )
    return x509.DNSName(host)


def _permitted(names: list[x509.GeneralName]) -> list[x509.GeneralName]:
    dns = {*_ALWAYS_DNS, *(name.value.removeprefix("*.") for name in names if isinstance(name, x509.DNSName))}
    networks = {ipaddress.ip_network(network) for network in _ALWAYS_ADDRESSES}
    for name in names:
        if isinstance(name, x509.IPAddress):
            address = ipaddress.ip_address(str(name.value))
            if not any(address in network for network in networks):
                networks.add(ipaddress.ip_network(address))
    return [*map(x509.DNSName, sorted(dns)), *map(x509.IPAddress, sorted(networks, key=str))]


def _usable(root: x509.Certificate, names: list[x509.GeneralName], now: float) -> bool:
    start, end = root.not_valid_before_utc.timestamp(), root.not_valid_after_utc.timestamp()
    if not is_valid_at(root, now) or now >= half_life(start, end):
        return False
    permitted = root.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    return all(any(_covers(subtree, name) for subtree in permitted) for name in names)


def _covers(subtree: x509.GeneralName, name: x509.GeneralName) -> bool:
    if isinstance(subtree, x509.DNSName) and isinstance(name, x509.DNSName):
        host = name.value.removeprefix("*.")
        return host == subtree.value or host.endswith(f".{subtree.value}")
    if isinstance(subtree, x509.IPAddress) and isinstance(name, x509.IPAddress):
        return ipaddress.ip_address(str(name.value)) in ipaddress.ip_network(str(subtree.value))
    return False
