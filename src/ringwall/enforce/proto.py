"""Small helpers for writing protobuf messages: durations, wrapped numbers, packed values, extensions."""

from typing import Any

from envoy.config.core.v3 import address_pb2, base_pb2, config_source_pb2, extension_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from ringwall.plan.bindings import Address

TRUE = BoolValue(value=True)
FALSE = BoolValue(value=False)

_TYPE_PREFIX = "type.googleapis.com/"


def pack(message: Message) -> AnyMessage:
    """Return the message as an `Any` with deterministic bytes."""
    packed = AnyMessage()
    packed.Pack(message, deterministic=True)
    return packed


def type_url(message: type[Message]) -> str:
    """Return the type URL of a message class."""
    return f"{_TYPE_PREFIX}{message.DESCRIPTOR.full_name}"


def seconds(value: float) -> Duration:
    """Return a duration of so many seconds."""
    duration = Duration()
    duration.FromMilliseconds(round(value * 1000))
    return duration


def u32(value: int) -> UInt32Value:
    """Return a wrapped unsigned number, as Envoy has it where 0 and absent differ."""
    return UInt32Value(value=value)


def extension(name: str, config: Message) -> Any:
    """Return a typed extension."""
    return extension_pb2.TypedExtensionConfig(name=name, typed_config=pack(config))


def ads() -> Any:
    """Return the config source that means: from the same aggregated stream as everything else."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(), resource_api_version="V3", initial_fetch_timeout=seconds(10)
    )


def address(where: Address, *, udp: bool = False) -> Any:
    """Return an Envoy address for a TCP, UDP or Unix socket address."""
    if where.socket:
        return address_pb2.Address(pipe=address_pb2.Pipe(path=where.socket, mode=0o600))
    protocol = "UDP" if udp else "TCP"
    return address_pb2.Address(
        socket_address=address_pb2.SocketAddress(protocol=protocol, address=where.host, port_value=where.port)
    )


def header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Any:
    """Return a header to set; a value that comes out empty sets nothing."""
    return base_pb2.HeaderValueOption(header=base_pb2.HeaderValue(key=name, value=value), append_action=action)
