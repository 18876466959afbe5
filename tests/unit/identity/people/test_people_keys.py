import pytest

from ringwall.identity.keystore import KeyStoreError, MemoryKeyStore
from ringwall.identity.people.keys import PeopleKeys
from ringwall.model.secret import Secret


def test_keys_are_made_once_and_differ_by_purpose() -> None:
    store = MemoryKeyStore()
    keys = PeopleKeys.load(store)
    again = PeopleKeys.load(store)
    assert (keys.challenges, keys.devices, keys.totp) == (again.challenges, again.devices, again.totp)
    assert len({key.reveal() for key in (keys.challenges, keys.devices, keys.totp)}) == 3
    assert PeopleKeys.load(MemoryKeyStore()).totp != keys.totp


@pytest.mark.parametrize("damaged", [b"{}", b'{"key":7}', b'{"key":"AAAA"}', b'{"key":"%%%"}', b"[]", b"x"])
def test_a_damaged_entry_is_told_and_not_replaced(damaged: bytes) -> None:
    store = MemoryKeyStore()
    store.write("people.json", Secret(damaged))
    with pytest.raises(KeyStoreError):
        PeopleKeys.load(store)
    assert store.read("people.json") == Secret(damaged)
