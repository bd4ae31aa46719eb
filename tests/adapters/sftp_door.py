"""A real door on a free loopback port, a real spool behind it, small doubles for who may come and what arrives."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh
import paramiko

from channels.ports import Account, Accounts, Answer, Attempt, Authentication, Reception, Verdict
from channels.records import Records
from channels.sftp.server import Door, DoorSettings, Premises, open_door
from channels.sftp.share import Shares
from spool.intake import Intake, IntakeLimits, Upload
from spool.mailbox import Document, Entry, Mailbox, MailboxRefusal, Trouble
from spool.outbox import Outbox

USER = "alpha"
SENDER = "123456"
FI = "FI.DIMN.123456.20261121.00001.R.1.1"
FS = "FS.DIMN.123456.20261121.00001.R.1.1"
GO = "GO.DIMN.123456.20261121.00001.R.1"
FO = "FO.ACRF.999999.20261121.00001.R"


# A connection of asyncssh's client can be awaited or entered; its type has no public name.
AwaitableContext = Any


class Register:
    """Accounts in memory."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.asked: list[str] = []
        self.passwords: dict[str, str] = {}
        self.failures: list[tuple[str, str]] = []
        self.locked: set[tuple[str, str]] = set()

    def add(self, username: str, sender: str, *keys: asyncssh.SSHKey) -> None:
        """Let ``username`` in with ``keys``."""
        lines = [key.export_public_key().decode().strip() for key in keys]
        self.accounts[username] = Account(username, sender, lines)

    async def find(self, username: str) -> Account | None:
        """The account, if there is one."""
        self.asked.append(username)
        return self.accounts.get(username)

    async def standing(self, usernames: Collection[str]) -> Mapping[str, Account]:
        """Those that are there."""
        return {username: self.accounts[username] for username in usernames if username in self.accounts}

    async def check_password(self, attempt: Attempt) -> Verdict:
        """Right if it is what was written down."""
        self.asked.append(attempt.username)
        account = self.accounts.get(attempt.username)
        wanted = Authentication.BOTH if attempt.after_key else Authentication.PASSWORD
        if account is None or account.authentication is not wanted:
            return Verdict(Answer.WRONG)
        good = self.passwords.get(attempt.username) == attempt.password
        return Verdict(Answer.GOOD, account) if good else Verdict(Answer.WRONG)

    async def change_password(self, attempt: Attempt, new: str) -> Verdict:
        """Write the new one down if the old one is right."""
        verdict = await self.check_password(attempt)
        if verdict.answer is Answer.GOOD:
            self.passwords[attempt.username] = new
        return verdict

    def is_locked(self, username: str, source: str) -> bool:
        """Whether it was said to be."""
        return (username, source) in self.locked

    async def failed(self, username: str, source: str) -> None:
        """Write it down."""
        self.failures.append((username, source))


class Ledger:
    """A reception that writes down what it is told."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[Mailbox, str, str]] = []

    def is_waiting(self, mailbox: Mailbox, username: str, name: str) -> bool:
        """Never at once, so that it is told of every arrival."""
        return False

    async def arrived(self, mailbox: Mailbox, username: str, name: str, since: float | None = None) -> None:
        """Note it."""
        self.arrivals.append((mailbox, username, name))

    @property
    def names(self) -> list[str]:
        """The names alone, in order."""
        return [name for _, _, name in self.arrivals]


class Shelf:
    """Status documents of the usual sender in memory, and what it was told about answers."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.told: list[tuple[str, Mailbox, str]] = []

    def entries(self, sender: str) -> list[Entry]:
        """Those of the sender."""
        found = self.documents if sender == SENDER else {}
        return [Entry(name, len(data), 1_000_000.0) for name, data in sorted(found.items())]

    def document(self, sender: str, name: str) -> Document | None:
        """The one of the sender."""
        data = self.documents.get(name) if sender == SENDER else None
        return None if data is None else Document(data, 1_000_000.0)

    def fetched(self, mailbox: Mailbox, name: str, since: float, user: str) -> None:
        """Write it down."""
        self.told.append(("fetched", mailbox, name))

    def deleted(self, mailbox: Mailbox, name: str) -> None:
        """Write it down."""
        self.told.append(("deleted", mailbox, name))


class Postbox:
    """The e-Box of the usual sender in memory, and what was fetched of it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.read: list[str] = []

    def entries(self, sender: str, limit: int) -> list[Entry]:
        """Those of the sender."""
        found = [self.find(sender, name) for name in sorted(self.files)]
        return [entry for entry in found if entry is not None][:limit]

    def find(self, sender: str, name: str) -> Entry | None:
        """The one of the sender."""
        document = self.document(sender, name)
        return None if document is None else Entry(name, len(document.data), document.modified)

    def document(self, sender: str, name: str) -> Document | None:
        """The one of the sender."""
        data = self.files.get(name) if sender == SENDER else None
        return None if data is None else Document(data, 1_000_000.0)

    def fetched(self, sender: str, name: str) -> None:
        """Write it down."""
        self.read.append(name)

    def remove(self, sender: str, name: str) -> None:
        """Forget it."""
        if self.document(sender, name) is None:
            raise MailboxRefusal(Trouble.MISSING, "no such file")
        del self.files[name]


class WatchedIntake(Intake):
    """An intake that says when an upload has begun and when one was cut."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, IntakeLimits(file_bytes=256 * 1024 * 1024, files=100, reserve=0))
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Semaphore(0)
        self.cut = asyncio.Semaphore(0)

    def begin(self, mailbox: Mailbox, name: str, *, exclusive: bool = False, resume: bool = False) -> Upload:
        """Begin, and say so."""
        upload = super().begin(mailbox, name, exclusive=exclusive, resume=resume)
        self._loop.call_soon_threadsafe(self.begun.release)
        return upload

    def set_aside(self, upload: Upload) -> None:
        """Set aside, and say so."""
        super().set_aside(upload)
        self._loop.call_soon_threadsafe(self.cut.release)


@dataclass(frozen=True, slots=True)
class Program:
    """How a client program ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class House:
    """The open door and everything behind it."""

    door: Door
    accounts: Register
    ledger: Ledger
    intake: Intake
    outbox: Outbox
    folder: Path
    key: asyncssh.SSHKey
    keyfile: Path
    shelf: "Shelf"
    postbox: "Postbox"
    shares: Shares
    programs: list[asyncio.subprocess.Process] = field(default_factory=list)

    def inbox(self, directory: str = "IN", sender: str = SENDER) -> Mailbox:
        """A mailbox, that of the usual sender unless said otherwise."""
        return Mailbox(sender, directory)

    def waiting(self, directory: str = "IN") -> list[str]:
        """The names in an inbox."""
        return [entry.name for entry in self.intake.entries(self.inbox(directory))]

    def left(self) -> list[str]:
        """Every file in the intake, uploads that are still open included."""
        return sorted(path.name for path in self.intake.root.rglob("*") if path.is_file())

    def gathered(self) -> list[str]:
        """The files that belong to a set; uploads that are open or were cut do not."""
        return sorted(path.name for _, folder in self.intake.sets() for path in folder.iterdir())

    def answer(self, *names: str, data: bytes = b"answer", directory: str = "OUT", sender: str = SENDER) -> None:
        """Put answers into an outbox."""
        self.outbox.place(Mailbox(sender, directory), [(name, data) for name in names])

    def connect(self, username: str = USER, keys: Sequence[asyncssh.SSHKey] = (), **options: Any) -> "AwaitableContext":
        """A connection of asyncssh's client."""
        settings: dict[str, Any] = {
            "username": username,
            "client_keys": list(keys) or [self.key],
            "known_hosts": None,
            "config": None,
            "agent_path": None,
        }
        return asyncssh.connect("127.0.0.1", self.door.port, **(settings | options))

    @asynccontextmanager
    async def client(self, username: str = USER, **options: Any) -> AsyncIterator[asyncssh.SFTPClient]:
        """A session of asyncssh's client."""
        async with self.connect(username, **options) as connection, connection.start_sftp_client() as client:
            yield client

    async def lets_in(self, username: str = USER, **options: Any) -> bool:
        """Whether somebody who tries to come in can list the root."""
        try:
            async with self.client(username, **options) as client:
                return "IN" in await client.listdir("/")
        except (asyncssh.Error, OSError):
            return False

    def options(self) -> list[str]:
        """What every OpenSSH program must be told."""
        return [
            *("-F", "/dev/null", "-i", str(self.keyfile), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}"),
            *("-o", "LogLevel=ERROR"),
        ]

    async def sftp(self, *commands: str) -> Program:
        """Run OpenSSH's sftp with a batch of commands."""
        arguments = ["sftp", *self.options(), "-b", "-", "-P", str(self.door.port), f"{USER}@127.0.0.1"]
        return await self.run(*arguments, typed="\n".join(commands) + "\n")

    async def run(self, *arguments: str, typed: str = "", environment: Mapping[str, str] | None = None) -> Program:
        """Run a program to its end."""
        process = await self.start(*arguments, environment=environment)
        out, err = await process.communicate(typed.encode())
        return Program(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
        """Start a program."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        self.programs.append(process)
        return process

    def paramiko_transport(self) -> paramiko.Transport:
        """A connection of paramiko's client, not yet logged in; blocks, so call it from a thread."""
        transport = paramiko.Transport(("127.0.0.1", self.door.port))
        transport.start_client()
        return transport

    def paramiko_key(self) -> paramiko.PKey:
        """The usual key as paramiko knows it."""
        return paramiko.Ed25519Key.from_private_key_file(str(self.keyfile))


def write_key(path: Path, algorithm: str = "ssh-ed25519", **options: Any) -> asyncssh.SSHKey:
    """A new private key in ``path``."""
    key = asyncssh.generate_private_key(algorithm, **options)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    return key


@asynccontextmanager
async def open_house(
    folder: Path,
    *,
    reception: Reception | None = None,
    accounts: Accounts | None = None,
    intake: Intake | None = None,
    records: Records | None = None,
    passing: Callable[[str], AbstractAsyncContextManager[None]] | None = None,
    host_keys: Sequence[Path] = (),
    **settings: Any,
) -> AsyncIterator[House]:
    """Open a door in ``folder``; doubles and settings may be given."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    if not host_keys:
        host_keys = (folder / "host_key",)
        write_key(host_keys[0])
    key = write_key(folder / "user_key")
    register, ledger = Register(), Ledger()
    register.add(USER, SENDER, key)
    intake = intake or Intake(folder / "incoming", IntakeLimits(file_bytes=64 * 1024 * 1024, files=20_000, reserve=0))
    outbox = Outbox(folder / "answers")
    settings.setdefault("port", 0)
    settings.setdefault("finish_timeout", 0.0)
    door_settings = DoorSettings(host="127.0.0.1", host_keys=tuple(host_keys), **settings)
    shelf, postbox = Shelf(), Postbox()
    behind = Premises(reception or ledger, intake, outbox, records or shelf, postbox)
    if passing is not None:
        behind = replace(behind, passing=passing)
    async with open_door(door_settings, accounts or register, behind) as door:
        house = House(
            door, register, ledger, intake, outbox, folder, key, folder / "user_key", shelf, postbox, behind.shares
        )
        try:
            yield house
        finally:
            for process in house.programs:
                if process.returncode is None:
                    process.kill()
                    await process.communicate()
