"""What a sender makes of the answers it finds."""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

import schemas
from spool.holds import Word
from tests.gateway_process import USER, Site

ASKED = Word("operator", "its sender has lost it")
"""Who has an answer given again, and why."""

_ACRF = Path(schemas.__file__).with_name("acrf") / "ACRF_20231.xsd"
_NOTI = Path(schemas.__file__).with_name("notification") / "NOTIFICATION_20223.xsd"


@dataclass(frozen=True)
class Answer:
    """An acknowledgement as fetched: the stem of its name, what it is about, and its codes."""

    stem: str
    file_name: str
    ticket: str
    result: str
    codes: tuple[str, ...]


def listing(site: Site, directory: str, user: str = USER) -> set[str]:
    """The names in a directory of the sender."""
    done = site.sftp(f"ls -1 {directory}", user=user)
    assert 0 == done.returncode, done.stderr
    return {word.partition("/")[2] for word in done.stdout.split() if "/" in word}


def fetch(site: Site, stem: str, directory: str = "OUT", user: str = USER) -> Answer:
    """Download an acknowledgement, verify its signature and its form with the ACRF schema, and read it."""
    root = etree.fromstring(download(site, f"FO.{stem}", directory, user))
    etree.XMLSchema(etree.parse(_ACRF)).assertValid(root)
    return Answer(
        stem=stem,
        file_name=root.findtext("Form/FileReference/FileName") or "",
        ticket=root.findtext("Form/FileReference/ReferenceNbr") or "",
        result=root.findtext("Form/ReceptionResult/ResultCode") or "",
        codes=tuple(code.text or "" for code in root.findall("Form/ReceptionResult/ErrorID")),
    )


def download(site: Site, name: str, directory: str = "OUT", user: str = USER) -> bytes:
    """What an answer holds, FO or CO, after its signature was verified with openssl."""
    stem = name.partition(".")[2]
    names = [name, f"FS.{stem}", f"GO.{stem}"]
    done = site.sftp(f"cd {directory}", *(f"get {each}" for each in names), user=user)
    assert 0 == done.returncode, done.stderr
    data, signature, go = (site.work / each for each in names)
    der = site.work / "answer.der"
    der.write_bytes(base64.b64decode(signature.read_bytes()))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(der), "-content", str(data)]
    trust = ["-CAfile", str(site.settings.signing.certificate), "-purpose", "any", "-out", "/dev/null"]
    subprocess.run([*command, *trust], check=True, capture_output=True)
    assert b"" == go.read_bytes()
    return data.read_bytes()


def only_answer(site: Site, directory: str = "OUT", user: str = USER) -> Answer:
    """The one answer in a directory, which holds nothing else."""
    names = sorted(listing(site, directory, user))
    stem = names[0].partition(".")[2]
    assert [f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO")] == names
    return fetch(site, stem, directory, user)


@dataclass(frozen=True)
class Told:
    """One anomaly of a notification: the form's ticket and result, and what is told of the anomaly."""

    ticket: str
    result: str
    reference: str
    error: str
    tag: str
    value: str
    label: str
    line: int
    column: int
    position: str


def read_notification(text: bytes) -> list[Told]:
    """The anomalies of a notification that is valid by the NOTIFICATION schema."""
    root = etree.fromstring(text)
    etree.XMLSchema(etree.parse(_NOTI)).assertValid(root)
    return [
        Told(
            ticket=form.findtext("HandledReference/ReferenceNbr") or "",
            result=form.findtext("HandlingResult/ResultCode") or "",
            reference=form.findtext("Reference/ReferenceNbr") or "",
            error=report.findtext("ErrorID") or "",
            tag=report.findtext("TagName") or "",
            value=report.findtext("Value") or "",
            label=report.findtext("AnomalyLabel") or "",
            line=int(report.findtext("AnomalyLocation/LineNbr") or 0),
            column=int(report.findtext("AnomalyLocation/ColumnNbr") or 0),
            position=report.findtext("AnomalyLocation/Location") or "",
        )
        for form in root.findall("Form")
        for report in form.findall("HandlingResult/AnomalyReport")
    ]


def both_answers(site: Site, directory: str = "OUT", user: str = USER) -> tuple[Answer, list[Told]]:
    """The acknowledgement and the notification in a directory, which holds nothing else, each with FS and GO."""
    names = sorted(listing(site, directory, user))
    stems = [name.partition(".")[2] for name in names[:2]]
    assert sorted(f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO") for stem in stems) == names
    assert ["ACRF", "NOTI"] == [stem[:4] for stem in stems]
    return fetch(site, stems[0], directory, user), read_notification(download(site, f"FO.{stems[1]}", directory, user))
