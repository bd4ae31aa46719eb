"""An acknowledgement with a notification beside it: composed, kept and placed, whole or as a ZIP."""

import base64
import io
import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from config.settings import Signing
from gateway import answer
from gateway.answer import Desk, Told, place_all
from gateway.examination import Anomalies
from schemas.anomaly import Anomaly, Broken, Place
from schemas.codes import Code, Finding
from schemas.notification import Report
from schemas.wording import Language
from signing.own.own_keys import open_keys
from spool import answers, submissions
from spool.answers import AnswerName
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.submissions import Ruling, State, Submission
from tests.authority import Credential, Pki

pytestmark = pytest.mark.every_database

_NAME = "GO.DIMN.123456.20261121.00001.R.1"
_BOX = Mailbox("123456", "OUT")
_ANOMALY = Anomaly(Broken("identifier.inss", "004", "INSS", "1"), 1, Place(1, 1, 0, "/Dimona[1]", (1, 1)))


@pytest.fixture
def own(pki: Pki) -> Credential:
    """The gateway's own key and certificate."""
    return pki.issue("Gateway")


@pytest.fixture
def desk(journal: Journal, own: Credential) -> Desk:
    """What answers are made with."""
    return Desk(open_keys(Signing(key=own.key, certificate=own.certificate)), ZoneInfo("Europe/Brussels"), journal)


@pytest.fixture
def told(journal: Journal) -> Told:
    """A submission that is refused for one anomaly."""
    submission = Submission("A", 1, "sftp", "123456", "u", "IN", _NAME, _NAME[3:-2], "c", State.RECEIVED, 0)
    with journal.write() as connection:
        submissions.add(connection, submission)
    anomalies = Anomalies((Report(_NAME, (_ANOMALY,)),), untold=5)
    return Told(submission, (Finding(Code.FORM_INVALID),), anomalies, Language.DE)


def promised(journal: Journal, told: Told, desk: Desk) -> list[AnswerName]:
    """The names of the answers, kept with the verdict."""
    signed = answer.compose(told, desk)
    with journal.write() as connection:
        submissions.settle(connection, "A", Ruling(State.REJECTED))
        answer.promise(connection, signed)
        return answers.names(connection, "A")


def placed(outbox: Outbox, name: str) -> bytes:
    """What the sender reads."""
    descriptor = outbox.open(_BOX, name)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_the_notification_follows_the_acknowledgement(journal: Journal, told: Told, desk: Desk, tmp_path: Path) -> None:
    """Two answers, each with FO, FS and GO, and the submission is closed with the second."""
    outbox = Outbox(tmp_path / "answers")
    names = promised(journal, told, desk)
    assert 2 == place_all(journal, outbox, batch_size=1)
    root = etree.fromstring(placed(outbox, names[1].file_name))
    with journal.read() as connection:
        closed = submissions.load(connection, "A")

    assert [(1, "FO", "ACRF.999999"), (2, "FO", "NOTI.999999")] == [
        (name.ordinal, name.prefix, name.stem[:11]) for name in names
    ]
    assert 6 == len(outbox.entries(_BOX))
    assert ["00024-004", "90059-255"] == [code.text for code in root.iter("ErrorID")]
    assert closed is not None
    assert closed.closed_at is not None


def test_without_anomalies_there_is_no_notification(journal: Journal, told: Told, desk: Desk) -> None:
    """A bad name or signature is told by the acknowledgement alone."""
    assert ["ACRF"] == [name.stem[:4] for name in promised(journal, replace(told, anomalies=Anomalies()), desk)]


def test_an_acknowledgement_that_was_fetched_and_deleted_does_not_come_again(
    journal: Journal, told: Told, desk: Desk, tmp_path: Path
) -> None:
    """Also while the notification beside it still waits, and the tombstones were looked at in between."""
    outbox = Outbox(tmp_path / "answers")
    acknowledgement, notification = promised(journal, told, desk)
    with journal.read() as connection:
        first = answers.load(connection, "A", 1)
    outbox.place(_BOX, [(f"{prefix}.{acknowledgement.stem}", first.data) for prefix in ("FO", "FS", "GO")])
    for prefix in ("FO", "FS", "GO"):
        outbox.remove(_BOX, f"{prefix}.{acknowledgement.stem}")
    with journal.read() as connection:
        outbox.bury(outbox.tombstones(), answers.unsettled_stems(connection))
    place_all(journal, outbox)

    assert {notification.stem} == {entry.name[3:] for entry in outbox.entries(_BOX)}


def test_both_are_given_again_under_their_names(journal: Journal, told: Told, desk: Desk, tmp_path: Path) -> None:
    """A repeat gets the very answers of the first."""
    outbox = Outbox(tmp_path / "answers")
    names = promised(journal, told, desk)
    place_all(journal, outbox)
    with journal.write() as connection:
        submissions.add(connection, replace(told.submission, ticket="B"))
        answer.promise_again(connection, "B", "A")
    for name in names:
        outbox.remove(_BOX, name.file_name)
        outbox.forget_removal(_BOX, name.stem)

    assert 2 == place_all(journal, outbox)
    assert 6 == len(outbox.entries(_BOX))


def test_a_large_answer_goes_out_as_a_zip_that_is_signed(
    journal: Journal, told: Told, desk: Desk, own: Credential, tmp_path: Path
) -> None:
    """CO holds FO under the name that the answer has, and openssl verifies the CO as it is."""
    outbox = Outbox(tmp_path / "answers")
    acknowledgement, notification = promised(journal, told, replace(desk, compress_above=1000))
    place_all(journal, outbox)
    data = placed(outbox, notification.file_name)
    zipped = zipfile.ZipFile(io.BytesIO(data))
    (tmp_path / "co").write_bytes(data)
    (tmp_path / "fs").write_bytes(base64.b64decode(placed(outbox, f"FS.{notification.stem}")))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "fs")]
    command += ["-content", str(tmp_path / "co"), "-CAfile", str(own.certificate), "-partial_chain"]
    subprocess.run([*command, "-purpose", "any", "-out", "/dev/null"], check=True, capture_output=True)

    assert ("FO", "CO") == (acknowledgement.prefix, notification.prefix)
    assert [f"FO.{notification.stem}"] == zipped.namelist()
    assert "NOTIFICATION" == etree.fromstring(zipped.read(f"FO.{notification.stem}")).tag
    assert b"" == placed(outbox, f"GO.{notification.stem}")


def test_the_number_of_a_zip_is_never_given_again(journal: Journal, told: Told, desk: Desk) -> None:
    """It is in the ZIP before there is a verdict; if none follows, it is lost."""
    zips = replace(desk, compress_above=1)
    lost = {signed.stem for signed in answer.compose(told, zips)}
    names = promised(journal, told, zips)

    assert 2 == len(lost)
    assert set() == lost & {name.stem for name in names}
    assert ["CO", "CO"] == [name.prefix for name in names]
