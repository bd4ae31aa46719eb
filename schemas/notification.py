"""What does the notification of what is wrong with the declarations of a file look like?

Source: the NOTIFICATION structure, schema version 20223, in ``notification/NOTIFICATION_20223.xsd``. One form for each
form of the file that has anomalies, final (FA), each with its anomalies in the order of their places. What a form said
of itself is echoed only where our schema allows it, for the form may be wrong just there.

Not done here: what is anomalous (`schemas.validate`), its file name, its signature, and who gets it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from lxml import etree

from schemas import answer_xml, xsd
from schemas.anomaly import Anomaly
from schemas.original import OriginalForm, Values
from schemas.wording import Language, anomaly_text

_SCHEMA = Path(__file__).resolve().parent / "notification" / "NOTIFICATION_20223.xsd"

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_IDENTIFICATION: Final = "NOTI001"
_THIS_FORM: Final = "1"
_REFUSED, _ACCEPTED = "0", "1"
_BLOCKED: Final = "3"  # diagnosis (zone 00232): refused for blocking anomalies
_CHANNELS: Final = {"mq": "6", "sftp": "14"}  # zone 00737
_MAX_NAME: Final = 128
_MAX_LABEL: Final = 500
_MAX_LOCATION: Final = 200
_UNTOLD: Final = "90059-255"
_MORE: Final = {
    Language.FR: "Autres anomalies, non détaillées : {}.",
    Language.NL: "Andere anomalieën, niet in detail vermeld: {}.",
    Language.DE: "Weitere Anomalien, nicht einzeln aufgeführt: {}.",
    Language.EN: "More anomalies, not told in full: {}.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong with the forms of one file.

    ``originals`` says, by form number, what the forms say of themselves and of these places.
    """

    file_name: str
    anomalies: tuple[Anomaly, ...]
    originals: Mapping[int, OriginalForm] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """What is told of one file set.

    ``received`` and ``created`` have a time zone, in which they are written; ``channel`` is the gateway's word for how
    the set came; ``accepted`` says that its anomalies only warn; ``untold`` counts those of which nothing else is told.
    """

    ticket: str
    sender: str
    channel: str
    received: datetime
    created: datetime
    reports: Sequence[Report]
    language: Language
    accepted: bool
    untold: int = 0


def render(notification: Notification) -> bytes:
    """The notification as UTF-8 XML, valid against its schema; there is at least one anomaly.

    Raises `ValueError` when that is impossible: a time without a zone, nothing to report, characters XML cannot hold.
    """
    root = answer_xml.begin("NOTIFICATION", _SCHEMA)
    for report in notification.reports:
        for number, anomalies in groupby(report.anomalies, key=lambda anomaly: anomaly.form):
            original = report.originals.get(number, OriginalForm())
            result = _add_form(root, notification, report.file_name, original)
            for anomaly in anomalies:
                keys = original.keys.get(anomaly.place.position, ())
                _add_anomaly(result, anomaly, keys, notification.language)
    last = root.find("Form[last()]/HandlingResult")
    if last is not None and notification.untold:
        _add_untold(last, notification)
    return answer_xml.finish(root, _SCHEMA)


def _add_form(
    root: etree._Element, notification: Notification, file_name: str, original: OriginalForm
) -> etree._Element:
    """A form without its anomalies; answers the block that they belong in."""
    ticket = ("ReferenceOrigin", answer_xml.TICKET_ORIGIN), ("ReferenceNbr", notification.ticket)
    form = answer_xml.add_form(root, _IDENTIFICATION, notification.created)
    answer_xml.add(form, "FileReference", ("FileName", file_name), *ticket)
    if notification.channel in _CHANNELS:
        received = notification.received
        fields = (
            ("ReceptionDate", received.date().isoformat()),
            ("ReceptionHour", received.time().isoformat("milliseconds")),
            ("Channel", _CHANNELS[notification.channel]),
        )
        answer_xml.add(form, "FileReceptionInformation", *fields)
    answer_xml.add(form, "HandledOriginalFile", ("SenderId", notification.sender))
    if said := _allowed("HandledOriginalForm", original.fields):
        answer_xml.add(form, "HandledOriginalForm", *said)
    for reference in original.references:
        if _fits("Reference", reference):
            answer_xml.add(form, "Reference", *reference)
    answer_xml.add(form, "HandledReference", ("ReferenceType", _THIS_FORM), *ticket)
    result = answer_xml.add(form, "HandlingResult", ("ResultCode", _ACCEPTED if notification.accepted else _REFUSED))
    if not notification.accepted:
        answer_xml.add_fields(result, [("Diagnosis", _BLOCKED)])
    return result


def _add_anomaly(result: etree._Element, anomaly: Anomaly, keys: Values, language: Language) -> None:
    broken, place = anomaly.broken, anomaly.place
    report = answer_xml.add(result, "AnomalyReport", ("ErrorID", broken.error_id))
    told = ("TagName", broken.element[:_MAX_NAME]), ("Value", broken.value)
    answer_xml.add_fields(report, [(name, value) for name, value in told if value])
    label = anomaly_text(broken, language)
    label = label if len(label) <= _MAX_LABEL else f"{label[: _MAX_LABEL - 1]}…"
    answer_xml.add_fields(report, [("AnomalyClass", broken.severity), ("AnomalyLabel", label)])
    located = answer_xml.add(report, "AnomalyLocation", ("LineNbr", str(place.line)), ("ColumnNbr", str(place.column)))
    position = ",".join(map(str, place.position))
    if 0 < len(position) <= _MAX_LOCATION:
        answer_xml.add_fields(located, [("Location", position)])
    if allowed := _allowed("Path", keys):
        answer_xml.add(report, "Path", *allowed)


def _add_untold(result: etree._Element, notification: Notification) -> None:
    label = _MORE[notification.language].format(notification.untold)
    severity = "W" if notification.accepted else "B"
    fields = ("ErrorID", _UNTOLD), ("AnomalyClass", severity), ("AnomalyLabel", label)
    answer_xml.add(result, "AnomalyReport", *fields)


def _allowed(block: str, fields: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Those of the fields that may stand in a block of the notification; one that may not is no reason to tell less."""
    if not fields or _fits(block, fields):
        return fields
    kept = [each for each in fields if _fits(block, [each])]
    return kept if _fits(block, kept) else ()


def _fits(block: str, fields: Sequence[tuple[str, str]]) -> bool:
    """Whether our schema lets a block have these fields: asked with the smallest document that has it."""
    root = answer_xml.begin("NOTIFICATION", _SCHEMA)
    form = answer_xml.add_form(root, _IDENTIFICATION, _EPOCH)
    if block != "Path":
        answer_xml.add(form, block, *fields)
    answer_xml.add(form, "HandledReference", ("ReferenceType", _THIS_FORM), ("ReferenceOrigin", "2"))
    result = answer_xml.add(form, "HandlingResult", ("ResultCode", _REFUSED))
    if block == "Path":
        answer_xml.add(answer_xml.add(result, "AnomalyReport", ("ErrorID", _UNTOLD)), block, *fields)
    return xsd.compiled(_SCHEMA).validate(root)
