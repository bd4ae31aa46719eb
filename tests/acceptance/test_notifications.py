"""What is wrong with the declarations of a file is told beside its acknowledgement, form by form, at its place."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import pytest
import sqlalchemy as sa
from lxml import etree

from gateway import parties
from gateway.parties import Sender, SignatureProfile
from schemas.anomaly import Broken
from schemas.wording import Language, anomaly_text
from spool.journal import open_journal
from spool.tables import events, submissions
from tests.answers import Answer, Told, both_answers, download, listing, read_notification
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, make_test_site, running, three_forms, today

_MADE = re.compile(rb"(?<=<FormCreationDate>)[^<]*")
_GOOD = three_forms()
_BAD_INSS = b"00000000001"
_NUMBERS = count(200001)


@pytest.fixture(scope="module")
def busy(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential
) -> Iterator[tuple[Site, GatewayProcess]]:
    """One gateway for all files."""
    site = make_test_site(tmp_path_factory.mktemp("notifications"), pki, signer)
    with running(site) as process:
        yield site, process


@dataclass
class Client:
    """A sender of its own at a gateway, so that its OUT holds what a test makes it hold."""

    site: Site
    gateway: GatewayProcess
    number: str
    user: str

    @property
    def stem(self) -> str:
        """The name of its first set of today."""
        return f"DIMN.{self.number}.{today()}.00001.R"

    def send(self, data: bytes) -> str:
        """Upload a set and wait until all its answers are there; its ticket."""
        return self.put(self.site.write_set(self.stem, data))

    def put(self, names: list[str]) -> str:
        """Upload these files, and wait."""
        assert 0 == self.site.sftp("cd IN", *(f"put {name}" for name in names), user=self.user).returncode
        ticket = str(self.gateway.judged()["ticket"])
        self.gateway.wait_for("submission.closed", lambda line: line["ticket"] == ticket)
        return ticket

    def answers(self) -> tuple[Answer, list[Told]]:
        """What it was answered; there is nothing else."""
        return both_answers(self.site, user=self.user)

    def notification(self) -> etree._Element:
        """The root of its only notification."""
        [name] = [name for name in listing(self.site, "OUT", self.user) if name.startswith("FO.NOTI")]
        return etree.fromstring(download(self.site, name, user=self.user))


@pytest.fixture
def client(busy: tuple[Site, GatewayProcess], signer: Credential) -> Client:
    """A sender who reads Dutch."""
    site, gateway = busy
    number = str(next(_NUMBERS))
    site.add_sender(number, f"user{number}", SignatureProfile.DETACHED, signer)
    journal = open_journal(site.settings.journal.path)
    with journal.write() as connection:
        sender = Sender(number, SignatureProfile.DETACHED, "RTS", ("*",), active=True, any_employer=True)
        parties.add_sender(connection, replace(sender, language=Language.NL))
    journal.close()
    return Client(site, gateway, number, f"user{number}")


def forms(document: bytes) -> list[bytes]:
    """The forms with the space behind them, so that they join to what they were."""
    pieces = document[document.index(b"<Form>") : document.rindex(b"</Dimona>")].split(b"<Form>")[1:]
    return [b"<Form>" + piece for piece in pieces]


def two_bad_forms() -> bytes:
    """Three forms: in the first the worker's number has wrong check digits, in the third a type of form is unknown."""
    first, second, third = forms(_GOOD)
    number = etree.fromstring(first).findtext(".//INSS")
    assert number is not None
    bad = first.replace(number.encode(), _BAD_INSS), second, third.replace(b">SU<", b">XX<")
    return _GOOD.replace(b"".join([first, second, third]), b"".join(bad))


def place_of(document: bytes, text: bytes) -> tuple[int, int]:
    """The line and the column of the start tag before ``text``."""
    before = document[: document.rindex(b"<", 0, document.index(text) + 1)]
    return before.count(b"\n") + 1, len(before) - before.rfind(b"\n")


def test_two_bad_forms_of_three_are_told_at_their_places(client: Client) -> None:
    """ACRF 255 and a signed NOTI with exactly these two anomalies, in the sender's language; nothing is forwarded."""
    data = two_bad_forms()
    ticket = client.send(data)

    answer, anomalies = client.answers()

    assert ("0", ("ACRF-255",), ticket) == (answer.result, answer.codes, answer.ticket)
    assert [("INSS", _BAD_INSS.decode()), ("TypeForm", "XX")] == [(each.tag, each.value) for each in anomalies]
    assert ["00024-004", "00297-008"] == [each.error for each in anomalies]
    assert [place_of(data, _BAD_INSS), place_of(data, b"XX</TypeForm>")] == [
        (each.line, each.column) for each in anomalies
    ]
    assert ["1,1,", "1,3,"] == [each.position[:4] for each in anomalies]
    assert {(ticket, "0")} == {(each.ticket, each.result) for each in anomalies}
    assert anomaly_text(Broken("identifier.inss", "004", "INSS"), Language.NL) == anomalies[0].label
    assert client.site.listing("queue", "list") == []


def test_form_by_form_the_sender_finds_its_own_words(client: Client) -> None:
    """Each form of the notification repeats what the form said of itself, where our schema allows it."""
    client.send(two_bad_forms())
    told = client.notification().findall("Form")
    sent = [etree.fromstring(form) for form in forms(_GOOD)]

    for form, original in zip(told, (sent[0], sent[2]), strict=True):
        for path in ("Identification", "FormCreationDate", "FormCreationHour", "AttestationStatus"):
            assert original.findtext(path) == form.findtext(f"HandledOriginalForm/{path}")
        assert original.findtext("Reference/ReferenceNbr") == form.findtext("Reference/ReferenceNbr")
    assert ["SU", None] == [form.findtext("HandledOriginalForm/TypeForm") for form in told]


def test_no_value_of_a_declaration_is_in_the_journal_or_the_log(client: Client) -> None:
    """It stands in the answer, which is the sender's, and nowhere else."""
    ticket = client.send(two_bad_forms())
    journal = open_journal(client.site.settings.journal.path)
    with journal.read() as connection:
        told = [repr(row) for table in (events, submissions) for row in connection.execute(sa.select(table))]
    journal.close()

    assert any(ticket in line for line in told)
    assert not [line for line in (*told, *map(repr, client.gateway.seen)) if _BAD_INSS.decode() in line]


def test_both_answers_are_shown_to_the_operator(client: Client) -> None:
    """By the names of their files, the acknowledgement first."""
    ticket = client.send(two_bad_forms())
    names = sorted(name for name in listing(client.site, "OUT", client.user) if name.startswith("FO."))

    assert names == client.site.listing("show", ticket)["answers"]
    assert all(f"answer     {name}\n" in client.site.command("show", ticket).stdout for name in names)


def test_where_xml_ends_to_be_well_formed_is_told_too(client: Client) -> None:
    """The acknowledgement has no room for a place."""
    data = _GOOD[:600] + b"<<"
    client.send(data)
    answer, [anomaly] = client.answers()

    assert (("ACRF-102",), "00000-102") == (answer.codes, anomaly.error)
    assert data.count(b"\n") + 1 == anomaly.line


def test_each_part_of_a_set_is_told_by_itself(client: Client) -> None:
    """One notification for the set, and what is wrong with a part is no reason to be silent of the next."""
    parts = [f"FI.{client.stem}.2.{part}" for part in (1, 2)]
    for name in parts:
        (client.site.work / name).write_bytes(two_bad_forms())
        (client.site.work / f"FS{name[2:]}").write_bytes(client.site.sign(name))
    (client.site.work / f"GO.{client.stem}.2").touch()
    client.put([*parts, *(f"FS{name[2:]}" for name in parts), f"GO.{client.stem}.2"])

    answer, anomalies = client.answers()
    told_of = client.notification().findall("Form/FileReference/FileName")

    assert (("ACRF-255",), 4) == (answer.codes, len(anomalies))
    assert [parts[0], parts[0], parts[1], parts[1]] == [element.text for element in told_of]


def test_what_is_only_warned_of_is_accepted_and_told(client: Client) -> None:
    """A positive ACRF, a NOTI with ResultCode 1, and every declaration is forwarded; sent again, it gets both again."""
    data = _MADE.sub(b"2019-02-03", _GOOD, count=1)
    ticket = client.send(data)
    first = client.answers()
    messages = client.site.listing("queue", "take", "--count", "10")
    for name in listing(client.site, "OUT", client.user):
        client.site.sftp(f"rm OUT/{name}", user=client.user)
    client.send(data)

    answer, [anomaly] = first
    assert ("1", (), ticket) == (answer.result, answer.codes, answer.ticket)
    assert ("1", "00218-008", "2019-02-03") == (anomaly.result, anomaly.error, anomaly.value)
    assert place_of(data, b"2019-02-03") == (anomaly.line, anomaly.column)
    assert 3 == len(messages)
    assert first == client.answers()


def test_a_second_sending_of_a_refused_file_is_judged_anew(client: Client) -> None:
    """It gets two answers of its own, under other names."""
    client.send(two_bad_forms())
    first = listing(client.site, "OUT", client.user)
    client.send(two_bad_forms())

    assert 6 == len(listing(client.site, "OUT", client.user) - first)


def test_a_language_is_shown_and_stays(busy: tuple[Site, GatewayProcess]) -> None:
    """French unless something else is said; other changes leave it alone."""
    site, _ = busy

    def language() -> str:
        [sender] = [row for row in site.listing("sender", "list") if row["number"] == "300001"]
        return str(sender["language"])

    site.command("sender", "add", "300001", "--user", "otheruser1")
    before = language()
    site.command("sender", "add", "300001", "--user", "otheruser1", "--language", "de")
    site.command("sender", "add", "300001", "--user", "otheruser1", "--purpose", "DIMN")

    assert ("fr", "de") == (before, language())


def test_an_answer_above_the_bound_comes_as_a_signed_zip(site: Site) -> None:
    """CO, FS and GO; the ZIP holds FO under the name that it would have had."""
    site.configure("compress_above_bytes = 52428800", "compress_above_bytes = 1500")
    with running(site) as gateway:
        Client(site, gateway, SENDER, USER).send(two_bad_forms())
        names = sorted(listing(site, "OUT"))
        [zipped] = [name for name in names if name.startswith("CO.")]
        archive = zipfile.ZipFile(io.BytesIO(download(site, zipped)))

    assert ["CO.NOTI", "FO.ACRF", "FS.ACRF", "FS.NOTI", "GO.ACRF", "GO.NOTI"] == [name[:7] for name in names]
    assert [f"FO.{zipped[3:]}"] == archive.namelist()
    assert 2 == len(read_notification(archive.read(f"FO.{zipped[3:]}")))
