"""What every key store does, whichever implementation it is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.keystore import KeyMissingError, KeyStore, KeyStoreError, MemoryKeyStore
from ringwall.model.secret import Secret


@pytest.fixture(scope="module", params=["memory", "development-folder", "sealed-folder"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    """One store of each kind, opened once: stretching a passphrase takes a while."""
    folder = tmp_path_factory.mktemp("store") / "keys"
    if request.param == "memory":
        return MemoryKeyStore()
    return FolderKeyStore(folder, passphrase=None if "dev" in request.param else Secret("correct horse battery"))


@pytest.fixture
def store(opened: KeyStore) -> Iterator[KeyStore]:
    yield opened
    for name in opened.names():
        opened.delete(name)


def test_gives_back_what_it_was_given(store: KeyStore) -> None:
    store.write("a.json", Secret(b"\x00\xff any bytes\n"))
    assert store.read("a.json").reveal() == b"\x00\xff any bytes\n"


def test_replaces_and_deletes(store: KeyStore) -> None:
    store.write("a.json", Secret(b"1"))
    store.write("a.json", Secret(b"2"))
    assert store.read("a.json") == Secret(b"2")
    store.delete("a.json")
    store.delete("a.json")
    with pytest.raises(KeyMissingError):
        store.read("a.json")


def test_lists_names_in_order(store: KeyStore) -> None:
    store.write("b.json", Secret(b"{}"))
    store.write("a-1.pem", Secret(b"x"))
    assert store.names() == ("a-1.pem", "b.json")


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)], ids=["ec", "rsa"]
)
def test_keeps_private_keys(store: KeyStore, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    store.put_key("root", key)
    assert store.get_key("root").private_numbers() == key.private_numbers()


def test_refuses_what_is_not_a_usable_key(store: KeyStore) -> None:
    store.write("bad.pem", Secret(b"not a key"))
    with pytest.raises(KeyStoreError, match=r"bad\.pem"):
        store.get_key("bad")
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    store.write("other.pem", Secret(other))
    with pytest.raises(KeyStoreError, match=r"other\.pem"):
        store.get_key("other")


def test_keeps_json_objects(store: KeyStore) -> None:
    store.put_json("state", {"phase": "stable", "n": 1})
    assert store.get_json("state") == {"phase": "stable", "n": 1}


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b"\xff", b"[" * 20_000], ids=repr)
def test_refuses_what_is_not_a_json_object(store: KeyStore, text: bytes) -> None:
    store.write("state.json", Secret(text))
    with pytest.raises(KeyStoreError, match=r"state\.json"):
        store.get_json("state")


@pytest.mark.parametrize(
    "name", ["", "a", "../a.pem", "a/b.pem", "A.pem", ".pem", "a.txt", "a.pem\n", "-a.pem", "a" * 101 + ".pem"]
)
def test_refuses_names_that_could_leave_the_folder(store: KeyStore, name: str) -> None:
    for act in (store.read, store.delete, lambda n: store.write(n, Secret(b"x"))):
        with pytest.raises(KeyStoreError, match="cannot name a key"):
            act(name)


def test_refuses_large_entries(store: KeyStore) -> None:
    with pytest.raises(KeyStoreError, match="larger"):
        store.write("big.json", Secret(b"x" * 40_000))
    assert store.names() == ()


def test_concurrent_writers_leave_one_whole_entry(store: KeyStore) -> None:
    values = [bytes([65 + i]) * 5_000 for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda value: store.write("a.json", Secret(value)), values))
    assert store.read("a.json").reveal() in values
    assert store.names() == ("a.json",)


def test_one_at_a_time_changes_an_entry_by_what_it_says(store: KeyStore) -> None:
    store.put_json("count", {"n": 0})

    def one_more(_: int) -> None:
        with store.exclusive():
            store.put_json("count", {"n": store.get_json("count")["n"] + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one_more, range(40)))
    assert store.get_json("count") == {"n": 40}


def test_a_stamp_changes_with_each_replacement_and_with_nothing_else(store: KeyStore) -> None:
    assert store.stamp("a.json") is None
    seen = []
    for value in (b"1", b"2", b"2"):
        store.write("a.json", Secret(value))
        seen.append(store.stamp("a.json"))
        assert store.stamp("a.json") == seen[-1]
    assert seen[0] != seen[1]
    assert seen[1] != seen[2]
