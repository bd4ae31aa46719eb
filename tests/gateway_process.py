"""A site in a folder of its own and a real ``gateway serve`` on it, followed by its log and driven by real clients."""

import json
import os
import queue
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import schemas
from config.settings import Settings, read_settings
from gateway import cli, parties
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from gateway.site import make_site
from spool.journal import open_journal
from tests import forked
from tests.authority import Credential, Pki

SENDER: Final = "123456"
USER: Final = "payroll01"
_SAMPLE: Final = Path(schemas.__file__).with_name("dimona") / "samples" / "valid_three_forms.xml"
_CREATED: Final = re.compile(rb"(?<=<FormCreationDate>)[0-9-]+")
_SECONDS: Final = 60.0


def today() -> str:
    """The day that file names carry."""
    return datetime.now(ZoneInfo("Europe/Brussels")).strftime("%Y%m%d")


def three_forms() -> bytes:
    """A valid document of three declarations that were made today; older ones would earn a warning one day."""
    return _CREATED.sub(datetime.now(ZoneInfo("Europe/Brussels")).date().isoformat().encode(), _SAMPLE.read_bytes())


@dataclass
class Site:
    """A site with one accepted authority and one sender with a key and a certificate."""

    folder: Path
    pki: Pki
    signer: Credential
    port: int = 0
    work: Path = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.folder.parent / "work"
        self.work.mkdir()

    @property
    def settings_file(self) -> Path:
        """The site's settings."""
        return self.folder / "gateway.toml"

    @property
    def settings(self) -> Settings:
        """The settings as read."""
        return read_settings(self.settings_file)

    def configure(self, old: str, new: str, *, section: str = "") -> None:
        """Replace what stands once in the settings, or once in one ``section`` of them."""
        text = self.settings_file.read_text()
        start = text.index(f"\n[{section}]\n") + 1 if section else 0
        end = text.find("\n[", start) if section else len(text)
        part = text[start:end]
        assert 1 == part.count(old)
        self.settings_file.write_text(text[:start] + part.replace(old, new) + text[end:])

    def add_sender(self, number: str, user: str, signature: SignatureProfile, certificate: Credential) -> None:
        """Register a sender of whatever employers, by both doors; every user of a site has the same SSH key."""
        line = self.work.joinpath("id_ed25519.pub").read_text()
        journal = open_journal(self.settings.journal.place)
        with journal.write() as connection:
            sender = Sender(number, signature, "RTS", ("*",), active=True, any_employer=True)
            parties.add_sender(connection, sender, [Channel.SFTP, Channel.MQ])
            parties.add_user(connection, number, user, [line])
            parties.add_certificate(connection, number, certificate.read())
        journal.close()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``gateway`` with ``words``, in a process of its own."""
        return forked.run(["gateway", *words], os.environ | {"GATEWAY_CONFIG": str(self.settings_file)})

    def listing(self, *words: str) -> Any:
        """What ``gateway`` answers to ``words`` as JSON; without a process, whose start takes a second."""
        done = CliRunner(env={"GATEWAY_CONFIG": str(self.settings_file)}).invoke(cli.gateway, [*words, "--json"])
        assert 0 == done.exit_code, done.output
        return json.loads(done.stdout)

    def sftp(self, *lines: str, user: str = USER) -> subprocess.CompletedProcess[str]:
        """Run ``lines`` in one session of OpenSSH's sftp, in the folder ``work``."""
        options = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]
        options += ["-oIdentitiesOnly=yes", "-oLogLevel=ERROR"]
        command = ["sftp", "-q", f"-oPort={self.port}", f"-oIdentityFile={self.work / 'id_ed25519'}", *options]
        return subprocess.run(
            [*command, "-b", "-", f"{user}@127.0.0.1"],
            input="".join(f"{line}\n" for line in lines),
            cwd=self.work,
            capture_output=True,
            text=True,
            check=False,
        )

    def sign(self, name: str, signer: Credential | None = None) -> bytes:
        """The content of FS for the file ``name``: base64 of a detached CMS by openssl."""
        credential = signer or self.signer
        files = ["-signer", str(credential.certificate), "-inkey", str(credential.key)]
        command = ["openssl", "cms", "-sign", "-binary", "-in", name, "-outform", "PEM", *files]
        text = subprocess.run(command, cwd=self.work, capture_output=True, check=True).stdout
        return b"\n".join(line for line in text.splitlines() if not line.startswith(b"-----")) + b"\n"

    def write_set(self, stem: str, data: bytes | None = None, signer: Credential | None = None) -> list[str]:
        """Write FI, FS and GO of a set of one part into ``work``; answers their names, GO last."""
        names = [f"FI.{stem}.1.1", f"FS.{stem}.1.1", f"GO.{stem}.1"]
        (self.work / names[0]).write_bytes(three_forms() if data is None else data)
        (self.work / names[1]).write_bytes(self.sign(names[0], signer))
        (self.work / names[2]).touch()
        return names

    def spool(self, pattern: str) -> list[str]:
        """The files of the spool that fit ``pattern``, by their paths in it."""
        root = self.settings.spool.path
        return sorted(str(path.relative_to(root)) for path in root.glob(pattern) if path.is_file())


class GatewayProcess:
    """A gateway that runs; its log is followed, so that tests wait for events and not for time.

    ``program`` is what an interpreter is started with, such as ``"gateway"``.  Without one, and for those of
    ``tests.faults``, the process is forked from a template that has imported everything; it is a real one as well.
    It does everything unless ``roles`` are named.  ``around`` is a command that gets the interpreter's as arguments.
    """

    def __init__(
        self,
        site: Site,
        *program: str,
        pass_fds: Sequence[int] = (),
        roles: Sequence[str] = (),
        around: Sequence[str] = (),
    ) -> None:
        self.site = site
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.seen: list[dict[str, Any]] = []
        words = [*(program or ("gateway",)), "serve", "--config", str(site.settings_file)]
        words += [f"--role={role}" for role in roles]
        by_exec = _by_exec(program) or bool(around)
        self.process = _executed([*around, sys.executable, "-m", *words], pass_fds) if by_exec else forked.start(words)
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    def _follow(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                self._lines.put({"event": "not JSON", "line": line.decode(errors="replace")})
        self._lines.put(None)

    def saw(self, event: str) -> dict[str, Any]:
        """The first line of the log with this event, be it there already or still to come."""
        return next((line for line in self.seen if line["event"] == event), None) or self.wait_for(event)

    def wait_for(self, event: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next line of the log with this event that ``fits``."""
        while True:
            try:
                line = self._lines.get(timeout=_SECONDS)
            except queue.Empty:
                raise AssertionError(f"no {event} within {_SECONDS} s; seen: {self.seen}") from None
            if line is None:
                raise AssertionError(f"the gateway ended before {event}; seen: {self.seen}")
            self.seen.append(line)
            if line["event"] == event and fits(line):
                return line

    def ready(self) -> "GatewayProcess":
        """Wait until it does what it is for; the door's port is known then, if it has one."""
        self.site.port = self.wait_for("gateway.ready")["port"] or self.site.port
        return self

    def judged(self) -> dict[str, Any]:
        """Wait for the next verdict and until its answer is placed; answers the verdict."""
        verdict = self.wait_for("submission.judged")
        self.wait_for("answer.placed", lambda line: line["ticket"] == verdict["ticket"])
        return verdict

    def stop(self) -> int:
        """End it by SIGTERM; answers its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """End it by SIGKILL, and see that every process it had started ends too; harmless twice."""
        if self.process.poll() is not None:
            return
        watched = [os.pidfd_open(pid) for pid in _session(self.process.pid)]
        self.process.kill()
        self._ended()
        for descriptor in watched:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            assert poll.poll(_SECONDS * 1000), "a process of a killed gateway lives on"
            os.close(descriptor)

    def _ended(self) -> int:
        status = self.process.wait(_SECONDS)
        self._follower.join(_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


def _by_exec(program: Sequence[str]) -> bool:
    return bool(program) and not program[0].startswith("tests.faults.")


def _executed(words: Sequence[str], pass_fds: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True, pass_fds=pass_fds)


def grandchildren(leader: int) -> list[int]:
    """The processes of a gateway's session that it did not start itself: those that judge."""
    return [pid for pid, parent in _session(leader).items() if leader not in {parent, pid}]


def _session(leader: int) -> dict[int, int]:
    """The processes of a session, each with its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the command's name, which is in brackets: state, parent, group, session (proc(5)).
            _, parent, _, session = folder.joinpath("stat").read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader:
            found[int(folder.name)] = int(parent)
    return found


def make_test_site(folder: Path, pki: Pki, signer: Credential) -> Site:
    """A site in ``folder`` on a free port, with the authority of ``pki`` and the sender that ``signer`` belongs to."""
    site = Site(folder / "site", pki, signer)
    make_site(site.folder)
    site.configure("port = 8022", "port = 0")
    key = Ed25519PrivateKey.generate()
    private = site.work / "id_ed25519"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    private.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    private.with_suffix(".pub").write_bytes(public)
    pki.install(site.settings.trust.authorities, "test")
    site.add_sender(SENDER, USER, SignatureProfile.DETACHED, signer)
    return site


@contextmanager
def running(site: Site, *program: str, roles: Sequence[str] = ()) -> Iterator[GatewayProcess]:
    """A gateway on ``site`` for the time of the block."""
    process = GatewayProcess(site, *program, roles=roles)
    try:
        yield process.ready()
    finally:
        process.stop()
