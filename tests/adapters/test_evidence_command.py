"""`gateway evidence` on a real site: a proof with real signatures holds, and whatever is done to it is named."""

import gzip
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.asic import Writing
from gateway.cli import run
from gateway.evidence import evidence_facts
from gateway.parties import SignatureProfile
from signing.evidence import Evidence
from signing.own.keys import create_signing_key
from signing.own.own_keys import open_keys
from signing.own.sign import Signer
from signing.trust import authorities
from signing.verify import verify_detached
from spool import answers, chain, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.chain import Link, canonical
from spool.custody import Custody, Origin
from spool.journal import open_journal
from spool.mailbox import Mailbox
from spool.submissions import Ruling, State
from spool.tables import events
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, USER, Site, make_test_site

STEM = f"DIMN.{SENDER}.20261121.00001.R"
FI, FS = f"FI.{STEM}.1.1", f"FS.{STEM}.1.1"
FO = "FO.ACRF.999999.20261121.00001.R"


@dataclass(frozen=True)
class Desk:
    """A site with one accepted submission, its ticket and its exported proof."""

    site: Site
    ticket: str
    proof: Path

    def evidence(self, *words: str) -> int:
        """Run ``gateway evidence``."""
        return run(["evidence", *words, "--config", str(self.site.settings_file)])

    def verify(self, path: Path) -> int:
        """Verify a container with the site's certificate and nothing else of it."""
        return run(["evidence", "verify", str(path), "--certificate", str(self.site.settings.signing.certificate)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential) -> Desk:
    """Really signed, really judged as to its signature, really answered."""
    folder = tmp_path_factory.mktemp("evidence")
    site = make_test_site(folder, pki, signer)
    site.write_set(STEM)
    incoming = site.settings.spool.path / "set"
    shutil.copytree(site.work, incoming, ignore=shutil.ignore_patterns("id_*"))
    journal = open_journal(site.settings.journal.place)
    custody = Custody(site.settings.spool.path / "custody", journal)
    ticket = custody.take(incoming, Origin("sftp", Mailbox(SENDER, "IN"), USER))
    accepted = authorities.load(site.settings.trust.authorities)
    judged = verify_detached(site.work / FI, (site.work / FS).read_bytes(), authorities=accepted, at=datetime.now(UTC))
    assert isinstance(judged, Evidence)
    gone = replace(judged, revocation=(*judged.revocation, "ab" * 32))
    facts = evidence_facts(SignatureProfile.DETACHED, [gone])
    signature = open_keys(site.settings.signing).present.sign(b"<ACRF/>", datetime.now(UTC)).text()
    with journal.write() as connection:
        submissions.settle(connection, ticket, Ruling(State.ACCEPTED, forms=3, facts=facts))
        name = AnswerName(ticket, 1, Mailbox(SENDER, "OUT"), "FO", FO[3:])
        answers.store(connection, StoredAnswer(name, b"<ACRF/>", signature))
        submissions.note(connection, "OTHER", "of.another")
        submissions.note(connection, ticket, answers.FETCHED, file=FO)
    journal.close()
    desk = Desk(site, ticket, folder / "proof.asice")
    assert 0 == desk.evidence("export", ticket, "--to", str(desk.proof))
    return desk


def test_a_proof_holds_with_the_certificate_alone(made: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells how much was checked, and which list the gateway does not have any more."""
    assert 0 == made.verify(made.proof)

    said = capsys.readouterr().out
    assert f"The proof of {made.ticket} holds: 3 events, 1 answers, 1 signatures of the sender." in said
    assert [f"missing: revocation/{'ab' * 32}.der: the gateway does not keep it any more"] == said.splitlines()[1:]


def test_a_container_is_what_the_standard_says(made: Desk) -> None:
    """The media type first and not compressed, at its place; what was received is there byte for byte."""
    with zipfile.ZipFile(made.proof) as file:
        names = file.namelist()
        received = file.read(f"received/{FI}")

    assert b"mimetypeapplication/vnd.etsi.asic-e+zip" == made.proof.read_bytes()[30:69]
    assert ["META-INF/ASiCManifest.xml", "META-INF/signature.p7s"] == names[-2:]
    assert (made.site.work / FI).read_bytes() == received


Change = Callable[[dict[str, bytes]], None]


def rebuilt(made: Desk, path: Path, change: Change, signer: Signer | None = None) -> Path:
    """The container with something changed, under its old signature or, where there is a signer, under a new one."""
    with zipfile.ZipFile(made.proof) as file:
        content = {name: file.read(name) for name in file.namelist()}
    change(content)
    with zipfile.ZipFile(path, "w") as file:
        if signer is None:
            for name, data in content.items():
                file.writestr(name, data)
            return path
        container = Writing(file)
        for name, data in content.items():
            if name != "mimetype" and not name.startswith("META-INF/"):
                container.add(name, data)
        manifest = container.manifest()
        container.close(manifest, signer.sign(manifest, datetime.now(UTC)).cms())
    return path


def _event(**changes: object) -> Change:
    def change(content: dict[str, bytes]) -> None:
        kept = json.loads(content["evidence/events.json"])
        kept[1] |= changes
        content["evidence/events.json"] = json.dumps(kept).encode()

    return change


def _with_other_facts(content: dict[str, bytes]) -> None:
    """The digest of the true facts beside others, as if those had gone when their time was up."""
    kept = json.loads(content["evidence/events.json"])
    link = Link(**{name: kept[1][name] for name in ("number", "ticket", "at", "name", "facts")})
    kept[1] |= {"content": hashlib.sha256(canonical(link)).hexdigest(), "facts": {"forms": 9}}
    content["evidence/events.json"] = json.dumps(kept).encode()


def _set(name: str, data: bytes) -> Change:
    return lambda content: content.update({name: data})


def _receive(name: str, data: bytes) -> Change:
    """As if it had been received so."""

    def change(content: dict[str, bytes]) -> None:
        known = json.loads(content["evidence/submission.json"])
        [stored] = [file for file in known["files"] if file["name"] == name]
        stored["sha256"] = hashlib.sha256(data).hexdigest()
        content |= {f"received/{name}": data, "evidence/submission.json": json.dumps(known).encode()}

    return change


def _first(prefix: str, data: bytes | None) -> Change:
    """Change the first file whose name begins so, or take it away."""

    def change(content: dict[str, bytes]) -> None:
        name = min(name for name in content if name.startswith(prefix))
        if data is None:
            del content[name]
        else:
            content[name] = data

    return change


def _drop(name: str) -> Change:
    def change(content: dict[str, bytes]) -> None:
        del content[name]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set(f"received/{FI}", b"<other/>"), f"received/{FI} was changed"),
        (_set("answers/FO.more", b""), "answers/FO.more was put in"),
        (_drop(f"received/{FS}"), f"received/{FS} is missing"),
        (_drop("META-INF/signature.p7s"), "META-INF/signature.p7s is missing"),
        (_set("META-INF/ASiCManifest.xml", b"<a/>"), "META-INF/ASiCManifest.xml: The file is not the one"),
        (_set("mimetype", b"application/zip"), "does not begin with the media type"),
        (_event(name="verdict.rejected"), "evidence/events.json was changed"),
    ],
)
def test_a_container_that_was_changed_is_refused(
    made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Change, words: str
) -> None:
    """The file is named, and the exit status is 1."""
    assert 1 == made.verify(rebuilt(made, tmp_path / "changed.asice", change))
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_event(name="verdict.rejected"), "event 5 is not what its digest says"),
        (_event(index=0), "event 5 is not under checkpoint 1"),
        (_with_other_facts, "event 5 is not what its digest says"),
        (_event(ticket="OTHER"), "event 5 is not what its digest says"),
        (_drop("checkpoints/1.json"), "is not written as it must be"),
        (_set(f"received/{FI}", b"<other/>"), f"received/{FI} is not what was received"),
        (_set(f"received/{FS}", b"bm8="), f"received/{FS} is not what was received"),
        (_receive(FI, b"<other/>"), "the files are not those that were taken into custody"),
        (_receive(FS, b"bm8="), "the files are not those that were taken into custody"),
        (_first("revocation/", b"another list"), ".der is not what the verdict relied on"),
        (_first("revocation/", None), ".der is neither there nor said to be missing"),
        (_set(f"answers/{FO}", b"<NACK/>"), f"answers/{FO}: The file is not the one that was signed."),
    ],
)
def test_even_our_own_key_cannot_sign_another_story(
    made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Change, words: str
) -> None:
    """Checkpoints, the sender's signature and the answers' are verified each by itself."""
    signer = open_keys(made.site.settings.signing).present
    assert 1 == made.verify(rebuilt(made, tmp_path / "changed.asice", change, signer))
    assert words in capsys.readouterr().err


def test_a_foreign_signature_proves_nothing(made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything fits but who has signed."""
    create_signing_key(tmp_path / "key", tmp_path / "pem", "Somebody else")
    foreign = Signer.open(tmp_path / "key", tmp_path / "pem")
    assert 1 == made.verify(rebuilt(made, tmp_path / "foreign.asice", lambda _: None, foreign))
    assert "Somebody else has signed it." in capsys.readouterr().err


def test_what_is_no_container_is_refused(made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And so is one that was cut off."""
    (tmp_path / "cut").write_bytes(made.proof.read_bytes()[:-100])
    assert 1 == made.verify(tmp_path / "cut")
    assert "this is no container" in capsys.readouterr().err


def test_nothing_is_written_over_and_a_ticket_must_be_one(
    made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The proof there stays; for an unknown ticket nothing is made."""
    before = made.proof.read_bytes()
    assert 1 == made.evidence("export", made.ticket, "--to", str(made.proof))
    assert "exists" in capsys.readouterr().err
    assert before == made.proof.read_bytes()
    assert 1 == made.evidence("export", "NOSUCHTICKET0", "--to", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_the_chain_of_a_site_is_verified(made: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """It holds; and an event that somebody changes in the database is named."""
    assert 0 == made.evidence("verify", "--chain")
    assert "The chain holds: 1 checkpoints, and 0 events after the last." in capsys.readouterr().out
    journal = open_journal(made.site.settings.journal.place)
    with journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 5).values(name="forged"))
    assert 1 == made.evidence("verify", "--chain")
    assert "event 5 was changed, or is not where it was written" in capsys.readouterr().err
    with journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 5).values(name="verdict.accepted"))
    journal.close()
    assert 0 == made.evidence("verify", "--chain")


def test_the_whole_chain_is_carried_away(made: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not sealed yet is sealed first; the file holds by itself, and what is wrong with it is named."""
    journal = open_journal(made.site.settings.journal.place)
    with journal.write() as connection:
        submissions.note(connection, "OTHER", "of.another")
        end = chain.end(connection).number
    journal.close()
    path = tmp_path / "chain.jsonl.gz"
    assert 0 == made.evidence("export", "--chain", "--with-facts", "--to", str(path))
    said = capsys.readouterr()
    assert f"{path} has the chain up to event {end}, under 2 checkpoints.\n" == said.out
    assert "checkpoint.sealed" in said.err

    assert 0 == made.verify(path)
    assert f"The chain holds: 2 checkpoints over the events up to {end}, exported at 20" in capsys.readouterr().out
    lines = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(lines.replace(b"of.another", b"of.nobody")))
    assert 1 == made.verify(path)
    assert f"{path}: event 6 was changed, or is not where it was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("--to", "x"), ("T", "--chain", "--to", "x"), ("T", "--with-facts", "--to", "x")], ids=" ".join
)
def test_an_export_is_of_a_ticket_or_of_the_chain(made: Desk, words: tuple[str, ...]) -> None:
    """And facts are left out, or not, of the chain alone."""
    assert 2 == made.evidence("export", *words)
