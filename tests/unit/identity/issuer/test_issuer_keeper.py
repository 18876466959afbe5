import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.keeper import FOR_REPLACEMENT, FOR_ROTATION, KeyKeeper
from ringwall.identity.issuer.ring import KeyRingError, KeyState, Schedule
from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.keystore import KeyStore, MemoryKeyStore
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clock import SystemClock
from ringwall.model.durable import replace_file
from ringwall.model.secret import Secret


def claims(world: IssuerWorld, seconds: float = 900) -> dict[str, object]:
    return {"exp": int(world.clock.now() + seconds)}


def believed(world: IssuerWorld, token: str) -> bool:
    try:
        verify_signature(UnverifiedToken.parse(token), world.published())
    except TokenRefusedError:
        return False
    return True


def test_a_key_is_published_before_it_signs_and_kept_after(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    old = world.keys.sign(claims(world), typ="x")
    announced = {key.kid for key in world.published().keys}
    world.clock.advance(1000)
    new = world.keys.sign(claims(world), typ="x")
    assert UnverifiedToken.parse(new).kid != UnverifiedToken.parse(old).kid
    assert UnverifiedToken.parse(new).kid in announced
    assert believed(world, old)
    assert believed(world, new)
    world.clock.advance(400)
    world.keys.tick()
    assert not believed(world, old)
    assert believed(world, new)


@pytest.mark.parametrize(
    ("change", "count"), [("tick", 0), ("rotate", FOR_ROTATION), ("replace_compromised", FOR_REPLACEMENT)]
)
def test_the_event_loop_goes_on_while_rsa_keys_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, count: int
) -> None:
    """It turns meanwhile, and nothing that it does itself makes such a key."""
    world = IssuerWorld(tmp_path)
    asyncio.run(world.keys.complete())
    former = {key.kid for key in world.keys.published_keys() if key.state is KeyState.ACTIVE}
    reading = {key["kid"] for key in world.keys.encryption.public_jwks()}
    made: list[threading.Thread] = []
    generate = rsa.generate_private_key

    def slowly(exponent: int, bits: int) -> rsa.RSAPrivateKey:
        made.append(threading.current_thread())
        time.sleep(0.05)
        return generate(exponent, bits)

    async def body() -> int:
        turns = 0
        preparing = asyncio.create_task(world.keys.prepare(count))
        while not preparing.done():
            await asyncio.sleep(0.001)
            turns += 1
        getattr(world.keys, change)()
        return turns

    world.clock.advance(1000 if change == "tick" else 200)
    monkeypatch.setattr(rsa, "generate_private_key", slowly)
    assert asyncio.run(body()) > 3
    assert {key.kid for key in world.keys.published_keys() if key.state is KeyState.ACTIVE}.isdisjoint(former)
    assert {key["kid"] for key in world.keys.encryption.public_jwks()}.isdisjoint(reading)
    assert len(made) == (FOR_REPLACEMENT if change == "replace_compromised" else FOR_ROTATION)
    assert threading.main_thread() not in made


def test_no_rsa_key_is_made_while_none_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = IssuerWorld(tmp_path)
    asyncio.run(world.keys.complete())
    monkeypatch.setattr(rsa, "generate_private_key", lambda *_: pytest.fail("a key was made"))
    asyncio.run(world.keys.prepare())


def test_rotation_on_command_waits_for_the_overlap_and_then_happens_by_itself(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    first = world.keys.published_keys()[0].kid
    assert world.keys.rotate() == world.clock.now() + 100
    assert world.keys.published_keys()[0].kid == first
    world.clock.advance(100)
    world.keys.tick()
    assert world.keys.published_keys()[0].kid != first


def test_compromised_keys_are_dropped_at_once_all_of_them(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    retiring = world.keys.sign(claims(world, 5000), typ="x")
    world.clock.advance(1000)
    active = world.keys.sign(claims(world, 5000), typ="x")
    before = {key.kid for key in world.published().keys}
    assert len(before) == 3
    world.keys.replace_compromised()
    assert before.isdisjoint({key.kid for key in world.published().keys})
    assert not believed(world, retiring)
    assert not believed(world, active)
    assert believed(world, world.keys.sign(claims(world), typ="x"))
    assert not any(kid in world.store.read("ring.json").reveal().decode() for kid in before)


def test_a_restart_goes_on_where_it_stopped(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    token = world.keys.sign(claims(world), typ="x")
    world.keys.rotate()
    published = world.settings.bindings.jwks.read_bytes()
    world.settings.bindings.jwks.unlink()
    again = world.open_keys()
    assert world.settings.bindings.jwks.read_bytes() == published
    assert believed(world, token)
    assert again.next_change() == world.clock.now() + 100


def test_a_restart_does_what_became_due_meanwhile(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    first = world.keys.published_keys()[0].kid
    world.clock.advance(5000)
    assert world.open_keys().published_keys()[0].kid != first


def test_damaged_keys_are_refused_not_replaced(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    world.store.write("ring.json", Secret('{"format":1,"keys":[],"requested":false}'))
    with pytest.raises(KeyRingError):
        world.open_keys()


class Crash(BaseException):
    """The machine stops."""


class CrashingStore(MemoryKeyStore):
    """Stops the machine at the n-th write: before it, or right after it."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None
        self.after = False

    def write(self, name: str, value: Secret) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                if self.after:
                    super().write(name, value)
                self.left = None
                raise Crash
        super().write(name, value)


def happen(world: IssuerWorld, what: str) -> None:
    if what == "rotate":
        world.keys.rotate()
    elif what == "compromised":
        world.keys.replace_compromised()
    elif what == "sign":
        world.keys.sign(claims(world, 5000), typ="x")
    else:
        world.clock.advance(1000)
        world.keys.tick()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("what", ["rotate", "compromised", "sign", "schedule"])
def test_a_crash_beside_any_write_leaves_keys_that_hold(tmp_path: Path, what: str, *, after: bool) -> None:
    store = CrashingStore()
    world = IssuerWorld(tmp_path, store=store)
    token = world.keys.sign(claims(world), typ="x")
    store.left, store.after = 0, after
    published = world.settings.bindings.jwks.read_bytes()
    with pytest.raises(Crash):
        happen(world, what)
    assert world.settings.bindings.jwks.read_bytes() == published  # never ahead of what is stored
    keys = world.open_keys()
    assert believed(world, token) is not (what == "compromised" and after)
    assert believed(world, keys.sign(claims(world), typ="x"))
    states = [key.state for key in keys.published_keys() if key.algorithm == "ES256"]
    assert states.count(KeyState.ACTIVE) == states.count(KeyState.NEXT) == 1


def test_nothing_is_signed_by_a_key_that_could_not_be_published(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    world.keys.sign(claims(world), typ="x")
    before = world.published()
    folder = world.settings.bindings.jwks.parent
    world.clock.advance(1000)
    real = folder.with_name("elsewhere")
    folder.rename(real)
    folder.write_bytes(b"in the way")
    with pytest.raises(Exception, match="cannot write"):
        world.keys.sign(claims(world), typ="x")
    folder.unlink()
    real.rename(folder)
    token = world.keys.sign(claims(world), typ="x")
    assert believed(world, token)
    assert UnverifiedToken.parse(token).kid in {key.kid for key in before.keys}
    assert UnverifiedToken.parse(token).kid == world.keys.published_keys()[0].kid


def test_what_a_crash_left_half_written_is_removed(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    folder = world.settings.bindings.jwks.parent
    replace_file(folder / ".jwks.json.0a1b2c3d.tmp", b"half")
    world.open_keys()
    assert [path.name for path in folder.iterdir()] == ["jwks.json"]


ROTATE_FOREVER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from ringwall.model.durable import replace_file
from ringwall.identity.issuer.keeper import FOR_REPLACEMENT, FOR_ROTATION, KeyKeeper
    from ringwall.identity.issuer.ring import Schedule
    from ringwall.identity.key_folder import FolderKeyStore
    from ringwall.model.clock import SystemClock
    folder, clock = Path(sys.argv[1]), SystemClock()
    store = FolderKeyStore(folder / "keys", passphrase=None)
    schedule = Schedule(lifetime=0.0, overlap=0.0)
    keys = KeyKeeper(store=store, jwks_file=folder / "jwks.json", clock=clock, schedule=schedule)
    while True:
        print(keys.sign({"exp": clock.now() + 600}, typ="x"), flush=True)
""")


def kill_while_rotating(folder: Path, seconds: float) -> list[str]:
    """Let a process rotate and sign as fast as it can, kill it, and return the tokens that it gave out whole."""
    command = [sys.executable, "-c", ROTATE_FOREVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        tokens = [process.stdout.readline().strip()]
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read()
    whole, _, _ = rest.rpartition("\n")
    return [token for token in (*tokens, *whole.split("\n")) if token]


@pytest.mark.parametrize("seconds", [0.0, 0.013, 0.031, 0.057])
def test_every_token_given_out_before_a_kill_is_believed_after_the_restart(tmp_path: Path, seconds: float) -> None:
    tokens = kill_while_rotating(tmp_path, seconds)
    store: KeyStore = FolderKeyStore(tmp_path / "keys", passphrase=None)
    schedule = Schedule(lifetime=1000.0, overlap=0.0)
    clock = SystemClock()
    keeper = KeyKeeper(store=store, jwks_file=tmp_path / "jwks.json", clock=clock, schedule=schedule)
    keys = KeySet.parse((tmp_path / "jwks.json").read_bytes())
    for token in tokens:
        assert verify_signature(UnverifiedToken.parse(token), keys)
    assert not list(tmp_path.glob(".*.tmp"))
    assert verify_signature(UnverifiedToken.parse(keeper.sign({"exp": clock.now()}, typ="x")), keys)


def test_the_clock_may_jump_back_without_losing_keys(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    token = world.keys.sign(claims(world), typ="x")
    world.clock.jump(-10_000)
    assert believed(world, token)
    assert believed(world, world.keys.sign(claims(world), typ="x"))


def test_processes_that_share_the_keys_sign_with_the_same_one_whoever_changes_it(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    keepers = [world.keys, world.open_keys(), world.open_keys()]

    def kids() -> list[str]:
        tokens = [keeper.sign(claims(world), typ="x") for keeper in keepers]
        assert all(believed(world, token) for token in tokens)
        assert len({keeper.published for keeper in keepers} | {world.settings.bindings.jwks.read_bytes()}) == 1
        return [UnverifiedToken.parse(token).kid for token in tokens]

    first = kids()
    assert len(set(first)) == 1
    keepers[1].rotate()
    world.clock.advance(100)
    second = kids()
    assert len({*first, *second}) == 2
    keepers[2].replace_compromised()
    third = kids()
    assert len({*second, *third}) == 2
    assert first[0] not in world.settings.bindings.jwks.read_text()
    world.clock.advance(1000)  # by schedule: one of them does it, once
    assert len({*third, *kids()}) == 2


def test_a_key_is_kept_for_the_longest_of_what_any_process_has_signed(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    one, other = world.keys, world.open_keys()
    long = one.sign(claims(world, 5000), typ="x")
    other.sign(claims(world, 10), typ="x")
    world.clock.advance(1000)
    other.tick()
    world.clock.advance(3000)
    other.tick()
    one.tick()
    assert believed(world, long)
