"""How does the report on a checked file look: to a program (one JSON object a line), and to a person?

File names, values and names of elements are a stranger's: whatever could move a terminal's cursor is shown as ``?``.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import click

from gateway.cli.check_words import Word, remark_text, said, trust_text
from gateway.report import Found, Remark, Report, Signature, is_blocking
from schemas.anomaly import Anomaly, Severity
from schemas.codes import Code, Finding
from schemas.wording import Language, anomaly_text, code_text, expected_text

_NOTHING: Mapping[str, Any] = {
    "code": None,
    "error_id": None,
    "severity": None,
    "message": None,
    "detail": None,
    "expected": None,
    "form": None,
    "zone": None,
    "element": None,
    "value": None,
    "line": None,
    "column": None,
    "offset": None,
    "path": None,
    "position": None,
    "rule": None,
}


def as_line(report: Report, language: Language) -> str:
    """The report as one line."""
    document = report.document
    facts = {
        "file": str(report.file),
        "accepted": report.accepted,
        "findings": [facts_of(found, language) for found in report.findings],
        "untold": report.untold,
        "document": document and {"root": document.root, "version": document.schema_version, "forms": document.forms},
        "signature": report.signature and _signature_facts(report.signature),
    }
    return json.dumps(facts)


def facts_of(found: Found, language: Language) -> dict[str, Any]:
    """One finding; every kind of finding has every key, and null where it has nothing to say."""
    match found:
        case Finding():
            known = _finding_facts(found, language)
        case Anomaly():
            known = _anomaly_facts(found, language)
        case Remark():
            known = {
                "severity": str(found.severity),
                "message": remark_text(found, language),
                "detail": found.detail or None,
                "rule": str(found.notice),
            }
        case _:
            assert_never(found)
    return {**_NOTHING, **known}


def _finding_facts(finding: Finding, language: Language) -> dict[str, Any]:
    return {
        "code": str(finding.code),
        "error_id": finding.error_id,
        "severity": str(Severity.BLOCKING),
        "message": code_text(finding.code, language),
        "detail": finding.detail or None,
        "rule": finding.code.name.lower().replace("_", "-"),
    }


def _anomaly_facts(anomaly: Anomaly, language: Language) -> dict[str, Any]:
    broken, place = anomaly.broken, anomaly.place
    zone, _, _ = broken.error_id.partition("-")
    return {
        "code": str(broken.code),
        # What isn't about a form is told by the acknowledgement alone.
        "error_id": broken.error_id if anomaly.form else f"ACRF-{broken.code}",
        "severity": str(broken.severity),
        "message": anomaly_text(broken, language),
        "expected": expected_text(broken.expected, language) or None,
        "form": anomaly.form or None,
        "zone": zone if anomaly.form else None,
        "element": broken.element or None,
        "value": broken.value or None,
        "line": place.line,
        "column": place.column,
        "offset": place.offset,
        "path": place.path or None,
        "position": list(place.position) or None,
        "rule": str(broken.rule),
    }


def _signature_facts(signature: Signature) -> dict[str, Any]:
    return {
        "format": str(signature.format),
        "fingerprint": signature.fingerprint,
        "not_after": signature.not_after.isoformat(),
        "trust": str(signature.trust),
    }


def as_text(report: Report, language: Language) -> str:
    """The report as a block of lines, with colours for a terminal."""
    return "\n".join(_lines(report, language))


def _lines(report: Report, language: Language) -> Iterator[str]:
    own = any(map(is_blocking, report.findings))
    word = Word.ACCEPTED if report.accepted else Word.REFUSED if own else Word.REFUSED_WITH_SET
    state = click.style(said(word, language), fg="green" if report.accepted else "red", bold=True)
    yield f"{printable(str(report.file))}: {state}"
    if document := report.document:
        version = document.schema_version
        yield "  " + said(Word.FORMS, language, root=document.root, version=version, forms=document.forms)
    if signature := report.signature:
        yield "  " + said(
            Word.SIGNED,
            language,
            format=signature.format,
            fingerprint=signature.fingerprint,
            until=signature.not_after.date().isoformat(),
            trust=trust_text(signature.trust, language),
        )
    for found in report.findings:
        yield from _finding_lines(facts_of(found, language) | _counted(found, report, language), language)
    if report.untold:
        yield "  " + said(Word.MORE, language, count=report.untold)


def _counted(found: Found, report: Report, language: Language) -> dict[str, Any]:
    """How many anomalies follow, which a person reads rather than the first of them once more."""
    if not isinstance(found, Finding) or found.code is not Code.FORM_INVALID:
        return {}
    count = sum(isinstance(each, Anomaly) for each in report.findings) + report.untold
    return {"detail": said(Word.COUNTED, language, count=count)}


def _finding_lines(facts: Mapping[str, Any], language: Language) -> Iterator[str]:
    place = f"{facts['line']}:{facts['column']}" if facts["line"] else ""
    warning = f"({said(Word.WARNING, language)})" if facts["severity"] == Severity.WARNING else ""
    head = "  ".join(filter(None, (place, facts["error_id"], warning, printable(facts["message"]))))
    detail = f"  ({printable(facts['detail'])})" if facts["code"] and facts["detail"] else ""
    yield f"  {head}{detail}"
    if facts["path"]:
        yield f"      {printable(facts['path'])}"
    if facts["value"]:
        yield f"      {said(Word.VALUE, language)} {printable(facts['value'])}"


def printable(text: str) -> str:
    """The text without characters that are none to look at."""
    return "".join(character if character.isprintable() else "?" for character in text)
