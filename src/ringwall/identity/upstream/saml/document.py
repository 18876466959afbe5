"""Reads XML that comes from outside: elements, attributes and text, and nothing else."""

from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.model.xml import parse_xml

if TYPE_CHECKING:
    Element = Any

ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
MAX_BYTES: Final = 128 * 1024
_MAX_ELEMENTS: Final = 2000
_MAX_DEPTH: Final = 32


def parse(raw: bytes) -> "Element":
    """Return the root of a document.

    1. It is not large. 2. It has no document type, so it has no entities, and nothing is loaded or expanded. 3. It has
    no comments and no processing instructions, which signatures leave out and readers trip over (CERT VU#475445).
    4. It is neither deep nor made of very many elements.
    """
    if len(raw) > MAX_BYTES:  # 1
        raise _refused("the answer is too large")
    try:
        root = parse_xml(raw, "the answer")  # 2
    except ValueError as error:
        raise _refused(str(error)) from None
    for count, node in enumerate(root.iter()):
        if not isinstance(node.tag, str):  # 3
            raise _refused("the answer has comments, entities or processing instructions")
        if count >= _MAX_ELEMENTS or sum(1 for _ in node.iterancestors()) >= _MAX_DEPTH:  # 4
            raise _refused("the answer is too deep, or has too many elements")
    if root.getprevious() is not None or root.getnext() is not None:  # 3, beside the root
        raise _refused("the answer has comments, entities or processing instructions")
    return root


def children(element: "Element", namespace: str, name: str) -> "list[Element]":
    """Return the children of a name; never what lies deeper."""
    return list(element.iterchildren(f"{{{namespace}}}{name}"))


def only_child(element: "Element", namespace: str, name: str) -> "Element":
    """Return the one child of a name; UpstreamRefusedError where there is none, or more."""
    found = children(element, namespace, name)
    if len(found) != 1:
        raise _refused(f"{_local(element)} has {len(found)} times {name}, and must have it once")
    return found[0]


def text_of(element: "Element") -> str:
    """Return an element's whole text; UpstreamRefusedError where it holds elements."""
    if len(element):
        raise _refused(f"{_local(element)} must hold text alone")
    return (element.text or "").strip()


def is_named(element: "Element", namespace: str, name: str) -> bool:
    """Return whether an element has a name."""
    return bool(element.tag == f"{{{namespace}}}{name}")


def _local(element: "Element") -> str:
    return str(element.tag).rpartition("}")[2]


def _refused(message: str) -> UpstreamRefusedError:
    return UpstreamRefusedError("document", message)
