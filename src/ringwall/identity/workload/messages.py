"""The protobuf messages of the SPIFFE Workload API, built at import in a descriptor pool of their own.

The API has no protobuf package, so its message names would collide with those of any SPIFFE client that is loaded in
the same process: hence the private pool. Source: `workloadapi.proto` of the SPIFFE standards.
"""

from typing import Any, Final

from google.protobuf import struct_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

SERVICE: Final = "SpiffeWorkloadAPI"

_STRING: Final = FieldDescriptorProto.TYPE_STRING
_BYTES: Final = FieldDescriptorProto.TYPE_BYTES
_STRUCT: Final = "google.protobuf.Struct"

_FIELDS: Final[dict[str, dict[str, str]]] = {
    # Fields in the order of their numbers, from 1. `[]` repeats; `{}` is a map from string to bytes.
    "X509SVIDRequest": {},
    "X509SVIDResponse": {"svids": "[]X509SVID", "crl": "[]bytes", "federated_bundles": "{}"},
    "X509SVID": {
        "spiffe_id": "string",
        "x509_svid": "bytes",
        "x509_svid_key": "bytes",
        "bundle": "bytes",
        "hint": "string",
    },
    "X509BundlesRequest": {},
    "X509BundlesResponse": {"crl": "[]bytes", "bundles": "{}"},
    "JWTSVIDRequest": {"audience": "[]string", "spiffe_id": "string"},
    "JWTSVIDResponse": {"svids": "[]JWTSVID"},
    "JWTSVID": {"spiffe_id": "string", "svid": "string", "hint": "string"},
    "JWTBundlesRequest": {},
    "JWTBundlesResponse": {"bundles": "{}"},
    "ValidateJWTSVIDRequest": {"audience": "string", "svid": "string"},
    "ValidateJWTSVIDResponse": {"spiffe_id": "string", "claims": _STRUCT},
}


def _message(name: str, fields: dict[str, str]) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for number, (field_name, kind) in enumerate(fields.items(), 1):
        repeated = kind.startswith(("[]", "{}"))
        label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
        field = message.field.add(name=field_name, number=number, label=label)
        if kind == "{}":
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{name}.{_entry(message, field_name)}"
        else:
            _set_type(field, kind.removeprefix("[]"))
    return message


def _entry(message: DescriptorProto, field_name: str) -> str:
    """Add the nested message that stands for one entry of a map; return its name."""
    entry = message.nested_type.add(name="".join(part.title() for part in field_name.split("_")) + "Entry")
    entry.options.map_entry = True
    for number, (name, kind) in enumerate((("key", _STRING), ("value", _BYTES)), 1):
        entry.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    return entry.name


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if kind == "string":
        field.type = _STRING
    elif kind == "bytes":
        field.type = _BYTES
    else:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{kind}"


def _build() -> dict[str, Any]:
    pool = DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    file = FileDescriptorProto(
        name="workloadapi.proto",
        syntax="proto3",
        dependency=[struct_pb2.DESCRIPTOR.name],
        message_type=[_message(name, fields) for name, fields in _FIELDS.items()],
    )
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(name)) for name in _FIELDS}


_CLASSES: Final = _build()

X509SVIDRequest: Final = _CLASSES["X509SVIDRequest"]
X509SVIDResponse: Final = _CLASSES["X509SVIDResponse"]
X509SVID: Final = _CLASSES["X509SVID"]
X509BundlesRequest: Final = _CLASSES["X509BundlesRequest"]
X509BundlesResponse: Final = _CLASSES["X509BundlesResponse"]
JWTSVIDRequest: Final = _CLASSES["JWTSVIDRequest"]
JWTSVIDResponse: Final = _CLASSES["JWTSVIDResponse"]
JWTSVID: Final = _CLASSES["JWTSVID"]
JWTBundlesRequest: Final = _CLASSES["JWTBundlesRequest"]
JWTBundlesResponse: Final = _CLASSES["JWTBundlesResponse"]
ValidateJWTSVIDRequest: Final = _CLASSES["ValidateJWTSVIDRequest"]
ValidateJWTSVIDResponse: Final = _CLASSES["ValidateJWTSVIDResponse"]
