"""What is validated of a set of several parts, and what is reported of it: `gateway.examination.validate_set`."""

import pickle
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from gateway.examination import Content, ContentRules, NotWhatWasVerifiedError, RefusedSet, ValidatedSet, validate_set
from schemas.catalogue import TypesUnusable
from schemas.codes import Code
from schemas.refusal import MAX_ANOMALIES
from schemas.validate import Limits
from tests.stages.dimona import END, FOLDER, FORM, ROOT, VALID, document

_LIMITS = Limits(max_bytes=100_000_000, max_forms=5000)
_BAD_FORM = FORM.replace(">SU<", ">XX<")


def examine(
    folder: Path, *parts: bytes, purpose: str = "DIMN", verified: str | None = None
) -> ValidatedSet | RefusedSet:
    """What the worker answers; it goes through a pipe, as between processes."""
    contents = [Content(f"part {number}", part, verified) for number, part in enumerate(parts, 1)]
    types = folder / "types"
    types.mkdir(exist_ok=True)
    rules = ContentRules(purpose, _LIMITS, date(2026, 11, 21), types)
    answer: ValidatedSet | RefusedSet = pickle.loads(  # noqa: S301 - our own, just pickled
        pickle.dumps(validate_set(contents, rules, folder / "declarations" / "T"))
    )
    return answer


def refused(folder: Path, *parts: bytes, purpose: str = "DIMN") -> RefusedSet:
    """The refusal of a set, of which no declaration is kept."""
    answer = examine(folder, *parts, purpose=purpose)
    assert isinstance(answer, RefusedSet)
    assert [] == list(folder.glob("declarations/*"))
    return answer


def test_a_good_set_has_nothing_to_report(tmp_path: Path) -> None:
    """Its declarations are counted through its parts."""
    answer = examine(tmp_path, VALID, VALID)

    assert isinstance(answer, ValidatedSet)
    assert [0, 0, 0, 1, 1, 1] == [declaration.part for declaration in answer.declarations]
    assert () == answer.anomalies.reports


def test_every_part_is_looked_at_and_told_by_its_name(tmp_path: Path) -> None:
    """Also those behind one that is refused, whatever for; a good one between them has no report."""
    answer = refused(tmp_path, b"<", document(_BAD_FORM), VALID, document(FORM, _BAD_FORM))

    assert ["part 2", "part 4"] == [report.file_name for report in answer.anomalies.reports][-2:]
    assert [1, 2] == [report.anomalies[0].form for report in answer.anomalies.reports][-2:]
    assert [Code.XML_SYNTAX, Code.FORM_INVALID, Code.FORM_INVALID] == [finding.code for finding in answer.findings]
    assert all(
        re.match(rf"part {part}: ", finding.detail) for part, finding in zip((1, 2, 4), answer.findings, strict=True)
    )


def test_a_part_alone_is_not_numbered(tmp_path: Path) -> None:
    """There is no other to tell it from."""
    [finding] = refused(tmp_path, document(_BAD_FORM)).findings

    assert not finding.detail.startswith("part")


def test_forms_that_are_told_of_say_what_they_are(tmp_path: Path) -> None:
    """And no others."""
    [report] = refused(tmp_path, document(FORM, _BAD_FORM)).anomalies.reports

    assert {2} == set(report.originals)
    assert "DIMONA" == dict(report.originals[2].fields)["Identification"]


def test_so_many_anomalies_are_told_of_a_set_and_the_others_counted(tmp_path: Path) -> None:
    """The bound is that of the set, not of each part; behind it no part is read."""
    many = document(*[_BAD_FORM] * (MAX_ANOMALIES - 10))
    answer = refused(tmp_path, many, many, many)

    assert [MAX_ANOMALIES - 10, 10] == [len(report.anomalies) for report in answer.anomalies.reports]
    assert MAX_ANOMALIES - 20 == answer.anomalies.untold
    assert 2 == len(answer.findings)


@pytest.mark.parametrize("content", [VALID, f"{ROOT}{END}".encode()])
def test_a_purpose_without_a_schema_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    """088, whatever the document."""
    assert [Code.SCHEMA_UNKNOWN] == [finding.code for finding in refused(tmp_path, content, purpose="PUBL").findings]


def test_a_purpose_that_has_left_the_catalogue_is_trouble_of_our_own(tmp_path: Path) -> None:
    """The name was checked before; the set waits until somebody knows its type again."""
    with pytest.raises(TypesUnusable):
        examine(tmp_path, VALID, purpose="ABCD")


def test_a_type_of_the_site_counts(tmp_path: Path) -> None:
    """A Dimona of the site's own takes the place of the shipped one; here it allows two forms only."""
    shutil.copytree(FOLDER, tmp_path / "types" / "dimona")
    file = tmp_path / "types" / "dimona" / "type.toml"
    file.write_text(file.read_text().replace("[title]", "[limits]\nmax_forms = 2\n\n[title]"))

    assert [Code.TOO_MANY_FORMS] == [finding.code for finding in refused(tmp_path, VALID).findings]


def test_a_place_is_told_with_the_keys_of_its_declaration(tmp_path: Path) -> None:
    """A worker of a DmfA goes by quarter, employer and numbers."""
    sample = (FOLDER.parent / "dmfa" / "samples" / "valid_small.xml").read_bytes()
    bad = re.sub(rb"<INSS>[0-9]+<", b"<INSS>12345678901<", sample, count=1)
    [report] = refused(tmp_path, bad, purpose="DMFA").anomalies.reports
    [anomaly] = report.anomalies
    keys = dict(report.originals[1].keys[anomaly.place.position])

    assert "12345678901" == keys["INSS"]
    assert {"Quarter", "CompanyID", "NaturalPersonSequenceNbr"} <= set(keys)


def test_other_bytes_than_those_verified_are_not_validated(tmp_path: Path) -> None:
    """What was signed is what is accepted."""
    with pytest.raises(NotWhatWasVerifiedError):
        examine(tmp_path, VALID, verified="00" * 32)
    assert [] == list(tmp_path.glob("declarations/*"))


@pytest.mark.parametrize(("needed", "codes"), [("required", [Code.FS_COUNT]), ("optional", [])])
def test_a_type_that_has_to_be_signed_is_refused_without_a_signature(
    tmp_path: Path, needed: str, codes: list[Code]
) -> None:
    """Also where another type of its purpose needs none, so that the set was let through without FS."""
    shutil.copytree(FOLDER, tmp_path / "types" / "dimona")
    file = tmp_path / "types" / "dimona" / "type.toml"
    file.write_text(file.read_text().replace('signature = "required"', f'signature = "{needed}"'))
    rules = ContentRules("DIMN", _LIMITS, date(2026, 11, 21), tmp_path / "types")
    answer = validate_set([Content("n", VALID, None, unsigned=True)], rules, tmp_path / "declarations" / "T")

    assert codes == ([finding.code for finding in answer.findings] if isinstance(answer, RefusedSet) else [])
