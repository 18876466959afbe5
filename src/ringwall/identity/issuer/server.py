"""Runs the issuer: one process, two Unix sockets, a clean stop on SIGTERM."""

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn
import uvloop
from starlette.applications import Starlette

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.admin import create_admin_app
from ringwall.identity.issuer.app import create_app
from ringwall.identity.issuer.backchannel_logout import BackChannelLogout
from ringwall.identity.issuer.client_secrets import ClientSecrets
from ringwall.identity.issuer.client_servers import ClientServers
from ringwall.identity.issuer.clients.documents import ClientDocuments
from ringwall.identity.issuer.clients.keys import ClientKeys
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.keeper import KeyKeeper
from ringwall.identity.issuer.logout_delivery import LogoutDelivery
from ringwall.identity.issuer.operator_revocations import OperatorRevocations
from ringwall.identity.issuer.revocation_feed import RevocationFeed
from ringwall.identity.issuer.ring import Schedule
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.issuer.subjects import Subjects
from ringwall.identity.key_folder import FolderKeyStore
from ringwall.identity.passphrase import passphrase_from
from ringwall.identity.turn import Turn
from ringwall.model.clock import Clock, SystemClock
from ringwall.model.errors import RingwallError
from ringwall.plan.store import PlanStore

TICK_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 60.0
KEEP_ALIVE_SECONDS: Final = 7200
"""Longer than the proxy keeps an idle connection (one hour), so that it is never the issuer that closes first."""
STOP_SECONDS: Final = 3
_MAX_PATH: Final = 107

_log = logging.getLogger(__name__)


class IssuerNotStartedError(RingwallError):
    """The issuer cannot run."""

    code = "issuer-start"


def run_issuer(settings: IssuerSettings, *, clock: Clock | None = None) -> None:
    """Serve until SIGTERM or SIGINT; raise a RingwallError where the issuer cannot start."""
    clock = clock or SystemClock()
    with _only_one(settings.lock_file):
        turn = Turn()
        directory = LiveDirectory(PlanStore(settings.plan_folder), first_look=turn.first)
        development = directory.current().development
        keystore = _open_store(settings, development=development)
        keys = KeyKeeper(
            store=keystore,
            jwks_file=settings.bindings.jwks,
            clock=clock,
            first_look=turn.first,
            schedule=Schedule(
                lifetime=settings.key_seconds,
                overlap=settings.development_overlap_seconds if development else settings.overlap_seconds,
            ),
        )
        storage = Storage(settings.database_url)
        documents = ClientDocuments(ClientServers(settings.development_root))
        context = IssuerContext(
            settings=settings,
            directory=directory,
            keys=keys,
            secrets=ClientSecrets(settings.clients_file, first_look=turn.first),
            clock=clock,
            storage=storage,
            people=IssuerPeople(
                storage=storage,
                directory=directory,
                keystore=keystore,
                clock=clock,
                token_seconds=settings.token_seconds,
            ),
            keystore=keystore,
            documents=documents,
            client_keys=ClientKeys(documents, directory, clock),
            subjects=Subjects(keystore),
            first_look=turn.first,
        )
        apps = {settings.socket: create_app(context), settings.admin_socket: create_admin_app(context)}
        uvloop.run(_serve(apps, context))


def _open_store(settings: IssuerSettings, *, development: bool) -> FolderKeyStore:
    passphrase = passphrase_from(os.environ)
    if passphrase is None and not development:
        raise IssuerNotStartedError(
            "signing keys are kept encrypted outside development mode, and no passphrase was given",
            hint="set RINGWALL_KEY_PASSPHRASE_FILE to a file that holds it",
        )
    return FolderKeyStore(settings.keystore_folder, passphrase=passphrase)


class _Server(uvicorn.Server):
    """One of several servers of the process, so it leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(apps: dict[Path, Starlette], context: IssuerContext) -> None:
    if context.settings.database:  # what is wrong with a database that somebody has set up is told at once
        await context.storage.database()
    completing = asyncio.create_task(_complete(context.keys))
    sockets = {path: _listen(path) for path in apps}
    servers = {
        path: _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=512,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        for path, app in apps.items()
    }
    gc.collect()
    gc.freeze()  # what has been loaded by now stays, so the collector need not go through it again and again
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    running = [asyncio.create_task(server.serve(sockets=[sockets[path]])) for path, server in servers.items()]
    repeated = [
        completing,
        asyncio.create_task(_keep_schedule(context.keys)),
        asyncio.create_task(_sweep(context)),
        asyncio.create_task(_feed(context).run()),
        asyncio.create_task(_back_channel(context).run()),
        asyncio.create_task(OperatorRevocations(context, begun=_begun(context)).run()),
    ]
    try:
        await asyncio.wait([asyncio.create_task(stopping.wait()), *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in repeated:
            task.cancel()
        for server in servers.values():
            server.should_exit = True
        await asyncio.gather(*running)
        context.people.close()
        await context.storage.close()
        for path in apps:
            path.unlink(missing_ok=True)


async def _complete(keys: KeyKeeper) -> None:
    """Make the keys that a new system does not need for its first answer; whoever needs them tries again."""
    try:
        await keys.complete()
    except RingwallError as error:
        _log.error("the keys for RS256 could not be made: %s", error)


async def _keep_schedule(keys: KeyKeeper) -> None:
    """Advance the keys; a failure, such as a full disk, is told and tried again."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            await keys.prepare()
            keys.tick()
        except RingwallError as error:
            _log.error("the signing keys could not be advanced: %s", error)


def _feed(context: IssuerContext) -> RevocationFeed:
    """Return what tells the control plane."""
    return RevocationFeed(context.storage, context.clock, context.settings.bindings.admin, begun=_begun(context))


def _back_channel(context: IssuerContext) -> BackChannelLogout:
    """Return what tells clients of sessions that have ended."""
    delivery = LogoutDelivery(ClientServers(context.settings.development_root))
    return BackChannelLogout(context, delivery.deliver, begun=_begun(context))


def _begun(context: IssuerContext) -> bool:
    """Return whether a former run may have left something in the database."""
    return bool(context.settings.database) or (context.settings.folder / "issuer.db").exists()


async def _sweep(context: IssuerContext) -> None:
    """Delete what has expired from the database."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await context.storage.sweep(context.clock.now())
        except RingwallError as error:
            _log.error("the database could not be swept: %s", error)


def _listen(path: Path) -> socket.socket:
    """Listen on a Unix socket that only this user can connect to."""
    if len(os.fsencode(path)) > _MAX_PATH:
        raise IssuerNotStartedError(
            f"the path of the socket {path} is too long", hint="move the project to a folder with a shorter path"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # left by a crash: `_only_one` holds, so nobody listens on it
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    former = os.umask(0o177)  # from the first moment: a later chmod would leave a gap
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(former)
    return listener


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, so that two never listen on the same sockets."""
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise IssuerNotStartedError(f"another issuer already runs on {lock.parent}", hint="stop it first") from None
    try:
        yield
    finally:
        os.close(descriptor)
