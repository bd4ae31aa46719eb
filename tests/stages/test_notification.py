"""The notification of anomalies, as XML: `schemas.notification`."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

import schemas
from schemas.anomaly import Anomaly, Broken, Place, Severity
from schemas.notification import Notification, Report, render
from schemas.original import OriginalForm, Position, Values
from schemas.wording import Language, anomaly_text

XSD = Path(schemas.__file__).parent / "notification" / "NOTIFICATION_20223.xsd"
NAME = "GO.DIMN.123456.20261121.00001.R.1"
TICKET = "3400001Y1P01G"
NOON = datetime(2026, 11, 21, 12, 0, 0, 5999, tzinfo=UTC)
TOO_LONG = Broken("length", "093", "ReferenceNbr", "R" * 21, "≤ 20")
CHECK_DIGIT = Broken("identifier.inss", "004", "INSS", "99010112346")
ORIGINAL = OriginalForm(
    (
        ("Identification", "DIMONA"),
        ("FormCreationDate", "2026-11-21"),
        ("FormCreationHour", "09:00:00.000"),
        ("AttestationStatus", "0"),
        ("TypeForm", "SU"),
    ),
    ((("ReferenceType", "1"), ("ReferenceOrigin", "1"), ("ReferenceNbr", "A-1")),),
)

WHOLE = f"""\
<?xml version='1.0' encoding='UTF-8'?>
<NOTIFICATION xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="NOTIFICATION_20223.xsd">
  <Form>
    <Identification>NOTI001</Identification>
    <FormCreationDate>2026-11-21</FormCreationDate>
    <FormCreationHour>12:00:00.005</FormCreationHour>
    <AttestationStatus>0</AttestationStatus>
    <TypeForm>FA</TypeForm>
    <FileReference>
      <FileName>{NAME}</FileName>
      <ReferenceOrigin>2</ReferenceOrigin>
      <ReferenceNbr>{TICKET}</ReferenceNbr>
    </FileReference>
    <FileReceptionInformation>
      <ReceptionDate>2026-11-21</ReceptionDate>
      <ReceptionHour>12:00:00.005</ReceptionHour>
      <Channel>14</Channel>
    </FileReceptionInformation>
    <HandledOriginalFile>
      <SenderId>123456</SenderId>
    </HandledOriginalFile>
    <HandledOriginalForm>
      <Identification>DIMONA</Identification>
      <FormCreationDate>2026-11-21</FormCreationDate>
      <FormCreationHour>09:00:00.000</FormCreationHour>
      <AttestationStatus>0</AttestationStatus>
      <TypeForm>SU</TypeForm>
    </HandledOriginalForm>
    <Reference>
      <ReferenceType>1</ReferenceType>
      <ReferenceOrigin>1</ReferenceOrigin>
      <ReferenceNbr>A-1</ReferenceNbr>
    </Reference>
    <HandledReference>
      <ReferenceType>1</ReferenceType>
      <ReferenceOrigin>2</ReferenceOrigin>
      <ReferenceNbr>{TICKET}</ReferenceNbr>
    </HandledReference>
    <HandlingResult>
      <ResultCode>0</ResultCode>
      <Diagnosis>3</Diagnosis>
      <AnomalyReport>
        <ErrorID>00024-004</ErrorID>
        <TagName>INSS</TagName>
        <Value>99010112346</Value>
        <AnomalyClass>B</AnomalyClass>
        <AnomalyLabel>{anomaly_text(CHECK_DIGIT, Language.NL)}</AnomalyLabel>
        <AnomalyLocation>
          <LineNbr>12</LineNbr>
          <ColumnNbr>7</ColumnNbr>
          <Location>1,1,8,4</Location>
        </AnomalyLocation>
        <Path>
          <Quarter>20263</Quarter>
          <INSS>99010112346</INSS>
        </Path>
      </AnomalyReport>
    </HandlingResult>
  </Form>
</NOTIFICATION>
"""


def anomaly(
    broken: Broken = CHECK_DIGIT,
    form: int = 1,
    position: tuple[int, ...] = (1, 1, 8, 4),
) -> Anomaly:
    """An anomaly at line 12, column 7."""
    return Anomaly(broken, form, Place(12, 7, 300, "/Dimona[1]/Form[1]", position))


def notification(
    *reports: Report, language: Language = Language.NL, accepted: bool = False, channel: str = "sftp", untold: int = 0
) -> Notification:
    """What is told of one file."""
    return Notification(TICKET, "123456", channel, NOON, NOON, reports, language, accepted, untold)


def read(told: Notification) -> etree._Element:
    """The root of the notification, which a second reader of schemas finds valid too."""
    text = render(told)
    xmlschema.XMLSchema10(XSD).validate(text.decode())
    return etree.fromstring(text)


def values(root: etree._Element, path: str) -> list[str]:
    """What the elements at a path say."""
    return [element.text or "" for element in root.findall(path)]


def test_a_notification_is_exactly_this_text() -> None:
    """Every element of the structure that is told, and lines that end in CR LF."""
    keys: dict[Position, Values] = {(1, 1, 8, 4): (("Quarter", "20263"), ("INSS", "99010112346"))}
    report = Report(NAME, (anomaly(),), {1: replace(ORIGINAL, keys=keys)})

    assert WHOLE.replace("\n", "\r\n").encode() == render(notification(report))


def test_each_form_with_anomalies_has_one_form_and_no_other_has() -> None:
    """Two anomalies of one form stand together, in their order."""
    faults = (anomaly(), anomaly(TOO_LONG), anomaly(form=3))
    root = read(notification(Report(NAME, faults)))

    assert [["00024-004", "00222-093"], ["00024-004"]] == [
        values(form, "HandlingResult/AnomalyReport/ErrorID") for form in root.findall("Form")
    ]


def test_each_part_of_a_set_is_told_by_its_own_name() -> None:
    """Lines are counted in each part, so a number alone would say nothing."""
    reports = [Report(f"FI.DMFA.123456.20261121.00001.R.2.{part}", (anomaly(),)) for part in (1, 2)]

    assert [report.file_name for report in reports] == values(
        read(notification(*reports)), "Form/FileReference/FileName"
    )


@pytest.mark.parametrize("language", Language)
def test_the_label_is_in_the_language_of_the_sender(language: Language) -> None:
    """In each of the four."""
    root = read(notification(Report(NAME, (anomaly(),)), language=language, untold=7))
    label, more = values(root, "Form/HandlingResult/AnomalyReport/AnomalyLabel")

    assert anomaly_text(CHECK_DIGIT, language) == label
    assert more.endswith(": 7.")


def test_what_only_warns_leaves_the_result_positive() -> None:
    """ResultCode 1, class W, and no diagnosis of a refusal."""
    warning = Broken("identifier.inss", "004", "INSS", "1", severity=Severity.WARNING)
    result = read(notification(Report(NAME, (anomaly(warning),)), accepted=True)).find("Form/HandlingResult")

    assert result is not None
    assert (["1"], [], ["W"]) == (
        values(result, "ResultCode"),
        values(result, "Diagnosis"),
        values(result, "AnomalyReport/AnomalyClass"),
    )


def test_a_warning_in_a_refused_file_is_no_acceptance() -> None:
    """The file was refused as a whole, so the form was not handled either."""
    warning = Broken("identifier.inss", "004", "INSS", "1", severity=Severity.WARNING)
    root = read(notification(Report(NAME, (anomaly(warning), anomaly(form=2)))))

    assert ["0", "0"] == values(root, "Form/HandlingResult/ResultCode")


def test_how_many_anomalies_are_not_told_stands_at_the_end() -> None:
    """One more report in the last form, without a place."""
    root = read(notification(Report(NAME, (anomaly(), anomaly(form=2))), untold=9000))
    reports = root.findall("Form[2]/HandlingResult/AnomalyReport")

    assert [1, 2] == [len(form.findall("HandlingResult/AnomalyReport")) for form in root]
    assert "90059-255" == reports[1].findtext("ErrorID")
    assert "9000" in (reports[1].findtext("AnomalyLabel") or "")
    assert reports[1].find("AnomalyLocation") is None


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ((("FormCreationDate", "2026-02-30"), ("TypeForm", "SU")), ["TypeForm"]),
        ((("FormCreationHour", "25:00:00.000"),), []),
        ((("AttestationStatus", "x"), ("TypeForm", "XX")), []),
        ((("Identification", "TOO LONG A CODE"), ("AttestationStatus", "0")), ["AttestationStatus"]),
    ],
)
def test_of_a_form_only_what_may_stand_there_is_echoed(fields: tuple[tuple[str, str], ...], kept: list[str]) -> None:
    """The form may be wrong just there; our answer is valid all the same."""
    root = read(notification(Report(NAME, (anomaly(),), {1: OriginalForm(fields)})))

    assert kept == [element.tag for element in root.iterfind("Form/HandledOriginalForm/*")]


@pytest.mark.parametrize(
    "reference",
    [
        (("ReferenceType", "1"), ("ReferenceOrigin", "9"), ("ReferenceNbr", "A")),
        (("ReferenceNbr", "A"),),
        (("ReferenceType", "10"), ("ReferenceOrigin", "1")),
    ],
)
def test_a_reference_that_may_not_stand_there_is_left_out(reference: tuple[tuple[str, str], ...]) -> None:
    """As a whole, for half a reference refers to nothing."""
    root = read(notification(Report(NAME, (anomaly(),), {1: OriginalForm((), (reference,))})))

    assert [] == root.findall("Form/Reference")


def test_keys_that_may_not_stand_there_are_left_out() -> None:
    """A number with letters, and the second of two employer numbers of which only one may be told."""
    keys = (("Quarter", "20263"), ("NOSSRegistrationNbr", "A"), ("NOSSLPARegistrationNbr", "1"), ("INSS", "x"))
    root = read(notification(Report(NAME, (anomaly(),), {1: OriginalForm(keys={(1, 1, 8, 4): keys})})))

    assert ["Quarter", "NOSSLPARegistrationNbr"] == [
        element.tag for element in root.iterfind("Form/HandlingResult/AnomalyReport/Path/*")
    ]


def test_a_place_deeper_than_can_be_told_keeps_its_line() -> None:
    """Two hundred characters hold some eighty levels."""
    root = read(notification(Report(NAME, (anomaly(position=(1,) * 101),))))
    located = root.find("Form/HandlingResult/AnomalyReport/AnomalyLocation")

    assert located is not None
    assert ["LineNbr", "ColumnNbr"] == [element.tag for element in located]


def test_hostile_names_and_patterns_are_cut() -> None:
    """An element's name may have any length, and so may what would be right."""
    long = Broken("format", "008", "N" * 5000, "<&>", "x" * 5000)
    report = read(notification(Report(NAME, (anomaly(long),)))).find("Form/HandlingResult/AnomalyReport")

    assert report is not None
    assert (128, "<&>", 500) == (
        len(report.findtext("TagName") or ""),
        report.findtext("Value"),
        len(report.findtext("AnomalyLabel") or ""),
    )


def test_a_place_outside_every_form_is_told_of_the_file() -> None:
    """Where the file stops to be well-formed there is no form to speak of."""
    broken = Broken("syntax", "102", "")
    root = read(notification(Report(NAME, (Anomaly(broken, 0, Place(3, 4, 50, "", ())),))))

    assert ["00000-102"] == values(root, "Form/HandlingResult/AnomalyReport/ErrorID")
    assert ["3"] == values(root, "Form/HandlingResult/AnomalyReport/AnomalyLocation/LineNbr")
    assert [] == root.findall("Form/HandledOriginalForm")


@pytest.mark.parametrize(("channel", "number"), [("sftp", ["14"]), ("mq", ["6"]), ("other", [])])
def test_the_channel_goes_by_its_number(channel: str, number: list[str]) -> None:
    """Of one that has none nothing is said of the reception."""
    root = read(notification(Report(NAME, (anomaly(),)), channel=channel))

    assert number == values(root, "Form/FileReceptionInformation/Channel")


@pytest.mark.parametrize(
    "told",
    [
        notification(),
        notification(Report("", (anomaly(),))),
        notification(Report(NAME, (anomaly(Broken("text", "092", "a\0")),))),
        Notification(
            TICKET, "123456", "sftp", NOON, NOON.replace(tzinfo=None), [Report(NAME, (anomaly(),))], Language.FR, False
        ),
    ],
    ids=["no anomaly", "no name", "a name XML cannot hold", "no zone"],
)
def test_what_would_not_be_valid_is_not_rendered(told: Notification) -> None:
    """An answer that a sender cannot read is worse than none."""
    with pytest.raises(ValueError, match=r"valid|zone|XML"):
        render(told)
