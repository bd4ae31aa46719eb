"""What a sender makes of the answers it finds."""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

import schemas
from tests.gateway_process import USER, Site

_ACRF = Path(schemas.__file__).with_name("acrf") / "ACRF_20231.xsd"


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
    """Download an answer, verify its signature with openssl and its form with the ACRF schema, and read it."""
    names = [f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO")]
    done = site.sftp(f"cd {directory}", *(f"get {name}" for name in names), user=user)
    assert 0 == done.returncode, done.stderr
    data, signature, go = (site.work / name for name in names)
    der = site.work / "answer.der"
    der.write_bytes(base64.b64decode(signature.read_bytes()))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(der), "-content", str(data)]
    trust = ["-CAfile", str(site.settings.signing.certificate), "-purpose", "any", "-out", "/dev/null"]
    subprocess.run([*command, *trust], check=True, capture_output=True)
    root = etree.fromstring(data.read_bytes())
    etree.XMLSchema(etree.parse(_ACRF)).assertValid(root)
    assert b"" == go.read_bytes()
    return Answer(
        stem=stem,
        file_name=root.findtext("Form/FileReference/FileName") or "",
        ticket=root.findtext("Form/FileReference/ReferenceNbr") or "",
        result=root.findtext("Form/ReceptionResult/ResultCode") or "",
        codes=tuple(code.text or "" for code in root.findall("Form/ReceptionResult/ErrorID")),
    )


def only_answer(site: Site, directory: str = "OUT", user: str = USER) -> Answer:
    """The one answer in a directory, which holds nothing else."""
    names = sorted(listing(site, directory, user))
    stem = names[0].partition(".")[2]
    assert [f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO")] == names
    return fetch(site, stem, directory, user)
