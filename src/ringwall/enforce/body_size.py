"""The message of Envoy's `body_size_limit` filter, which Envoy 1.40 has and `xds-protos` does not carry yet."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.wrappers_pb2 import UInt64Value

_PACKAGE = "envoy.extensions.filters.http.body_size_limit.v3"
_MESSAGE = f"{_PACKAGE}.BodySizeLimit"


def _message_class() -> Any:
    pool = descriptor_pool.Default()
    try:
        found = pool.FindMessageTypeByName(_MESSAGE)
    except KeyError:
        field = descriptor_pb2.FieldDescriptorProto(
            name="max_request_bytes",
            number=1,
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
            type_name=f".{UInt64Value.DESCRIPTOR.full_name}",
        )
        file = descriptor_pb2.FileDescriptorProto(
            name="envoy/extensions/filters/http/body_size_limit/v3/body_size_limit.proto",
            package=_PACKAGE,
            syntax="proto3",
            dependency=[UInt64Value.DESCRIPTOR.file.name],
            message_type=[descriptor_pb2.DescriptorProto(name="BodySizeLimit", field=[field])],
        )
        pool.AddSerializedFile(file.SerializeToString())
        found = pool.FindMessageTypeByName(_MESSAGE)
    return message_factory.GetMessageClass(found)


BodySizeLimit: Any = _message_class()
"""`max_request_bytes`: a body with more is answered with 413, as soon as that shows; must be above 0."""
