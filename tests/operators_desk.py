"""Where the handbook's command lines are typed: a site, with the files that the pages speak of, and a shell."""

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from gateway.cli import gateway
from gateway.sealing import Sealer
from gateway.site import make_site
from signing.own.own_keys import open_keys
from spool import answers, effects, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody, Origin
from spool.effects import Kind
from spool.journal import Journal, now, open_journal
from spool.mailbox import Mailbox
from spool.submissions import Ruling, State
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, USER, Site, three_forms, today

FO: Final = "FO.ACRF.999999.20261121.00001.R"
_WOULD_CHANGE: Final = re.compile("gateway authority diff |gateway party import .* --dry-run")
"""These tell by their exit status that something would change."""


_PROGRAMS: Final = frozenset({"openssl", "ssh-keygen", "cp", "rm", "chmod", "df", "du", "ls", "(cd", "(umask"})
"""What is typed besides the gateway: it changes nothing outside of the folder that it is typed in."""


@dataclass
class Desk:
    """An operator's shell, in the folder of a site.

    ``tickets`` are those of an accepted, a held and a quarantined submission, by their state.
    """

    folder: Path
    files: Path
    tickets: dict[State, str]
    typed: list[str] = field(default_factory=list)

    def type(self, line: str) -> None:
        """Type one line of a page; it has to do what it says."""
        for part in line.split(" && ") if line.startswith("gateway init") else [line]:
            self._type(part.replace("20261121", today()).replace("/backup/", f"{self.folder}/"))
        self.typed.append(line)

    def _type(self, line: str) -> None:
        if line.startswith("cd "):
            self.folder = self.folder / line.removeprefix("cd ")
            shutil.copytree(self.files, self.folder, dirs_exist_ok=True)
            return
        if not line.startswith("gateway "):
            assert line.split(maxsplit=1)[0] in _PROGRAMS, (
                f"{line}: name it in tests/documented_commands.py, or let it be typed"
            )
            line = line.replace(".…", ".answer" if "FO.…" in line else f".DIMN.{SENDER}.{today()}.00001.R.1.1")
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", line], cwd=self.folder, capture_output=True, text=True, check=False
            )
            assert 0 == done.returncode, (line, done.stdout, done.stderr)
            return
        self._gateway(self._with_names(line))

    def _gateway(self, line: str) -> str:
        line, _, source = line.partition(" < ")
        line, _, target = line.partition(" > ")
        words = shlex.split(line)[1:]
        given = (self.folder / source).read_text() if source else None
        places = {"restore": self._empty_site, "send-again": self._site_with_a_broker}
        place = places.get(words[0]) if "--config" not in words else None
        with_config = [] if place is None else ["--config", str(place())]
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            result = CliRunner().invoke(gateway, [*words, *with_config], input=given)
        finally:
            os.chdir(before)
        assert (1 if _WOULD_CHANGE.match(line) else 0) == result.exit_code, (line, result.output, result.exception)
        if target:
            (self.folder / target).write_text(result.stdout)
        return result.stdout

    def _empty_site(self) -> Path:
        folder = self.folder.parent / "empty"
        make_site(folder)
        return folder / "gateway.toml"

    def _site_with_a_broker(self) -> Path:
        settings = (self.folder / "gateway.toml").read_text()
        file = self.folder / "with-a-broker.toml"
        file.write_text(settings.replace("urls = []", 'urls = ["amqp://gateway:password@127.0.0.1:5672/"]'))
        return file

    def _with_names(self, line: str) -> str:
        """A line with the names that the page leaves to whoever types it."""
        if "TICKET" in line:
            state = (
                State.HELD if line.startswith(("gateway why", "gateway release", "gateway hold")) else State.ACCEPTED
            )
            line = line.replace("TICKET", self.tickets[state])
        if "HOLD" in line:
            line = line.replace("HOLD", str(self._listed("holds")[-1]["hold"]))
        if "FINGERPRINT" in line:
            words = (
                ("sender", "certificate", "list", SENDER) if "certificate" in line else ("user", "key", "list", USER)
            )
            line = line.replace("FINGERPRINT", next(iter(self._listed(*words)[-1].values())))
        return line

    def _listed(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._gateway(shlex.join(["gateway", *words, "--json"])))
        return found

    def set(self, settings: str) -> None:
        """Write the keys of a page's piece of settings into those of the site, each over the one that is there."""
        file = self.folder / "gateway.toml"
        section, _, rest = settings.partition("\n")
        start = file.read_text().index(f"\n{section}\n") + 1
        for line in rest.strip().splitlines():
            text, key = file.read_text(), line.split(" = ")[0]
            there = re.compile(rf"^(# )?{key} = .*$", re.MULTILINE).search(text, start)
            assert there is not None, line
            file.write_text(text[: there.start()] + line + text[there.end() :])


def _take(site: Site, journal: Journal, sequence: str) -> str:
    stem = f"DIMN.{SENDER}.{today()}.{sequence}.R"
    incoming = site.settings.spool.path / "set"
    incoming.mkdir()
    for name in (*site.write_set(stem)[:2], f"GO.{stem}.1"):
        shutil.copy(site.work / name, incoming)
    custody = Custody(site.settings.spool.path / "custody", journal)
    return custody.take(incoming, Origin("sftp", Mailbox(SENDER, "IN"), USER))


async def furnish(site: Site) -> dict[State, str]:
    """Give a site three submissions and a sealed journal; answers the tickets by their states."""
    journal = open_journal(site.settings.journal.place)
    keys = open_keys(site.settings.signing)
    found = {State.ACCEPTED: _take(site, journal, "00001"), State.HELD: _take(site, journal, "00002")}
    found[State.QUARANTINED] = _take(site, journal, "00003")
    signature = keys.present.sign(b"<ACRF/>", datetime.now(UTC)).text()
    with journal.write() as connection:
        for state, reason in ((State.HELD, "TrustUnavailable: no list"), (State.QUARANTINED, "unexpected: OSError")):
            submissions.hold(connection, found[state], state=state, attempts=0, next_attempt_at=now(), reason=reason)
        submissions.settle(connection, found[State.ACCEPTED], Ruling(State.ACCEPTED, forms=3))
        name = AnswerName(found[State.ACCEPTED], 1, Mailbox(SENDER, "OUT"), "FO", FO[3:])
        answers.store(connection, StoredAnswer(name, b"<ACRF/>", signature))
        effects.plan(connection, name.ticket, Kind.ANSWER, [{"answer_of": name.ticket, "ordinal": 1}])
        effects.plan(connection, name.ticket, Kind.FORWARD, [{"offset": 4 * form, "length": 4} for form in range(3)])
    forms = site.settings.spool.path / "declarations"
    forms.mkdir(exist_ok=True)
    (forms / found[State.ACCEPTED]).write_bytes(b"form" * 3)
    await Sealer(journal, Checkpoints(site.settings.spool.path / CHECKPOINTS), keys).seal_all()
    journal.close()
    (site.work / "FO.answer").write_bytes(b"<ACRF/>")
    (site.work / "FS.answer").write_bytes(signature)
    return found


def lay_out(site: Site, files: Path, pki: Pki, signer: Credential) -> None:
    """Write the files that pages speak of."""
    files.mkdir()
    issuing, root = pki.crls
    sources = {
        "issuing.pem": pki.issuing,
        "root.pem": pki.root,
        "issuing.crl": issuing,
        "root.crl": root,
        "id_ed25519.pub": site.work / "id_ed25519.pub",
        "payroll.pem": signer.certificate,
        "cert.pem": signer.certificate,
        "key.pem": signer.key,
        "new.pem": pki.issue("Renewed").certificate,
        "gateway.pem": site.settings.signing.certificate,
        "FO.answer": site.work / "FO.answer",
        "FS.answer": site.work / "FS.answer",
    }
    for name, source in sources.items():
        shutil.copy(source, files / name)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", files / "new"], check=True)
    stem = f"DIMN.{SENDER}.{today()}.00001.R"
    outbox = files / "outbox"
    outbox.mkdir()
    for folder in (files, outbox):
        (folder / f"FI.{stem}.1.1").write_bytes(three_forms())
    (outbox / f"FS.{stem}.1.1").write_bytes(site.sign(f"FI.{stem}.1.1"))
    (outbox / f"GO.{stem}.1").touch()
    (files / "declarations.xml").write_bytes(three_forms())
    (files / "list.csv").write_text(f"GO.{stem}.1,\n")
