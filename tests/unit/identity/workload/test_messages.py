"""Our messages against the ones that protoc made for the `spiffe` package."""

import pytest
from spiffe._proto import workload_pb2 as theirs

from ringwall.identity.workload import messages

NAMES = sorted(messages._FIELDS)


def shape(descriptor: object) -> list[tuple[object, ...]]:
    fields = descriptor.fields  # type: ignore[attr-defined]
    return sorted(
        (
            field.number,
            field.name,
            field.type,
            field.is_repeated,
            field.message_type.full_name if field.message_type else "",
            shape(field.message_type) if field.message_type and field.message_type.GetOptions().map_entry else [],
        )
        for field in fields
    )


def test_every_message_is_there() -> None:
    assert set(NAMES) == set(theirs.DESCRIPTOR.message_types_by_name)


@pytest.mark.parametrize("name", NAMES)
def test_same_shape(name: str) -> None:
    assert shape(getattr(messages, name).DESCRIPTOR) == shape(getattr(theirs, name).DESCRIPTOR)


def test_in_a_pool_of_their_own() -> None:
    assert messages.X509SVID.DESCRIPTOR.file.pool is not theirs.X509SVID.DESCRIPTOR.file.pool


def test_each_reads_what_the_other_writes() -> None:
    ours = messages.X509SVIDResponse(
        svids=[messages.X509SVID(spiffe_id="spiffe://clinic/a", x509_svid=b"1", x509_svid_key=b"2", bundle=b"3")],
        federated_bundles={"spiffe://other": b"4"},
    )
    read = theirs.X509SVIDResponse.FromString(ours.SerializeToString())
    assert read.svids[0].bundle == b"3"
    assert dict(read.federated_bundles) == {"spiffe://other": b"4"}
    assert messages.X509SVIDResponse.FromString(read.SerializeToString()) == ours
